"""Programs that only write down how they were called, for both kinds of pipeline."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from rehearsal.pipelines import tasks
from rehearsal.pipelines.compile import compile_pipeline
from rehearsal.pipelines.files import Files
from rehearsal.pipelines.model import Job, Step
from tests.rehearsal.github.runner import Runner

ROOT = Path(__file__).parents[3]
# A shell starts sooner than Python. Fields end with 037, calls with 036.
_PROGRAM = """#!/bin/sh
{{ printf '%s\\037' "${{0##*/}}" "$@"; printf '%s\\036' "${{SLIPWAY_RESULTS-}}"; }} >> '{log}'
while [ $# -gt 0 ]; do [ "$1" = --output ] && mkdir -p "$2"; all="$all $1"; shift; done
case "$FAIL,$all" in ,*) exit 0 ;; esac
case "$all" in *"$FAIL"*) exit 1 ;; esac
"""
Call = tuple[tuple[str, ...], str]
"""The words, and what SLIPWAY_RESULTS was."""


class Recorder:
    """A folder of programs for PATH, and what they were called with."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "calls"
        programs = folder / "programs"
        programs.mkdir(parents=True)
        for name in ("python", "ruff", "pip-audit"):
            file = programs / name
            file.write_text(_PROGRAM.format(log=self._log), encoding="utf-8")
            file.chmod(0o755)
        (programs / "date").write_text("#!/bin/sh\necho 20261129\n", encoding="utf-8")
        (programs / "date").chmod(0o755)
        self.environment = {"PATH": f"{programs}:{os.environ['PATH']}"}

    def calls(self) -> list[Call]:
        """What was called so far."""
        text = self._log.read_text(encoding="utf-8") if self._log.exists() else ""
        found = [call.split("\037") for call in text.split("\036")[:-1]]
        return [(tuple(words), told) for *words, told in found]


def scripts_of(calls: Sequence[Call]) -> list[str]:
    """The calls of scripts/, one text each, with the folder for results where one is told."""
    return [
        " ".join([*words[1:], *([f"results in {Path(told).name}"] if told else [])])
        for words, told in calls
        if words[0] == "python" and words[1].startswith("scripts/")
    ]


def on_azure(
    folder: Path,
    pipeline: str,
    *,
    stage: str,
    parameters: Mapping[str, str] | None = None,
    fail: str = "",
    variables: Mapping[str, str] | None = None,
) -> list[Call]:
    """What the jobs of a stage call, hook by hook; after a failing step on.failure, as the service does."""
    recorder = Recorder(folder)
    reason = "IndividualCI" if pipeline == "azure-pipelines.yml" else "Manual"
    compiled = compile_pipeline(Files(ROOT), pipeline, dict(parameters or {}), {"Build.Reason": reason})
    environment = {**recorder.environment, "FAIL": fail}
    (found,) = [one for one in compiled.stages if one.name == stage]
    known = {"Common.TestResultsDirectory": "/t/test-results", **(variables or {})}
    for job in found.jobs:
        _play(job, environment, known)
    return recorder.calls()


def _play(job: Job, environment: Mapping[str, str], known: Mapping[str, str]) -> None:
    hooks = {hook.name: hook.steps for hook in job.hooks}
    last = hooks.pop("on.failure", ())
    for steps in (job.steps, *hooks.values()):
        if not _all_went_well(steps, environment, known):
            _all_went_well(last, environment, known)
            return


def _all_went_well(steps: Sequence[Step], environment: Mapping[str, str], known: Mapping[str, str]) -> bool:
    for step in steps:
        script = step.inputs.get("inlineScript") if step.task == tasks.AZURE_CLI else step.inputs.get("script")
        if step.task not in (tasks.AZURE_CLI, tasks.BASH) or script is None:
            continue
        own = {name: _filled(value, known) for name, value in step.env.items()}
        done = subprocess.run(["bash", "-c", _filled(script, known)], env={**environment, **own}, check=False)
        if done.returncode:
            return False
    return True


def _filled(text: str, known: Mapping[str, str]) -> str:
    return re.sub(r"\$\(([\w.]+)\)", lambda found: known.get(found[1], found[0]), text)


def on_github(
    folder: Path,
    workflow: str,
    inputs: Mapping[str, object] | None = None,
    *,
    fail: str = "",
    cancel_at: str = "",
) -> tuple[Runner, list[Call]]:
    """What a workflow's jobs call; the release that they download is an empty folder."""
    recorder = Recorder(folder)
    repository = folder / "repository"
    (repository / ".github").mkdir(parents=True)
    (repository / ".github" / "workflows").symlink_to(ROOT / ".github" / "workflows")
    (folder / "artifacts" / "release").mkdir(parents=True)
    runner = Runner(
        repository=repository,
        folder=folder,
        environment={**recorder.environment, "FAIL": fail},
        cancel_at=cancel_at,
    )
    runner.run(workflow, inputs)
    return runner, recorder.calls()
