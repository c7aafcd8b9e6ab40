"""Runs workflows of GitHub Actions on this machine, as far as ours go: `run:` steps with bash, in an environment like a runner's.

An action is played by its name, where it is known here; another is refused by name, never skipped. Sources: workflow syntax,
variables and contexts at https://docs.github.com/actions/reference/workflows-and-actions.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.rehearsal.github.expressions import Refused, as_text, condition, fill

CHECKOUT, PYTHON = "actions/checkout", "actions/setup-python"
UPLOAD, DOWNLOAD, LOGIN = "actions/upload-artifact", "actions/download-artifact", "azure/login"
NOT_CHECKED_OUT = shutil.ignore_patterns(
    ".git", ".venv*", ".rehearsal", ".*_cache", "node_modules", "__pycache__", "dist"
)
_STEP_KEYS = {"name", "uses", "with", "run", "if", "env", "continue-on-error"}
_JOB_KEYS = {
    "name", "runs-on", "timeout-minutes", "environment", "concurrency", "permissions", "env", "defaults", "steps", "needs", "uses",
    "with", "secrets", "strategy",
}  # fmt: skip


def read(path: Path) -> dict[str, Any]:
    """A workflow; `on` is a word of YAML 1.1 that means true."""
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    found["on"] = found.pop(True)
    return found


@dataclass(frozen=True, kw_only=True)
class Step:
    """What became of a step. `output`: both streams."""

    name: str
    outcome: str
    output: str = ""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What became of a job. `summary`: what its steps wrote for the run's page."""

    name: str
    outcome: str
    steps: tuple[Step, ...] = ()
    summary: str = ""

    @property
    def output(self) -> str:
        return "".join(step.output for step in self.steps)


@dataclass(kw_only=True)
class Runner:
    """One run. `repository`: what is checked out. `folder`: where jobs and artifacts lie. `environment`: what every process
    gets. `variables`: of the repository, and by the GitHub environment's name. `oidc(environment, permissions)`: the variables by
    which a job may ask for tokens, {} without the permission. `login(with, variables)`: what azure/login does. `without`: jobs
    and values of a matrix that are not played."""

    repository: Path
    folder: Path
    environment: Mapping[str, str]
    variables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    oidc: Callable[[str, Mapping[str, str]], Mapping[str, str]] = lambda environment, permissions: {}
    login: Callable[[Mapping[str, str], Mapping[str, str]], None] = lambda given, variables: None
    run_id: str = "4200"
    cancel_at: str = ""
    without: frozenset[str] = frozenset()
    jobs: list[Job] = field(default_factory=list)

    def run(self, workflow: str, inputs: Mapping[str, Any] | None = None) -> list[Job]:
        """Each job of a workflow after those that it needs; one whose needs failed is skipped. `inputs`: where a person
        starts it, who gives some; None where an event does."""
        document = read(self.repository / ".github" / "workflows" / workflow)
        given = {} if inputs is None else _inputs(document, "workflow_dispatch", inputs)
        self._run(document, given, document.get("permissions") or {})
        return self.jobs

    def _run(self, document: Mapping[str, Any], inputs: Mapping[str, Any], permissions: Mapping[str, str]) -> str:
        outcomes: dict[str, str] = {}
        for key, job in document["jobs"].items():
            if unknown := job.keys() - _JOB_KEYS:
                raise Refused(f"job key {', '.join(sorted(unknown))}")
            if key in self.without:
                outcomes[key] = "skipped"
                continue
            needs = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs") or []
            if any(outcomes[need] != "success" for need in needs):
                outcomes[key] = "skipped"
                self.jobs.append(Job(name=key, outcome="skipped"))
                continue
            results = [self._job(key, job, inputs, permissions, legs) for legs in self._legs(job.get("strategy"))]
            outcomes[key] = next((each for each in results if each != "success"), "success")
        return next((each for each in outcomes.values() if each != "success"), "success")

    def _job(
        self,
        key: str,
        job: Mapping[str, Any],
        inputs: Mapping[str, Any],
        permissions: Mapping[str, str],
        matrix: Mapping[str, str],
    ) -> str:
        permissions = job.get("permissions") or permissions
        contexts = {
            "inputs": inputs,
            "matrix": matrix,
            "github": self._github(),
            "runner": {},
            "vars": {},
            "secrets": {},
        }
        if "uses" in job:
            called = read(self.repository / str(job["uses"]).removeprefix("./"))
            given = {name: fill(value, contexts) for name, value in (job.get("with") or {}).items()}
            inner = _inputs(called, "workflow_call", given)
            if over := [
                name
                for name, level in (called.get("permissions") or {}).items()
                if not _allows(permissions, name, level)
            ]:
                raise Refused(f"{job['uses']} asks for more than its caller has: {', '.join(over)}")
            return self._run(called, inner, called.get("permissions") or {})
        environment = as_text(fill(job.get("environment", ""), contexts))
        contexts["vars"] = {**self.variables.get("", {}), **self.variables.get(environment, {})}
        played = _Played(self, job, contexts, environment, permissions)
        self.jobs.append(played.run(as_text(fill(job.get("name", key), contexts))))
        return self.jobs[-1].outcome

    def _legs(self, strategy: Mapping[str, Any] | None) -> Iterator[Mapping[str, str]]:
        matrix = (strategy or {}).get("matrix") or {}
        for values in itertools.product(*matrix.values()):
            if not self.without & {*values}:
                yield dict(zip(matrix, values, strict=True))

    def _github(self) -> dict[str, Any]:
        return {"run_id": self.run_id, "ref": "refs/heads/main"}


