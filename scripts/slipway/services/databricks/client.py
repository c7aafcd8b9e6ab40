"""databricks-cli's ApiClient, hardened: its services (JobsService, WorkspaceService, …) run over this one.

What the original does and this does not: drop the port, wait for ever, pin a TLS version, read netrc, follow redirects,
retry only 429, read the token once.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from math import isnan
from typing import Any
from urllib.parse import urlsplit

import requests
from databricks_cli.sdk.api_client import ApiClient  # type: ignore[import-untyped]
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from slipway.errors import ServiceError, SlipwayError
from slipway.services.azure_errors import causes, innermost
from slipway.services.databricks.concurrency import MOST, Budget
from slipway.services.databricks.errors import DatabricksError, Failure, error_for, parse
from slipway.services.databricks.multipart import Multipart

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 60.0
# How long throttling and unavailability are sat out, as databricks-sdk-py does (seconds), and how often a dropped
# connection is tried again: a wrong host name must not take minutes to say so.
_PATIENCE_SECONDS = 300.0
_MOST_DROPPED = 4
_LONGEST_WAIT = 30.0

# POST requests that may be sent twice: they replace, remove or say the same again. Creating is not among them, unless
# it carries an idempotency token.
_REPEATABLE = {
    "/workspace/import",
    "/workspace/mkdirs",
    "/workspace/delete",
    "/secrets/put",
    "/secrets/delete",
    "/secrets/acls/put",
    "/secrets/acls/delete",
    "/jobs/reset",
    "/jobs/update",
    "/jobs/delete",
    "/jobs/runs/cancel",
}
_OBJECT_KEYS = ("path", "scope", "key", "principal", "job_id", "run_id")


class _Bearer(requests.auth.AuthBase):
    """Keeps requests from looking into netrc, and asks for the token each time."""

    def __init__(self, headers: Callable[[], Mapping[str, str]]) -> None:
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._headers())
        return request


class Client(ApiClient):  # type: ignore[misc]
    """One workspace's REST API. Raises DatabricksError, AccessRefused and their kin; no answer is passed on unread.

    host: URL of the workspace, port allowed. `authorization` gives the headers that prove who is calling, per request.
    Safe to use from several threads.
    """

    def __init__(
        self,
        host: str,
        authorization: Callable[[], Mapping[str, str]],
        *,
        label: str = "",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        most: int = MOST,
    ) -> None:
        # The parent's constructor makes the session that this class is there to avoid; only its fields are set.
        parts = urlsplit(host if "//" in host else f"https://{host}")
        self.host = parts.netloc
        self.url = f"{parts.scheme}://{parts.netloc}/api/"
        self.verify = True
        self.api_version = "2.0"
        self.jobs_api_version = "2.2"
        self.default_headers = {"User-Agent": "slipway databricks-cli/0.18"}
        self.label = label
        self._clock = clock
        self._sleep = sleep
        self.budget = Budget(clock, most)
        self.session = requests.Session()
        self.session.auth = _Bearer(authorization)
        adapter = HTTPAdapter(pool_connections=2, pool_maxsize=most, pool_block=True, max_retries=0)
        self.session.mount("https://", adapter)
        self.session.mount("http://", adapter)

    def close(self) -> None:
        self.session.close()

    def perform_query(
        self,
        method: str,
        path: str,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        files: Multipart | None = None,
        version: str | None = None,
    ) -> dict[str, Any]:
        """One call that answers JSON; `data`: the query of a GET, else the body. `files`: a body sent as it is read."""
        answer = self._call(method, path, data or {}, headers or {}, files, version)
        if not answer.content.strip():
            return {}
        try:
            parsed = answer.json()
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, dict):
            failure = parse(answer.status_code, answer.headers, answer.content, answer.reason or "")
            raise DatabricksError(f"{self._doing(method, path, data or {})}: the answer is not JSON: {failure.message}")
        return parsed

    def download(self, path: str, data: Mapping[str, Any]) -> bytes:
        """A GET whose answer is the bytes themselves."""
        return self._call("GET", path, data, {}, None, None).content

    def _call(
        self,
        method: str,
        path: str,
        data: Mapping[str, Any],
        headers: Mapping[str, str],
        files: Multipart | None,
        version: str | None,
    ) -> requests.Response:
        repeatable = method in ("GET", "HEAD", "PUT", "DELETE") or path in _REPEATABLE or "idempotency_token" in data
        doing = self._doing(method, path, data)
        give_up = self._clock() + _PATIENCE_SECONDS
        dropped = attempt = 0
        while True:
            outcome, sent_at = self._attempt(method, self.get_url(path, version), data, headers, files)
            if isinstance(outcome, requests.Response):
                if outcome.status_code < 300:
                    self.budget.succeeded()
                    return outcome
                failure = parse(outcome.status_code, outcome.headers, outcome.content, outcome.reason or "")
                wait = self._wait_after(failure, outcome.headers.get("Retry-After"), repeatable, sent_at, attempt)
                if wait is None or self._clock() + wait > give_up:
                    raise error_for(failure, doing)
            else:
                dropped += 1
                sent = not _never_sent(outcome)
                if dropped >= _MOST_DROPPED or (sent and not repeatable) or _final(outcome):
                    raise self._no_answer(outcome, doing, uncertain=sent and not repeatable)
                wait = _backoff(attempt)
            attempt += 1
            self._sleep(wait)

    def _attempt(
        self,
        method: str,
        url: str,
        data: Mapping[str, Any],
        headers: Mapping[str, str],
        files: Multipart | None,
    ) -> tuple[requests.Response | requests.RequestException, float]:
        content: dict[str, Any]
        if method == "GET":
            content = {"params": {key: _query(value) for key, value in data.items()}}
        elif files is not None:
            content = {"data": files, "headers": {"Content-Type": files.content_type}}
        else:
            content = {"data": json.dumps(data).encode(), "headers": {"Content-Type": "application/json"}}
        content["headers"] = {**self.default_headers, **content.get("headers", {}), **headers}
        with self.budget.one() as delay:
            if delay:
                self._sleep(delay)
            sent_at = self._clock()
            try:
                return self.session.request(
                    method, url, timeout=(_CONNECT_SECONDS, _READ_SECONDS), allow_redirects=False, **content
                ), sent_at
            except requests.RequestException as error:
                return error, sent_at

    def _wait_after(
        self, failure: Failure, retry_after: str | None, repeatable: bool, sent_at: float, attempt: int
    ) -> float | None:
        """Seconds until the request may be sent again; None: it may not."""
        if failure.status == 429:
            asked = _seconds(retry_after)
            self.budget.throttled(sent_at, asked)
            # Spread, so that those who were refused together do not come back together.
            return _backoff(attempt) if asked is None else asked + random.uniform(0, 0.5)  # noqa: S311
        if failure.status in (502, 503, 504) and repeatable and failure.code != "PARTIAL_DELETE":
            asked = _seconds(retry_after)
            return _backoff(attempt) if asked is None else asked
        return None

    def _doing(self, method: str, path: str, data: Mapping[str, Any]) -> str:
        what = ", ".join(f"{key} {data[key]}" for key in _OBJECT_KEYS if key in data)
        place = f"Databricks workspace {self.host}" + (f" ({self.label})" if self.label else "")
        return f"{place}: {method} {path}" + (f" [{what}]" if what else "")

    def _no_answer(self, error: requests.RequestException, doing: str, *, uncertain: bool) -> SlipwayError:
        return ServiceError(
            f"{doing}: no answer: {innermost(error)}",
            changed="The request was sent, and may or may not have been carried out." if uncertain else "",
            next_step="Look at network, proxy, certificates (REQUESTS_CA_BUNDLE) and host name, then run again.",
        )


def _query(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After in seconds; a date or nonsense counts as not said."""
    try:
        seconds = float(retry_after) if retry_after else None
    except ValueError:
        return None
    return min(max(seconds, 0.0), 2 * _LONGEST_WAIT) if seconds is not None and not isnan(seconds) else None


def _backoff(attempt: int) -> float:
    return random.uniform(0.5, 1.0) * min(_LONGEST_WAIT, 0.5 * 2.0 ** min(attempt, 10))  # noqa: S311


def _never_sent(error: requests.RequestException) -> bool:
    """Whether no byte of the request can have reached the service."""
    # Not ProxyError by itself: urllib3 2.8 says "Unable to connect to proxy" of a lost answer, too, for a connection that
    # has been closed no longer knows that it had reached its proxy.
    kinds = (ConnectTimeoutError, NewConnectionError, NameResolutionError)
    return any(isinstance(cause, kinds) or "Tunnel connection failed" in str(cause) for cause in causes(error))


def _final(error: requests.RequestException) -> bool:
    """Whether trying again can't help: a certificate nobody trusts, a proxy that refuses the host, a malformed URL."""
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return True
    return "CERTIFICATE_VERIFY_FAILED" in str(error) or "Tunnel connection failed: 4" in str(error)
