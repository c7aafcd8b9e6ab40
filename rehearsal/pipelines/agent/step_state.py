"""One step while it runs: its inputs, its log, its processes, and what its logging commands ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rehearsal.pipelines.agent import commands
from rehearsal.pipelines.agent.job_state import JobState
from rehearsal.pipelines.agent.processes import Ended, run_process
from rehearsal.pipelines.agent.reporter import Reporter
from rehearsal.pipelines.agent.step_commands import StepCommands
from rehearsal.pipelines.events import Result
from rehearsal.pipelines.model import Step

_WORSE: tuple[Result, ...] = ("succeeded", "succeededWithIssues", "failed", "canceled", "skipped")


class StepState:
    """completed: what `task.complete` said, with its reason, the worst of several. wrong_command: why one was not obeyed."""

    def __init__(self, job: JobState, step: Step, reporter: Reporter, deadline: float | None) -> None:
        self.job = job
        self.step = step
        self.reporter = reporter
        self.deadline = deadline
        self.inputs = {name: job.variables.expand(value) for name, value in step.inputs.items()}
        self.completed: tuple[Result, str] | None = None
        self.wrong_command = ""
        self._commands = StepCommands(job, step, reporter, self.complete, self.refuse_command)

    def complete(self, result: Result, reason: str) -> None:
        """[agent] TaskResultUtil.MergeTaskResults: the worse result stays, and nothing follows after worse than failed."""
        have = -1 if self.completed is None else _WORSE.index(self.completed[0])
        if have <= _WORSE.index("failed") and _WORSE.index(result) >= have:
            self.completed = (result, reason)

    def refuse_command(self, reason: str) -> None:
        """[agent] WorkerCommandManager: a command that can not be obeyed makes its step fail, whatever the step says."""
        self.wrong_command = self.wrong_command or reason

    def folder(self, text: str) -> Path:
        """A path that a step gives; relative ones start at System.DefaultWorkingDirectory."""
        return self.job.workspace.sources / text if text else self.job.workspace.sources

    def boolean(self, name: str) -> bool:
        return self.inputs[name].strip().lower() == "true"

    def run(
        self, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], errors_apart: bool = False
    ) -> Ended:
        """Run a program with the job's environment and that of the step; its output goes to the log."""
        mapped = {name: self.job.variables.expand(value) for name, value in self.step.env.items()}
        # [agent] Handler.AddVariablesToEnvironment comes after the step's `env`: a variable of the same name wins.
        mapped = {name: value for name, value in mapped.items() if name not in self.job.variables.environment()}
        return run_process(
            arguments,
            environment=self.job.environment({**environment, **mapped}),
            folder=folder,
            on_line=self.on_line,
            steady=self.job.host.steady,
            deadline=self.deadline,
            cancel=self.job.cancel,
            errors_apart=errors_apart,
        )

    def on_line(self, line: str) -> None:
        """One line of output: a logging command is obeyed, anything else is shown."""
        if not self._commands.obey(line):
            kind, text = commands.split_kind(line)
            self.reporter.line(text, kind)
