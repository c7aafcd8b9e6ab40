"""Deployment functions (learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-deployment)."""

from __future__ import annotations

from typing import Any

from rehearsal.resource_manager.template.context import Context
from rehearsal.resource_manager.template.errors import ExpressionError
from rehearsal.resource_manager.template.functions.function import Function, plain, text

Json = Any


def _fail(message: Json) -> Json:
    raise ExpressionError(text("fail", message))


def _part(name: str) -> Function:
    def read(context: Context, _arguments: list[Json]) -> Json:
        value = getattr(context.target, name)
        if value is None:
            raise ExpressionError(f"The template function '{name}' is not expected at this location.")
        return value

    return Function(name, 0, 0, eager=read)


FUNCTIONS = (
    Function("parameters", 1, 1, eager=lambda context, names: context.parameters(text("parameters", names[0]))),
    Function("variables", 1, 1, eager=lambda context, names: context.variables(text("variables", names[0]))),
    _part("deployment"),
    _part("deployer"),
    _part("environment"),
    plain("fail", 1, 1, _fail),
)
