"""The command: a whole release on this machine. `make rehearse` calls it."""

from __future__ import annotations

import argparse
import fcntl
import json
import shutil
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from rehearsal.compose import Release
from rehearsal.console import Log, closing_table
from rehearsal.databricks.git import Remote
from rehearsal.dataset import find_dataset
from rehearsal.gateway.control_rules import fault_from
from rehearsal.gateway.faults import Fault
from rehearsal.gateway.gateway import PortInUse
from rehearsal.pipelines.deployments import deployments
from rehearsal.pipelines.groups import read_groups
from rehearsal.pipelines.yaml_nodes import PipelineErrors
from rehearsal.rehearse import CONTROL, PIPELINE, BootstrapFailed, Rehearsal
from rehearsal.report.page import write_page
from rehearsal.setup import ROOT
from rehearsal.storage.azurite import AzuriteFailed
from rehearsal.store import DamagedStore
from slipway.domain.environment import load_environment
from slipway.errors import ConfigurationError, SlipwayError

FOLDER = ".rehearsal"
FAILED, UNUSABLE = 1, 2


class Refused(Exception):
    """The rehearsal cannot begin; the text says why and what to do."""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 the release went through; 1 it did not; 2 the rehearsal could not begin."""
    arguments = _parser().parse_args(argv)
    folder = (arguments.folder or ROOT / FOLDER).resolve()
    try:
        with _only_one(folder):
            if arguments.reset:
                _reset(folder)
            return _rehearse(arguments, folder)
    except Refused as refused:
        print(f"The rehearsal could not begin: {refused}", file=sys.stderr)
        return UNUSABLE
    except ConfigurationError as error:
        print(error.summary, *(f"  {finding}" for finding in error.findings), sep="\n", file=sys.stderr)
        return UNUSABLE
    except SlipwayError as error:
        print(error.what, file=sys.stderr)
        return UNUSABLE
    except PipelineErrors as error:
        print(f"The pipeline can't be run, so nothing was:\n{error}", file=sys.stderr)
        return UNUSABLE


def _rehearse(arguments: argparse.Namespace, folder: Path) -> int:
    releases = _releases(arguments.repository)
    only = _chosen(arguments.only, [release.environment.name for release in releases])
    try:
        dataset = find_dataset(arguments.datasets, arguments.repository, folder)
    except FileNotFoundError as error:
        raise Refused(f"--datasets: {error}") from error
    git = _repositories(arguments.git, public=False) | _repositories(arguments.public_git, public=True)
    faults = _faults(arguments.faults)
    try:
        groups = read_groups(arguments.variable_group)
    except ValueError as error:
        raise Refused(f"--variable-group {error}") from error
    log = Log(folder / "rehearsal.log", sys.stdout, verbose=arguments.verbose)
    rehearsal = Rehearsal(
        repository=arguments.repository,
        folder=folder,
        releases=releases,
        dataset=dataset,
        log=log,
        port=arguments.port,
        git=git,
        templates=_mappings(arguments.map_templates),
        accept_unknown_resources=arguments.accept_unknown_resources,
        rate_limits=arguments.rate_limits,
        variable_groups=groups,
    )
    _cancel_on_signals(rehearsal.cancel)
    try:
        _start(rehearsal, folder)
        if arguments.run:
            rehearsal.set_faults(faults)
            return rehearsal.scripts.run_command(arguments.run)
        rehearsal.recover()
        rehearsal.bootstrap(only)
        rehearsal.set_faults(faults)
        report = rehearsal.release(only, pipeline=arguments.pipeline, parameters=_parameters(arguments.parameter))
        page = write_page(report, folder / "report")
        log.console.print()
        log.console.print(closing_table(report))
        log.say(f"Report: {page}\nLog:    {log.path}\nTook {report.seconds:.0f} s")
        if arguments.keep_running:
            _keep_running(rehearsal, folder)
        return 0 if report.outcome in ("succeeded", "succeededWithIssues") else FAILED
    except BootstrapFailed as failed:
        log.say(f"Bootstrapping failed; nothing was released. {failed}", "red")
        return FAILED
    finally:
        rehearsal.stop()
        log.close()


def _start(rehearsal: Rehearsal, folder: Path) -> None:
    try:
        rehearsal.start()
    except DamagedStore as error:
        raise Refused(f"{error}.\nStart afresh with: make rehearse ARGS=--reset (it forgets {folder})") from error
    except (PortInUse, AzuriteFailed) as error:
        raise Refused(str(error)) from error


def _releases(repository: Path) -> list[Release]:
    """What the pipeline releases to, in its order, with each environment's configuration."""
    found = deployments(repository)
    if not found:
        raise Refused("the pipeline has no deployment")
    return [
        Release(
            environment=load_environment(repository, item.environment), service_connection=item.service_connections[0]
        )
        for item in found
    ]


