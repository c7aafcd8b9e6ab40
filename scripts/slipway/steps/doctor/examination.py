"""What every check of the doctor works with, and how checks are run: at the same time, none of them for another's failure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from slipway.command import Context
from slipway.domain.diagnosis import Finding, Unknown
from slipway.domain.environment import Environment
from slipway.errors import SlipwayError
from slipway.services.credentials import Credential, SignInFailed
from slipway.services.databricks import Workspace
from slipway.services.resource_manager.reading import Reader
from slipway.steps.configuration_files import configure_command

T = TypeVar("T")
Said = Finding | Unknown

_THREADS = 16


class NotSeen(Exception):
    """A check can't go on: what it hangs on is missing (its own check says so), or may not be read. `reason` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Check:
    """One look at one thing. `title`: what it looks at, for a person. `short`: whether the release identity may see it and a
    release needs it, so that it belongs to `--short`. `look` gives findings as it goes; what it raises (SlipwayError, NotSeen)
    becomes an Unknown, and what it has given before counts."""

    title: str
    look: Callable[[], Iterable[Said]]
    short: bool = True


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What checks work with. `short`: only what a release needs, with what its identity may read."""

    context: Context
    credential: Credential
    azure: Reader
    workspace: Workspace
    short: bool
    _facts: dict[str, Future[Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def environment(self) -> Environment:
        return self.context.environment

    def fact(self, name: str, ask: Callable[[], T]) -> T:
        """What `ask` gives, asked once however many checks want it; its failure is everybody's."""
        with self._lock:
            future = self._facts.get(name)
            mine = future is None
            if future is None:
                future = self._facts[name] = Future()
        if mine:
            try:
                future.set_result(ask())
            except BaseException as error:
                future.set_exception(error)
        return cast(T, future.result())

    def bootstrap(self) -> str:
        """The mend for what bootstrap makes."""
        return f"python scripts/bootstrap_environment.py --environment {self.environment.name}"

    def configure(self, key: str, value: str) -> str:
        """The mend that gives a key of the configuration another value."""
        return configure_command(self.environment.name, key, value)


def examine(checks: Sequence[Check]) -> list[Said]:
    """Runs the checks on threads. Raises SignInFailed: without a sign-in nothing can be seen at all."""
    if not checks:
        return []
    with ThreadPoolExecutor(max_workers=min(_THREADS, len(checks)), thread_name_prefix="doctor") as pool:
        futures = [pool.submit(_carefully, check) for check in checks]
    return [said for future in futures for said in future.result()]


def _carefully(check: Check) -> list[Said]:
    said: list[Said] = []
    try:
        for one in check.look():
            said.append(one)
    except NotSeen as blocked:
        said.append(Unknown(what=check.title, reason=blocked.reason))
    except SignInFailed:
        raise
    except SlipwayError as error:
        said.append(Unknown(what=check.title, reason=error.what))
    return said
