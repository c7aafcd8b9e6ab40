"""What reads were answered before the last write: the answers that a service's other replica may still give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

Message = dict[str, Any]
MOST_ADDRESSES = 1000
LARGEST_BODY = 1024 * 1024


class Former:
    """Remembers the answers to reads by address and caller, and how many writes each host has taken."""

    def __init__(self) -> None:
        self._answers: dict[tuple[Any, ...], tuple[int, list[Message]]] = {}
        self._writes: Counter[str] = Counter()

    def before_last_write(self, scope: dict[str, Any]) -> list[Message] | None:
        """The whole answer to this read from before the host's last write; asked again, it is None until the next write."""
        address = _address(scope)
        writes, messages = self._answers.get(address, (0, None))
        now = self._writes[scope["slipway.host"]]
        if messages is None or writes == now or scope["method"] != "GET":
            return None
        self._answers[address] = (now, messages)
        return messages

    def noting(self, scope: dict[str, Any], send: Callable[[Message], Any]) -> Callable[[Message], Any]:
        """A `send` that remembers what passes."""
        host, reads = scope["slipway.host"], scope["method"] in ("GET", "HEAD", "OPTIONS")
        writes, messages = self._writes[host], list[Message]()

        async def sending(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start" and not reads and message["status"] < 400:
                self._writes[host] += 1
            messages.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body") and scope["method"] == "GET":
                self._keep(_address(scope), writes, messages)

        return sending

    def _keep(self, address: tuple[Any, ...], writes: int, messages: list[Message]) -> None:
        if sum(len(message.get("body", b"")) for message in messages) > LARGEST_BODY:
            return
        self._answers.pop(address, None)
        while len(self._answers) >= MOST_ADDRESSES:
            del self._answers[next(iter(self._answers))]
        self._answers[address] = (writes, messages)


def _address(scope: dict[str, Any]) -> tuple[Any, ...]:
    caller = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    return scope["slipway.host"], scope["path"], scope["query_string"], caller
