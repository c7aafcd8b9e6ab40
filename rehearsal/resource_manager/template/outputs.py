"""Outputs of a deployment (learn.microsoft.com/azure/azure-resource-manager/templates/outputs)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rehearsal.resource_manager.template.context import Runtime
from rehearsal.resource_manager.template.errors import ExpressionError, TemplateError
from rehearsal.resource_manager.template.evaluate import Pending, resolve
from rehearsal.resource_manager.template.loops import items
from rehearsal.resource_manager.template.parameters import TYPES
from rehearsal.resource_manager.template.program import Program
from rehearsal.resource_manager.template.values import describe

Json = Any
_KINDS = {"String": "string", "Integer": "int", "Float": "int", "Boolean": "bool", "Object": "object", "Array": "array"}


def evaluate_outputs(program: Program, runtime: Runtime | None) -> dict[str, Json]:
    """name -> {"type": "String", "value": …}; secure ones without a value. Raises TemplateError."""
    found: dict[str, Json] = {}
    for name, output in program.outputs.items():
        if not isinstance(output, dict):
            raise _wrong(program, name, "An output must be an object.")
        try:
            answer = _one(program, output, runtime)
        except ExpressionError as error:
            raise _wrong(program, name, str(error)) from error
        if answer is not None:
            found[name] = answer
    return found


def check_outputs(program: Program) -> None:
    """What can be told of outputs before the deployment runs. Raises TemplateError with code InvalidTemplate."""
    try:
        evaluate_outputs(program, None)
    except TemplateError as error:
        error.code = "InvalidTemplate"
        raise


def _one(program: Program, output: Mapping[str, Json], runtime: Runtime | None) -> Json:
    kind = str(output.get("type", "")).lower()
    if kind not in TYPES:
        raise ExpressionError(f"The output type '{output.get('type')}' is not supported")
    context = replace(program.context, runtime=runtime)
    if resolve(output.get("condition", True), replace(context, references_allowed=False)) is not True:
        return None
    loop = output.get("copy")
    value = items(loop, context, name="") if isinstance(loop, dict) else resolve(output.get("value"), context)
    if isinstance(value, Pending):
        return {"type": TYPES[kind], "value": value}
    found = _KINDS.get(describe(value))
    nullable = output.get("nullable") is True and value is None
    if found != kind.removeprefix("secure") and not nullable:
        raise ExpressionError(
            f"Template output JToken type is not valid. Expected '{TYPES[kind]}'. Actual '{describe(value)}'"
        )
    return {"type": TYPES[kind]} if kind.startswith("secure") else {"type": TYPES[kind], "value": value}


def _wrong(program: Program, name: str, why: str) -> TemplateError:
    return TemplateError(
        f"The template output '{name}' {{position}} is not valid: {why.rstrip('.')}.",
        path=(*program.path, "outputs", name),
        code="DeploymentOutputEvaluationFailed",
    )
