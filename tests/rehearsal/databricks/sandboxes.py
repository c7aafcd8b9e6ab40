"""A person with a personal access token, a checkout, and the sandbox's script between them and the workspace."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from rehearsal.entra.directory import Principal
from slipway.command import ROOT, Context
from slipway.domain.environment import load_environment
from slipway.errors import SlipwayError
from slipway.log import Log
from slipway.services.databricks import Workspace
from slipway.steps import sandbox
from tests.rehearsal.databricks.workbench import HOST, READER, IntoApp, Site

HEADER = "# Databricks notebook source\n"
FOLDER = "/Workspace/Users/ada@example.org/bikeshare"


class Counting(IntoApp):
    """Remembers what was asked, as `METHOD /path`."""

    def __init__(self, site: Site) -> None:
        super().__init__(site.client)
        self.asked: list[str] = []

    def send(self, request: requests.PreparedRequest, **more: Any) -> requests.Response:  # type: ignore[override]
        self.asked.append(f"{request.method} {str(request.url).partition('/api/2.')[2].partition('?')[0][2:]}")
        return super().send(request, **more)


@dataclass
class Machine:
    """One checkout of one developer. `said`: what the last command printed, `error`: what it ended with."""

    site: Site
    root: Path
    who: Principal = READER
    said: str = ""
    out: str = ""
    error: SlipwayError | None = None
    asked: list[str] = field(default_factory=list)
    sleep: Callable[[float], None] = lambda _: None

    def __post_init__(self) -> None:
        shutil.copytree(ROOT / "config", self.root / "config")
        self.write("notebooks/score.py", HEADER + "score = 1\n")
        made = self.site.ok(self.who, "POST", "/token/create", {"comment": "laptop"})
        self.token = made["token_value"]

    def write(self, path: str, text: str | bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())

    def read(self, path: str) -> str:
        return (self.root / path).read_bytes().decode()

    def files(self) -> list[str]:
        folder = self.root / "notebooks"
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

    def run(self, *argv: str, ask: Callable[[str], bool] | None = None) -> int:
        """The exit code of `scripts/sandbox.py` with these arguments."""
        arguments = sandbox._parser().parse_args(argv)
        out, err = io.StringIO(), io.StringIO()
        log = Log(out=out, err=err, variables={}, clock=lambda: 0.0)
        workspace = Workspace(f"https://{HOST}", token=lambda: self.token, sleep=lambda _: None)
        counting = Counting(self.site)
        workspace.client.session.mount("https://", counting)
        context = Context(
            environment=load_environment(self.root, arguments.environment),
            release=self.root,
            log=log,
            variables={},
            what_if=arguments.what_if,
            arguments=arguments,
            root=self.root,
            clock=self.site.clock,
            sleep=self.sleep,
        )
        self.error = None
        try:
            sandbox.sandbox(context, workspace, ask=ask)
        except SlipwayError as error:
            self.error = error
        finally:
            self.said, self.out, self.asked = err.getvalue(), out.getvalue(), counting.asked
        return self.error.exit_code if self.error else 0

    # -- the workspace, as a person in a browser changes it --------------------------------------------------------

    def edit(self, path: str, text: str) -> None:
        self.site.notebook(f"{FOLDER}/{path}", text, self.who)

    def put(self, path: str, data: bytes) -> None:
        folder = f"{FOLDER}/{path}".rpartition("/")[0]
        self.site.ok(self.who, "POST", "/workspace/mkdirs", {"path": folder})
        fields = {"path": f"{FOLDER}/{path}", "format": "RAW", "overwrite": "true"}
        answer = self.site.session(self.who).post(
            f"https://{HOST}/api/2.0/workspace/import", data=fields, files={"content": data}
        )
        assert answer.ok, answer.text

    def remove(self, path: str) -> None:
        self.site.ok(self.who, "POST", "/workspace/delete", {"path": f"{FOLDER}/{path}"})

    def there(self, path: str) -> str | None:
        answer = self.site.session(self.who).get(
            f"https://{HOST}/api/2.0/workspace/export",
            params={"path": f"{FOLDER}/{path}", "format": "SOURCE", "direct_download": "true"},
        )
        return answer.content.decode() if answer.ok else None

    def listed(self, folder: str = "notebooks") -> list[str]:
        found = self.site.ok(self.who, "GET", "/workspace/list", {"path": f"{FOLDER}/{folder}"})
        return [one["path"].rpartition("/")[2] for one in found.get("objects", [])]
