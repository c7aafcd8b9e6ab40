"""What Azure DevOps answers in place of a result, and what its answers have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Json = dict[str, Any]


class DevOpsError(Exception):
    """An answer that is an error, in the service's shape.

    `key` is the service's typeKey. Sentences with a number (TF…, VS…) are the service's own as public issues quote them; the
    others are unverified, their shape is not.
    """

    def __init__(self, status: int, key: str, message: str) -> None:
        super().__init__(message)
        self.status, self.key = status, key

    def answer(self) -> Response:
        body = {
            "$id": "1",
            "innerException": None,
            "message": str(self),
            "typeName": f"Microsoft.TeamFoundation.{self.key}, Microsoft.TeamFoundation",
            "typeKey": self.key,
            "errorCode": 0,
            "eventId": 3000,
        }
        return JSONResponse(body, self.status)


def listed(values: Sequence[Mapping[str, Any]]) -> Response:
    return JSONResponse({"count": len(values), "value": list(values)})


def as_number(text: object, name: str) -> int | None:
    """A number of a query or a body; None where there is none. Raises DevOpsError."""
    if text is None:
        return None
    try:
        found = int(str(text))
    except ValueError as error:
        raise DevOpsError(400, "InvalidArgumentValueException", f"{name} is a number, not '{text}'") from error
    if found < 0:
        raise DevOpsError(400, "InvalidArgumentValueException", f"{name} can't be negative")
    return found


def as_object(body: Any, what: str) -> Json:
    if not isinstance(body, dict):
        raise DevOpsError(400, "InvalidPropertyException", f"{what} is an object.")
    return body


def missing_property(what: str) -> DevOpsError:
    return DevOpsError(400, "VssPropertyValidationException", f"Value cannot be null or empty: {what}.")


async def read_body(request: Request) -> Any:
    """The body of a request as JSON. Raises DevOpsError."""
    try:
        return json.loads(await request.body())
    except ValueError as error:
        raise DevOpsError(400, "VssPropertyValidationException", "The body of the request is no JSON.") from error
