"""A storm: every request may meet trouble, by chance, and the same trouble each time that the same seed blows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

from rehearsal.gateway.faults import Fault

Trouble = Literal[
    "throttled",
    "throttled, says until when",
    "500",
    "502",
    "503",
    "504",
    "dropped before",
    "dropped after",
    "half an answer",
    "silence",
    "stale read",
    "expired token",
]
TROUBLES: tuple[Trouble, ...] = get_args(Trouble)
_STALE = ("*.azuredatabricks.net", "management.azure.com", "*.vault.azure.net")
"""Who may answer a read with what was there before the last write. Not storage: "Azure Storage always provides strong
consistency" (https://learn.microsoft.com/azure/storage/blobs/concurrency-manage). That the others do it is not documented:
it is the worst that a client has to expect of them."""
_BODY = "<html><head><title>{0}</title></head><body>The service is not at its best.</body></html>"
"""What stands in front of a service answers so; the services themselves would answer in their own formats."""

_SIMPLE: dict[Trouble, dict[str, Any]] = {
    "throttled": {"kind": "status", "status": 429},
    "throttled, says until when": {"kind": "status", "status": 429, "headers": (("Retry-After", "1"),)},
    **{
        name: {"kind": "status", "status": int(name), "body": _BODY.format(name)}
        for name in ("500", "502", "503", "504")
    },
    "dropped before": {"kind": "drop_before"},
    "dropped after": {"kind": "drop_after"},
    "half an answer": {"kind": "half_answer"},
}

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Any]
Receive = Callable[[], Any]
Answer = tuple[dict[str, Any], list[dict[str, Any]]]


@dataclass(kw_only=True)
class Storm:
    """One storm.

    share: of all requests, from 0 to 1. silence: seconds for which a service says nothing, and then answers.
    aged: the value of an Authorization header with a token that has expired in place of the one that it has; None: it holds
    no such token. struck: how often it did what.
    What a request meets depends on the seed, its method and address, and how often that was asked before: not on the order in
    which the requests of several threads come in.
    """

    share: float
    seed: int
    silence: float
    aged: Callable[[str], str | None]
    kinds: tuple[Trouble, ...] = TROUBLES
    struck: Counter[str] = field(default_factory=Counter)
    _asked: Counter[str] = field(default_factory=Counter)
    _former: dict[str, Answer] = field(default_factory=dict)

    async def meet(self, scope: Scope, receive: Receive, send: Send) -> tuple[Scope, Send, list[Fault]] | None:
        """The request as it goes on, how it is answered, and the faults that it meets; None when it was answered here."""
        where = f"{scope['method']} {scope['slipway.host']}{scope['path']}?{scope['query_string'].decode('latin-1')}"
        kind = self._drawn(where)
        if kind == "stale read" and (former := self._former.get(where)) is not None:
            self.struck[kind] += 1
            while (await receive()).get("more_body"):
                pass
            for message in (former[0], *former[1]):
                await send(message)
            return None
        if kind == "expired token" and (aged := self._with_expired_token(scope)) is not None:
            self.struck[kind] += 1
            return aged, send, []
        faults = []
        if kind == "silence":
            faults = [Fault(kind="latency", seconds=self.silence, after=True)]
        elif kind in _SIMPLE:
            faults = [Fault(**_SIMPLE[kind])]
        self.struck[kind or "nothing"] += bool(faults) or kind is None
        return scope, self._noting(scope, where, send), faults

    def _drawn(self, where: str) -> Trouble | None:
        self._asked[where] += 1
        chance = random.Random(f"{self.seed} {self._asked[where]} {where}")  # noqa: S311 - to be repeated, not to be secret
        return chance.choice(self.kinds) if chance.random() < self.share else None

    def _with_expired_token(self, scope: Scope) -> Scope | None:
        """None when the request holds no token that could expire."""
        headers = []
        found = False
        for name, value in scope["headers"]:
            aged = self.aged(value.decode("latin-1")) if name == b"authorization" else None
            found = found or aged is not None
            headers.append((name, value if aged is None else aged.encode("latin-1")))
        return {**scope, "headers": headers} if found else None

    def _noting(self, scope: Scope, where: str, send: Send) -> Send:
        """A `send` that keeps what a read is answered, for a stale read later."""
        if scope["method"] != "GET" or not any(fnmatchcase(scope["slipway.host"], host) for host in _STALE):
            return send
        begun: list[dict[str, Any]] = []

        async def noting(message: dict[str, Any]) -> None:
            await send(message)
            begun.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self._former[where] = (begun[0], begun[1:])

        return noting