def _chosen(only: Sequence[str], names: Sequence[str]) -> set[str] | None:
    unknown = [name for name in only if name not in names]
    if unknown:
        raise Refused(f"--only {', '.join(unknown)}: the pipeline has no such environment. It has: {', '.join(names)}")
    return set(only) or None


def _parameters(given: Sequence[str]) -> dict[str, str]:
    wrong = [each for each in given if "=" not in each]
    if wrong:
        raise Refused(f"--parameter {wrong[0]}: write it as name=value")
    return dict(each.split("=", 1) for each in given)


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


def _faults(file: Path | None) -> list[Fault]:
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


def _mappings(given: Sequence[str]) -> list[tuple[str, Path]]:
    pairs = [each.partition("=") for each in given]
    for beginning, _mark, folder in pairs:
        if not folder or not Path(folder).is_dir():
            raise Refused(f"--map-templates {beginning}: write it as ADDRESS=FOLDER, with a folder that is there")
    return [(beginning, Path(folder).resolve()) for beginning, _mark, folder in pairs]


def _keep_running(rehearsal: Rehearsal, folder: Path) -> None:
    exports = folder / "exports.sh"
    # Holds the client secret of the rehearsal's admin, which is worth something in this rehearsal alone.
    exports.touch(mode=0o600)
    exports.write_text("".join(f"export {name}='{value}'\n" for name, value in rehearsal.exports.items()))
    rehearsal.log.say(
        f"\nThe stand-ins stay up until Ctrl-C. In another terminal:\n  . {exports}\n"
        "  .venv-release/bin/python scripts/status.py --environment prod\n"
        "  .venv-release/bin/databricks --profile prod jobs list\n"
        '  az login --service-principal -u "$AZURE_CLIENT_ID" -p "$AZURE_CLIENT_SECRET" -t "$AZURE_TENANT_ID"\n'
        f"Faults and the record of requests (docs/faults.md) are at {rehearsal.exports[CONTROL]}\n"
        '  curl "$REHEARSAL_CONTROL"'
    )
    rehearsal.cancel.wait()
    exports.unlink(missing_ok=True)


def _cancel_on_signals(cancel: threading.Event) -> None:
    def on_signal(*_: object) -> None:
        if cancel.is_set():  # asked twice
            raise KeyboardInterrupt
        cancel.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)


@contextmanager
def _only_one(folder: Path) -> Iterator[IO[str]]:
    """One rehearsal at a time in a folder; the lock goes with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused(f"another rehearsal is running in {folder}; wait for it, or use another --folder") from error
        yield lock


def _reset(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name == "lock":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make rehearse ARGS=…", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="release to this environment alone; can be repeated"
    )
    parser.add_argument(
        "--keep-running", action="store_true", help="leave the stand-ins up, and print how to look around in them"
    )
    parser.add_argument("--reset", action="store_true", help="forget every earlier rehearsal first")
    parser.add_argument("--run", metavar="COMMAND", help="release nothing; run this command in front of the stand-ins")
    parser.add_argument(
        "--pipeline", default=PIPELINE, metavar="FILE", help=f"the pipeline to run (default: {PIPELINE})"
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the pipeline; can be repeated",
    )
    parser.add_argument(
        "--variable-group",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="a variable group of the pipeline: a YAML file of names and values, {value: …, secret: true} for a secret",
    )
    parser.add_argument("--datasets", type=Path, metavar="DIR", help="folder served as /databricks-datasets")
    parser.add_argument(
        "--git",
        action="append",
        default=[],
        metavar="URL=DIR",
        help="a repository of this machine that stands for a URL in the workspace's Git folders; can be repeated",
    )
    parser.add_argument(
        "--public-git",
        action="append",
        default=[],
        metavar="URL=DIR",
        help="the same for one that needs no Git credential",
    )
    parser.add_argument(
        "--faults", type=Path, metavar="FILE", help="troubles that the release shall meet, as JSON (docs/faults.md)"
    )
    parser.add_argument(
        "--rate-limits",
        action="store_true",
        help="workspaces answer 429 beyond the request rates that Azure Databricks allows",
    )
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help=f"where a rehearsal keeps its things (default: {FOLDER})"
    )
    parser.add_argument("--port", type=int, default=0, help="port of the gateway (default: a free one)")
    parser.add_argument(
        "--map-templates", action="append", default=[], metavar="ADDRESS=FOLDER", help="where linked templates lie"
    )
    parser.add_argument(
        "--accept-unknown-resources",
        action="store_true",
        help="keep resources of types that are not known here as they are",
    )
    parser.add_argument("--repository", type=Path, default=ROOT, help=argparse.SUPPRESS)
    parser.add_argument("--verbose", action="store_true", help="every line of every step, in the terminal too")
    return parser
