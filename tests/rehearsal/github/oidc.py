"""What GitHub gives a job that may ask for tokens: an address, and who it says the job is.

Sources: https://docs.github.com/actions/reference/security/oidc (claims, how a token is asked for); the form of the address is that
of a runner's own variables. How a wrong request token is answered is unverified.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.entra.keys import SigningKey
from rehearsal.world import World

HOSTS = "*.actions.githubusercontent.com"
ISSUER = "https://token.actions.githubusercontent.com"
HOST = "pipelines.actions.githubusercontent.com"
LIFETIME_SECONDS = 300


class GitHub:
    """The issuer, and the jobs that run now. `given`: how many tokens each subject was given."""

    def __init__(self, world: World, clock: Callable[[], float]) -> None:
        self._key = SigningKey.kept_in(world.store.collection("github/keys"), "oidc")
        self._clock = clock
        self._jobs: dict[str, tuple[str, str]] = {}
        self.given: dict[str, int] = {}
        world.directory.trust_issuer(ISSUER, self._key.public_pem)

    def open_job(self, repository: str, *, environment: str = "", ref: str = "refs/heads/main") -> dict[str, str]:
        """The variables of a job with `id-token: write`. Its subject names the environment where it has one, else the ref."""
        job, token = uuid.uuid4().hex, secrets.token_urlsafe(32)
        subject = f"repo:{repository}:" + (f"environment:{environment}" if environment else f"ref:{ref}")
        self._jobs[job] = (token, subject)
        path = f"_apis/distributedtask/hubs/Actions/plans/{uuid.uuid4()}/jobs/{job}/idtoken"
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"https://{HOST}/{path}?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": token,
        }

    def app(self) -> Starlette:
        async def idtoken(request: Request) -> Response:
            known, subject = self._jobs.get(request.path_params["job"], ("", ""))
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not known or not secrets.compare_digest(known, token):
                return JSONResponse({"message": "Bad credentials"}, 401)
            self.given[subject] = self.given.get(subject, 0) + 1
            return JSONResponse({"count": 1, "value": self._sign(subject, request.query_params.get("audience"))})

        async def unknown(request: Request) -> Response:
            what = f"{request.method} {request.url.hostname}{request.url.path}"
            return JSONResponse({"message": f"This rehearsal has no {what}."}, 501)

        path = "/_apis/distributedtask/hubs/Actions/plans/{plan}/jobs/{job}/idtoken"
        return Starlette(routes=[Route(path, idtoken), Route("/{path:path}", unknown)])

    def _sign(self, subject: str, audience: str | None) -> str:
        now = int(self._clock())
        claims: dict[str, Any] = {
            "jti": str(uuid.uuid4()),
            "sub": subject,
            "aud": audience or "https://github.com/contoso",
            "iss": ISSUER,
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME_SECONDS,
        }
        return self._key.sign(claims)
