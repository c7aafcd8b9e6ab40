"""The error family of the Databricks REST API.

Shape: `{"error_code": "...", "message": "...", "details": [...]}` (databricks-sdk-py `errors/details.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class ApiError(Exception):
    """An answer that is an error: HTTP status, error code (a number for failed authentication) and message."""

    def __init__(self, status: int, code: str | int, message: str, details: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = list(details)
        self.headers: dict[str, str] = {}

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"error_code": self.code, "message": self.message}
        if self.details:
            body["details"] = self.details
        return body


def invalid(message: str) -> ApiError:
    return ApiError(400, "INVALID_PARAMETER_VALUE", message)


def malformed(message: str) -> ApiError:
    return ApiError(400, "MALFORMED_REQUEST", message)


def missing(message: str) -> ApiError:
    return ApiError(404, "RESOURCE_DOES_NOT_EXIST", message)


def denied(message: str) -> ApiError:
    return ApiError(403, "PERMISSION_DENIED", message)


def exists(message: str) -> ApiError:
    return ApiError(400, "RESOURCE_ALREADY_EXISTS", message)


def not_built(operation: str, reason: str = "") -> ApiError:
    """A refusal that is the rehearsal's own: the real service has the operation, this stand-in does not."""
    text = f"{operation}: the rehearsal's workspace has no such operation"
    return ApiError(501, "NOT_IMPLEMENTED", f"{text}. {reason}" if reason else f"{text}.")


def not_simulated(subject: str) -> ApiError:
    """A refusal of a value: the operation is there, this kind of input is not."""
    return ApiError(501, "NOT_IMPLEMENTED", f"The rehearsal's workspace has no {subject}.")


def lacks(who: str, level: str, what: str) -> ApiError:
    """The sentence of the service's ACL check (databricks/cli issue 900 quotes it for clusters)."""
    return denied(
        f"{who} does not have {level} permissions on {what}. Please contact the owner or an administrator for access."
    )
