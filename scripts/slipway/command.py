"""The door of every step's script: arguments, environment, clock and streams are read here and nowhere else.

The release root is the folder that holds scripts/: in an artifact the release itself (it has release.json), by hand the
repository, where `--release` defaults to dist/release.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TextIO

from slipway.domain.codec import is_instant
from slipway.domain.environment import Environment, load_environment
from slipway.errors import ConfigurationError, ReleaseError, SlipwayError
from slipway.log import Log

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a step works with. `clock` is in seconds since the epoch."""

    environment: Environment
    release: Path
    log: Log
    variables: Mapping[str, str]
    what_if: bool
    arguments: argparse.Namespace
    root: Path = ROOT
    clock: Callable[[], float] = field(default=time.time)
    sleep: Callable[[float], None] = field(default=time.sleep)  # noqa: TID251 - the door


def run_step(
    step: Callable[[Context], int | None],
    *,
    description: str,
    changes: bool = True,
    options: Callable[[argparse.ArgumentParser], None] | None = None,
    argv: Sequence[str] | None = None,
    variables: Mapping[str, str] | None = None,
    root: Path = ROOT,
) -> int:
    """Parses the command line, loads and checks the configuration before anything else, runs `step`.

    Returns the exit code (the table in slipway.errors). `changes` gives the step a --what-if.
    """
    parser = new_parser(description)
    parser.add_argument("--environment", required=True, metavar="NAME", help="a file in config/environments/")
    parser.add_argument("--release", type=Path, metavar="DIR", help="the release (default: this one, or dist/release)")
    if changes:
        parser.add_argument("--what-if", action="store_true", help="say what would change, and change nothing")
    if options is not None:
        options(parser)
    arguments = parser.parse_args(argv)
    variables = dict(os.environ) if variables is None else variables

    def prepared(log: Log) -> int | None:
        return step(
            Context(
                environment=load_environment(root, arguments.environment),
                release=arguments.release or default_release(root),
                log=log,
                variables=variables,
                what_if=changes and arguments.what_if,
                arguments=arguments,
                root=root,
            )
        )

    return run_guarded(prepared, variables=variables, verbose=arguments.verbose, where=arguments.environment)


def new_parser(description: str) -> argparse.ArgumentParser:
    """A parser with what every script has."""
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    parser.add_argument("--verbose", action="store_true", help="say more, and show the trace of an unexpected error")
    return parser


def moment(text: str) -> float:
    """A time given on the command line, as seconds since the epoch: a type for argparse."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time like 2026-12-24T08:00+01:00") from error
    if parsed.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no time zone: write {text}Z or {text}+01:00")
    if not is_instant(parsed.timestamp()):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the years 1 to 9999, in UTC")
    return parsed.timestamp()


def default_release(root: Path) -> Path:
    return root if (root / "release.json").exists() else root / "dist" / "release"


def run_guarded(
    work: Callable[[Log], int | None],
    *,
    variables: Mapping[str, str],
    verbose: bool,
    where: str = "",
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> int:
    """Runs `work` with a log; turns what it raises into a message and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an agent's code page may not have ✓
    log = Log(out=out or sys.stdout, err=err or sys.stderr, variables=variables, clock=time.monotonic, verbose=verbose)
    former = signal.signal(signal.SIGTERM, _interrupt)
    try:
        return work(log) or 0
    except SlipwayError as error:
        report_error(log, error, where)
        if verbose:
            log.detail(traceback.format_exc())
        return error.exit_code
    except KeyboardInterrupt:
        log.error(
            "Interrupted. What was under way may be half done; running the same command again goes on from there."
        )
        return 130
    except BrokenPipeError:  # whoever read our output has gone: status.py | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except Exception as error:  # the last resort: anything that is not a SlipwayError is our bug
        log.error(f"This is a bug in Slipway: {type(error).__name__}: {error}")
        log.info("--verbose shows where." if not verbose else traceback.format_exc())
        return 1
    finally:
        signal.signal(signal.SIGTERM, former)


def _interrupt(_number: int, _frame: object) -> None:
    """A cancelled run sends SIGINT, then SIGTERM, then kills
    (https://learn.microsoft.com/azure/devops/pipelines/process/runs): both end a step the same way, so that it gives
    back its claim and cancels what it started."""
    raise KeyboardInterrupt


def report_error(log: Log, error: SlipwayError, where: str = "") -> None:
    """Prints an error for a person: each finding on its own, then what was changed and what to do."""
    prefix = f"[{where}] " if where else ""
    if isinstance(error, ConfigurationError | ReleaseError) and error.findings:
        for finding in error.findings:
            log.error(str(finding), finding=finding)
        log.error(prefix + error.summary)
    else:
        log.error(prefix + error.what)
    for text in (error.changed, error.next_step):
        if text:
            log.info(text)
