"""Expanded YAML to stages, jobs and hooks; what the service would refuse, and what this rehearsal lacks, is reported.

Source of the keys: MicrosoftDocs/azure-devops-yaml-schema, content/{pipeline,stages-stage,jobs-job,jobs-deployment}.md.
"""

from __future__ import annotations

import re

from rehearsal.pipelines.fields import Fields
from rehearsal.pipelines.model import Hook, Job, Pipeline, Stage, Step, Variable
from rehearsal.pipelines.steps_reading import read_step
from rehearsal.pipelines.yaml_nodes import Mapping, PipelineError, Position, Scalar

_PIPELINE = (
    *("name", "trigger", "pr", "schedules", "pool", "variables", "stages", "jobs", "steps", "lockBehavior"),
    "appendCommitMessageToRunName",
)
_PIPELINE_UNSUPPORTED = ("resources", "container", "services", "strategy", "workspace", "extends", "parameters")
_STAGE = ("stage", "displayName", "dependsOn", "condition", "variables", "jobs", "lockBehavior", "pool", "isSkippable")
_STAGE_UNSUPPORTED = ("trigger", "templateContext", "group")
_JOB_COMMON = (
    *("displayName", "dependsOn", "condition", "continueOnError", "timeoutInMinutes", "cancelTimeoutInMinutes"),
    *("variables", "pool"),
)
_JOB_UNSUPPORTED = ("container", "services", "workspace", "uses", "templateContext")
_HOOKS = ("preDeploy", "deploy", "routeTraffic", "postRouteTraffic")
_LOCKS = ("sequential", "runLatest")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_pipeline(node: Mapping, errors: list[PipelineError]) -> Pipeline:
    """The pipeline of a file after expansion; mistakes are added to `errors`, and what could be read is returned."""
    fields = Fields(node, errors)
    fields.allow(_PIPELINE, _PIPELINE_UNSUPPORTED)
    check_triggers(fields)
    kinds = [kind for kind in ("stages", "jobs", "steps") if fields.has(kind)]
    if len(kinds) != 1:
        fields.wrong(fields.position, "A pipeline has exactly one of 'stages', 'jobs' and 'steps'")
    stages: tuple[Stage, ...] = ()
    match kinds[:1]:
        case ["stages"]:
            stages = _stages(fields)
        case ["jobs"]:
            # A pipeline without stages is one stage named __default (azure-pipelines-yaml, implicit stage).
            stages = (Stage(name="__default", position=fields.position, jobs=_jobs(fields)),)
        case ["steps"]:
            job = Job(name="Job", position=fields.position, steps=_steps(fields))
            stages = (Stage(name="__default", position=fields.position, jobs=(job,)),)
    if not stages:
        fields.wrong(fields.position, "A pipeline needs at least one stage")
    return Pipeline(
        file=node.position.file,
        name=fields.text("name") or "$(Date:yyyyMMdd).$(Rev:r)",
        variables=_variables(fields),
        stages=stages,
        lock_behavior=fields.choice("lockBehavior", _LOCKS),
    )


def check_triggers(fields: Fields) -> None:
    """`trigger`, `pr` and `schedules`: read for mistakes only; in a rehearsal a person starts the run."""
    for key, known in (
        ("trigger", ("branches", "paths", "tags", "batch")),
        ("pr", ("branches", "paths", "autoCancel", "drafts")),
    ):
        if isinstance(fields.node.get(key), Mapping):
            inner = fields.fields(key)
            if inner is not None:
                inner.allow(known)
                for filtered in ("branches", "paths", "tags"):
                    filters = inner.fields(filtered)
                    if filters is not None:
                        filters.allow(("include", "exclude"))
        elif isinstance(fields.node.get(key), Scalar):
            if fields.text(key) != "none":
                fields.wrong(fields.at(key), f"'{key}' is 'none', a list of branches or a mapping")
        elif fields.has(key):
            fields.texts(key)
    for schedule in fields.each("schedules"):
        schedule.allow(("cron", "displayName", "branches", "batch", "always"))
        if len(schedule.text("cron").split()) != 5:
            schedule.wrong(schedule.at("cron"), "'cron' has five parts: minute, hour, day of month, month, day of week")


def _stages(fields: Fields) -> tuple[Stage, ...]:
    stages: list[Stage] = []
    for inner in fields.each("stages"):
        inner.allow(_STAGE, _STAGE_UNSUPPORTED)
        depends_on = inner.texts("dependsOn")
        if depends_on is None:
            # Without dependsOn a stage waits for the one before it.
            depends_on = (stages[-1].name,) if stages else ()
        stages.append(
            Stage(
                name=_name(inner, "stage"),
                position=inner.position,
                display_name=inner.text("displayName"),
                depends_on=depends_on,
                condition=inner.text("condition") or None,
                variables=_variables(inner),
                pool=_pool(inner),
                lock_behavior=inner.choice("lockBehavior", _LOCKS),
                jobs=_jobs(inner),
            )
        )
    return tuple(stages)


