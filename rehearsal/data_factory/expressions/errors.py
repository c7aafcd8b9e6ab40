"""What goes wrong with expressions."""

from __future__ import annotations


class ExpressionError(Exception):
    """An expression that can't be read or evaluated; the text says why."""


class SyntaxMistake(ExpressionError):
    """An expression that can't be read. column: 1-based, in the whole string."""

    def __init__(self, column: int, text: str) -> None:
        super().__init__(f"column {column}: {text}")
        self.column = column


class FunctionNotHere(Exception):
    """A function of the service that this rehearsal does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(f"function '{name}'")
        self.name = name
