"""The order of stages and of jobs: what depends on what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from rehearsal.pipelines.model import Job, Pipeline, Stage
from rehearsal.pipelines.yaml_nodes import PipelineError, Position

T = TypeVar("T", Stage, Job)


class Ordered(Protocol):
    """A stage or a job: what has a name and waits for others."""

    @property
    def name(self) -> str: ...
    @property
    def position(self) -> Position: ...
    @property
    def depends_on(self) -> tuple[str, ...]: ...


def check_order(pipeline: Pipeline) -> list[PipelineError]:
    """Names used twice, dependencies on nothing, circles."""
    errors = check_names("stage", pipeline.stages, Position(pipeline.file, 1, 1))
    for stage in pipeline.stages:
        errors += check_names("job", stage.jobs, stage.position, f"Stage {stage.name}")
    return errors


def check_names(what: str, items: Sequence[Ordered], at: Position, holder: str = "The pipeline") -> list[PipelineError]:
    """What is wrong with the order of the stages of a pipeline, or of the jobs of a stage."""
    errors: list[PipelineError] = []
    names: dict[str, Ordered] = {}
    for item in items:
        if item.name and item.name.lower() in names:
            text = f"The {what} name '{item.name}' appears more than once. {what.capitalize()} names must be unique"
            errors.append(PipelineError(item.position, text))
        names[item.name.lower()] = item
    for item in items:
        for name in item.depends_on:
            if name.lower() not in names:
                text = f"The {what} '{item.name}' depends on the unknown {what} '{name}'"
                errors.append(PipelineError(item.position, text))
    if not any(not item.depends_on for item in items):
        errors.append(PipelineError(at, f"{holder} must contain at least one {what} with no dependencies."))
    circle = _circle(items)
    if circle:
        path = " -> ".join(circle)
        errors.append(
            PipelineError(names[circle[0].lower()].position, f"The {what}s depend on each other in a circle: {path}")
        )
    return errors


def _circle(items: Sequence[Ordered]) -> list[str]:
    left = {item.name.lower(): item for item in items}
    known = set(left)
    while True:
        ready = [name for name, item in left.items() if not any(other.lower() in left for other in item.depends_on)]
        if not ready:
            break
        for name in ready:
            del left[name]
    if not left:
        return []
    path: list[str] = []
    at = next(iter(left))
    while at not in path:
        path.append(at)
        at = next(other.lower() for other in left[at].depends_on if other.lower() in left and other.lower() in known)
    return [left[name].name for name in [*path[path.index(at) :], at]]


def in_order(items: Sequence[T]) -> list[T]:
    """Everything after what it depends on, otherwise as in the file. The items hold no circle."""
    done: list[T] = []
    left = list(items)
    while left:
        names = {item.name.lower() for item in left}
        ready = next(item for item in left if not names & {other.lower() for other in item.depends_on})
        left.remove(ready)
        done.append(ready)
    return done


def ancestors(name: str, direct: Mapping[str, Sequence[str]]) -> set[str]:
    """All names, in lower case, that `name` depends on, directly or not."""
    found: set[str] = set()
    waiting = [other.lower() for other in direct.get(name.lower(), ())]
    while waiting:
        other = waiting.pop()
        if other not in found:
            found.add(other)
            waiting += [further.lower() for further in direct.get(other, ())]
    return found
