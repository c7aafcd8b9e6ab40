"""The expression language of Azure Pipelines.

`parse(text)` once, then `evaluate(node, context)` as often as needed. Semantics follow the expression tests of
microsoft/azure-pipelines-agent and learn.microsoft.com/azure/devops/pipelines/process/expressions.
"""

from rehearsal.pipelines.expressions.evaluation import Context, Counter, evaluate, truth
from rehearsal.pipelines.expressions.parser import Node, parse
from rehearsal.pipelines.expressions.values import (
    CastError,
    ExpressionError,
    ExpressionSyntaxError,
    Parameters,
    Value,
    Version,
    to_text,
)

__all__ = [
    "CastError",
    "Context",
    "Counter",
    "ExpressionError",
    "ExpressionSyntaxError",
    "Node",
    "Parameters",
    "Value",
    "Version",
    "evaluate",
    "parse",
    "to_text",
    "truth",
]
