"""A repository of YAML in a folder, and a run of it with everything that it told."""

from __future__ import annotations

import sys
import textwrap
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from rehearsal.pipelines.compile import compile_pipeline
from rehearsal.pipelines.events import Event, LogLine, StepFinished
from rehearsal.pipelines.files import Files
from rehearsal.pipelines.host import AgentHost, GroupVariable, ServiceConnection
from rehearsal.pipelines.model import Pipeline
from rehearsal.pipelines.results import RunResult
from rehearsal.pipelines.run import run_pipeline

E = TypeVar("E", bound=Event)
TOKEN = "system-access-token-of-the-job"
CONNECTION = ServiceConnection(
    id="c0ffee00-0000-4000-8000-000000000001",
    name="sc-dev",
    client_id="client",
    tenant_id="tenant",
    subscription_id="sub",
)


@dataclass
class Told:
    """A listener that remembers; `on_line` may react to lines while the run goes on."""

    events: list[Event] = field(default_factory=list)
    on_line: Callable[[str], None] = lambda _: None

    def on_event(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, LogLine):
            self.on_line(event.text)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def lines(self) -> list[str]:
        """What steps printed, without the scripts themselves."""
        return [event.text for event in self.of(LogLine) if event.kind not in ("command", "section")]

    def step(self, title: str) -> StepFinished:
        found = [event for event in self.of(StepFinished) if event.title == title]
        assert found, f"no step {title!r}: {[event.title for event in self.of(StepFinished)]}"
        return found[-1]


@dataclass
class Project:
    """A repository whose azure-pipelines.yml and templates a test writes."""

    root: Path
    work: Path
    told: Told = field(default_factory=Told)
    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    installed: dict[str, Path] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/local/bin:/usr/bin:/bin"})
    groups: dict[str, dict[str, GroupVariable]] = field(default_factory=dict)
    run_number: int = 7
    connection: ServiceConnection = CONNECTION
    use: Callable[[str, str], str] = lambda _kind, _name: ""
    cancel: threading.Event = field(default_factory=threading.Event)

    def write(self, **files: str) -> Project:
        """Keyword `a__b` is the file a/b.yml; `main` is azure-pipelines.yml."""
        for name, text in files.items():
            path = "azure-pipelines.yml" if name == "main" else name.replace("__", "/") + ".yml"
            self.file(path, textwrap.dedent(text))
        return self

    def file(self, path: str, text: str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def compile(self, parameters: Mapping[str, Any] | None = None, **variables: str) -> Pipeline:
        return compile_pipeline(Files(self.root), "azure-pipelines.yml", parameters or {}, variables)

    def host(self) -> AgentHost:
        def open_job(job: str) -> tuple[str, str]:
            self.opened.append(job)
            return TOKEN, f"https://dev.azure.com/slipway/oidc/{job}"

        return AgentHost(
            environment=self.environment,
            service_connections={self.connection.name: self.connection},
            open_job=open_job,
            close_job=self.closed.append,
            installed=self.installed,
            base_python=Path(sys.executable),
            run_number=self.run_number,
            variable_groups=self.groups,
            use=self.use,
            clock=lambda: 1_700_000_000.0,
        )

    def run(
        self,
        parameters: Mapping[str, Any] | None = None,
        only: Collection[str] | None = None,
        reason: str = "IndividualCI",
    ) -> RunResult:
        return run_pipeline(
            repository=self.root,
            pipeline_file="azure-pipelines.yml",
            host=self.host(),
            listener=self.told,
            work=self.work,
            parameters=parameters,
            only=only,
            reason=reason,
            cancel=self.cancel,
        )

    def steps(self, text: str) -> RunResult:
        """Run a list of steps."""
        body = textwrap.indent(textwrap.dedent(text).strip("\n"), "  ")
        self.file("azure-pipelines.yml", f"steps:\n  - checkout: none\n{body}\n")
        return self.run()
