"""What a step's logging commands ask for.

Source: microsoft/azure-pipelines-agent, src/Agent.Worker: *CommandExtension.cs, WorkerCommandManager.cs,
TaskRestrictionExtension.cs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from pathlib import Path

from rehearsal.pipelines.agent import commands
from rehearsal.pipelines.agent.artifacts import ArtifactError
from rehearsal.pipelines.agent.commands import Command
from rehearsal.pipelines.agent.job_state import JobState
from rehearsal.pipelines.agent.junit import NoResultsError, read_junit
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
# What a step whose target is restricted may still say (CommandRestriction in the agent's source).
_RESTRICTED = (
    *("task.logdetail", "task.logissue", "task.issue", "task.complete", "task.setprogress", "task.setsecret"),
    *("task.setvariable", "task.debug", "task.settaskvariable", "task.prependpath", "telemetry.publish"),
)
# The agent has these too; nothing here could keep what they say.
NOT_HERE = (
    *("task.setendpoint", "artifact.associate", "release.updatereleasename"),
    *("codecoverage.publish", "codecoverage.enable", "telemetry.publish"),
)
_AREAS = ("task", "artifact", "build", "release", "results", "codecoverage", "telemetry")


class StepCommands:
    """Obeys the commands of one step. complete: says how the step ended, with the reason. refuse: why one is not obeyed."""

    def __init__(
        self,
        job: JobState,
        step: Step,
        reporter: Reporter,
        complete: Callable[[Result, str], None],
        refuse: Callable[[str], None],
    ) -> None:
        self._job = job
        self._step = step
        self._reporter = reporter
        self._complete_step = complete
        self._refuse = refuse
        self._handlers: Mapping[str, Callable[[Command], None]] = {
            "task.logissue": self._log_issue,
            "task.issue": self._log_issue,
            "task.logdetail": self._log_detail,
            "task.setvariable": self._set_variable,
            "task.settaskvariable": self._set_task_variable,
            "task.setsecret": lambda command: job.mask_secret(command.data),
            "task.complete": self._complete,
            "task.uploadsummary": self._upload_summary,
            "task.uploadfile": self._upload_file,
            "build.uploadsummary": self._upload_summary,
            "task.addattachment": self._add_attachment,
            "task.prependpath": self._prepend_path,
            "task.setprogress": lambda _: None,  # a bar beside the job's name, no line of its log
            "task.debug": self._debug,
            "build.updatebuildnumber": self._update_build_number,
            "build.addbuildtag": self._add_build_tag,
            "build.uploadlog": self._upload_log,
            "artifact.upload": self._upload_artifact,
            "results.publish": self._publish_results,
        }

    def obey(self, line: str) -> bool:
        """Whether a line was a command. What it asked for is done, or reported."""
        percents = (self._job.variables.get("DECODE_PERCENTS") or "true").lower() != "false"
        command = commands.parse(line, percents=percents)
        if command is None:
            if "##vso" in line:
                self._reporter.issue(
                    "warning", "A line contains '##vso' and is no logging command; it is shown as it is"
                )
            return False
        if self._step.restricted and command.name not in _RESTRICTED:
            text = f"##vso[{command.name}] is not allowed in this step: its target restricts logging commands"
            self._reporter.issue("warning", text)
            return True
        try:
            self._do(command)
        except (ReadOnlyVariableError, ArtifactError, ValueError, OSError) as error:
            self._reporter.issue("error", f"Unable to process command '{command.name}': {error}")
            self._refuse(str(error))
        return True

    def _do(self, command: Command) -> None:
        handler = self._handlers.get(command.name)
        if handler is not None:
            handler(command)
        elif command.name in NOT_HERE:
            self._reporter.issue("warning", f"This rehearsal has no logging command '{command.name}'; it is ignored")
        elif command.area in _AREAS:
            raise ValueError(f"'{command.action}' is no command of '{command.area}'")
        else:
            self._reporter.issue("warning", f"Can't find a command extension for ##vso[{command.area}.command]")

    def _log_issue(self, command: Command) -> None:
        kind = command.properties.get("type", "").lower()
        if not kind:
            self._reporter.issue("warning", "Can't create an issue from a logging command without 'type'")
            return
        if kind not in ("warning", "error"):
            raise ValueError(f"'type' is warning or error, not '{kind}'")
        place = command.properties.get("sourcepath", "")
        line = command.properties.get("linenumber", "")
        shown = f"{place}{f'({line})' if line else ''}: {command.data}" if place else command.data
        self._reporter.issue("warning" if kind == "warning" else "error", shown)

    def _log_detail(self, command: Command) -> None:
        """A record of the run's timeline, which a rehearsal does not show."""
        if not command.properties.get("id"):
            raise ValueError("'id' is missing: every record of the timeline has one")

    def _set_variable(self, command: Command) -> None:
        name = command.properties.get("variable", "")
        if not name:
            raise ValueError("'variable' is missing")
        secret = command.properties.get("issecret", "").lower() == "true"
        readonly = command.properties.get("isreadonly", "").lower() == "true"
        settable = self._step.settable_variables
        if settable is not None and not any(fnmatch(name.lower(), pattern.lower()) for pattern in settable):
            text = f"Setting the variable '{name}' is not allowed in this step: its target says which may be set"
            self._reporter.issue("warning", text)
            return
        unsafe = (self._job.variables.get("SYSTEM_UNSAFEALLOWMULTILINESECRET") or "").lower() == "true"
        if secret and "\n" in command.data.strip() and not unsafe:
            raise ValueError("Secrets cannot contain multiple lines")
        if command.properties.get("isoutput", "").lower() != "true":
            self._job.variables.assign(name, command.data, secret=secret, readonly=readonly)
            return
        if not self._step.name:
            text = f"The output variable '{name}' needs a step with a 'name'; nothing can read it"
            self._reporter.issue("warning", text)
            return
        full = f"{self._step.name}.{name}"
        self._job.variables.assign(full, command.data, secret=secret, readonly=readonly)
        self._job.outputs[full] = command.data

    def _set_task_variable(self, command: Command) -> None:
        """A variable for the same task's own later part, which no task here has: only a secret leaves something behind."""
        if not command.properties.get("variable"):
            raise ValueError("'variable' is missing")
        if command.properties.get("issecret", "").lower() == "true":
            self._job.mask_secret(command.data)

    def _complete(self, command: Command) -> None:
        result = command.properties.get("result", "").lower()
        if result not in _RESULTS:
            # [learn] says that it may be left out; [agent] TaskCompleteCommand refuses that.
            raise ValueError(f"'{result}' is not a result")
        self._complete_step(_RESULTS[result], command.data)

    def _upload_summary(self, command: Command) -> None:
        path = Path(command.data)
        if not path.is_absolute() or not path.is_file():
            raise ValueError(
                f"Cannot upload summary file, summary file location '{command.data}' is not an existing file"
            )
        self._reporter.summary(path.stem, path.read_text(encoding="utf-8"))

    def _upload_file(self, command: Command) -> None:
        path = Path(command.data)
        if not command.data or not path.is_file():
            raise ValueError(f"'{command.data}' is not an existing file")
        self._reporter.attachment("DistributedTask.Core.FileAttachment", path.name, path)

    def _add_attachment(self, command: Command) -> None:
        kind, name = command.properties.get("type", ""), command.properties.get("name", "")
        if not kind or not name:
            raise ValueError("'type' and 'name' are needed")
        if "/" in kind or "/" in name:
            raise ValueError("'type' and 'name' may hold no '/'")
        path = Path(command.data)
        if not path.is_file():
            raise ValueError(f"'{command.data}' is not an existing file")
        self._reporter.attachment(kind, name, path)

    def _prepend_path(self, command: Command) -> None:
        if not command.data:
            raise ValueError("the folder is missing")
        if command.data in self._job.path:
            self._job.path.remove(command.data)
        self._job.path.append(command.data)

    def _debug(self, command: Command) -> None:
        if (self._job.variables.get("System.Debug") or "").lower() == "true":
            self._reporter.line(command.data, "debug")

    def _update_build_number(self, command: Command) -> None:
        if not command.data:
            raise ValueError("the build number is missing")
        self._job.variables.assign("Build.BuildNumber", command.data, system=True)
        self._job.rename_build(command.data)

    def _add_build_tag(self, command: Command) -> None:
        tag = command.data.strip()
        if not tag:
            raise ValueError("the tag is missing")
        self._reporter.line(f"The run has the tag '{tag}'.", "section")

    def _upload_log(self, command: Command) -> None:
        path = Path(command.data)
        if not command.data or not path.is_file():
            raise ValueError(f"Log file path is not provided or file doesn't exist: '{command.data}'")
        self._reporter.attachment("DistributedTask.Core.Log", "CustomToolLog", path)

    def _upload_artifact(self, command: Command) -> None:
        name = command.properties.get("artifactname", "")
        if not name or not command.data:
            raise ValueError("'artifactname' and the file or folder are needed")
        source = Path(command.data)
        if source.is_dir() and not any(path.is_file() for path in source.rglob("*")):
            text = f"Directory '{source}' is empty. Nothing will be added to build artifact '{name}'."
            self._reporter.issue("warning", text)
            return
        folder, files, size = self._job.artifacts.publish(name, source, add=True)
        self._reporter.artifact(name, folder, files, size)

    def _publish_results(self, command: Command) -> None:
        kind = command.properties.get("type", "")
        if kind.lower() != "junit":
            raise ValueError(f"this rehearsal reads JUnit alone, not '{kind}'")
        files = [Path(each.strip()) for each in command.properties.get("resultfiles", "").split(",") if each.strip()]
        if not files:
            raise ValueError("'resultFiles' is missing")
        title = command.properties.get("runtitle", "")
        try:
            read = [(file, read_junit(file)) for file in files]
        except NoResultsError as error:
            raise ValueError(str(error)) from error
        if command.properties.get("mergeresults", "").lower() == "true":
            self._reporter.tests(title or "Test results", tuple(case for _, cases in read for case in cases))
        else:
            for file, cases in read:
                self._reporter.tests(title or file.stem, cases)
        failed = [case for _, cases in read for case in cases if case.outcome in ("failed", "error")]
        if failed and command.properties.get("failtaskonfailedtests", "").lower() == "true":
            self._complete_step("failed", f"There are {len(failed)} failed tests")
