"""The options of a rehearsal, and what they say. Everything that can't be raises Refused, before anything starts."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rehearsal.choices import Choices
from rehearsal.databricks.git import Remote
from rehearsal.gateway.control_rules import fault_from
from rehearsal.gateway.faults import Fault
from rehearsal.pieces import PIECES, Piece
from rehearsal.pipelines.groups import read_groups
from rehearsal.pipelines.host import GroupVariable
from rehearsal.rehearse import PIPELINE
from rehearsal.setup import ROOT

FOLDER = ".rehearsal"
_WHAT = "A whole release on this machine."


class Refused(Exception):
    """The rehearsal cannot begin; the text says why and what to do."""


def choices(arguments: argparse.Namespace) -> Choices:
    """How the stand-ins are to behave."""
    return Choices(
        git=_repositories(arguments.git, public=False) | _repositories(arguments.public_git, public=True),
        templates=_mappings(arguments.map_templates),
        accept_unknown_resources=arguments.accept_unknown_resources,
        rate_limits=arguments.rate_limits,
    )


def variable_groups(given: Sequence[str]) -> Mapping[str, Mapping[str, GroupVariable]]:
    """The variable groups of --variable-group, by name."""
    try:
        return read_groups(given)
    except ValueError as error:
        raise Refused(f"--variable-group {error}") from error


def parameters(given: Sequence[str]) -> dict[str, str]:
    """The values of --parameter, by name."""
    wrong = [each for each in given if "=" not in each]
    if wrong:
        raise Refused(f"--parameter {wrong[0]}: write it as name=value")
    return dict(each.split("=", 1) for each in given)


def without(given: Sequence[str]) -> list[Piece]:
    """The pieces of --without."""
    unknown = [name for name in given if name not in PIECES]
    if unknown:
        raise Refused(f"--without {unknown[0]}: there is no such piece. python -m rehearsal pieces lists them")
    pieces = [PIECES[name] for name in given]
    for piece in pieces:
        if piece.needs_a_copy:
            values = ", ".join(f"{key}: {value}" for key, value in {**piece.settings, **piece.spoils}.items())
            raise Refused(
                f"--without {piece.name}: it is about the configuration, which a rehearsal does not change. Write {values} into an "
                "environment's file, and rehearse that"
            )
    return pieces


def faults(file: Path | None) -> list[Fault]:
    """The rules of --faults: a JSON list, or one rule."""
    if file is None:
        return []
    try:
        given = json.loads(file.read_text(encoding="utf-8"))
        return [fault_from(rule) for rule in (given if isinstance(given, list) else [given])]
    except OSError as error:
        raise Refused(f"--faults {file}: {error.strerror}") from error
    except ValueError as error:
        raise Refused(f"--faults {file}: {error}. docs/faults.md says what may stand there") from error


def _repositories(given: Sequence[str], *, public: bool) -> dict[str, Remote]:
    """What the options for Git repositories say: URL and folder."""
    found = {}
    for each in given:
        url, _, folder = each.partition("=")
        path = Path(folder).expanduser()
        if not url.startswith("https://") or not folder:
            raise Refused(f"--git {each}: write it as https://…=DIR")
        if not (path / "HEAD").is_file() and not (path / ".git").exists():
            raise Refused(f"--git {each}: {folder} is not a Git repository")
        found[url] = Remote(path.resolve(), public)
    return found


def _mappings(given: Sequence[str]) -> list[tuple[str, Path]]:
    pairs = [each.partition("=") for each in given]
    for beginning, _mark, folder in pairs:
        if not folder or not Path(folder).is_dir():
            raise Refused(f"--map-templates {beginning}: write it as ADDRESS=FOLDER, with a folder that is there")
    return [(beginning, Path(folder).resolve()) for beginning, _mark, folder in pairs]


def parser() -> argparse.ArgumentParser:
    """The options of `python -m rehearsal`."""
    made = argparse.ArgumentParser(prog="make rehearse ARGS=…", description=_WHAT, allow_abbrev=False)
    made.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="release to this environment alone; can be repeated"
    )
    made.add_argument(
        "--keep-running", action="store_true", help="leave the stand-ins up, and print how to look around in them"
    )
    made.add_argument("--reset", action="store_true", help="forget every earlier rehearsal first")
    made.add_argument("--run", metavar="COMMAND", help="release nothing; run this command in front of the stand-ins")
    made.add_argument("--pipeline", default=PIPELINE, metavar="FILE", help=f"the pipeline to run (default: {PIPELINE})")
    made.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the pipeline; can be repeated",
    )
    made.add_argument(
        "--variable-group",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="a variable group of the pipeline: a YAML file of names and values, {value: …, secret: true} for a secret",
    )
    made.add_argument("--datasets", type=Path, metavar="DIR", help="folder served as /databricks-datasets")
    made.add_argument(
        "--git",
        action="append",
        default=[],
        metavar="URL=DIR",
        help="a repository of this machine that stands for a URL in the workspace's Git folders; can be repeated",
    )
    made.add_argument(
        "--public-git",
        action="append",
        default=[],
        metavar="URL=DIR",
        help="the same for one that needs no Git credential",
    )
    made.add_argument(
        "--faults", type=Path, metavar="FILE", help="troubles that the release shall meet, as JSON (docs/faults.md)"
    )
    made.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="PIECE",
        help="take this away from the first environment after its bootstrap, and see what the doctor says (python -m "
        "rehearsal pieces lists them); can be repeated",
    )
    made.add_argument(
        "--rate-limits",
        action="store_true",
        help="workspaces answer 429 beyond the request rates that Azure Databricks allows",
    )
    made.add_argument(
        "--folder", type=Path, metavar="DIR", help=f"where a rehearsal keeps its things (default: {FOLDER})"
    )
    made.add_argument("--port", type=int, default=0, help="port of the gateway (default: a free one)")
    made.add_argument(
        "--map-templates", action="append", default=[], metavar="ADDRESS=FOLDER", help="where linked templates lie"
    )
    made.add_argument(
        "--accept-unknown-resources",
        action="store_true",
        help="keep resources of types that are not known here as they are",
    )
    made.add_argument("--repository", type=Path, default=ROOT, help=argparse.SUPPRESS)
    made.add_argument("--verbose", action="store_true", help="every line of every step, in the terminal too")
    return made
