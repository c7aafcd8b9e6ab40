"""`condition:` and `$[ ]`: what they may name, and what they say during a run.

Source: learn.microsoft.com/azure/devops/pipelines/process/conditions and process/expressions (dependencies).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rehearsal.pipelines.events import Result
from rehearsal.pipelines.expressions import (
    Context,
    Counter,
    ExpressionError,
    ExpressionSyntaxError,
    Node,
    Value,
    evaluate,
    parse,
    to_text,
    truth,
)
from rehearsal.pipelines.expressions.functions import STATUS_FUNCTIONS
from rehearsal.pipelines.expressions.parser import Call, Index, Literal, Name

GOOD: Collection[Result] = ("succeeded", "succeededWithIssues")
# What the service's preview took, as PGielniak/azdo-pipeline-emulator measured it (research/E02-expressions.md).
_OF_A_GRAPH = ("variables", "dependencies", "stageDependencies", "pipeline")
NAMES_BY_LEVEL: Mapping[str, tuple[str, ...]] = {"stage": _OF_A_GRAPH, "job": _OF_A_GRAPH, "step": ("variables",)}
# What `dependencies.x.result` says: learn.microsoft.com/azure/devops/pipelines/process/expressions#dependencies
RESULT_NAMES: Mapping[Result, str] = {
    "succeeded": "Succeeded",
    "succeededWithIssues": "SucceededWithIssues",
    "failed": "Failed",
    "canceled": "Canceled",
    "skipped": "Skipped",
}


def check_condition(text: str, level: str) -> str | None:
    """What the service refuses in a condition of a stage or a job, or None."""
    try:
        tree = parse(text)
    except ExpressionError as error:
        return str(error)
    return _unknown_name(tree, level)


def _unknown_name(tree: Node, level: str) -> str | None:
    for node in _walk(tree):
        if isinstance(node, Name) and node.name.lower() not in [name.lower() for name in NAMES_BY_LEVEL[level]]:
            return f"Unrecognized value: '{node.name}'. A condition of a {level} knows {' and '.join(NAMES_BY_LEVEL[level])}"
        if isinstance(node, Call) and node.function.name == "counter":
            return "Unrecognized value: 'counter'. It can stand only in a variable's value"
    return None


@dataclass(frozen=True)
class StepCondition:
    """What is wrong with a step's condition: refused by the service, or by the agent when the step's turn comes."""

    refused: str | None = None
    later: str | None = None


def check_step_condition(text: str) -> StepCondition:
    """The service looks at the form alone; names are the agent's affair."""
    try:
        tree = parse(text)
    except ExpressionSyntaxError as error:
        if error.token and f"Unrecognized value: '{error.token}'" in str(error) and error.token[:1].isalpha():
            return StepCondition(later=f"{error}. The agent will refuse the condition")
        return StepCondition(refused=str(error))
    for node in _walk(tree):
        if isinstance(node, Call) and node.function.name.lower() in STATUS_FUNCTIONS and node.arguments:
            return StepCondition(
                later=f"In a step, {node.function.name}() takes no names: the agent will refuse the condition"
            )
    wrong = _unknown_name(tree, "step")
    return StepCondition(later=f"{wrong}: the agent will refuse the condition" if wrong else None)


def unknown_dependencies(text: str, level: str, dependencies: Collection[str]) -> list[str]:
    """Names that a condition of a stage or job asks `dependencies` for, and that it does not wait for."""
    known = {name.lower() for name in dependencies}
    found: list[str] = []
    for node in _walk(parse(text)):
        match node:
            case Index(Name(name), Literal(str(item))) if name.lower() == "dependencies" and item.lower() not in known:
                found.append(item)
    return found if level in ("stage", "job") else []


def _walk(node: Node) -> Iterator[Node]:
    yield node
    match node:
        case Index(target, key):
            yield from _walk(target)
            if key is not None:
                yield from _walk(key)
        case Call(_, arguments):
            for argument in arguments:
                yield from _walk(argument)


@dataclass(frozen=True)
class Finished:
    """A stage or job that is over, as others see it: outputs by the names that `outputs['…']` takes."""

    result: Result
    outputs: Mapping[str, str]

    def as_value(self) -> Value:
        return {"result": RESULT_NAMES[self.result], "outputs": dict(self.outputs)}


def decide(text: str | None, names: Mapping[str, Value], status: Mapping[str, Callable[[Sequence[str]], bool]]) -> bool:
    """Whether something runs; None is `succeeded()`. Raises ExpressionError."""
    return truth(parse(text or "succeeded()"), Context(names, status))


def runtime_value(text: str, names: Mapping[str, Value], counter: Counter | None = None) -> str:
    """The text of `$[ expression ]`. Raises ExpressionError."""
    inner = text.strip()
    if not (inner.startswith("$[") and inner.endswith("]")):
        raise ExpressionError(f"a runtime expression must be the whole value: {text}")
    return to_text(evaluate(parse(inner[2:-1]), Context(names, counter=counter)))


def graph_status(
    before: Mapping[str, Result], all_before: Collection[str], *, canceled: bool
) -> dict[str, Callable[[Sequence[str]], bool]]:
    """succeeded(), failed()… for a stage or a job.

    before: results by lower-case name; all_before: what comes before it in the graph, which counts when no names are given.
    A name that is not before it has no result. What each says of skipped ones was measured with runs of the service by
    PGielniak/azdo-pipeline-emulator (research/E02-expressions.md): nothing but always().
    """

    def chosen(names: Sequence[str]) -> list[Result | None]:
        return [before.get(name.lower()) for name in (names or all_before)]

    return {
        "always": lambda _: True,
        "canceled": lambda _: canceled,
        "succeeded": lambda names: not canceled and all(result in GOOD for result in chosen(names)),
        "failed": lambda names: not canceled and any(result == "failed" for result in chosen(names)),
        "succeededorfailed": lambda names: not canceled and _some_ended(chosen(names)),
    }


def _some_ended(results: Sequence[Result | None]) -> bool:
    return not results or any(result in (*GOOD, "failed") for result in results)


def step_status(job: Result) -> dict[str, Callable[[Sequence[str]], bool]]:
    """The same for a step: what counts is how its job stands ([agent] Expressions/*Node.cs)."""
    return {
        "always": lambda _: True,
        "canceled": lambda _: job == "canceled",
        "succeeded": lambda _: job in GOOD,
        "failed": lambda _: job == "failed",
        "succeededorfailed": lambda _: job in (*GOOD, "failed"),
    }
