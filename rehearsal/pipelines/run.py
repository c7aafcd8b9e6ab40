"""Run a pipeline of a repository on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from threading import Event as CancelEvent

from rehearsal.pipelines import tasks
from rehearsal.pipelines.agent.artifacts import Artifacts
from rehearsal.pipelines.agent.masking import Masker
from rehearsal.pipelines.agent.predefined import RunFacts, build_number
from rehearsal.pipelines.agent.reporter import Kept, Reporter
from rehearsal.pipelines.agent.variables import Variables
from rehearsal.pipelines.agent.workspace import head_commit
from rehearsal.pipelines.compile import compile_pipeline
from rehearsal.pipelines.counters import Counters
from rehearsal.pipelines.events import Listener, Result, RunStarted, Where
from rehearsal.pipelines.expressions import Value
from rehearsal.pipelines.files import Files
from rehearsal.pipelines.graph import in_order
from rehearsal.pipelines.host import AgentHost
from rehearsal.pipelines.model import Pipeline, Stage
from rehearsal.pipelines.results import RunResult, StageResult
from rehearsal.pipelines.run_state import RunState
from rehearsal.pipelines.run_variables import missing_groups, with_values
from rehearsal.pipelines.stage_runner import run_stage, skip_stage
from rehearsal.pipelines.yaml_nodes import PipelineError, PipelineErrors, Position

_KEPT_RUNS = 5


def run_pipeline(
    *,
    repository: Path,
    pipeline_file: str,
    host: AgentHost,
    listener: Listener,
    work: Path,
    parameters: Mapping[str, Value] | None = None,
    only: Collection[str] | None = None,
    reason: str = "IndividualCI",
    cancel: CancelEvent | None = None,
) -> RunResult:
    """Expand the pipeline and run its stages in the order of their dependencies, one after the other.

    only: run these stages and those that neither deploy nor sign in to Azure; what they depend on besides counts as succeeded.
    reason: Build.Reason, for example PullRequest. cancel: set it to cancel the run as a person would.
    work: a folder for workspaces and artifacts; a folder per run is made in it.
    Raises PipelineErrors before anything runs when the YAML is wrong or asks for what a rehearsal does not have.
    """
    started = host.steady()
    commit, subject = head_commit(repository, host.environment)
    facts = RunFacts(
        reason=reason,
        commit=commit,
        commit_subject=subject,
        repository_name=repository.resolve().name,
        pipeline_name=Path(pipeline_file).stem,
    )
    predefined = facts.variables(host)
    pipeline = compile_pipeline(Files(repository), pipeline_file, parameters or {}, predefined)
    _refuse(pipeline, host, only)
    try:
        pipeline = with_values(pipeline, predefined, host, Counters(work / "counters.json", pipeline_file))
    except PipelineError as error:
        raise PipelineErrors([error]) from error
    folder = _run_folder(work, host.run_number)
    masker, kept = Masker(), Kept()
    known = Variables(masker)
    known.update({**predefined, **{variable.name: variable.value for variable in pipeline.variables if variable.name}})
    number = build_number(pipeline.name, host, known)
    state = RunState(
        host=host,
        repository=repository,
        folder=folder,
        keep_out=work,
        pipeline=pipeline,
        variables={**predefined, "Build.BuildNumber": number},
        masker=masker,
        artifacts=Artifacts(folder / "artifacts"),
        cancel=cancel or CancelEvent(),
        reporter=Reporter(listener, masker, kept, Where()),
    )
    names = tuple(stage.name for stage in pipeline.stages)
    state.reporter.emit(RunStarted(where=Where(), build_number=number, stages=names))
    stages = _run_stages(state, only)
    return RunResult(
        result=_overall(stages, canceled=state.cancel.is_set()),
        build_number=state.variables["Build.BuildNumber"],
        seconds=host.steady() - started,
        stages=stages,
        tests=tuple(kept.tests),
        summaries=tuple(kept.summaries),
        issues=tuple(kept.issues),
        artifacts=tuple(kept.artifacts),
    )


def _run_folder(work: Path, number: int) -> Path:
    """An empty folder for this run. Of earlier runs the last few are kept."""
    folder = work / f"run-{number}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    earlier = [path for path in work.glob("run-*") if path.name[4:].isdigit()]
    for path in sorted(earlier, key=lambda path: int(path.name[4:]))[:-_KEPT_RUNS]:
        shutil.rmtree(path, ignore_errors=True)
    return folder


def _refuse(pipeline: Pipeline, host: AgentHost, only: Collection[str] | None) -> None:
    """What Azure Pipelines checks before a run starts: service connections, stages that somebody names."""
    errors = list(missing_groups(pipeline.variables, host))
    for stage in pipeline.stages:
        errors += missing_groups(stage.variables, host)
        for job in stage.jobs:
            errors += missing_groups(job.variables, host)
            for step in job.all_steps():
                name = step.inputs.get("azureSubscription", "")
                if step.task == tasks.AZURE_CLI and name not in host.service_connections:
                    errors.append(PipelineError(step.position, _no_connection(name, job.name)))
    known = {stage.name for stage in pipeline.stages}
    for name in sorted(set(only or ()) - known):
        text = f"There is no stage '{name}'. The stages are: {', '.join(stage.name for stage in pipeline.stages)}"
        errors.append(PipelineError(Position(pipeline.file, 1, 1), text))
    if errors:
        raise PipelineErrors(errors)


def _no_connection(name: str, job: str) -> str:
    return (
        f"Job {job}: a step references service connection {name} which could not be found. The service connection "
        "does not exist, has been disabled or has not been authorized for use."
    )


def _run_stages(state: RunState, only: Collection[str] | None) -> tuple[StageResult, ...]:
    done: dict[str, StageResult] = {}
    for stage in in_order(state.pipeline.stages):
        if only is not None and stage.name not in only and _reaches_out(stage):
            done[stage.name] = skip_stage(state, stage, "not asked for", counts_as="succeeded")
        else:
            done[stage.name] = run_stage(state, stage)
    return tuple(done[stage.name] for stage in state.pipeline.stages)


def _reaches_out(stage: Stage) -> bool:
    """Whether it deploys to an environment or signs in to one, as a recovery does."""
    return stage.deploys or any(step.task == tasks.AZURE_CLI for job in stage.jobs for step in job.all_steps())


def _overall(stages: Collection[StageResult], *, canceled: bool) -> Result:
    results = {stage.result for stage in stages}
    if canceled:
        return "canceled"
    for result in ("failed", "canceled", "succeededWithIssues"):
        if result in results:
            return result
    return "succeeded"
