"""One step while it runs: its inputs, its log, its processes, and what its logging commands ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rehearsal.pipelines.agent import commands
from rehearsal.pipelines.agent.job_state import JobState
from rehearsal.pipelines.agent.processes import Ended, run_process
from rehearsal.pipelines.agent.reporter import Reporter
from rehearsal.pipelines.agent.variables import ReadOnlyVariableError
from rehearsal.pipelines.events import Result
from rehearsal.pipelines.model import Step

_RESULTS: Mapping[str, Result] = {
    "succeeded": "succeeded",
    "succeededwithissues": "succeededWithIssues",
    "failed": "failed",
    "canceled": "canceled",
    "skipped": "skipped",
}


class StepState:
    """`completed` is what `task.complete` said, with its reason; `had_error` is true after an error was logged."""

    def __init__(self, job: JobState, step: Step, reporter: Reporter, deadline: float | None) -> None:
        self.job = job
        self.step = step
        self.reporter = reporter
        self.deadline = deadline
        self.inputs = {name: job.variables.expand(value) for name, value in step.inputs.items()}
        self.completed: tuple[Result, str] | None = None
        self._handlers: Mapping[str, Callable[[commands.Command], None]] = {
            "task.logissue": self._log_issue,
            "task.issue": self._log_issue,
            "task.setvariable": self._set_variable,
            "task.setsecret": lambda command: job.mask_secret(command.data),
            "task.complete": self._complete,
            "task.uploadsummary": self._upload_summary,
            "build.uploadsummary": self._upload_summary,
            "task.addattachment": self._add_attachment,
            "task.prependpath": lambda command: job.path.append(command.data),
            "task.setprogress": lambda _: None,  # a bar beside the job's name, no line of its log
            "task.debug": lambda command: reporter.line(command.data, "debug"),
            "build.updatebuildnumber": lambda command: job.rename_build(command.data),
        }

    def folder(self, text: str) -> Path:
        """A path that a step gives; relative ones start at System.DefaultWorkingDirectory."""
        return self.job.workspace.sources / text if text else self.job.workspace.sources

    def boolean(self, name: str) -> bool:
        return self.inputs[name].strip().lower() == "true"

    def run(self, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> Ended:
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
        )

    def on_line(self, line: str) -> None:
        """One line of output: a logging command is obeyed, anything else is shown."""
        command = commands.parse(line)
        if command is None:
            kind, text = commands.split_kind(line)
            self.reporter.line(text, kind)
            return
        handler = self._handlers.get(command.name)
        if handler is None:
            self.reporter.issue("warning", f"This rehearsal has no logging command '{command.name}'; it is ignored")
            return
        try:
            handler(command)
        except (ReadOnlyVariableError, ValueError, OSError) as error:
            self.reporter.issue("error", f"Unable to process command '{command.name}': {error}")
            # [agent] Worker: a command that can not be processed makes its step fail.
            self.completed = ("failed", str(error))

    def _log_issue(self, command: commands.Command) -> None:
        kind = command.properties.get("type", "").lower()
        if kind not in ("warning", "error"):
            raise ValueError(f"'type' is warning or error, not '{kind}'")
        place = command.properties.get("sourcepath", "")
        line = command.properties.get("linenumber", "")
        shown = f"{place}{f'({line})' if line else ''}: {command.data}" if place else command.data
        self.reporter.issue("warning" if kind == "warning" else "error", shown)

    def _set_variable(self, command: commands.Command) -> None:
        name = command.properties.get("variable", "")
        if not name:
            raise ValueError("'variable' is missing")
        secret = command.properties.get("issecret", "").lower() == "true"
        readonly = command.properties.get("isreadonly", "").lower() == "true"
        if secret and "\n" in command.data.strip():
            raise ValueError("Secrets cannot contain multiple lines")
        if command.properties.get("isoutput", "").lower() != "true":
            self.job.variables.assign(name, command.data, secret=secret, readonly=readonly)
            return
        if not self.step.name:
            self.reporter.issue(
                "warning", f"The output variable '{name}' needs a step with a 'name'; nothing can read it"
            )
            return
        full = f"{self.step.name}.{name}"
        self.job.variables.assign(full, command.data, secret=secret, readonly=readonly)
        self.job.outputs[full] = command.data

    def _complete(self, command: commands.Command) -> None:
        result = command.properties.get("result", "succeeded").lower()
        if result not in _RESULTS:
            raise ValueError(f"'{result}' is not a result")
        self.completed = (_RESULTS[result], command.data)

    def _upload_summary(self, command: commands.Command) -> None:
        path = Path(command.data)
        if not path.is_absolute() or not path.is_file():
            raise ValueError(
                f"Cannot upload summary file, summary file location '{command.data}' is not an existing file"
            )
        self.reporter.summary(path.stem, path.read_text(encoding="utf-8"))

    def _add_attachment(self, command: commands.Command) -> None:
        kind, name = command.properties.get("type", ""), command.properties.get("name", "")
        if not kind or not name:
            raise ValueError("'type' and 'name' are needed")
        path = Path(command.data)
        if not path.is_file():
            raise ValueError(f"'{command.data}' is not an existing file")
        self.reporter.attachment(kind, name, path)
