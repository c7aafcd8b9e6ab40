"""A pipeline after expansion, as frozen data: what the agent runs and the checker looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rehearsal.pipelines.yaml_nodes import Position


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A variable, or with `group` all that a variable group holds."""

    name: str
    value: str
    readonly: bool = False
    group: str = ""
    position: Position = field(default=Position("", 1, 1), compare=False)


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of any kind as the task that it stands for (`script:` is CmdLine@2, `publish:` is PublishPipelineArtifact@1…).

    inputs: by the task's own input names. condition: None is `succeeded()`. timeout_minutes: 0 is none.
    restricted: only some logging commands are obeyed. settable_variables: names that it may set, with `*`; None is any.
    """

    task: str
    inputs: Mapping[str, str]
    position: Position
    name: str = ""
    display_name: str = ""
    condition: str | None = None
    continue_on_error: bool = False
    enabled: bool = True
    timeout_minutes: float = 0
    retries: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    restricted: bool = False
    settable_variables: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Hook:
    """A lifecycle hook of a deployment: preDeploy, deploy, routeTraffic, postRouteTraffic, on.failure or on.success."""

    name: str
    steps: tuple[Step, ...]
    position: Position


@dataclass(frozen=True, kw_only=True)
class Leg:
    """One of the jobs that a matrix or `parallel` makes of one."""

    name: str
    variables: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """legs: of a matrix in the YAML. expression: gives them when the job's turn comes. parallel: how many equal ones."""

    legs: tuple[Leg, ...] = ()
    expression: str = ""
    parallel: int = 0


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job (steps) or a deployment (environment and hooks)."""

    name: str
    position: Position
    display_name: str = ""
    depends_on: tuple[str, ...] = ()
    condition: str | None = None
    continue_on_error: bool = False
    timeout_minutes: float = 60
    cancel_minutes: float = 5
    variables: tuple[Variable, ...] = ()
    pool: str = ""
    strategy: Strategy | None = None
    steps: tuple[Step, ...] = ()
    environment: str = ""
    hooks: tuple[Hook, ...] = ()

    @property
    def is_deployment(self) -> bool:
        return bool(self.hooks)

    def all_steps(self) -> tuple[Step, ...]:
        return self.steps + tuple(step for hook in self.hooks for step in hook.steps)


@dataclass(frozen=True, kw_only=True)
class Stage:
    name: str
    position: Position
    display_name: str = ""
    depends_on: tuple[str, ...] = ()
    condition: str | None = None
    variables: tuple[Variable, ...] = ()
    pool: str = ""
    lock_behavior: str = ""
    jobs: tuple[Job, ...] = ()

    @property
    def deploys(self) -> bool:
        return any(job.is_deployment for job in self.jobs)


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """name is the format of the build number."""

    file: str
    name: str
    variables: tuple[Variable, ...]
    stages: tuple[Stage, ...]
    lock_behavior: str = ""
