"""dev.azure.com and vssps.dev.azure.com. A token that is nobody's is led to a sign-in page, as by the service."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from rehearsal.azure_devops.call import SIGN_IN, Operation, route
from rehearsal.azure_devops.organisation import AzureDevOps
from rehearsal.world import World

_EVERY = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def create_app(world: World, devops: AzureDevOps) -> Starlette:
    """The OIDC endpoint, and every API of dev.azure.com."""
    del world

    async def oidc_token(request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not devops.is_open(request.path_params["job"], token):
            return RedirectResponse(SIGN_IN, status_code=302)
        connection = request.query_params.get("serviceConnectionId", "")
        oidc = devops.oidc_token(connection)
        if oidc is None:
            return JSONResponse(
                {"$id": "1", "message": f"Service connection {connection} was not found.", "typeKey": "NotFound"}, 404
            )
        return JSONResponse({"oidcToken": oidc})

    async def sign_in(_: Request) -> Response:
        return Response("<html><title>Azure DevOps Services | Sign In</title></html>", 203, media_type="text/html")

    path = "/{organisation}/{project}/_apis/distributedtask/hubs/build/plans/{plan}/jobs/{job}/oidctoken"
    first = [Route(path, oidc_token, methods=["POST"]), Route("/_signin", sign_in)]
    return _app(devops, devops.operations(), "dev.azure.com", first)


def create_people_app(devops: AzureDevOps) -> Starlette:
    """vssps.dev.azure.com: who is in the organisation."""
    return _app(devops, devops.people_operations(), "vssps.dev.azure.com", [])


def _app(devops: AzureDevOps, operations: Sequence[Operation], host: str, first: Sequence[Route]) -> Starlette:
    async def unknown(request: Request) -> Response:
        text = f"This rehearsal has no {request.method} {request.url.path} on {host}."
        return JSONResponse({"$id": "1", "message": text}, 501)

    routes = [route(one, devops.admit) for one in operations]
    return Starlette(routes=[*first, *routes, Route("/{path:path}", unknown, methods=_EVERY)])