def _inputs(document: Mapping[str, Any], event: str, given: Mapping[str, Any]) -> dict[str, Any]:
    declared = (document["on"].get(event) or {}).get("inputs") or {}
    if unknown := given.keys() - declared.keys():
        raise Refused(f"input {', '.join(sorted(unknown))}")
    for name, one in declared.items():
        if one.get("required") and name not in given:
            raise Refused(f"input {name} is missing")
        if one.get("type") == "choice" and name in given and given[name] not in one["options"]:
            raise Refused(f"input {name}: {given[name]}")
    return {name: given.get(name, one.get("default")) for name, one in declared.items()}


def _allows(permissions: Mapping[str, str], name: str, level: str) -> bool:
    order = ("none", "read", "write")
    return order.index(permissions.get(name, "none")) >= order.index(level)


class _Played:
    """One job: an empty workspace, steps one after the other, each a process of its own."""

    def __init__(
        self,
        runner: Runner,
        job: Mapping[str, Any],
        contexts: dict[str, Any],
        environment: str,
        permissions: Mapping[str, str],
    ) -> None:
        self._runner, self._job, self._contexts = runner, job, contexts
        self._place = runner.folder / "jobs" / f"{len(runner.jobs)}"
        self._workspace, self._temporary = self._place / "workspace", self._place / "temp"
        for folder in (self._workspace, self._temporary):
            folder.mkdir(parents=True)
        contexts["runner"] = {"temp": str(self._temporary)}
        self._summary = self._temporary / "_summary.md"
        self._oidc = dict(runner.oidc(environment, permissions))
        self._status = "success"

    def run(self, name: str) -> Job:
        steps = []
        for step in self._job["steps"]:
            if unknown := step.keys() - _STEP_KEYS:
                raise Refused(f"step key {', '.join(sorted(unknown))}")
            steps.append(self._step(step))
            if self._runner.cancel_at and steps[-1].name == self._runner.cancel_at:
                self._status = "cancelled"
        summary = self._summary.read_text(encoding="utf-8") if self._summary.exists() else ""
        return Job(name=name, outcome=self._status, steps=tuple(steps), summary=summary)

    def _step(self, step: Mapping[str, Any]) -> Step:
        name = as_text(fill(step.get("name") or step.get("uses") or step.get("run"), self._contexts))
        if not condition(step.get("if"), self._contexts, self._status):
            return Step(name=name, outcome="skipped")
        variables = self._variables(step)
        if "uses" in step:
            self._use(
                str(step["uses"]),
                {key: as_text(fill(v, self._contexts)) for key, v in (step.get("with") or {}).items()},
                variables,
            )
            return Step(name=name, outcome="success")
        done = self._bash(as_text(fill(step["run"], self._contexts)), variables)
        if done.returncode and not fill(step.get("continue-on-error", False), self._contexts):
            self._status = "failure" if self._status == "success" else self._status
        return Step(name=name, outcome="failure" if done.returncode else "success", output=done.stdout)

    def _bash(self, script: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """`shell: bash` is `bash --noprofile --norc -eo pipefail {0}` (workflow syntax, jobs.<job_id>.steps[*].shell)."""
        defaults = (self._job.get("defaults") or {}).get("run") or {}
        if defaults.get("shell") != "bash":
            raise Refused("a step without `shell: bash`")
        file = self._temporary / "step.sh"
        file.write_text(script, encoding="utf-8")
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(file)],
            cwd=self._workspace / defaults.get("working-directory", "."),
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def _variables(self, step: Mapping[str, Any]) -> dict[str, str]:
        own = {**(self._job.get("env") or {}), **(step.get("env") or {})}
        return {
            **self._runner.environment,
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": "ada",
            "GITHUB_REPOSITORY": "contoso/bikes",
            "GITHUB_RUN_ID": self._runner.run_id,
            "GITHUB_RUN_NUMBER": "7",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_STEP_SUMMARY": str(self._summary),
            "GITHUB_WORKSPACE": str(self._workspace),
            "RUNNER_TEMP": str(self._temporary),
            **self._oidc,
            **{name: as_text(fill(value, self._contexts)) for name, value in own.items()},
        }

    def _use(self, uses: str, given: Mapping[str, str], variables: Mapping[str, str]) -> None:
        artifacts = self._runner.folder / "artifacts"
        action = uses.partition("@")[0]
        if action == CHECKOUT:
            shutil.copytree(
                self._runner.repository, self._workspace, dirs_exist_ok=True, ignore=NOT_CHECKED_OUT, symlinks=True
            )
        elif action == PYTHON:
            if given["python-version"] != "3.11":
                raise Refused(f"Python {given['python-version']}")
        elif action == UPLOAD:
            self._upload(Path(given["path"]), artifacts / given["name"], given)
        elif action == DOWNLOAD:
            shutil.copytree(artifacts / given["name"], self._workspace / given["path"], dirs_exist_ok=True)
        elif action == LOGIN:
            self._runner.login(given, variables)
        else:
            raise Refused(f"uses: {uses}")

    @staticmethod
    def _upload(source: Path, target: Path, given: Mapping[str, str]) -> None:
        """Hidden files are left out, as by the action since its version 4.4."""
        if not source.is_dir():
            if given.get("if-no-files-found") != "ignore":
                raise FileNotFoundError(source)
            return
        if target.exists() and given.get("overwrite") != "true":
            raise FileExistsError(target)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(".*"))
