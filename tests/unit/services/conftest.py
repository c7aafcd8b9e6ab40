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
from slipway.domain.environment import load_environment
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


class Wire:
    """Answers by method and URL pattern; each route's answers are used up in order, the last one stays."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self._routes: list[tuple[str, re.Pattern[str], list[Answer | Callable[[Sent], Answer]]]] = []

    def on(self, method: str, pattern: str, *answers: Answer | Callable[[Sent], Answer]) -> None:
        self._routes.insert(0, (method, re.compile(pattern), list(answers)))

    def count(self, method: str, pattern: str = "") -> int:
        return sum(one.method == method and re.search(pattern, one.url) is not None for one in self.sent)

    def writes(self) -> list[str]:
        """Every request that may change something, as `METHOD path`."""
        return [
            f"{one.method} {re.sub(r'^https?://[^/]*|[?].*$', '', one.url)}"
            for one in self.sent
            if one.method != "GET" and not re.search(r"/(validate|whatIf|listKeys)\b", one.url) and one.method != "HEAD"
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
    return Step(tmp_path, moment)
