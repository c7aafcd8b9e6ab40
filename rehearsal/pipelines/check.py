"""Every mistake in a repository's pipelines at once: `python -m rehearsal.pipelines.check [ROOT]`.

Each pipeline is expanded as the service would do it, as a push and as a pull request, because each takes other branches of
`${{ if }}`. Templates that no pipeline uses are read for their form.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rehearsal.pipelines.compile import compile_pipeline
from rehearsal.pipelines.expressions import Value
from rehearsal.pipelines.files import Files
from rehearsal.pipelines.parameters import Parameter, declared
from rehearsal.pipelines.yaml_nodes import PipelineError, PipelineErrors

_REASONS = ("IndividualCI", "PullRequest", "Schedule", "Manual")
_PIPELINES = ("azure-pipelines.yml", "templates/pipelines/*.yml")
_STAND_IN: Mapping[str, Value] = {"string": "example", "number": "1", "boolean": "true", "object": {}}


@dataclass(frozen=True, order=True)
class Finding:
    """A mistake: file from the root, line and column from 1."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


def check_repository(root: Path) -> list[Finding]:
    """What is wrong with azure-pipelines.yml, templates/pipelines/*.yml and every template; [] when all is well."""
    errors: list[PipelineError] = []
    files = Files(root)
    pipelines = [path.relative_to(root).as_posix() for pattern in _PIPELINES for path in sorted(root.glob(pattern))]
    for name in pipelines:
        errors += _check_pipeline(files, name)
    for path in sorted((root / "templates").rglob("*.y*ml")):
        name = path.relative_to(root).as_posix()
        if name not in files.read_so_far:
            try:
                declared(files.read(name).get("parameters"))
            except PipelineError as error:
                errors.append(error)
    return sorted({_finding(error) for error in [*errors, *files.also_wrong]})


def _check_pipeline(files: Files, name: str) -> list[PipelineError]:
    errors: list[PipelineError] = []
    try:
        parameters = _example_values(declared(files.read(name).get("parameters")), _environments(files))
    except PipelineError as error:
        return [error]
    for reason in _REASONS:
        try:
            compile_pipeline(files, name, parameters, {"Build.Reason": reason, "Build.SourceBranch": "refs/heads/main"})
        except PipelineErrors as found:
            errors += found.errors
    return errors


def _example_values(parameters: Sequence[Parameter], environments: Sequence[str]) -> dict[str, Value]:
    """A value for every parameter that a person must give: an environment's name where one is asked for."""
    values: dict[str, Value] = {}
    for parameter in parameters:
        if parameter.default is None:
            value = _STAND_IN.get(parameter.type or "string", [])
            if parameter.values:
                value = parameter.values[0]
            elif parameter.name == "environment" and environments:
                value = environments[0]
            values[parameter.name] = value
    return values


def _environments(files: Files) -> list[str]:
    return sorted(path.stem for path in (files.root / "config" / "environments").glob("*.yml"))


def _finding(error: PipelineError) -> Finding:
    return Finding(error.position.file, error.position.line, error.position.column, error.message)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m rehearsal.pipelines.check", description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=Path(), help="the repository (default: this folder)")
    root = parser.parse_args(arguments).root
    findings = check_repository(root)
    for finding in findings:
        print(finding)
    print(f"{len(findings)} mistakes in the pipelines" if findings else "The pipelines are well-formed.")
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
