"""What reads were answered before the last write: the answers that a service's other replica may still give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

Message = dict[str, Any]
MOST_ADDRESSES = 1000
LARGEST_BODY = 1024 * 1024
_OF_A_BODY = (b"content-length", b"content-type", b"transfer-encoding", b"expect", b"if-match", b"if-none-match")


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

    async def look(self, app: Any, scope: dict[str, Any]) -> None:
        """Before a write passes, ask the stand-in what a read of the same address says now, in the writer's name.

        So the first read of what is made says that it is not there. Signatures with a key are for one request alone: only a
        bearer token can ask again.
        """
        kept = [(name, value) for name, value in scope["headers"] if name not in _OF_A_BODY]
        read = {**scope, "method": "GET", "headers": kept}
        if scope["method"] not in ("PUT", "PATCH", "DELETE") or not _address(read)[3].lower().startswith(b"bearer "):
            return
        messages = list[Message]()

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            messages.append(message)

        await app(read, receive, send)
        if messages and messages[0].get("status") in (200, 404):
            self._keep(_address(read), self._writes[scope["slipway.host"]], messages)

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
    return scope["slipway.host"], scope["path"].rstrip("/"), scope["query_string"], caller
