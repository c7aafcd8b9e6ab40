"""One stage: whether it runs, its jobs in order, the hooks of its deployments."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rehearsal.pipelines import tasks
from rehearsal.pipelines.agent.job_runner import agent_job, run_steps
from rehearsal.pipelines.agent.job_state import JobState
from rehearsal.pipelines.agent.predefined import job_variables
from rehearsal.pipelines.agent.reporter import Reporter
from rehearsal.pipelines.agent.variables import Variables
from rehearsal.pipelines.agent.workspace import Workspace
from rehearsal.pipelines.conditions import GOOD, Finished, decide, graph_status, runtime_value
from rehearsal.pipelines.events import JobFinished, JobStarted, Result, StageFinished, StageStarted
from rehearsal.pipelines.expressions import ExpressionError, Value
from rehearsal.pipelines.graph import ancestors, in_order
from rehearsal.pipelines.legs import legs_of
from rehearsal.pipelines.model import Hook, Job, Leg, Stage, Step, Variable
from rehearsal.pipelines.protected import not_permitted
from rehearsal.pipelines.results import JobResult, StageResult, StepResult
from rehearsal.pipelines.run_state import RunState
from rehearsal.pipelines.run_variables import groups_of, started_at

_AGENT = "rehearsal"


def skip_stage(state: RunState, stage: Stage, reason: str, *, counts_as: Result = "skipped") -> StageResult:
    """Note that a stage did not run. counts_as: its result in the eyes of the stages after it."""
    title = stage.display_name or stage.name
    reporter = state.reporter.at(stage=stage.name)
    done = StageFinished(where=reporter.where, title=title, result="skipped", seconds=0, reason=reason)
    reporter.emit(done)
    state.stages[stage.name.lower()] = Finished("skipped", {})
    state.counts_as[stage.name.lower()] = counts_as
    return StageResult(name=stage.name, title=title, result="skipped", seconds=0, reason=reason, jobs=())


def run_stage(state: RunState, stage: Stage) -> StageResult:
    """Run a stage, or skip it when its condition says so."""
    started = state.host.steady()
    title = stage.display_name or stage.name
    try:
        reason = _why_not(state, stage)
    except ExpressionError as error:
        state.reporter.at(stage=stage.name).issue("error", f"The condition can not be evaluated: {error}")
        reason = "its condition can not be evaluated"
    if reason:
        return skip_stage(state, stage, reason)
    reporter = state.reporter.at(stage=stage.name)
    reporter.emit(StageStarted(where=reporter.where, title=title))
    if refusals := not_permitted(state.host, stage):
        return _refused(state, stage, refusals)
    results: list[JobResult] = []
    finished = state.jobs.setdefault(stage.name.lower(), {})
    for job in in_order(stage.jobs):
        done, outcome = _StageJob(state, stage, job).run()
        results += done
        finished[job.name.lower()] = outcome
    result = _worst([outcome.result for outcome in finished.values()])
    outputs = {f"{name}.{key}": value for name, job in finished.items() for key, value in job.outputs.items()}
    state.stages[stage.name.lower()] = Finished(result, outputs)
    state.counts_as[stage.name.lower()] = result
    seconds = state.host.steady() - started
    reporter.emit(StageFinished(where=reporter.where, title=title, result=result, seconds=seconds))
    return StageResult(name=stage.name, title=title, result=result, seconds=seconds, reason="", jobs=tuple(results))


def _refused(state: RunState, stage: Stage, refusals: Sequence[str]) -> StageResult:
    """A stage that may not use what it asks for ends before its first job."""
    reporter, title = state.reporter.at(stage=stage.name), stage.display_name or stage.name
    for text in refusals:
        reporter.issue("error", text)
    state.stages[stage.name.lower()] = Finished("failed", {})
    state.counts_as[stage.name.lower()] = "failed"
    reporter.emit(StageFinished(where=reporter.where, title=title, result="failed", seconds=0))
    return StageResult(name=stage.name, title=title, result="failed", seconds=0, reason=refusals[0], jobs=())


def _why_not(state: RunState, stage: Stage) -> str:
    """Why a stage does not run; "" when it does. Raises ExpressionError."""
    before = ancestors(stage.name, {other.name.lower(): other.depends_on for other in state.pipeline.stages})
    results = {name: state.counts_as[name] for name in before}
    status = graph_status(results, before, canceled=state.cancel.is_set())
    names: dict[str, Value] = {
        "variables": _known(state, stage.variables),
        "dependencies": {name: state.stages[name.lower()].as_value() for name in stage.depends_on},
        "stageDependencies": _jobs_of(state, stage.depends_on),
        "pipeline": started_at(state.host),
    }
    if decide(stage.condition, names, status):
        return ""
    if stage.condition:
        return f"its condition is false: {stage.condition}"
    bad = sorted(name for name, result in results.items() if result not in GOOD)
    return f"{', '.join(bad)} did not succeed" if bad else "the run was canceled"


def _known(state: RunState, *more: Sequence[Variable]) -> dict[str, str]:
    """The variables that a condition of a stage or job sees: those of the run, the pipeline, and further in."""
    variables = [*state.pipeline.variables, *(variable for each in more for variable in each)]
    held = {name: each.value for name, each in groups_of(variables, state.host)}
    return {**state.variables, **held, **{variable.name: variable.value for variable in variables if variable.name}}


def _jobs_of(state: RunState, stages: Sequence[str]) -> Value:
    return {name: {job: done.as_value() for job, done in state.jobs.get(name.lower(), {}).items()} for name in stages}


def _worst(results: Sequence[Result]) -> Result:
    order: tuple[Result, ...] = ("canceled", "failed", "succeededWithIssues", "succeeded")
    return next((result for result in order if result in results), "skipped")


@dataclass
class _StageJob:
    """One job of a stage: of an ordinary one its steps, of a deployment its hooks one after the other."""

    state: RunState
    stage: Stage
    job: Job
    leg: Leg | None = None

    def run(self) -> tuple[list[JobResult], Finished]:
        """What ran, agent job by agent job, and the outcome for those that depend on it."""
        reason = self._why_not()
        if reason:
            reporter = self._reporter("")
            title = self._title("")
            done = JobFinished(where=reporter.where, title=title, result="skipped", seconds=0, reason=reason)
            reporter.emit(done)
            return [self._result("", title, "skipped", 0, ())], Finished("skipped", {})
        if self.job.is_deployment:
            return self._run_hooks()
        steps = self.job.steps
        if not any(step.task == tasks.CHECKOUT for step in steps):
            # A job checks out the repository by itself, unless it says `checkout: none`.
            steps = (_step(self.job, tasks.CHECKOUT, "Checkout", {"repository": "self"}), *steps)
        try:
            legs = legs_of(self.job.strategy, {"variables": self._known(), **self._dependencies()})
        except ExpressionError as error:
            self._reporter("").issue("error", f"The matrix of the job '{self.job.name}': {error}")
            return [self._result("", self._title(""), "failed", 0, ())], Finished(self._forgiven("failed"), {})
        if not legs:
            result, outputs = self._run_one("", steps)
            return [result], Finished(self._forgiven(result.result), outputs)
        return self._run_legs(legs, steps)

    def _run_legs(self, legs: Sequence[Leg], steps: tuple[Step, ...]) -> tuple[list[JobResult], Finished]:
        results: list[JobResult] = []
        outputs: dict[str, str] = {}
        for leg in legs:
            result, found = replace(self, leg=leg)._run_one("", steps)
            results.append(result)
            # [learn] process/variables: the leg's name stands before the step's.
            outputs |= {f"{leg.name}.{key}": value for key, value in found.items()}
        return results, Finished(self._forgiven(_worst([result.result for result in results])), outputs)

    def _run_hooks(self) -> tuple[list[JobResult], Finished]:
        results: list[JobResult] = []
        outputs: dict[str, str] = {}
        hooks = {hook.name: hook for hook in self.job.hooks}
        for name in ("preDeploy", "deploy", "routeTraffic", "postRouteTraffic"):
            if name in hooks:
                result, found = self._run_one(name, self._hook_steps(hooks[name]))
                results.append(result)
                if name == "deploy":
                    # [learn] process/deployment-jobs: runOnce repeats the job's name before the step's.
                    outputs = {f"{self.job.name}.{key}": value for key, value in found.items()}
                if result.result not in GOOD:
                    break
        worst = _worst([result.result for result in results])
        after = "on.success" if worst in GOOD else "on.failure"
        # A canceled run does not run on.failure (unverified against the service).
        if after in hooks and worst != "canceled":
            result, _ = self._run_one(after, self._hook_steps(hooks[after]))
            results.append(result)
            worst = worst if after == "on.failure" else _worst([worst, result.result])
        return results, Finished(self._forgiven(worst), outputs)

    def _hook_steps(self, hook: Hook) -> tuple[Step, ...]:
        downloads = (tasks.DOWNLOAD_SHORTCUT, tasks.DOWNLOAD)
        if hook.name == "deploy" and not any(step.task in downloads for step in hook.steps):
            # Artifacts arrive by themselves in `deploy` only.
            inputs = {"source": "current", "artifact": "", "patterns": "**"}
            return (_step(self.job, tasks.DOWNLOAD_SHORTCUT, "Download artifacts", inputs), *hook.steps)
        return hook.steps

    def _run_one(self, hook: str, steps: tuple[Step, ...]) -> tuple[JobResult, dict[str, str]]:
        """One agent job."""
        started = self.state.host.steady()
        title = self._title(hook)
        reporter = self._reporter(hook)
        reporter.emit(JobStarted(where=reporter.where, title=title, environment=self.job.environment))
        self._say_what_is_missing(reporter, hook)
        leg = self.leg.variables["System.JobPositionInPhase"] if self.leg else ""
        place = "-".join(part for part in (self.stage.name, self.job.name, leg, hook.replace(".", "_")) if part)
        workspace = Workspace(self.state.folder / "jobs" / place)
        job_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.state.folder}/{place}"))
        job = self._job_state(workspace, reporter, self._variables(workspace, hook, job_id, title))
        with agent_job(job, job_id):
            try:
                self._resolve(job.variables)
                step_results = run_steps(job, steps)
            except ExpressionError as error:
                reporter.issue("error", f"A variable can not be evaluated: {error}")
                job.status, step_results = "failed", ()
        seconds = self.state.host.steady() - started
        done = JobFinished(
            where=reporter.where, title=title, result=job.status, seconds=seconds, environment=self.job.environment
        )
        reporter.emit(done)
        return self._result(hook, title, job.status, seconds, step_results), job.outputs

    def _say_what_is_missing(self, reporter: Reporter, hook: str) -> None:
        """What Azure Pipelines would do around this job and a rehearsal does not."""
        pool = self.job.pool or self.stage.pool
        if pool and hook in ("", self.job.hooks[0].name if self.job.hooks else ""):
            reporter.line(f"This machine stands for the pool '{pool}'.", "section")
        if self.job.hooks and hook == self.job.hooks[0].name:
            text = f"Checks of the environment '{self.job.environment}' (approvals, branch control, lock) are not in a rehearsal."
            reporter.line(text, "section")

    def _job_state(self, workspace: Workspace, reporter: Reporter, variables: Variables) -> JobState:
        host, minutes = self.state.host, self.job.timeout_minutes
        return JobState(
            host=host,
            repository=self.state.repository,
            keep_out=self.state.keep_out,
            workspace=workspace,
            artifacts=self.state.artifacts,
            variables=variables,
            reporter=reporter,
            cancel=self.state.cancel,
            deadline=host.steady() + minutes * 60 if minutes else None,
            cancel_seconds=self.job.cancel_minutes * 60,
            mask_secret=self.state.masker.add,
            rename_build=self.state.rename_build,
        )

    def _variables(self, workspace: Workspace, hook: str, job_id: str, title: str) -> Variables:
        names = {
            "System.StageName": self.stage.name,
            "System.StageDisplayName": self.stage.display_name or self.stage.name,
            "System.PhaseName": self.job.name,
            "System.JobName": self.leg.name if self.leg else self.job.name,
            "System.JobDisplayName": title,
            "System.JobId": job_id,
            "Agent.JobName": title,
        }
        if self.job.is_deployment:
            names |= {"Environment.Name": self.job.environment, "Strategy.Name": "runOnce"}
            names["System.JobName"] = hook.rpartition(".")[2].capitalize() if "." in hook else hook
        one = names["System.JobName"] if self.leg or self.job.is_deployment else "__default"
        parts = ("" if self.stage.name == "__default" else self.stage.name, self.job.name, one)
        names["System.JobIdentifier"] = ".".join(part for part in parts if part)
        variables = Variables(self.state.masker)
        variables.update({**self.state.variables, **job_variables(workspace, _AGENT, names)})
        # The last value of a name counts, wherever it comes from.
        seen: dict[str, tuple[Variable, bool]] = {}
        for variable in (*self.state.pipeline.variables, *self.stage.variables, *self.job.variables, *self._of_leg()):
            if variable.name:
                seen[variable.name.lower()] = (variable, False)
            for name, held in groups_of([variable], self.state.host):
                seen[name.lower()] = (Variable(name=name, value=held.value), held.secret)
        for variable, secret in seen.values():
            variables.assign(variable.name, variable.value, readonly=variable.readonly, secret=secret)
        return variables

    def _of_leg(self) -> list[Variable]:
        return [Variable(name=name, value=value) for name, value in (self.leg.variables if self.leg else {}).items()]

    def _resolve(self, variables: Variables) -> None:
        names = {"variables": variables.plain(), **self._dependencies()}
        variables.resolve(lambda text: runtime_value(text, names))

    def _dependencies(self) -> dict[str, Value]:
        jobs = self.state.jobs.get(self.stage.name.lower(), {})
        return {
            "dependencies": {name: jobs[name.lower()].as_value() for name in self.job.depends_on},
            "stageDependencies": _jobs_of(self.state, self.stage.depends_on),
            "pipeline": started_at(self.state.host),
        }

    def _known(self) -> dict[str, str]:
        return _known(self.state, self.stage.variables, self.job.variables)

    def _why_not(self) -> str:
        jobs = self.state.jobs.get(self.stage.name.lower(), {})
        before = ancestors(self.job.name, {other.name.lower(): other.depends_on for other in self.stage.jobs})
        results = {name: jobs[name].result for name in before}
        status = graph_status(results, before, canceled=self.state.cancel.is_set())
        names: dict[str, Value] = {"variables": self._known(), **self._dependencies()}
        try:
            if decide(self.job.condition, names, status):
                return ""
        except ExpressionError as error:
            return f"its condition can not be evaluated: {error}"
        return f"its condition is false: {self.job.condition or 'succeeded()'}"

    def _forgiven(self, result: Result) -> Result:
        return "succeededWithIssues" if result == "failed" and self.job.continue_on_error else result

    def _title(self, hook: str) -> str:
        title = self.job.display_name or self.job.name
        if self.leg is not None:
            return f"{title} {self.leg.name}"
        return f"{title}: {hook}" if hook else title

    def _reporter(self, hook: str) -> Reporter:
        name = f"{self.job.name} {self.leg.name}" if self.leg else self.job.name
        return self.state.reporter.at(stage=self.stage.name, job=name, hook=hook)

    def _result(self, hook: str, title: str, result: Result, seconds: float, steps: Sequence[StepResult]) -> JobResult:
        return JobResult(
            name=f"{self.job.name} {self.leg.name}" if self.leg else self.job.name,
            hook=hook,
            title=title,
            environment=self.job.environment,
            result=result,
            seconds=seconds,
            steps=tuple(steps),
        )


def _step(job: Job, task: str, title: str, inputs: dict[str, str]) -> Step:
    return Step(task=task, inputs=inputs, position=job.position, display_name=title)
