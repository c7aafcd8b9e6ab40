"""What a matrix or `parallel` makes of one job.

[learn] pipelines/yaml-schema/jobs-job-strategy; the variables are those of [learn] build/variables.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from rehearsal.pipelines.conditions import runtime_value
from rehearsal.pipelines.expressions import ExpressionError, Value, to_text
from rehearsal.pipelines.model import Leg, Strategy


def legs_of(strategy: Strategy | None, names: Mapping[str, Value]) -> list[Leg]:
    """The jobs that run in the place of one; [] where there is one alone. Raises ExpressionError."""
    if strategy is None:
        return []
    if strategy.parallel:
        found = [Leg(name=f"{number + 1}", variables={}) for number in range(strategy.parallel)]
        return _numbered(found, "MultiMachine")
    legs = list(strategy.legs) if not strategy.expression else _from_text(runtime_value(strategy.expression, names))
    return _numbered(legs, "MultiConfiguration")


def _from_text(text: str) -> list[Leg]:
    """A matrix that an earlier job wrote as JSON: names of legs, each with its variables."""
    try:
        matrix = json.loads(text)
    except ValueError as error:
        raise ExpressionError(f"the matrix is no JSON: {error}") from error
    if not isinstance(matrix, dict) or not all(isinstance(leg, dict) for leg in matrix.values()):
        raise ExpressionError("the matrix is no object of objects")
    return [
        Leg(name=name, variables={key: to_text(value) for key, value in leg.items()}) for name, leg in matrix.items()
    ]


def _numbered(legs: list[Leg], kind: str) -> list[Leg]:
    return [
        Leg(
            name=leg.name,
            variables={
                "System.JobPositionInPhase": str(number),
                "System.TotalJobsInPhase": str(len(legs)),
                "System.ParallelExecutionType": kind,
                **leg.variables,
            },
        )
        for number, leg in enumerate(legs, 1)
    ]
