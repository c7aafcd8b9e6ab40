"""Reads configuration: YAML with the place of every key, merging, `{{ name }}`. Knows no key's meaning."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from slipway.errors import Finding

Key = tuple[str | int, ...]
Places = dict[Key, tuple[str, int]]

EXPRESSION = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_BASE: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_VALUES = 20_000  # a file of aliases to aliases must not eat the machine


class Unresolved:
    """Stands where an expression could not be resolved; the finding is already made, so checks pass it by."""

    def __repr__(self) -> str:
        return "<unresolved>"


UNRESOLVED = Unresolved()


def show(path: Key) -> str:
    """A key path as people write it: `a.b[0].c`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text


class _Reader:
    """Turns one YAML document into plain values, noting each key's place and every mistake."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.places: Places = {}
        self.findings: list[Finding] = []
        self._values = 0
        self._constructor = yaml.SafeLoader("")

    def find(self, path: Key, text: str, node: yaml.Node) -> None:
        self.findings.append(Finding(self.file, show(path), text, node.start_mark.line + 1))

    def value(self, node: yaml.Node, path: Key, above: tuple[int, ...] = ()) -> Any:
        self._values += 1
        if self._values > _MOST_VALUES:
            raise yaml.YAMLError(f"more than {_MOST_VALUES} values")
        if id(node) in above:
            self.find(path, "an alias refers to what it is part of", node)
            return UNRESOLVED
        above = (*above, id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, above)
        if isinstance(node, yaml.SequenceNode):
            return [self._placed(item, (*path, index), item, above) for index, item in enumerate(node.value)]
        try:
            return self._constructor.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            problem = getattr(error, "problem", None) or str(error)
            self.find(path, f"can't be read: {problem}", node)
            return UNRESOLVED

    def _mapping(self, node: yaml.MappingNode, path: Key, above: tuple[int, ...]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.value(key_node, path, above) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                self.find(path, "a key must be text; quote it", key_node)
                continue
            if key in result:
                self.find((*path, key), "this key is here twice", key_node)
                continue
            result[key] = self._placed(value_node, (*path, key), key_node, above)
        return result

    def _placed(self, node: yaml.Node, path: Key, at: yaml.Node, above: tuple[int, ...]) -> Any:
        self.places[path] = (self.file, at.start_mark.line + 1)
        return self.value(node, path, above)


def parse(text: str, file: str) -> tuple[dict[str, Any], Places, list[Finding]]:
    """The mapping in a YAML text, each key's place (file, line from 1), and the mistakes found."""
    reader = _Reader(file)
    try:
        node = yaml.compose(text, Loader=_BASE)
        value = {} if node is None else reader.value(node, ())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        return {}, {}, [Finding(file, "", f"not valid YAML: {problem}", None if mark is None else mark.line + 1)]
    except RecursionError:
        return {}, {}, [Finding(file, "", "not valid YAML: nested too deeply")]
    if not isinstance(value, dict):
        return {}, {}, [Finding(file, "", "must be a mapping of keys to values", 1)]
    return value, reader.places, reader.findings


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` over `base`: mappings are merged, everything else is replaced; null takes a key away."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            result[key] = merge(below if isinstance(below, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def look_up(values: Any, path: str) -> tuple[bool, Any]:
    """Whether `a.b.c` is there, and its value."""
    for part in path.split("."):
        if not isinstance(values, Mapping) or part not in values:
            return False, None
        values = values[part]
    return True, values


def render(text: str, value_of: Callable[[str], Any], complain: Callable[[str], None]) -> Any:
    """`text` with its `{{ name }}` filled in by `value_of` (KeyError: not defined; UNRESOLVED: say no more).

    A text that is one expression takes the value with its type; inside other text only scalars make sense.
    """
    failed = False

    def fill(match: re.Match[str]) -> str:
        nonlocal failed
        try:
            value = value_of(match[1])
        except KeyError as error:
            complain(str(error.args[0]))
            failed = True
            return ""
        if isinstance(value, Unresolved):
            failed = True
            return ""
        if value is None or isinstance(value, Mapping | list):
            complain(f"{match[0]} is not a single value, so it can't be part of a text")
            failed = True
            return ""
        return str(value).lower() if isinstance(value, bool) else str(value)

    whole = EXPRESSION.fullmatch(text.strip())
    if whole is not None:
        try:
            return value_of(whole[1])
        except KeyError as error:
            complain(str(error.args[0]))
            return UNRESOLVED
    filled = EXPRESSION.sub(fill, text)
    return UNRESOLVED if failed else filled


class Resolver:
    """Resolves the expressions of a whole configuration, each value once; finds unknown names and circles."""

    def __init__(self, values: Mapping[str, Any], constants: Mapping[str, str], places: Places) -> None:
        self._values = values
        self._constants = constants
        self._places = places
        self._done: dict[Key, Any] = {}
        self._open: list[str] = []
        self.findings: list[Finding] = []

    def resolve(self) -> dict[str, Any]:
        return {key: self._value(value, (key,)) for key, value in self._values.items()}

    def _value(self, value: Any, path: Key) -> Any:
        if isinstance(value, Mapping):
            return {key: self._value(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, str) or "{{" not in value:
            return value
        if path not in self._done:
            self._open.append(show(path))
            self._done[path] = self._render(value, path)
            self._open.pop()
        return self._done[path]

    def _render(self, text: str, path: Key) -> Any:
        result = render(text, self._named, lambda problem: self._find(path, problem))
        if isinstance(result, str) and "{{" in result and EXPRESSION.search(text) is None:
            self._find(path, "`{{` without its `}}`")
            return UNRESOLVED
        return result

    def _named(self, name: str) -> Any:
        if name in self._constants:
            return self._constants[name]
        if name in self._open:
            circle = " -> ".join([*self._open[self._open.index(name) :], name])
            raise KeyError(f"{{{{ {name} }}}} goes in a circle: {circle}")
        known, value = look_up(self._values, name)
        if not known:
            raise KeyError(f"{{{{ {name} }}}} is not defined by this configuration")
        return self._value(value, tuple(name.split(".")))

    def _find(self, path: Key, text: str) -> None:
        file, line = self._places.get(path, ("config", None))
        self.findings.append(Finding(file, show(path), text, line))
