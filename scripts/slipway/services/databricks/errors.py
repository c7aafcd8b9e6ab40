"""What a workspace answers when it refuses, in every shape it is known to use, turned into errors for a person.

Shapes (REST API reference, the SDKs' deserialisers, answers quoted in public issues): JSON: error_code (a name, or a
number for failed sign-in) and message; API 1.2 `{"error": …}`; SCIM; `CODE: text`; HTML with <pre> or <title>; nothing.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway.errors import AuthenticationError, ServiceError, SlipwayError
from slipway.services.azure_errors import scrub

_CODE_TEXT = re.compile(r"\A\s*([A-Z][A-Z_]{2,60}):\s*(\S.*)\Z", re.DOTALL)
_HTML_TEXT = (
    re.compile(r"<pre[^>]*>(.*?)</pre>", re.DOTALL | re.I),
    re.compile(r"<title[^>]*>(.*?)</title>", re.DOTALL | re.I),
)
_TAG = re.compile(r"<[^>]*>")
_MISSING_CODES = {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "FEATURE_DISABLED_NOT_FOUND"}
_EXISTS_CODES = {"RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS"}
# jobs/get, runs/get and clusters/get answer 400 INVALID_PARAMETER_VALUE for an id that is not there
# (databricks-sdk-go apierr/error_overrides.go).
_MISSING_TEXT = re.compile(r"(Job|Run|Cluster)\b.*\b(does not exist|doesn't exist)", re.DOTALL)
# A token for another service, or one that has ended, is answered with 400 and a Java exception in HTML; one that has ended
# also with 403 (databricks-sdk-go issue 1061) and, since December 2025, with 401 (databrickslabs/splunk-integration issue 55).
_TOKEN_TEXT = re.compile(r"IncorrectClaimException|ExpiredJwtException|JWT has expired|Token is expired")
_LARGEST = 256 * 1024


@dataclass(frozen=True)
class Failure:
    """A refusal: HTTP status, the service's code ("" = none), its message, and the reasons in its details."""

    status: int
    code: str
    message: str
    reasons: tuple[str, ...] = ()


class DatabricksError(ServiceError):
    """A request that a workspace refused or failed; `failure` is None when no answer came."""

    failure: Failure | None = None


class NotFound(DatabricksError):
    """The object is not there."""


class AlreadyExists(DatabricksError):
    """The object is there already."""


class Throttled(DatabricksError):
    """Still too many requests after all the waiting that is allowed."""


class AccessRefused(AuthenticationError):
    """The workspace does not know the identity, or does not let it do this."""

    failure: Failure | None = None


def parse(status: int, headers: Mapping[str, str], body: bytes, http_reason: str = "") -> Failure:
    """Reads any answer; never raises."""
    text = body[:_LARGEST].decode("utf-8", "replace").strip()
    fallback = headers.get("X-Databricks-Reason-Phrase") or http_reason or f"HTTP {status}"
    try:
        parsed: Any = json.loads(text) if text[:1] in ("{", "[") else None
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, dict):
        code, message, reasons = _of_json(parsed, status)
        return Failure(status, scrub(code, 100), scrub(message or fallback), reasons)
    found = _CODE_TEXT.match(text)
    if found:
        return Failure(status, found.group(1), scrub(found.group(2).strip()))
    location = headers.get("Location")
    if location and 300 <= status < 400:
        return Failure(status, "", scrub(f"redirected to {location}"))
    return Failure(status, "", scrub(_of_text(text) or fallback))


def _of_json(answer: dict[str, Any], status: int) -> tuple[str, str, tuple[str, ...]]:
    if "detail" in answer and ("schemas" in answer or "status" in answer):
        return str(answer.get("scimType") or f"SCIM_{status}"), str(answer["detail"] or ""), ()
    code = answer.get("error_code")
    message = answer.get("message", answer.get("error"))
    if isinstance(message, dict):  # as Resource Manager nests it
        code, message = code or message.get("code"), message.get("message")
    details = answer.get("details")
    reasons = tuple(
        scrub(str(detail["reason"]), 100)
        for detail in (details if isinstance(details, list) else [])
        if isinstance(detail, dict) and isinstance(detail.get("reason"), str)
    )
    return code if isinstance(code, str) else "", "" if message is None else str(message), reasons


def _of_text(text: str) -> str:
    for pattern in _HTML_TEXT:
        found = pattern.search(text)
        if found:
            text = found.group(1)
            break
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())


def error_for(failure: Failure, doing: str) -> SlipwayError:
    """The error for a person; `doing` names the workspace and the object, as in "creating job x in y"."""
    tail = " ".join(str(part) for part in (failure.status, failure.code) if part)
    what = f"{doing}: {failure.message} ({tail})"
    refused = failure.status in (401, 403) or _TOKEN_TEXT.search(failure.message)
    error: DatabricksError | AccessRefused
    if failure.code in _MISSING_CODES or (failure.status == 404 and failure.code.startswith("SCIM_")):
        error = NotFound(what)
    elif failure.code in _EXISTS_CODES:
        error = AlreadyExists(what)
    elif failure.status == 429:
        error = Throttled(what, next_step="The workspace is busy. Run it again later; what was done is not done twice.")
    elif refused:
        error = AccessRefused(what, next_step=_access_step(failure))
    elif failure.status == 400 and failure.code == "INVALID_PARAMETER_VALUE" and _MISSING_TEXT.search(failure.message):
        error = NotFound(what)
    else:
        # A 404 that names no object came from something on the way, or from no workspace at all: nothing is known to be gone.
        step = (
            "Look that databricks.host is this workspace, and at proxies on the way." if failure.status == 404 else ""
        )
        error = DatabricksError(what, next_step=step)
    error.failure = failure
    return error


def _access_step(failure: Failure) -> str:
    if _TOKEN_TEXT.search(failure.message):
        return "The token is for another service or has ended: check DATABRICKS_TOKEN, or sign in again."
    if failure.status == 401 or "Invalid access token" in failure.message:
        return "Sign in again, or check DATABRICKS_TOKEN; look that databricks.host is the workspace of this tenant."
    if "User not authorized" in failure.message:
        return "The identity is not in this workspace: an admin runs scripts/bootstrap_environment.py, which adds it."
    return "Ask an admin of the workspace for the permission named above."
