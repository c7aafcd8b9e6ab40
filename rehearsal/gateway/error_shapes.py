"""An error as each service itself puts it, for faults that say no more than a status.

Sources, by host: Resource Manager, github.com/Azure/migAz issue 57 (429) and the common error shape of its REST API; Key Vault,
github.com/vcsjones/AzureSignTool issue 219 (429); storage, learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes
(it throttles with 503); Databricks, databricks-sdk-go's apierr/error_mapping.go; Entra ID, github.com/AzureAD/
microsoft-authentication-library-for-dotnet issue 2855 (429 is no JSON) and its reference of error codes; Azure DevOps,
github.com/microsoft/vscode issue 155632. Unverified: the codes and sentences of those statuses that none of these shows.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Any

JSON, XML, TEXT = "application/json", "application/xml", "text/plain"
Shape = Callable[[int], tuple[str, str]]

_DATABRICKS = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    409: "RESOURCE_CONFLICT",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    501: "NOT_IMPLEMENTED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_STORAGE = {
    400: ("InvalidInput", "One of the request inputs is not valid."),
    403: ("AuthorizationFailure", "This request is not authorized to perform this operation."),
    404: ("ResourceNotFound", "The specified resource does not exist."),
    409: ("ResourceAlreadyExists", "The specified resource already exists."),
    412: ("ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met."),
    500: ("InternalError", "The server encountered an internal error. Please retry the request."),
    503: ("ServerBusy", "The server is currently unable to receive requests. Please retry your request."),
}
_RESOURCE_MANAGER = {
    429: ("TooManyRequests", "The request is being throttled."),
    500: ("InternalServerError", "Encountered internal server error."),
    503: ("ServerTimeout", "The request timed out."),
}


def own(host: str, status: int) -> tuple[str, str]:
    """Content type and body of that status as the service behind `host` sends it."""
    return next((shape for pattern, shape in _SHAPES if fnmatchcase(host, pattern)), _resource_manager)(status)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _error(code: str, message: str) -> tuple[str, str]:
    return JSON, json.dumps({"error": {"code": code, "message": message}})


def _named(status: int) -> tuple[str, str]:
    """The status' own name as code and sentence."""
    phrase = _phrase(status)
    return phrase.title().replace(" ", ""), f"{phrase}."


def _resource_manager(status: int) -> tuple[str, str]:
    return _error(*_RESOURCE_MANAGER.get(status, _named(status)))


def _key_vault(status: int) -> tuple[str, str]:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        sentence = (
            "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"
        )
        return _error("Throttled", sentence)
    return _error(*_named(status))


def _storage(status: int) -> tuple[str, str]:
    code, sentence = _STORAGE.get(status, _named(status))
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{sentence}</Message></Error>'
    return XML, "\ufeff" + body


def _databricks(status: int) -> tuple[str, str]:
    code = _DATABRICKS.get(status, "INTERNAL_ERROR" if status >= 500 else "BAD_REQUEST")
    return JSON, json.dumps({"error_code": code, "message": f"{_phrase(status)}."})


def _entra(status: int) -> tuple[str, str]:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return TEXT, "Too Many Requests"
    number, word = (90033, "temporarily_unavailable") if status >= 500 else (90014, "invalid_request")
    what = "A transient error has occurred. Please try again." if status >= 500 else "The request is not valid."
    ids = {"trace_id": str(uuid.uuid4()), "correlation_id": str(uuid.uuid4())}
    said: dict[str, Any] = {
        "error": word,
        "error_description": f"AADSTS{number}: {what}",
        "error_codes": [number],
        **ids,
    }
    return JSON, json.dumps(said)


def _devops(status: int) -> tuple[str, str]:
    blocked = "Request was blocked due to exceeding usage of resource 'Count' in namespace 'VSID'."
    kind = "RequestBlockedException" if status == HTTPStatus.TOO_MANY_REQUESTS else "VssServiceException"
    said = {
        "$id": "1",
        "innerException": None,
        "message": blocked if kind == "RequestBlockedException" else f"{_phrase(status)}.",
        "typeName": f"Microsoft.TeamFoundation.Framework.Server.{kind}, Microsoft.TeamFoundation.Framework.Server",
        "typeKey": kind,
        "errorCode": 0,
        "eventId": 3000,
    }
    return JSON, json.dumps(said)


_SHAPES: tuple[tuple[str, Shape], ...] = (
    ("*.vault.azure.net", _key_vault),
    ("*.core.windows.net", _storage),
    ("*.azuredatabricks.net", _databricks),
    ("login.microsoftonline.com", _entra),
    ("*dev.azure.com", _devops),
)
