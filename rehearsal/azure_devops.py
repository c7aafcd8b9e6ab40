"""dev.azure.com: a job's token for workload identity federation, and what is kept of runs (azure_devops_rest.py).

Source: azure-identity's AzurePipelinesCredential and
https://learn.microsoft.com/azure/devops/pipelines/library/azure-resource-manager-workload-identity.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from rehearsal.azure_devops_rest import RunsApi
from rehearsal.azure_devops_runs import Runs
from rehearsal.entra.directory import FEDERATION_AUDIENCE, Directory
from rehearsal.entra.keys import SigningKey
from rehearsal.store import Store
from rehearsal.world import World

ORGANISATION = "slipway"
PROJECT = "Slipway"
LIFETIME_SECONDS = 600
_IDS = uuid.UUID("3f0d7f8e-4b52-4f0b-8a57-61a0f9c0c9d4")


class AzureDevOps:
    """The organisation: its service connections, and the jobs that run now. `issuer` signs the jobs' OIDC tokens."""

    def __init__(self, directory: Directory, store: Store, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key = SigningKey.kept_in(store.collection("azure_devops/keys"), "oidc")
        self._connections: dict[str, str] = {}
        self._open_jobs: dict[str, str] = {}
        self._directory = directory
        self._members: set[str] = set()
        self.runs = Runs(store, clock)
        self.issuer = f"https://vstoken.dev.azure.com/{_id('organisation')}"
        self._project = _id("project")
        directory.trust_issuer(self.issuer, self._key.public_pem)

    def add_service_connection(
        self,
        *,
        id: str,  # noqa: A002 - what Azure DevOps calls it
        name: str,
        client_id: str,
        tenant_id: str,
        subscription_id: str,
    ) -> None:
        """A connection with workload identity federation; the caller adds the federation to the application."""
        del (
            client_id,
            tenant_id,
            subscription_id,
        )  # the agent hands these to tasks; the token names the connection alone
        self._connections[id] = name

    def open_job(self, job_id: str) -> tuple[str, str]:
        """A job begins: its System.AccessToken, and the address that gives its OIDC tokens."""
        token = secrets.token_urlsafe(32)
        job = _id(f"job {job_id}")
        self._open_jobs[job] = sha256(token.encode()).hexdigest()
        path = f"{self._project}/_apis/distributedtask/hubs/build/plans/{_id('plan')}/jobs/{job}/oidctoken"
        return token, f"https://dev.azure.com/{ORGANISATION}/{path}"

    def close_job(self, job_id: str) -> None:
        """The job is over: its token is worth nothing from now on."""
        self._open_jobs.pop(_id(f"job {job_id}"), None)

    def is_open(self, job: str, token: str) -> bool:
        return secrets.compare_digest(self._open_jobs.get(job, ""), sha256(token.encode()).hexdigest())

    def is_job_token(self, token: str) -> bool:
        """Whether it is the System.AccessToken of any job that runs now."""
        digest = sha256(token.encode()).hexdigest()
        return any(secrets.compare_digest(known, digest) for known in self._open_jobs.values())

    def add_member(self, object_id: str) -> None:
        """Somebody of the organisation: who signs in with Entra ID and may look at runs."""
        self._members.add(object_id)

    def api(self) -> RunsApi:
        return RunsApi(self.runs, self._directory, self.is_job_token, self._members, (ORGANISATION, PROJECT))

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A token with these claims, signed by the organisation's issuer."""
        return self._key.sign(claims)

    def oidc_token(self, service_connection_id: str) -> str | None:
        """A token for the connection, or None when there is no such connection."""
        name = self._connections.get(service_connection_id)
        if name is None:
            return None
        now = int(self._clock())
        return self.sign(
            {
                "jti": str(uuid.uuid4()),
                "sub": f"sc://{ORGANISATION}/{PROJECT}/{name}",
                "aud": FEDERATION_AUDIENCE,
                "iss": self.issuer,
                "nbf": now,
                "iat": now,
                "exp": now + LIFETIME_SECONDS,
            }
        )


def create_app(world: World, devops: AzureDevOps) -> Starlette:
    """The OIDC endpoint and the runs. A token that is not the job's is led to a sign-in page, as by the service."""
    del world

    async def oidc_token(request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not devops.is_open(request.path_params["job"], token):
            return RedirectResponse("https://dev.azure.com/_signin", status_code=302)
        connection = request.query_params.get("serviceConnectionId", "")
        oidc = devops.oidc_token(connection)
        if oidc is None:
            return JSONResponse(
                {"$id": "1", "message": f"Service connection {connection} was not found.", "typeKey": "NotFound"}, 404
            )
        return JSONResponse({"oidcToken": oidc})

    async def sign_in(_: Request) -> Response:
        return Response("<html><title>Azure DevOps Services | Sign In</title></html>", 203, media_type="text/html")

    async def unknown(request: Request) -> Response:
        return JSONResponse(
            {"$id": "1", "message": f"This rehearsal has no {request.method} {request.url.path} on dev.azure.com."}, 501
        )

    path = "/{organisation}/{project}/_apis/distributedtask/hubs/build/plans/{plan}/jobs/{job}/oidctoken"
    return Starlette(
        routes=[
            Route(path, oidc_token, methods=["POST"]),
            *devops.api().routes(),
            Route("/_signin", sign_in),
            Route("/{path:path}", unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ]
    )


def _id(name: str) -> str:
    return str(uuid.uuid5(_IDS, name))
