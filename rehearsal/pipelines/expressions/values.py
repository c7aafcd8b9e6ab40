"""The kinds of value that an expression knows, and how one becomes another.

null is None, Boolean is bool, Number is Decimal (as in the agent, so that no digit is lost), Version, String is str,
Array is a list and Object a mapping. int and float are taken for numbers where data comes from outside.
Source of the casts: microsoft/azure-pipelines-agent, EvaluationResult.cs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Value = Any


class ExpressionError(Exception):
    """An expression that cannot be evaluated; the text says why."""


class ExpressionSyntaxError(ExpressionError):
    """An expression that cannot be read. `token` is the text at which reading stopped, `offset` where that stands."""

    def __init__(self, message: str, token: str = "", offset: int | None = None) -> None:
        super().__init__(message)
        self.token = token
        self.offset = offset

    def within(self, expression: str) -> ExpressionSyntaxError:
        """The same with the place in the expression, as the service says it: from 1, in the text without blanks around."""
        if self.offset is None:
            return self
        at = self.offset + 1 - (len(expression) - len(expression.lstrip()))
        text = f"{self}. Located at position {at} within expression: '{expression.strip()}'"
        return ExpressionSyntaxError(text, self.token)


class CastError(ExpressionError):
    """A value of one kind that cannot become the other kind."""

    def __init__(self, value: Value, to_kind: str) -> None:
        self.from_kind = kind(value)
        self.to_kind = to_kind
        shown = f"'{value}'" if isinstance(value, str) else self.from_kind
        told = f" Value: {shown}" if self.from_kind in ("String", "Array", "Object") else ""
        super().__init__(f"Unable to convert from {self.from_kind} to {to_kind}.{told}")


@dataclass(frozen=True, order=True)
class Version:
    """A version of two to four numbers; a part that is not given is -1, which orders 1.2 before 1.2.0 (System.Version)."""

    major: int
    minor: int
    build: int = -1
    revision: int = -1

    def __str__(self) -> str:
        return ".".join(str(part) for part in (self.major, self.minor, self.build, self.revision) if part >= 0)


_VERSION = re.compile(r"\s*(\d{1,10})\.(\d{1,10})(?:\.(\d{1,10}))?(?:\.(\d{1,10}))?\s*")
_NUMBER = re.compile(r"\s*([+-]?)\s*((?:\d[\d,]*)?(?:\.\d*)?)\s*")
_LARGEST_VERSION_PART = 2**31 - 1


def kind(value: Value) -> str:
    """Null, Boolean, Number, Version, String, Array or Object."""
    match value:
        case None:
            return "Null"
        case bool():
            return "Boolean"
        case Decimal() | int() | float():
            return "Number"
        case Version():
            return "Version"
        case str():
            return "String"
        case datetime():
            return "DateTime"
        case Mapping():
            return "Object"
        case Sequence():
            return "Array"
    raise ExpressionError(f"a {type(value).__name__} is not a value of an expression")


def number(value: Decimal | int | float) -> Decimal:
    """Any Python number as the number of an expression."""
    return value if isinstance(value, Decimal) else Decimal(str(value))


def parse_version(text: str) -> Version | None:
    """As System.Version.TryParse: two to four numbers, blanks around allowed."""
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    parts = [int(part) for part in match.groups() if part is not None]
    return Version(*parts) if max(parts) <= _LARGEST_VERSION_PART else None


def parse_number(text: str) -> Decimal | None:
    """Invariant culture: sign, blanks around, thousands separators, decimal point; '' is 0."""
    if text == "":
        return Decimal(0)
    match = _NUMBER.fullmatch(text)
    if match is None or not any(character.isdigit() for character in match.group(2)):
        return None
    if not text.isascii():
        return None
    return Decimal(match.group(1) + match.group(2).replace(",", ""))


def to_boolean(value: Value) -> bool:
    """false, 0, '' and null are false; everything else is true, 'false' too."""
    match kind(value):
        case "Null":
            return False
        case "Boolean" | "Number" | "String":
            return bool(value)
    return True


def to_number(value: Value) -> Decimal:
    """Raises CastError for versions, arrays, objects and text that is no number."""
    match kind(value):
        case "Null":
            return Decimal(0)
        case "Boolean":
            return Decimal(1 if value else 0)
        case "Number":
            return number(value)
        case "String":
            parsed = parse_number(value)
            if parsed is not None:
                return parsed
    raise CastError(value, "Number")


def number_text(value: Decimal | int | float) -> str:
    """The format `0.#######`: at most seven decimals, none that are not needed, no sign on zero."""
    rounded = (
        number(value).quantize(Decimal("0.0000001"), rounding=ROUND_HALF_UP) if _has_decimals(value) else number(value)
    )
    text = format(rounded, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _has_decimals(value: Decimal | int | float) -> bool:
    as_number = number(value)
    return as_number != as_number.to_integral_value() and abs(as_number) < Decimal(10) ** 20


def to_text(value: Value) -> str:
    """Raises CastError for arrays and objects."""
    match kind(value):
        case "Null":
            return ""
        case "Boolean":
            return "True" if value else "False"
        case "Number":
            return number_text(value)
        case "String":
            return str(value)
        case "Version":
            return str(value)
    raise CastError(value, "String")


def to_version(value: Value) -> Version:
    """From a version, or from the text of a string or number. Raises CastError."""
    if isinstance(value, Version):
        return value
    parsed = parse_version(to_text(value)) if kind(value) in ("String", "Number") else None
    if parsed is None:
        raise CastError(value, "Version")
    return parsed


def cast_like(left: Value, right: Value) -> Value:
    """right, converted to the kind of left. Raises CastError."""
    match kind(left):
        case "Boolean":
            return to_boolean(right)
        case "Number":
            return to_number(right)
        case "String":
            return to_text(right)
        case "Version":
            return to_version(right)
        case "Null":
            if right is None or right == "":
                return None
    raise CastError(right, kind(left))


def equal(left: Value, right: Value) -> bool:
    """eq(): right is converted to the kind of left, and what cannot be converted is not equal. Text ignores case."""
    if kind(left) in ("Array", "Object"):
        return left is right
    try:
        right = cast_like(left, right)
    except CastError:
        return False
    if isinstance(left, str):
        return fold(left) == fold(right)
    return bool(left == right)


def compare(left: Value, right: Value) -> int:
    """Less than, equal or greater than 0 for lt, le, gt, ge. Raises CastError where right cannot become left's kind."""
    if kind(left) in ("Array", "Object", "Null"):
        raise CastError(left, "Number")
    right = cast_like(left, right)
    if isinstance(left, str):
        left, right = fold(left), fold(right)
    return 1 if left > right else -1 if left < right else 0


def fold(text: str) -> str:
    """Text for a comparison that ignores case one character at a time (StringComparison.OrdinalIgnoreCase)."""
    return "".join(upper if len(upper := character.upper()) == 1 else character for character in text)


class Parameters(dict[str, Value]):
    """The context `parameters`: asking for one that is not declared is a mistake."""


def member(mapping: Mapping[str, Value], name: str) -> Value:
    """The value of a key; null when there is none. Contexts ignore case, objects of a file do not.

    Measured with the service's preview by PGielniak/azdo-pipeline-emulator, research/E02-expressions.md.
    """
    if name in mapping:
        return mapping[name]
    if getattr(mapping, "exact", False):
        return None
    folded = fold(name)
    if isinstance(mapping, Parameters) and folded not in [fold(key) for key in mapping]:
        raise ExpressionError(f"Key not found '{name}'")
    return next((value for key, value in mapping.items() if fold(key) == folded), None)
