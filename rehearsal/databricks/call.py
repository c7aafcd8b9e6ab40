"""One request as the services see it: who calls, on which workspace, with which values; and the table entry of an operation."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from rehearsal.databricks.errors import ApiError, invalid, malformed

if TYPE_CHECKING:
    from rehearsal.databricks.members import Member
    from rehearsal.databricks.workspace import Workspace

# 10 MB of content are 13.4 MB of base64; the rest of a request is small.
LONGEST_JSON = 16 * 1024 * 1024
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

Answer = dict[str, Any] | Response


@dataclass
class Call:
    """A request, its JSON body or query already read."""

    workspace: Workspace
    caller: Member
    version: str
    request: Request
    names: Mapping[str, str]
    values: dict[str, Any] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """A text value; numbers and flags of a query arrive as text anyway."""
        value = self.values.get(name, default)
        if value is None:
            return default
        if isinstance(value, (dict, list)):
            raise malformed(f"Could not parse request object: {name} must be a string")
        return str(value)

    def required(self, *names: str) -> None:
        """Raises ApiError 400 naming every one that is missing (wording of the secrets service, databricks-cli issue 336)."""
        absent = [name for name in names if self.values.get(name) in (None, "")]
        if absent:
            raise invalid(f"Missing required field{'s' if len(absent) > 1 else ''}: {', '.join(absent)}")

    def number(self, name: str, default: int | None = None) -> int:
        """A whole number, also when it was sent as text. Without a default the value is required."""
        value = self.values.get(name)
        if value in (None, ""):
            if default is None:
                raise invalid(f"Missing required field: {name}")
            return default
        if isinstance(value, bool) or not isinstance(value, (int, str)) or not re.fullmatch(r"-?\d{1,19}", str(value)):
            raise malformed(f"Could not parse request object: {name} must be a number")
        return int(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """Yes or no, also as the text of a query or a form."""
        value = self.values.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, bool):
            return value
        if not isinstance(value, str) or value.lower() not in ("true", "false", "1", "0"):
            raise malformed(f"Could not parse request object: {name} must be true or false")
        return value.lower() in ("true", "1")

    def decoded(self, name: str) -> bytes:
        """A base64 value, line breaks left out. Anything else in it would be lost without a word."""
        try:
            return base64.b64decode("".join(self.text(name).split()), validate=True)
        except (binascii.Error, ValueError):
            raise malformed(f"{name} is not valid base64") from None


Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True)
class Operation:
    """What answers a method and a path, in which API versions. `raw_body`: the handler reads the body itself.

    done: not when the handler refuses every request."""

    method: str
    path: str
    handler: Handler
    versions: tuple[str, ...] = ("2.0",)
    raw_body: bool = False
    done: bool = True

    def match(self, path: str) -> dict[str, str] | None:
        """The names in the path when it is this operation's: `{name}` is one part of it, `{name*}` all that follows."""
        if "{" not in self.path:
            return {} if path == self.path else None
        found = _pattern(self.path).fullmatch(path)
        return found.groupdict() if found else None


@cache
def _pattern(path: str) -> re.Pattern[str]:
    pattern = re.sub(r"/\{(\w+)\*\}", r"(?P<\1>/.*)", path)
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern), re.DOTALL)


async def read_values(request: Request) -> dict[str, Any]:
    """The values of a request: the query of a GET or HEAD, the JSON object of anything else, whatever its content type says
    (databricks-cli sends `text/json`). Raises ApiError 400 for a body that is too long or no JSON object."""
    if request.method in ("GET", "HEAD"):
        return dict(request.query_params)
    body = await read_body(request)
    if not body.strip():
        return {}
    try:
        values = json.loads(body)
        if _SURROGATE.search(body):  # half of a pair is no character: what holds one could never be sent back
            json.dumps(values, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        text = "Invalid JSON given in the body of the request - failed to parse given JSON"
        raise malformed(text) from None
    if not isinstance(values, dict):
        raise malformed("Could not parse request object: expected a JSON object")
    return values


async def read_body(request: Request) -> bytes:
    """The whole body. It is read to its end even when it is too long, so that the sender gets to see the answer."""
    pieces = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size <= LONGEST_JSON:
            pieces.append(piece)
    if size > LONGEST_JSON:
        raise ApiError(
            400, "MAX_NOTEBOOK_SIZE_EXCEEDED", f"The request is larger than the limit of {LONGEST_JSON} bytes"
        )
    return b"".join(pieces)
