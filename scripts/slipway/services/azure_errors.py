"""What the Azure clients raise, turned into errors for a person. Shared by the modules that use azure-core."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from slipway.errors import AuthenticationError, ServiceError, SlipwayError

# For every Azure client: seconds to connect and between two bytes, and the bound of its own retries (azure-core: exponential,
# Retry-After respected; POST only where a call says so).
TRANSPORT: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 60, "retry_total": 5}
# For a call whose POST may be sent twice (listKeys, validate, whatIf, recover), and the GETs that wait for its end.
REPEATABLE: dict[str, Any] = {"retry_on_methods": ["GET", "POST"]}

# Signed web tokens, bearer headers, signatures in URLs, keys in connection strings, personal access tokens: never to be
# repeated in a text.
_SECRET = re.compile(
    r"(?i:bearer\s+)[^\s\"',]+|eyJ[\w-]{8,}\.[\w.-]+|(?<=sig=)[^&\s\"']+|dapi[0-9a-f]{16,}[0-9a-f-]*"
    r"|(?i:(?<=AccountKey=)|(?<=SharedAccessKey=))[^;\s\"']+"
)


def scrub(text: str, limit: int = 2000) -> str:
    """`text` from a service without anything that looks like a token, and not longer than `limit` characters."""
    text = _SECRET.sub("[removed]", text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def causes(error: BaseException) -> list[BaseException]:
    """The exceptions inside an exception, however they were put there, outermost first."""
    found: list[BaseException] = []
    todo: list[Any] = [error]
    while todo and len(found) < 20:
        one = todo.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            todo += [*one.args, getattr(one, "reason", None), one.__cause__]
    return found


def innermost(error: BaseException) -> str:
    """What went wrong at the bottom: `RemoteDisconnected: Remote end closed connection without response`."""
    last = causes(error)[-1]
    return scrub(f"{type(last).__name__}: {last}", 300)


def reason(error: AzureError) -> tuple[str, str]:
    """The service's own code ("" when it gave none) and message."""
    code = getattr(error, "error_code", None)
    message = str(getattr(error, "message", None) or error)
    if isinstance(error, HttpResponseError):
        body = _error_body(error)
        if body:
            code = code or body.get("code")
            inner = body.get("innererror")
            if isinstance(inner, dict) and inner.get("code"):
                code = f"{code}/{inner['code']}"
            message = str(body.get("message") or message)
    # Storage puts request id and time on the lines after its sentence.
    first = next((line.strip() for line in message.splitlines() if line.strip()), "")
    return str(getattr(code, "value", code) or ""), scrub(first)


def _error_body(error: HttpResponseError) -> dict[str, Any] | None:
    try:
        parsed = json.loads(error.response.text()) if error.response is not None else None
    except Exception:  # any body that is not the JSON we look for: the exception's own text is used then
        return None
    body = parsed.get("error") if isinstance(parsed, dict) else None
    return body if isinstance(body, dict) else None


def readable(error: AzureError, doing: str, *, changed: str = "", next_step: str = "") -> SlipwayError:
    """The error for a person: `doing` is a clause like "reading the secret x of the vault y"."""
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        code, message = "", f"no answer: {innermost(error)}"
    else:
        code, message = reason(error)
    status = getattr(error, "status_code", None)
    said = f"{message} ({' '.join(str(part) for part in (status, code) if part)})" if status or code else message
    what = f"{doing[:1].upper()}{doing[1:]} failed: {said}"
    if isinstance(error, ClientAuthenticationError) or status in (401, 403):
        step = next_step or (
            "The identity that runs this lacks a role there, or got it only minutes ago (roles take up to 10 minutes)."
        )
        return AuthenticationError(what, changed=changed, next_step=step)
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        step = (
            next_step
            or "Look at network, proxy and name resolution between this machine and the service, then run again."
        )
        return ServiceError(what, changed=changed, next_step=step)
    return ServiceError(what, changed=changed, next_step=next_step)


@contextmanager
def translated(doing: str, *, changed: str = "", next_step: str = "") -> Iterator[None]:
    """Turns what an Azure client raises inside into a SlipwayError that names what was being done."""
    try:
        yield
    except AzureError as error:
        raise readable(error, doing, changed=changed, next_step=next_step) from error
