"""What a bootstrap did, and what this identity was not let do, each with the one command for somebody with more rights."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from slipway.command import Context
from slipway.errors import AuthenticationError
from slipway.services.credentials import SignInFailed

LATER = "…"
"""Marks what could not be done yet, for something before it is not there."""
GOING_ON = "What has a + above is done, but perhaps the last; the same command goes on from there."


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """`what` was refused, who may do it, and the command (or "portal: …") that does it."""

    what: str
    who: str
    mend: str


@dataclass
class Report:
    """`done`: what was changed, or would be. `waiting`: what is made only when something of that is there."""

    done: list[str] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)

    def wait(self, context: Context, what: str) -> None:
        """It hangs on something that is not there yet (--what-if, or refused)."""
        context.log.info(f"{'+' if context.what_if else LATER} {what}")
        self.waiting.append(what)

    @contextmanager
    def part(self, context: Context, refusal: Refusal) -> Iterator[None]:
        """What is refused inside is noted, and the rest goes on. No sign-in at all ends everything."""
        try:
            yield
        except SignInFailed:
            raise
        except AuthenticationError as error:
            context.log.warning(error.what)
            self.refused.append(refusal)


def again(context: Context) -> str:
    """The command that does all that is missing, for somebody with more rights."""
    return f"python scripts/bootstrap_environment.py --environment {context.environment.name}"


def az(*words: str, **options: str) -> str:
    """An az command, quoted for a shell: `az("lock", "create", lock_type="CanNotDelete")`."""
    parts = ["az", *words]
    for name, value in options.items():
        parts += ["--" + name.replace("_", "-"), value]
    return shlex.join(parts)


def counted(number: int, thing: str) -> str:
    """How many: "one part", "3 parts"."""
    return f"one {thing}" if number == 1 else f"{number} {thing}s"


def conclude(context: Context, report: Report) -> None:
    """The last words. Raises AuthenticationError where something was refused, with all of it."""
    log, name = context.log, context.environment.name
    if report.refused:
        lines = [f"  - {one.what} ({one.who}):\n      {one.mend}" for one in report.refused]
        raise AuthenticationError(
            f"{counted(len(report.refused), 'part').capitalize()} of {name} could not be made.",
            changed="Nothing was changed." if context.what_if else "Everything else above is done.",
            next_step="Somebody who may has to:\n" + "\n".join(lines) + f"\nThen run again: {again(context)}",
        )
    if not report.done:
        log.info(f"Everything that {name} needs is there: nothing to change.")
    elif context.what_if:
        more = ", and those that wait for one of them" if report.waiting else ""
        log.info(
            f"{counted(len(report.done), 'change').capitalize()} would be made{more}. Nothing was changed (--what-if)."
        )
    else:
        log.info(
            f"{name} is ready: {counted(len(report.done), 'change')}. New roles can take up to 10 minutes to work."
        )
