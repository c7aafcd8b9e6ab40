"""What the blob service says no with.

Source: https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from starlette.responses import Response

CHALLENGE = {
    "WWW-Authenticate": "Bearer authorization_uri=https://login.microsoftonline.com/common/oauth2/authorize "
    "resource_id=https://storage.azure.com"
}


class Refused(Exception):
    """Status, code, sentence; detail: what stands beside the sentence in AuthenticationErrorDetail."""

    def __init__(
        self, status: int, code: str, message: str, *, detail: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.detail = status, code, message, detail
        self.headers = headers or {}

    def response(self, now: float) -> Response:
        """The answer in the service's shape; now: seconds since the epoch."""
        request_id = str(uuid.uuid4())
        moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        detail = f"<AuthenticationErrorDetail>{escape(self.detail)}</AuthenticationErrorDetail>" if self.detail else ""
        body = (
            f'\ufeff<?xml version="1.0" encoding="utf-8"?><Error><Code>{self.code}</Code><Message>{escape(self.message)}\n'
            f"RequestId:{request_id}\nTime:{moment}</Message>{detail}</Error>"
        )
        headers = {**self.headers, "x-ms-error-code": self.code, "x-ms-request-id": request_id}
        return Response(body, self.status, headers, media_type="application/xml")


def not_implemented(what: str) -> Refused:
    return Refused(501, "NotImplemented", f"This rehearsal's storage has no {what}.")


def unauthenticated(detail: str) -> Refused:
    """A bearer token that is not taken (sentence and detail as reported at github.com/Azure/AzureStor, issue 119)."""
    sentence = (
        "Server failed to authenticate the request. Please refer to the information in the www-authenticate header."
    )
    return Refused(401, "InvalidAuthenticationInfo", sentence, detail=detail, headers=CHALLENGE)
