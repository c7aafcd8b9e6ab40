"""Two ends of the wire for the clients: `wire` answers instead of the network; `server` is a real socket that misbehaves."""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from azure.core.credentials import AccessToken
from requests.adapters import HTTPAdapter

from slipway.command import Context
from slipway.domain.claim import Claim
from slipway.domain.environment import load_environment
from slipway.domain.state import State, write_state
from slipway.log import Log
from slipway.services.credentials import Credential

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Sent:
    method: str
    url: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


STATE = re.compile(r"//stbikesharestate\.blob\.core\.windows\.net/dev/state\.json")
STORAGE = re.compile(r"//stbikesharestate\.blob\.core\.windows\.net/dev")


class StateBlob:
    """The state's blob, which changes only for who names its ETag (Put Blob, conditional headers)."""

    def __init__(self, wire: Wire) -> None:
        self.data: bytes | None = None
        self._number = 0
        wire.on("GET", STATE.pattern, self._get)
        wire.on("PUT", STATE.pattern, self._put)
        empty = b"<EnumerationResults><Blobs></Blobs><NextMarker/></EnumerationResults>"
        wire.on("GET", r"comp=list&prefix=archive", Answer(200, empty, {"Content-Type": "application/xml"}))

    def _get(self, _: Sent) -> Answer:
        if self.data is None:
            return Answer(404, b"", {"x-ms-error-code": "BlobNotFound"})
        span = f"bytes 0-{len(self.data) - 1}/{len(self.data)}"
        return Answer(206, self.data, {"ETag": self._etag, "Content-Range": span, "x-ms-blob-type": "BlockBlob"})

    def _put(self, sent: Sent) -> Answer:
        wanted = sent.headers.get("If-Match")
        if wanted != (self._etag if self.data is not None else None):
            return Answer(412, b"", {"x-ms-error-code": "ConditionNotMet"})
        self.data, self._number = sent.body, self._number + 1
        return Answer(201, b"", {"ETag": self._etag})

    @property
    def _etag(self) -> str:
        return f'"{self._number}"'

    @property
    def claim(self) -> dict[str, Any] | None:
        claim: dict[str, Any] | None = json.loads(self.data)["claim"] if self.data else None
        return claim

    def held_by(self, who: str, run: str) -> None:
        """Somebody releases 9.9, as of the clock of Moment."""
        claim = Claim(
            holder=run, release="9.9", run=run, who=who, since=1e6, heartbeat=1e6, expires=1e6 + 3600, number=1
        )
        self.data = write_state(State(app="bikeshare", environment="dev", fence=1, claim=claim))
        self._number += 1


class Wire:
    """Answers by method and URL pattern; each route's answers are used up in order, the last one stays."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self._routes: list[tuple[str, re.Pattern[str], list[Answer | Callable[[Sent], Answer]]]] = []

    def on(self, method: str, pattern: str, *answers: Answer | Callable[[Sent], Answer]) -> None:
        self._routes.insert(0, (method, re.compile(pattern), list(answers)))

    def count(self, method: str, pattern: str = "") -> int:
        return sum(one.method == method and re.search(pattern, one.url) is not None for one in self.sent)

    def asked(self) -> list[Sent]:
        """What was sent, without what is asked of the state storage."""
        return [one for one in self.sent if not STORAGE.search(one.url)]

    def writes(self) -> list[str]:
        """Every request that may change something except the state, as `METHOD path`."""
        return [
            f"{one.method} {re.sub(r'^https?://[^/]*|[?].*$', '', one.url)}"
            for one in self.asked()
            if one.method != "GET"
            and not re.search(r"/(validate|whatIf|listKeys|checkNameAvailability)\b", one.url)
            and one.method != "HEAD"
        ]

    def answer(self, sent: Sent) -> Answer:
        self.sent.append(sent)
        for method, pattern, answers in self._routes:
            if method == sent.method and pattern.search(sent.url):
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                return answer if isinstance(answer, Answer) else answer(sent)
        raise AssertionError(f"no answer for {sent.method} {sent.url}")


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes):
        return body
    if hasattr(body, "read"):
        return bytes(body.read())
    return b"".join(body)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    wire = Wire()

    def send(adapter: HTTPAdapter, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        sent = Sent(str(request.method), str(request.url), dict(request.headers), _bytes(request.body))
        answer = wire.answer(sent)
        raw = urllib3.HTTPResponse(
            body=io.BytesIO(answer.content),
            headers={"Content-Length": str(len(answer.content)), "Content-Type": "application/json", **answer.headers},
            status=answer.status,
            preload_content=False,
            request_method=request.method,
        )
        return adapter.build_response(request, raw)

    monkeypatch.setattr(HTTPAdapter, "send", send)
    return wire


class Moment:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def state(wire: Wire) -> StateBlob:
    return StateBlob(wire)


@pytest.fixture
def moment() -> Moment:
    return Moment()


class AnyToken:
    """A credential of azure-identity that always has a token."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.asked += scopes
        return AccessToken(f"token-{len(self.asked)}", 4_000_000_000)


@pytest.fixture
def identity() -> Credential:
    return Credential(AnyToken(), who="a test")


class Server:
    """A real server on loopback that plays a list: an Answer, or a way to fail ("drop" unanswered, "half" an answer)."""

    def __init__(self) -> None:
        self.script: list[Answer | str] = []
        self.seen: list[Sent] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.seen.append(Sent(self.command, self.path, dict(self.headers), body))
                step = outer.script.pop(0)
                if step == "drop":
                    self.close_connection = True
                    return
                answer = step if isinstance(step, Answer) else Answer(body={"half": "x" * 100})
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content if step != "half" else answer.content[:20])
                self.close_connection = step == "half"

            do_GET = do_POST = do_PUT = do_PATCH = handle_one  # noqa: N815

            def log_message(self, *_: Any) -> None:
                return

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    yield server
    server.close()


@dataclass
class Step:
    """What a step is run with, and what it printed."""

    release: Path
    moment: Moment
    printed: io.StringIO = field(default_factory=io.StringIO)

    def context(self, *, what_if: bool = False, variables: dict[str, str] | None = None, **changes: Any) -> Context:
        """For the environment dev of this repository; `changes` replace fields of it, `arguments` the command line's."""
        arguments = argparse.Namespace(**changes.pop("arguments", {"allow_destructive": False}))
        log = Log(out=self.printed, err=self.printed, variables={}, clock=self.moment.clock)
        return Context(
            environment=dataclasses.replace(load_environment(ROOT, "dev"), **changes),
            release=self.release,
            log=log,
            variables=variables or {},
            what_if=what_if,
            arguments=arguments,
            root=ROOT,
            clock=self.moment.clock,
            sleep=self.moment.sleep,
        )

    @property
    def text(self) -> str:
        return self.printed.getvalue()


@pytest.fixture
def step(tmp_path: Path, moment: Moment, identity: Credential, monkeypatch: pytest.MonkeyPatch) -> Step:
    for name in ("deploy_resources", "provision_secrets", "bootstrap_environment"):
        monkeypatch.setattr(f"slipway.steps.{name}.credential", lambda _: identity)
    monkeypatch.setattr("slipway.services.credentials.credential", lambda _: identity)
    return Step(tmp_path, moment)
