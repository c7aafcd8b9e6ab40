"""What each task does here. A runner returns the step's result, or raises TaskFailedError with the text for the log."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from rehearsal.pipelines import tasks
from rehearsal.pipelines.agent.artifacts import ArtifactError, matches
from rehearsal.pipelines.agent.junit import NoResultsError, read_junit
from rehearsal.pipelines.agent.processes import Ended
from rehearsal.pipelines.agent.step_state import StepState
from rehearsal.pipelines.agent.workspace import check_out
from rehearsal.pipelines.events import Result, TestCase

_VERSION_SPEC = re.compile(r"(\d+)(?:\.(\d+|x))?(?:\.(\d+|x))?")


class TaskFailedError(Exception):
    """A task that cannot do what it was asked; the text says why."""


class TimedOutError(TaskFailedError):
    """A task that took longer than its step may; it is not tried again."""


def _checkout(step: StepState) -> Result:
    if step.inputs["repository"] == "none":
        return "skipped"
    job = step.job
    copied = check_out(job.repository, job.workspace.sources, job.host.environment, job.keep_out)
    step.reporter.line(
        f"Copied the working tree as it is, uncommitted changes too: {copied} files from {job.repository}"
    )
    return "succeeded"


def _script(step: StepState) -> Result:
    folder = step.folder(step.inputs["workingDirectory"])
    return _bash_file(step, _write_script(step, step.inputs["script"]), "", folder, {}, step.boolean("failOnStderr"))


def _bash(step: StepState) -> Result:
    folder = step.folder(step.inputs["workingDirectory"])
    if step.inputs["targetType"].lower() == "inline":
        path = _write_script(step, step.inputs["script"])
    else:
        path = step.folder(step.inputs["filePath"])
    return _bash_file(step, path, step.inputs["arguments"], folder, {}, step.boolean("failOnStderr"))


def _azure_cli(step: StepState) -> Result:
    connection = step.job.host.service_connections.get(step.inputs["azureSubscription"])
    if connection is None:
        raise TaskFailedError(f"The service connection '{step.inputs['azureSubscription']}' does not exist")
    _say_no_login(step)
    # [learn] tasks/reference/azure-cli-v2: set for workload identity federation, in this task's script only.
    environment = {
        "AZURESUBSCRIPTION_CLIENT_ID": connection.client_id,
        "AZURESUBSCRIPTION_TENANT_ID": connection.tenant_id,
        "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": connection.id,
    }
    if not connection.federated:
        environment = {}
        step.reporter.line("The service connection has a secret: the task signs `az` in with it, and nothing else.")
    folder = step.folder(step.inputs["workingDirectory"])
    if step.inputs["scriptLocation"].lower() == "inlinescript":
        path = _write_script(step, step.inputs["inlineScript"])
    else:
        path = step.folder(step.inputs["scriptPath"])
    return _bash_file(step, path, step.inputs["arguments"], folder, environment, step.boolean("failOnStandardError"))


def _say_no_login(step: StepState) -> None:
    """Once for each job: what the task does before the script, and a rehearsal does not."""
    if step.job.said_no_login:
        return
    step.job.said_no_login = True
    has_az = shutil.which("az", path=step.job.host.environment.get("PATH"))
    reason = "a rehearsal leaves it to the script" if has_az else "no az is installed on this machine"
    step.reporter.line(f"`az login` is not done: {reason}. The script signs in with the service connection by itself.")


def _write_script(step: StepState, text: str) -> Path:
    if not text.strip():
        raise TaskFailedError("The script is empty")
    path = step.job.workspace.temp / f"script-{len(list(step.job.workspace.temp.glob('script-*')))}.sh"
    path.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")
    path.chmod(0o700)
    for line in text.rstrip().splitlines():
        step.reporter.line(line, "command")
    return path


def _bash_file(
    step: StepState, path: Path, arguments: str, folder: Path, environment: Mapping[str, str], fail_on_stderr: bool
) -> Result:
    if not path.is_file():
        raise TaskFailedError(f"Script file not found: {path}")
    if not folder.is_dir():
        raise TaskFailedError(f"Not found workingDirectory: {folder}")
    # The arguments are words for the shell, as in the tasks: quotes and variables in them work.
    line = f"bash --noprofile --norc {shlex.quote(str(path))} {arguments}"
    ended = step.run(
        ["bash", "--noprofile", "--norc", "-c", f"exec {line}"],
        folder=folder,
        environment=environment,
        errors_apart=fail_on_stderr,
    )
    return _result(ended)


def _result(ended: Ended) -> Result:
    if ended.how == "canceled":
        return "canceled"
    if ended.how == "timeout":
        raise TimedOutError("The task has timed out.")
    if ended.code != 0:
        raise TaskFailedError(f"Bash exited with code '{ended.code}'.")
    if ended.wrote_errors:
        raise TaskFailedError("Bash wrote one or more lines to the standard error stream.")
    return "succeeded"


def _publish(step: StepState) -> Result:
    name = step.inputs["artifact"].strip() or _name_from_job(step.job.variables.get("System.JobIdentifier") or "")
    try:
        folder, files, size = step.job.artifacts.publish(name, step.folder(step.inputs["targetPath"]))
    except ArtifactError as error:
        raise TaskFailedError(str(error)) from error
    step.reporter.artifact(name, folder, files, size)
    step.reporter.line(f"Published the artifact '{name}': {files} files, {size:,} bytes")
    return "succeeded"


def _name_from_job(identifier: str) -> str:
    """[agent] PipelineArtifactPluginV1: what an artifact without a name is called."""
    return re.sub(r"[^a-zA-Z0-9 .-]", "", identifier).replace(".default", "")


def _download_shortcut(step: StepState) -> Result:
    if step.inputs["source"] == "none":
        return "skipped"
    # The shortcut gives every artifact a folder of its own: [schema] content/steps-download.md
    names = [step.inputs["artifact"]] if step.inputs["artifact"] else step.job.artifacts.names
    for name in names:
        named = bool(step.inputs["artifact"])
        _download_one(step, name, step.job.workspace.root / name, step.inputs["patterns"], named=named)
    return "succeeded"


def _download(step: StepState) -> Result:
    target = step.folder(step.inputs["targetPath"])
    if step.inputs["artifactName"]:
        _download_one(step, step.inputs["artifactName"], target, step.inputs["itemPattern"], named=True)
        return "succeeded"
    for name in step.job.artifacts.names:
        _download_one(step, name, target / name, step.inputs["itemPattern"], named=False)
    return "succeeded"


def _download_one(step: StepState, name: str, target: Path, patterns: str, *, named: bool) -> None:
    try:
        copied = step.job.artifacts.download(name, target, patterns, named=named)
    except ArtifactError as error:
        raise TaskFailedError(str(error)) from error
    step.reporter.line(f"Downloaded the artifact '{name}' to {target}: {copied} files")


def _use_python(step: StepState) -> Result:
    asked, base = step.inputs["versionSpec"], step.job.host.base_python
    asking = [str(base), "-I", "-c", "import sys; print('.'.join(map(str, sys.version_info[:3])))"]
    try:
        shown = subprocess.run(asking, capture_output=True, text=True, check=True, env=dict(step.job.host.environment))
    except (OSError, subprocess.CalledProcessError) as error:
        raise TaskFailedError(f"{base} does not run: {error}") from error
    version = shown.stdout.strip()
    if not version_matches(asked, version):
        text = f"The pipeline asks for Python {asked}; this rehearsal has {version} and goes on with it."
        step.reporter.line(text, "warning")
    step.reporter.line(f"Python {version}: {base}")
    return "succeeded"


def version_matches(spec: str, version: str) -> bool:
    """Whether `3.11`, `3.x` or `>=3.11` holds for a version of three numbers."""
    have = [int(part) for part in version.split(".")]
    if spec.startswith(">="):
        return have >= [int(part) for part in spec[2:].strip().split(".")]
    match = _VERSION_SPEC.fullmatch(spec.strip())
    if match is None:
        return False
    wanted = [part for part in match.groups() if part is not None]
    return all(part == "x" or int(part) == number for part, number in zip(wanted, have, strict=False))


def _test_results(step: StepState) -> Result:
    folder = step.folder(step.inputs["searchFolder"])
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and matches(path.relative_to(folder).as_posix(), step.inputs["testResultsFiles"])
    ]
    if not found:
        text = f"No test result files matching '{step.inputs['testResultsFiles']}' were found in {folder}."
        if step.boolean("failTaskOnMissingResultsFile"):
            raise TaskFailedError(text)
        step.reporter.issue("warning", text)
        return "succeeded"
    read = [(path, cases) for path in found if (cases := _read_results(step, path)) is not None]
    everything = tuple(case for _, cases in read for case in cases)
    if step.boolean("mergeTestResults"):
        step.reporter.tests(step.inputs["testRunTitle"] or "Test results", everything)
    else:
        for path, cases in read:
            step.reporter.tests(step.inputs["testRunTitle"] or path.stem, cases)
    bad = [case.name for case in everything if case.outcome in ("failed", "error")]
    if bad and step.boolean("failTaskOnFailedTests"):
        raise TaskFailedError(f"There are {len(bad)} failed tests: {', '.join(bad[:5])}{', …' if len(bad) > 5 else ''}")
    return "succeeded"


def _read_results(step: StepState, path: Path) -> tuple[TestCase, ...] | None:
    """The cases of a file; None, and a warning, when it holds no results."""
    try:
        cases = read_junit(path)
    except NoResultsError as error:
        if step.boolean("failTaskOnFailureToPublishResults"):
            raise TaskFailedError(f"Failed to publish test results: {error}") from error
        step.reporter.issue("warning", str(error))
        return None
    step.reporter.line(f"Published {len(cases)} test results of {path}")
    return cases


def _cache(step: StepState) -> Result:
    step.reporter.line("There is no cache in a rehearsal: nothing is restored and nothing is saved.")
    if step.inputs["cacheHitVar"]:
        step.job.variables.assign(step.inputs["cacheHitVar"], "false")
    return "skipped"


RUNNERS: Mapping[str, Callable[[StepState], Result]] = {
    tasks.CHECKOUT: _checkout,
    tasks.SCRIPT: _script,
    tasks.BASH: _bash,
    tasks.AZURE_CLI: _azure_cli,
    tasks.PUBLISH: _publish,
    tasks.DOWNLOAD_SHORTCUT: _download_shortcut,
    tasks.DOWNLOAD: _download,
    tasks.PYTHON: _use_python,
    tasks.TEST_RESULTS: _test_results,
    tasks.CACHE: _cache,
}