def _jobs(fields: Fields) -> tuple[Job, ...]:
    if not fields.has("jobs"):
        fields.wrong(fields.position, "A stage needs 'jobs'")
    jobs: list[Job] = []
    for inner in fields.each("jobs"):
        if inner.has("deployment"):
            jobs.append(_deployment(inner))
        elif inner.has("job"):
            inner.allow((*_JOB_COMMON, "job", "steps"), (*_JOB_UNSUPPORTED, "strategy"))
            jobs.append(_job(inner, "job", steps=_steps(inner)))
        else:
            first = inner.node.keys()[0] if inner.node.pairs else ""
            inner.wrong(inner.position, f"Unexpected value '{first}': a job is 'job', 'deployment' or 'template'")
    return tuple(jobs)


def _job(
    fields: Fields, key: str, *, steps: tuple[Step, ...] = (), environment: str = "", hooks: tuple[Hook, ...] = ()
) -> Job:
    return Job(
        name=_name(fields, key),
        position=fields.position,
        display_name=fields.text("displayName"),
        depends_on=fields.texts("dependsOn") or (),
        condition=fields.text("condition") or None,
        continue_on_error=fields.boolean("continueOnError", False),
        timeout_minutes=fields.number("timeoutInMinutes", 60),
        cancel_minutes=fields.number("cancelTimeoutInMinutes", 5),
        variables=_variables(fields),
        pool=_pool(fields),
        steps=steps,
        environment=environment,
        hooks=hooks,
    )


def _deployment(fields: Fields) -> Job:
    fields.allow((*_JOB_COMMON, "deployment", "environment", "strategy"), _JOB_UNSUPPORTED)
    if fields.text("deployment").lower() == "deploy":
        fields.wrong(fields.at("deployment"), "The name 'deploy' is reserved")
    return _job(fields, "deployment", environment=_environment(fields), hooks=_hooks(fields))


def _environment(fields: Fields) -> str:
    if isinstance(fields.node.get("environment"), Mapping):
        inner = fields.fields("environment")
        if inner is None:
            return ""
        inner.allow(("name",), ("resourceName", "resourceId", "resourceType", "tags"))
        return inner.text("name")
    name = fields.text("environment")
    if not name:
        fields.wrong(fields.position, "A deployment needs an 'environment'")
    if "." in name:
        fields.wrong(fields.at("environment"), f"This rehearsal has no resources of environments: '{name}'")
    return name


def _hooks(fields: Fields) -> tuple[Hook, ...]:
    strategy = fields.fields("strategy")
    if strategy is None:
        fields.wrong(fields.position, "A deployment needs a 'strategy'")
        return ()
    strategy.allow(("runOnce",), ("rolling", "canary"))
    run_once = strategy.fields("runOnce")
    if run_once is None:
        strategy.wrong(strategy.position, "A strategy needs 'runOnce'")
        return ()
    run_once.allow((*_HOOKS, "on"))
    if not run_once.has("deploy"):
        run_once.wrong(run_once.position, "'runOnce' needs 'deploy'")
    named = [(name, run_once.fields(name)) for name in _HOOKS]
    after = run_once.fields("on")
    if after is not None:
        after.allow(("failure", "success"))
        named += [("on.failure", after.fields("failure")), ("on.success", after.fields("success"))]
    hooks: list[Hook] = []
    for name, hook in named:
        if hook is not None:
            hook.allow(("steps", "pool"))
            hooks.append(Hook(name=name, steps=_steps(hook), position=hook.position))
    return tuple(hooks)


def _steps(fields: Fields) -> tuple[Step, ...]:
    read = [read_step(inner) for inner in fields.each("steps")]
    named: dict[str, Position] = {}
    for step in read:
        if step is not None and step.name:
            if step.name.lower() in named:
                fields.wrong(step.position, f"The step name '{step.name}' appears more than once")
            named[step.name.lower()] = step.position
    return tuple(step for step in read if step is not None)


def _variables(fields: Fields) -> tuple[Variable, ...]:
    variables: list[Variable] = []
    for inner in fields.each("variables"):
        if inner.has("group"):
            inner.wrong(inner.at("group"), "This rehearsal has no variable groups")
            continue
        inner.allow(("name", "value", "readonly"))
        name = inner.text("name")
        if not name:
            inner.wrong(inner.position, "A variable needs a 'name'")
        variables.append(Variable(name=name, value=inner.text("value"), readonly=inner.boolean("readonly", False)))
    return tuple(variables)


def _pool(fields: Fields) -> str:
    """The pool's name or image. Which machine a job asks for makes no difference here: all run on this one."""
    if not isinstance(fields.node.get("pool"), Mapping):
        return fields.text("pool")
    inner = fields.fields("pool")
    if inner is None:
        return ""
    inner.allow(("name", "vmImage", "demands"))
    return inner.text("name") or inner.text("vmImage")


def _name(fields: Fields, key: str) -> str:
    name = fields.text(key)
    if not _NAME.fullmatch(name):
        fields.wrong(fields.at(key), f"The {key} name '{name}' is not valid: letters, digits and '_', no digit first")
    return name
