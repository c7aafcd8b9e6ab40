"""`python -m rehearsal pipeline FILE`: the final YAML of a pipeline, as the preview of Azure Pipelines would give it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rehearsal.pipelines.files import Files
from rehearsal.pipelines.final_yaml import final_yaml
from rehearsal.pipelines.preview import preview
from rehearsal.pipelines.yaml_nodes import PipelineError, PipelineErrors

REFUSED, UNUSABLE = 1, 2
_REASONS = (
    *("Manual", "IndividualCI", "BatchedCI", "Schedule", "PullRequest", "ResourceTrigger", "BuildCompletion"),
    *("ValidateShelveset", "CheckInShelveset", "Triggered"),
)


class Unusable(Exception):
    """The command cannot begin; the text says why and what to do."""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 the final YAML is printed; 1 the service would refuse the pipeline; 2 the command could not begin."""
    arguments = _parser().parse_args(argv)
    try:
        text, warnings = _final(arguments)
    except Unusable as error:
        print(f"The pipeline was not looked at: {error}", file=sys.stderr)
        return UNUSABLE
    except PipelineErrors as error:
        for one in error.errors:
            print(_shown(one), file=sys.stderr)
        count = len(error.errors)
        print(
            f"Azure Pipelines would refuse this pipeline: {count} mistake{'s' if count > 1 else ''}.", file=sys.stderr
        )
        return REFUSED
    for one in warnings:
        print(f"warning: {_shown(one)}", file=sys.stderr)
    sys.stdout.write(text)
    return 0


def _final(arguments: argparse.Namespace) -> tuple[str, Sequence[PipelineError]]:
    file: Path = arguments.file
    if not file.is_file():
        raise Unusable(f"there is no file {file}")
    root = (arguments.root or _repository_of(file)).resolve()
    if not file.resolve().is_relative_to(root):
        raise Unusable(f"{file} is not in the repository {root}; name its folder with --root")
    repositories = {alias: Path(folder) for alias, folder in _pairs("--repository", arguments.repository).items()}
    for alias, folder in repositories.items():
        if not folder.is_dir():
            raise Unusable(f"--repository {alias}={folder}: there is no such folder")
    variables = _variables(arguments, root)
    found = preview(
        Files(root, repositories),
        file.resolve().relative_to(root).as_posix(),
        _pairs("--parameter", arguments.parameter),
        variables | _pairs("--variable", arguments.variable),
    )
    return final_yaml(found.pipeline), (*found.warnings, *found.doubts)


def _repository_of(file: Path) -> Path:
    """The folder with `.git` that a file is in; its own folder where there is none."""
    folder = file.resolve().parent
    return next((above for above in (folder, *folder.parents) if (above / ".git").exists()), folder)


def _variables(arguments: argparse.Namespace, root: Path) -> dict[str, str]:
    """What `variables['Build.…']` says while templates expand. Source: [learn] pipelines/build/variables."""
    branch = arguments.branch if arguments.branch.startswith("refs/") else f"refs/heads/{arguments.branch}"
    values = {
        "Build.DefinitionName": root.name,
        "Build.Reason": arguments.reason,
        "Build.Repository.Name": root.name,
        "Build.Repository.Provider": "TfsGit",
        "Build.SourceBranch": branch,
        "Build.SourceBranchName": branch.rpartition("/")[2],
        "System.CollectionUri": "https://dev.azure.com/slipway/",
        "System.Debug": "false",
        "System.DefinitionId": "1",
        "System.HostType": "build",
        "System.ServerType": "Hosted",
        "System.TeamFoundationCollectionUri": "https://dev.azure.com/slipway/",
        "System.TeamProject": "Slipway",
    }
    if arguments.reason == "PullRequest":
        values |= {
            "Build.SourceBranch": "refs/pull/1/merge",
            "Build.SourceBranchName": "merge",
            "System.PullRequest.PullRequestId": "1",
            "System.PullRequest.TargetBranch": branch,
            "System.PullRequest.TargetBranchName": branch.rpartition("/")[2],
        }
    return values


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    wrong = [each for each in given if "=" not in each or each.startswith("=")]
    if wrong:
        raise Unusable(f"{option} {wrong[0]}: write it as name=value")
    return dict(each.split("=", 1) for each in given)


def _shown(error: PipelineError) -> str:
    at = error.position
    if at.file.startswith("--"):
        return f"{at.file}: {error.message}"
    return f"{at.file}:{at.line}:{at.column}: {error.message}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rehearsal pipeline",
        description=__doc__,
        allow_abbrev=False,
        epilog="Exit codes: 0 the final YAML is printed; 1 the service would refuse the pipeline; 2 the command could not begin.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the pipeline, in a repository of anyone's")
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the pipeline; objects and lists as YAML or JSON; can be repeated",
    )
    parser.add_argument(
        "--variable",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a variable that is known before the run, such as Build.SourceVersion; can be repeated",
    )
    parser.add_argument("--reason", choices=_REASONS, default="Manual", help="Build.Reason (default: Manual)")
    parser.add_argument("--branch", default="main", metavar="NAME", help="Build.SourceBranch (default: main)")
    parser.add_argument(
        "--repository",
        action="append",
        default=[],
        metavar="ALIAS=FOLDER",
        help="where a repository of `resources` lies on this machine; can be repeated",
    )
    parser.add_argument(
        "--root", type=Path, metavar="FOLDER", help="the repository (default: the folder with .git above FILE)"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
