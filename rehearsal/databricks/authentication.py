"""Who is calling: the Entra token, and how a service principal that is not in the workspace yet gets in.

Answers: contracts recorded from databricks-sdk-py, azure-docs issues; section 9 of the fact page this was written from.
"""

from __future__ import annotations

import html
import uuid
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from rehearsal.databricks import tokens
from rehearsal.databricks.members import ADMINS, Member
from rehearsal.databricks.workspace import Workspace
from rehearsal.entra.directory import InvalidToken, Principal

if TYPE_CHECKING:
    from rehearsal.world import World

DATABRICKS_APPLICATION = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
MANAGEMENT_AUDIENCES = (
    "https://management.core.windows.net/",
    "https://management.core.windows.net",
    "https://management.azure.com/",
    "https://management.azure.com",
)
MANAGEMENT_TOKEN = "X-Databricks-Azure-SP-Management-Token"  # noqa: S105 - the name of a header
RESOURCE_ID = "X-Databricks-Azure-Workspace-Resource-Id"


class RefusedError(Exception):
    """The request is not let in; carries the whole answer."""

    def __init__(self, response: Response) -> None:
        super().__init__("not let in")
        self.response = response


def authenticate(world: World, workspace: Workspace, request: Request) -> Member:
    """The member who calls. Raises RefusedError with the service's own answer."""
    if personal := tokens.presented(request.headers.get("Authorization")):
        return _owner(workspace, personal)
    principal = _verify(world, request.headers.get("Authorization"))
    if member := workspace.members.by_object_id(principal.object_id):
        if not member.active:
            raise RefusedError(HTMLResponse(_page(403, "User not authorized."), 403))  # text by analogy (unverified)
        return member
    return _let_in(world, workspace, request, principal)


def by_personal_token(request: Request) -> bool:
    """Whether somebody came in with a personal access token."""
    return tokens.presented(request.headers.get("Authorization")) is not None


def _owner(workspace: Workspace, personal: str) -> Member:
    object_id = workspace.tokens.owner(personal)
    member = workspace.members.by_object_id(object_id) if object_id else None
    if member is None or not member.active:
        raise RefusedError(_refusal(InvalidToken("signature", "no such personal access token")))
    return member


def _verify(world: World, header: str | None) -> Principal:
    try:
        return world.directory.verify(header, (DATABRICKS_APPLICATION,))
    except InvalidToken as error:
        raise RefusedError(_refusal(error)) from None


def _refusal(error: InvalidToken) -> Response:
    request_id = uuid.uuid4()
    if error.reason == "missing":
        text = f"Credential was not sent or was of an unsupported type for this API. [ReqId: {request_id}]"
        return JSONResponse({"error_code": 401, "message": text}, 401, {"X-Databricks-Reason-Phrase": text})
    if error.reason == "audience":
        # The real text ends with the audience that the token had; that is left out here.
        text = f"io.jsonwebtoken.IncorrectClaimException: Expected aud claim to be: {DATABRICKS_APPLICATION}."
        return HTMLResponse(_page(400, text), 400)
    if error.reason == "expired":
        # 403 at first, 400 with ExpiredJwtException later, 401 since December 2025 (splunk-integration issue 55).
        text = "Token is expired"
        return JSONResponse({"error_code": 401, "message": text}, 401, {"X-Databricks-Reason-Phrase": text})
    text = f"Invalid access token. [ReqId: {request_id}]"
    return JSONResponse({"error_code": 403, "message": text}, 403, {"X-Databricks-Reason-Phrase": text})


def _page(status: int, text: str) -> str:
    body = f"<h2>HTTP ERROR: {status}</h2><pre>{html.escape(text)}</pre>"
    return f"<html><head><title>Error {status}</title></head><body>{body}</body></html>"


def _let_in(world: World, workspace: Workspace, request: Request, principal: Principal) -> Member:
    """A Contributor of the workspace resource may come in, and does so as an admin.

    Product docs ask for Contributor or Owner on the workspace resource and two headers; which action is checked, and that the
    principal stays in the workspace afterwards, is unverified.
    """
    token, resource_id = request.headers.get(MANAGEMENT_TOKEN), request.headers.get(RESOURCE_ID)
    outside = RefusedError(HTMLResponse(_page(403, "User not authorized."), 403))
    if not token or not resource_id:
        raise outside
    try:
        manager = world.directory.verify(f"Bearer {token}", MANAGEMENT_AUDIENCES)
    except InvalidToken as error:
        raise RefusedError(_refusal(error)) from None
    if manager.object_id != principal.object_id or resource_id.lower() != workspace.resource_id.lower():
        raise outside
    if not world.roles.allowed(principal.object_id, workspace.resource_id, "Microsoft.Databricks/workspaces/write"):
        raise outside
    return workspace.add_member(principal, [ADMINS])
