"""A small schema language for the configuration: it names every mistake with its key path, not only the first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.domain.configuration import Key, Unresolved

Report = Callable[[Key, str], None]


@dataclass(frozen=True)
class Text:
    """Text that matches `pattern` as a whole; `says` describes it to people."""

    pattern: str = r"(?s).+"
    says: str = "text"

    def check(self, value: Any, path: Key, report: Report) -> None:
        if not isinstance(value, str):
            report(path, f"must be {self.says}, not {kind(value)}" + _quote_hint(value))
        elif not re.fullmatch(self.pattern, value):
            report(path, f"{value!r} is not {self.says}")


@dataclass(frozen=True)
class Choice:
    values: tuple[str, ...]

    def check(self, value: Any, path: Key, report: Report) -> None:
        if not isinstance(value, str) or value not in self.values:
            report(path, f"must be {' or '.join(self.values)}, not {value!r}")


@dataclass(frozen=True)
class Flag:
    def check(self, value: Any, path: Key, report: Report) -> None:
        if not isinstance(value, bool):
            report(path, f"must be true or false, not {value!r}")


@dataclass(frozen=True)
class Whole:
    low: int
    high: int

    def check(self, value: Any, path: Key, report: Report) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            report(path, f"must be a whole number, not {kind(value)}")
        elif not self.low <= value <= self.high:
            report(path, f"must be from {self.low} to {self.high}, not {value}")


@dataclass(frozen=True)
class Scalar:
    """Text, number or true/false."""

    def check(self, value: Any, path: Key, report: Report) -> None:
        if not isinstance(value, str | int | float | bool):
            report(path, f"must be text, a number or true/false, not {kind(value)}")


@dataclass(frozen=True)
class Plain:
    """Anything that JSON can hold; `forbidden` keys, each with the reason, are refused at the top."""

    forbidden: Mapping[str, str] = field(default_factory=dict)

    def check(self, value: Any, path: Key, report: Report) -> None:
        if not isinstance(value, Mapping):
            report(path, f"must be a mapping, not {kind(value)}")
            return
        for key in value.keys() & self.forbidden.keys():
            report((*path, key), self.forbidden[key])
        _check_json(value, path, report)


@dataclass(frozen=True)
class Items:
    of: Rule

    def check(self, value: Any, path: Key, report: Report) -> None:
        if not isinstance(value, list):
            report(path, f"must be a list, not {kind(value)}")
            return
        for index, item in enumerate(value):
            check(self.of, item, (*path, index), report)


@dataclass(frozen=True)
class Table:
    """A mapping with free keys that match `key`."""

    of: Rule
    key: str = r"[A-Za-z0-9_.-]{1,128}"

    def check(self, value: Any, path: Key, report: Report) -> None:
        if not isinstance(value, Mapping):
            report(path, f"must be a mapping, not {kind(value)}")
            return
        for name, item in value.items():
            if not re.fullmatch(self.key, name):
                report((*path, name), f"{name!r} is not a valid name here (it must match {self.key})")
            check(self.of, item, (*path, name), report)


@dataclass(frozen=True)
class Keys:
    """A mapping with exactly these keys; those in `optional` may be absent."""

    fields: Mapping[str, Rule]
    optional: frozenset[str] = frozenset()

    def check(self, value: Any, path: Key, report: Report) -> None:
        if not isinstance(value, Mapping):
            report(path, f"must be a mapping, not {kind(value)}")
            return
        for name in sorted(value.keys() - self.fields.keys()):
            report((*path, name), f"unknown key; known here: {', '.join(sorted(self.fields))}")
        for name, rule in self.fields.items():
            if name in value:
                check(rule, value[name], (*path, name), report)
            elif name not in self.optional:
                report((*path, name), "is missing")


Rule = Text | Choice | Flag | Whole | Scalar | Plain | Items | Table | Keys


def check(rule: Rule, value: Any, path: Key, report: Report) -> None:
    """Reports every place where `value` breaks `rule`; what an expression left unresolved is passed by."""
    if not isinstance(value, Unresolved):
        rule.check(value, path, report)


def kind(value: Any) -> str:
    """What a value is, in words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "text" if isinstance(value, str) else f"a {type(value).__name__}"


def _quote_hint(value: Any) -> str:
    return "" if value is None or isinstance(value, Mapping | list) else "; quote it"


def _check_json(value: Any, path: Key, report: Report) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            _check_json(item, (*path, key), report)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_json(item, (*path, index), report)
    elif not isinstance(value, str | int | float | bool | Unresolved | None):
        report(path, f"JSON has no {type(value).__name__}; quote it")
