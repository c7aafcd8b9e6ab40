"""The one family of errors that a user can meet, each kind with its own exit code.

| code | class | meaning |
|---|---|---|
| 0 | - | done |
| 1 | - | a bug in Slipway (any other exception) |
| 2 | UsageError | the command line is wrong |
| 3 | ConfigurationError | config/ has mistakes; all of them are listed |
| 4 | ReleaseError | the release's content is refused |
| 5 | AuthenticationError | the service does not know us, or does not let us |
| 6 | ServiceError | a service failed, is unavailable, or refused a request |
| 7 | TestFailed | the integration test failed, or a notebook that was run from a sandbox |
| 8 | Conflict | somebody else holds it, or changed it |
| 9 | NotPossible | this can't be done in the state things are in |
| 10 | WatchBreached | too many first runs of a release failed |

A text says what failed and where; `changed` what was and was not changed; `next_step` what to do now.
None of them may hold a secret. Code branches on the class, never on the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Finding:
    """One mistake in the project's files: where (file, key path or "", line from 1 or None), and what is wrong."""

    file: str
    path: str
    text: str
    line: int | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.path}: {self.text}" if self.path else f"{place}: {self.text}"


class SlipwayError(Exception):
    """A failure that a person can do something about: `what` failed, what was `changed`, the `next_step`."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, changed: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.changed = changed
        self.next_step = next_step

    def __str__(self) -> str:
        return "\n".join(part for part in (self.what, self.changed, self.next_step) if part)


@contextmanager
def saying(changed: str) -> Iterator[None]:
    """What was and was not changed, for errors from inside that do not say it themselves."""
    try:
        yield
    except SlipwayError as error:
        error.changed = error.changed or changed
        raise


@contextmanager
def adding(done: Callable[[], str]) -> Iterator[None]:
    """Adds to what errors from inside say of changes: what was done before them. `done` gives "" where nothing was."""
    try:
        yield
    except SlipwayError as error:
        error.changed = " ".join(filter(None, (error.changed, done())))
        raise


class UsageError(SlipwayError):
    exit_code = 2


class _FindingsError(SlipwayError):
    """An error that lists every mistake found, not only the first."""

    def __init__(
        self, what: str, findings: Sequence[Finding] = (), *, changed: str = "Nothing was changed.", next_step: str = ""
    ) -> None:
        self.summary = what
        self.findings = tuple(findings)
        listed = "".join(f"\n  {finding}" for finding in self.findings)
        super().__init__(what + listed, changed=changed, next_step=next_step)


class ConfigurationError(_FindingsError):
    exit_code = 3


class ReleaseError(_FindingsError):
    exit_code = 4


class AuthenticationError(SlipwayError):
    exit_code = 5


class ServiceError(SlipwayError):
    exit_code = 6


class TestFailed(SlipwayError):
    exit_code = 7
    __test__ = False  # pytest: not a test class


class Conflict(SlipwayError):
    exit_code = 8


class StateMoved(Conflict):
    """A compare-and-swap lost: the stored state is no longer the one that was read."""


class NotPossible(SlipwayError):
    exit_code = 9


class StateDamaged(NotPossible):
    """The state is lost or can't be read, and can be rebuilt."""


class NotBootstrapped(NotPossible):
    """The environment has no place for its state: nothing was ever released to it."""


class WatchBreached(SlipwayError):
    """More first runs of a release failed than its watch allows."""

    exit_code = 10
