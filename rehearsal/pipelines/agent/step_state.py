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


class StepState:
    """`completed` is what `task.complete` said, with its reason; `had_error` is true after an error was logged."""

    def __init__(self, job: JobState, step: Step, reporter: Reporter, deadline: float | None) -> None:
        self.job = job
        self.step = step
        self.reporter = reporter
        self.deadline = deadline
        self.inputs = {name: job.variables.expand(value) for name, value in step.inputs.items()}
        self.completed: tuple[Result, str] | None = None
        self._commands = StepCommands(job, step, reporter, self.complete)

    def complete(self, result: Result, reason: str) -> None:
        self.completed = (result, reason)

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
