"""A pipeline in its final form to stages, jobs and hooks; what this rehearsal lacks is reported by name.

The schema was checked before. Source of the keys: MicrosoftDocs/azure-devops-yaml-schema, content/{pipeline,stages-stage,jobs-job,
jobs-deployment}.md.
"""

from __future__ import annotations

from rehearsal.pipelines.fields import Fields
from rehearsal.pipelines.model import Hook, Job, Leg, Pipeline, Stage, Step, Strategy, Variable
from rehearsal.pipelines.steps_reading import read_step
from rehearsal.pipelines.yaml_nodes import Mapping, PipelineError, Scalar

_PIPELINE = (
    *("name", "trigger", "pr", "schedules", "pool", "variables", "stages", "lockBehavior", "resources"),
    *("appendCommitMessageToRunName", "parameters"),
)
_STAGE = (
    *("stage", "displayName", "dependsOn", "condition", "variables", "jobs", "lockBehavior", "pool", "isSkippable"),
    *("group", "trigger", "templateContext"),
)
_JOB_COMMON = (
    *("displayName", "dependsOn", "condition", "continueOnError", "timeoutInMinutes", "cancelTimeoutInMinutes"),
    # An empty workspace is what every job gets here; what a job uses besides, and what templates say to each other, runs nothing.
    *("variables", "pool", "workspace", "uses", "templateContext"),
)
_HOOKS = ("preDeploy", "deploy", "routeTraffic", "postRouteTraffic")


def read_pipeline(node: Mapping, errors: list[PipelineError]) -> Pipeline:
    """The pipeline; what a rehearsal does not have is added to `errors`, and what could be read is returned."""
    fields = Fields(node, errors)
    fields.allow(_PIPELINE)
    resources = fields.fields("resources")
    if resources is not None:
        # Their templates are put in already.
        resources.allow(("repositories",))
    return Pipeline(
        file=node.position.file,
        name=fields.text("name") or "$(Date:yyyyMMdd).$(Rev:r)",
        variables=_variables(fields),
        stages=_stages(fields),
        lock_behavior=fields.text("lockBehavior"),
    )


def _stages(fields: Fields) -> tuple[Stage, ...]:
    stages: list[Stage] = []
    for inner in fields.each("stages"):
        inner.allow(_STAGE)
        if inner.text("trigger").lower() == "manual":
            inner.wrong(inner.at("trigger"), "This rehearsal has no stages that a person starts ('trigger: manual')")
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
                lock_behavior=inner.text("lockBehavior"),
                jobs=_jobs(inner),
            )
        )
    return tuple(stages)


def _jobs(fields: Fields) -> tuple[Job, ...]:
    jobs: list[Job] = []
    for inner in fields.each("jobs"):
        if inner.has("deployment"):
            jobs.append(_deployment(inner))
        else:
            inner.allow((*_JOB_COMMON, "job", "steps", "strategy"))
            jobs.append(_job(inner, "job", steps=_steps(inner), strategy=_strategy(inner)))
    return tuple(jobs)


def _job(
    fields: Fields,
    key: str,
    *,
    steps: tuple[Step, ...] = (),
    strategy: Strategy | None = None,
    environment: str = "",
    hooks: tuple[Hook, ...] = (),
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
        strategy=strategy,
        steps=steps,
        environment=environment,
        hooks=hooks,
    )


def _strategy(fields: Fields) -> Strategy | None:
    strategy = fields.fields("strategy")
    if strategy is None:
        return None
    # How many run at a time makes no difference here: a rehearsal runs one job after the other.
    if strategy.has("parallel"):
        return Strategy(parallel=int(strategy.number("parallel", 0)))
    if isinstance(strategy.node.get("matrix"), Scalar):
        text = strategy.text("matrix")
        if text and not text.strip().startswith("$["):
            strategy.wrong(strategy.at("matrix"), f"This rehearsal has no matrix by '{text}', only by $[ expression ]")
        return Strategy(expression=text) if text else None
    matrix = strategy.fields("matrix")
    if matrix is None:
        return None
    legs = tuple(Leg(name=name, variables=matrix.named_texts(name)) for name in matrix.names())
    return Strategy(legs=legs) if legs else None


def _deployment(fields: Fields) -> Job:
    fields.allow((*_JOB_COMMON, "deployment", "environment", "strategy"))
    return _job(fields, "deployment", environment=_environment(fields), hooks=_hooks(fields))


def _environment(fields: Fields) -> str:
    inner = fields.fields("environment")
    if inner is None:
        fields.wrong(fields.position, "A deployment needs an 'environment'")
        return ""
    if inner.has("resourceName"):
        name = f"{inner.text('name')}.{inner.text('resourceName')}"
        inner.wrong(inner.position, f"This rehearsal has no resources of environments: '{name}'")
    else:
        inner.allow(("name",))
    return inner.text("name")


def _hooks(fields: Fields) -> tuple[Hook, ...]:
    strategy = fields.fields("strategy")
    if strategy is None:
        fields.wrong(fields.position, "A deployment needs a 'strategy'")
        return ()
    strategy.allow(("runOnce",))
    run_once = strategy.fields("runOnce")
    if run_once is None:
        return ()
    if not run_once.has("deploy"):
        run_once.wrong(run_once.position, "'runOnce' needs 'deploy'")
    named = [(name, run_once.fields(name)) for name in _HOOKS]
    after = run_once.fields("on")
    if after is not None:
        named += [("on.failure", after.fields("failure")), ("on.success", after.fields("success"))]
    hooks: list[Hook] = []
    for name, hook in named:
        if hook is not None:
            hooks.append(Hook(name=name, steps=_steps(hook), position=hook.position))
    return tuple(hooks)


def _steps(fields: Fields) -> tuple[Step, ...]:
    read = [read_step(inner) for inner in fields.each("steps")]
    return tuple(step for step in read if step is not None)


def _variables(fields: Fields) -> tuple[Variable, ...]:
    variables: list[Variable] = []
    for inner in fields.each("variables"):
        if inner.has("group"):
            variables.append(Variable(name="", value="", group=inner.text("group"), position=inner.at("group")))
            continue
        name = inner.text("name")
        variables.append(Variable(name=name, value=inner.text("value"), readonly=inner.boolean("readonly", False)))
    return tuple(variables)


def _pool(fields: Fields) -> str:
    """The pool's name or image. Which machine a job asks for makes no difference here: all run on this one."""
    if not isinstance(fields.node.get("pool"), Mapping):
        return fields.text("pool")
    inner = fields.fields("pool")
    if inner is None:
        return ""
    return inner.text("name") or inner.text("vmImage")


def _name(fields: Fields, key: str) -> str:
    name = fields.text(key)
    if not name:
        fields.wrong(fields.position, f"This rehearsal has no {key} without a name")
    return name
