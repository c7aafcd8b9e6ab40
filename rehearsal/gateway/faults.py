"""Troubles on request: what a release must survive, as rules over the requests that pass the gateway."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from rehearsal.gateway.storm import Storm

Kind = Literal["latency", "status", "drop_before", "drop_after", "half_answer", "silence", "stale", "call", "kill"]
Distribution = Literal["constant", "uniform", "exponential", "lognormal"]
LONGEST_SECONDS = 600.0


@dataclass(kw_only=True)
class Fault:
    """One rule.

    kind: `latency` waits; `status` answers `status`, `headers`, `body` instead of the service; `drop_before` cuts the
    connection before the service sees the request; `drop_after` after it took effect (the reply is lost); `half_answer` cuts it
    in the middle of the first piece of the body; `silence` says nothing for so long and then cuts it; `stale` answers a read as
    it was answered before the last write to that host, once for each write; `call` calls `callback`; `kill` kills process `pid`,
    or the client itself where none is given (SIGKILL).
    after: `latency`, `status`, `silence`, `call` and `kill` come when the service has done its work and before its reply is sent.
    method, host, path: shell patterns. Of the matching requests, the first `skip` pass; of the rest each `every`-th is struck, by
    chance if `share` is below 1; `times` in all, None = always.
    seconds, distribution, spread: how long `latency` and `silence` last: always so long; evenly between seconds - spread and
    seconds + spread; `exponential` with this mean; `lognormal` with this median and spread as the sigma of its logarithm.
    seed: chance falls the same way for the same seed, request and repetition, in whichever order threads ask.
    body: None = the error as the service itself would put it. seen, struck: how often it matched, and struck.
    """

    kind: Kind
    method: str = "*"
    host: str = "*"
    path: str = "*"
    skip: int = 0
    every: int = 1
    times: int | None = 1
    share: float = 1.0
    seed: int = 0
    after: bool = False
    seconds: float = 0.0
    distribution: Distribution = "constant"
    spread: float = 0.0
    status: int = 503
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = ""
    callback: Callable[[], None] | None = None
    pid: int | None = None
    seen: int = 0
    struck: int = 0
    _asked: Counter[str] = field(default_factory=Counter, repr=False)

    def __post_init__(self) -> None:
        if self.kind == "call" and self.callback is None:
            raise ValueError("a fault of kind call needs a callback")

    def strikes(self, method: str, host: str, path: str) -> Strike | None:
        """How it strikes this request, None when it does not; counts the request when it matches."""
        if not (fnmatchcase(method, self.method) and fnmatchcase(host, self.host) and fnmatchcase(path, self.path)):
            return None
        if self.used_up:
            return None
        self.seen += 1
        turn = self.seen - self.skip
        if turn < 1 or turn % self.every:
            return None
        where = f"{method} {host}{path}"
        self._asked[where] += 1
        chance = random.Random(f"{self.seed} {self._asked[where]} {where}")  # noqa: S311 - to be repeated, not to be secret
        if self.share < 1 and chance.random() >= self.share:
            return None
        self.struck += 1
        return Strike(self, self._lasts(chance))

    def _lasts(self, chance: random.Random) -> float:
        drawn = self.seconds
        if self.distribution == "uniform":
            drawn = chance.uniform(self.seconds - self.spread, self.seconds + self.spread)
        elif self.distribution == "exponential":
            drawn = chance.expovariate(1 / self.seconds) if self.seconds else 0.0
        elif self.distribution == "lognormal":
            drawn = self.seconds * math.exp(min(chance.gauss(0, self.spread), 100.0))
        return min(max(drawn, 0.0), LONGEST_SECONDS)

    @property
    def used_up(self) -> bool:
        return self.times is not None and self.struck >= self.times


class Strike(NamedTuple):
    """A rule that strikes a request, and for how long."""

    fault: Fault
    seconds: float


class Faults:
    """The rules in force, asked in the order in which they were added."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self.storm: Storm | None = None
        """Beside the rules: troubles by chance. A cut of the rules goes first."""

    def add(self, fault: Fault) -> Fault:
        self._rules.append(fault)
        return fault

    def rules(self) -> list[Fault]:
        return list(self._rules)

    def clear(self) -> None:
        self._rules.clear()
        self.storm = None

    @property
    def remembering(self) -> bool:
        """Whether a rule wants to know what reads were answered."""
        return any(rule.kind == "stale" for rule in self._rules)

    def striking(self, method: str, host: str, path: str, *, stale: bool = False) -> list[Strike]:
        """The rules that strike this request; those that are used up go. stale: an older answer to it is at hand."""
        if not self._rules:
            return []
        asked = [rule for rule in self._rules if stale or rule.kind != "stale"]
        struck = [strike for rule in asked if (strike := rule.strikes(method, host, path)) is not None]
        self._rules = [rule for rule in self._rules if not rule.used_up]
        return struck
