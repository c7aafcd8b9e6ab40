"""The command: a whole release on this machine. `make rehearse` calls it."""

from __future__ import annotations

import argparse
import fcntl
import shutil
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from rehearsal import options
from rehearsal.compose import Release
from rehearsal.console import Log, closing_table
from rehearsal.dataset import find_dataset
from rehearsal.developer import VARIABLE as DEVELOPER
from rehearsal.gateway.gateway import PortInUse
from rehearsal.options import FOLDER, Refused
from rehearsal.pieces import NotThere
from rehearsal.pipelines.deployments import Deployment, deployments
from rehearsal.pipelines.yaml_nodes import PipelineErrors
from rehearsal.rehearse import CONTROL, SETUP, BootstrapFailed, Rehearsal
from rehearsal.report.page import write_page
from rehearsal.setup import ROOT
from rehearsal.storage.azurite import AzuriteFailed
from rehearsal.store import DamagedStore
from slipway.domain.devops import listed_environments
from slipway.domain.environment import load_environment
from slipway.errors import ConfigurationError, SlipwayError

FAILED, UNUSABLE = 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 the release went through; 1 it did not; 2 the rehearsal could not begin."""
    arguments = options.parser().parse_args(argv)
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
    # A run is refused for any connection that its stages name, also those that are not asked for.
    releases = [
        replace(one, connected=one.connected or (only is not None and one.environment.name not in only))
        for one in releases
    ]
    try:
        dataset = find_dataset(arguments.datasets, arguments.repository, folder)
    except FileNotFoundError as error:
        raise Refused(f"--datasets: {error}") from error
    choices, faults = options.choices(arguments), options.faults(arguments.faults)
    pieces = options.without(arguments.without)
    groups = options.variable_groups(arguments.variable_group)
    log = Log(folder / "rehearsal.log", sys.stdout, verbose=arguments.verbose)
    rehearsal = Rehearsal(
        repository=arguments.repository,
        folder=folder,
        releases=releases,
        dataset=dataset,
        log=log,
        port=arguments.port,
        choices=choices,
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
        rehearsal.lose(pieces, only)
        rehearsal.set_faults(faults)
        report = rehearsal.release(
            only, pipeline=arguments.pipeline, parameters=options.parameters(arguments.parameter)
        )
        page = write_page(report, folder / "report")
        log.console.print()
        log.console.print(closing_table(report))
        log.say(f"Report: {page}\nLog:    {log.path}\nTook {report.seconds:.0f} s")
        if arguments.keep_running:
            _keep_running(rehearsal, folder)
        return 0 if report.outcome in ("succeeded", "succeededWithIssues") else FAILED
    except NotThere as missing:
        log.say(f"Nothing was released. {missing}", "red")
        return UNUSABLE
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
    return [_release(repository, item) for item in found]


def _release(repository: Path, item: Deployment) -> Release:
    """Where the configuration names a project of Azure DevOps, the repository's own set-up makes the service connection."""
    environment = load_environment(repository, item.environment)
    sets_up = environment.azure_devops is not None and (repository / "scripts" / f"{SETUP}.py").is_file()
    pools = {one.name: one.pool or "" for one in listed_environments(repository)} if sets_up else {}
    return Release(
        environment=environment,
        service_connection=item.service_connections[0],
        pool=pools.get(item.environment, ""),
        connected=not sets_up,
    )


def _chosen(only: Sequence[str], names: Sequence[str]) -> set[str] | None:
    unknown = [name for name in only if name not in names]
    if unknown:
        raise Refused(f"--only {', '.join(unknown)}: the pipeline has no such environment. It has: {', '.join(names)}")
    return set(only) or None


def _keep_running(rehearsal: Rehearsal, folder: Path) -> None:
    exports, first = folder / "exports.sh", rehearsal.releases[0].environment.name
    # Holds the admin's client secret and the developer's token, which are worth something in this rehearsal alone.
    exports.touch(mode=0o600)
    exports.write_text("".join(f"export {name}='{value}'\n" for name, value in rehearsal.exports.items()))
    rehearsal.log.say(
        f"\nThe stand-ins stay up until Ctrl-C. In another terminal:\n  . {exports}\n"
        "  .venv-release/bin/python scripts/status.py --environment prod\n"
        "  .venv-release/bin/databricks --profile prod jobs list\n"
        f'  DATABRICKS_TOKEN="${DEVELOPER}" .venv/bin/python scripts/sandbox.py push --environment {first}\n'
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
