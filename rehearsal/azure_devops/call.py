"""One request to Azure DevOps: what is asked, by whom, and the checks that come before any operation.

Who asks: a person or service principal by a token of Microsoft Entra ID, or a job of a pipeline by its System.AccessToken.
Versions: learn.microsoft.com/azure/devops/integrate/concepts/rest-api-versioning.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rehearsal.azure_devops.errors import DevOpsError, as_number, read_body

SIGN_IN = "https://dev.azure.com/_signin"


class NotSignedIn(Exception):
    """No token, or none that is worth anything here."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks. `id`: of the identity in the organisation. `is_job`: the build identity, by the token of a job that runs."""

    id: str
    name: str
    rights: frozenset[str]
    is_job: bool = False

    def may(self, right: str) -> bool:
        return right in self.rights


@dataclass(frozen=True, kw_only=True)
class Call:
    request: Request
    caller: Caller
    body: Any

    def query(self, name: str) -> str | None:
        """A parameter of the query, its name in any case."""
        for key, value in self.request.query_params.items():
            if key.lower() == name.lower():
                return value
        return None

    def top(self, default: int = 1000) -> int:
        return as_number(self.query("$top"), "$top") or default

    def path(self, name: str) -> str:
        return str(self.request.path_params[name])

    def refuse(self, text: str) -> DevOpsError:
        """The caller lacks a right."""
        return DevOpsError(403, "AccessDeniedException", text)


@dataclass(frozen=True)
class Operation:
    """`preview`: the version must say that it is one."""

    method: str
    path: str
    answer: Callable[[Call], Response]
    preview: bool = False


Admit = Callable[[Request], Caller]
"""Who asks. Raises NotSignedIn, DevOpsError."""


def route(operation: Operation, admit: Admit) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            caller = admit(request)
            check_version(request, preview=operation.preview)
            body = await read_body(request) if operation.method in ("POST", "PUT", "PATCH") else {}
            return operation.answer(Call(request=request, caller=caller, body=body))
        except NotSignedIn:
            return unsigned(request)
        except DevOpsError as error:
            return error.answer()

    return Route(operation.path, endpoint, methods=[operation.method])


def unsigned(request: Request) -> Response:
    """A browser is led to the sign-in page, and so is any client that does not say that it is none."""
    if request.headers.get("x-tfs-fedauthredirect", "").lower() == "suppress":
        text = "TF400813: The user '' is not authorized to access this resource."
        return DevOpsError(401, "UnauthorizedRequestException", text).answer()
    return RedirectResponse(SIGN_IN, status_code=302)


def check_version(request: Request, *, preview: bool) -> None:
    """Raises DevOpsError where a version is needed, or one that says -preview."""
    version = request.query_params.get("api-version") or ""
    if not version and "api-version=" in (accept := request.headers.get("accept", "")):
        version = accept.partition("api-version=")[2].split(";")[0].strip()
    if not version:
        if request.method in ("GET", "OPTIONS"):
            return
        text = (
            f'No api-version was supplied for the "{request.method}" request. The version must be supplied either as '
        )
        text += 'part of the Accept header (e.g. "application/json; api-version=1.0") or as a query parameter.'
        raise DevOpsError(400, "VssVersionNotSpecifiedException", text)
    if preview and "-preview" not in version:
        text = f'The requested version "{version}" of the resource is under preview. The -preview flag must be supplied in '
        text += "the api-version for such requests."
        raise DevOpsError(400, "VssInvalidPreviewVersionException", text)


def token_of(request: Request) -> tuple[str, str]:
    """The token, and the header that it came in; "" without one. A token may stand in the place of a password."""
    header = request.headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "basic":
        return password(token), ""
    return (token, header) if scheme.lower() == "bearer" else ("", "")


def password(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
