"""What one agent job knows while its steps run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from rehearsal.pipelines.agent.artifacts import Artifacts
from rehearsal.pipelines.agent.reporter import Reporter
from rehearsal.pipelines.agent.variables import Variables
from rehearsal.pipelines.agent.workspace import Workspace
from rehearsal.pipelines.events import Result
from rehearsal.pipelines.host import AgentHost


@dataclass(kw_only=True)
class JobState:
    """status: how the job stands so far. outputs: `step.variable` -> value. deadline: by the host's `steady`, or None.

    cancel_seconds: how long steps that run after a cancellation, such as those with `always()`, may take together.
    """

    host: AgentHost
    repository: Path
    keep_out: Path
    workspace: Workspace
    artifacts: Artifacts
    variables: Variables
    reporter: Reporter
    cancel: Event
    deadline: float | None
    cancel_seconds: float
    mask_secret: Callable[[str], None]
    rename_build: Callable[[str], None]
    status: Result = "succeeded"
    outputs: dict[str, str] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)
    said_no_login: bool = False

    def begin_cancellation(self) -> None:
        """From here on the job is canceled: what still runs has `cancel_seconds` and is not interrupted before.

        [learn] pipelines/process/phases: cancelTimeoutInMinutes, 5 by default.
        """
        self.status = "canceled"
        self.cancel = Event()
        self.deadline = self.host.steady() + self.cancel_seconds

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        """The environment of a step's process: the allow-list, the variables that are no secrets, what the step maps."""
        base = {"HOME": str(self.workspace.temp), **self.host.environment}
        search = [*reversed(self.path), str(self.workspace.shims), base.get("PATH", "/usr/local/bin:/usr/bin:/bin")]
        return {**base, **self.variables.environment(), **more, "PATH": ":".join(search)}
