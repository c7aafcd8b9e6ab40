"""Which resource of a template a deployed name belongs to.

Names in templates are expressions. They are not evaluated here, only matched: what can't be told from the file and the given
parameters (a hash, a date, a copy index) matches anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from slipway.services.resource_manager.template_lines import Place, Template

_STRING = re.compile(r"'((?:[^']|'')*)'")
_CALL = re.compile(r"([A-Za-z_]\w*)\((.*)\)", re.DOTALL)
_HOLE = re.compile(r"\{(\d+)(?::[^}]*)?\}")
_ANYTHING = ".+"
_DEEPEST = 20


def split_id(provider_part: str) -> tuple[str, str]:
    """`Microsoft.X/as/a1/bs/b1` as type `Microsoft.X/as/bs` and name `a1/b1`."""
    first, *rest = provider_part.split("/")
    return "/".join([first, *rest[::2]]), "/".join(rest[1::2])


def find_resource(template: Template, parameters: Mapping[str, Any], kind: str, name: str) -> Place:
    """The place of the resource of that type ("" = any) and name; () unless exactly one fits best."""
    fits: dict[Place, int] = {}
    same_kind: list[Place] = []
    for place, resource_kind, expression in _resources(template.content.get("resources"), ("resources",), ""):
        if kind and resource_kind.lower() != kind.lower():
            continue
        same_kind.append(place)
        pattern = name_pattern(expression, template, parameters)
        # A nested child's name lacks the names of its parents.
        if re.fullmatch(pattern, name, re.I | re.DOTALL) or re.fullmatch(f".+/{pattern}", name, re.I | re.DOTALL):
            fits[place] = len(pattern.replace(_ANYTHING, ""))
    best = [place for place, known in fits.items() if known == max(fits.values())]
    if len(best) == 1:
        return best[0]
    return same_kind[0] if kind and len(same_kind) == 1 else ()


def _resources(resources: Any, place: Place, parent: str) -> Iterator[tuple[Place, str, str]]:
    items: list[tuple[str | int, Any]] = []
    if isinstance(resources, list):
        items = list(enumerate(resources))
    elif isinstance(resources, dict):  # languageVersion 2.0: by symbolic name
        items = list(resources.items())
    for key, resource in items:
        if isinstance(resource, dict):
            kind = str(resource.get("type", ""))
            kind = f"{parent}/{kind}" if parent and "." not in kind.split("/")[0] else kind
            yield (*place, key), kind, str(resource.get("name", ""))
            yield from _resources(resource.get("resources"), (*place, key, "resources"), kind)


def name_pattern(text: str, template: Template, parameters: Mapping[str, Any]) -> str:
    """A regular expression for the names that `text`, a literal or a `[…]` expression, can stand for."""
    if text.startswith("[") and text.endswith("]") and not text.startswith("[["):
        return _pattern(text[1:-1], template, parameters, 0)
    return re.escape(text)


def _pattern(expression: str, template: Template, parameters: Mapping[str, Any], depth: int) -> str:
    expression = expression.strip()
    string = _STRING.fullmatch(expression)
    if string:
        return re.escape(string.group(1).replace("''", "'"))
    call = _CALL.fullmatch(expression)
    if not call or depth > _DEEPEST:
        return _ANYTHING
    function, arguments = call.group(1).lower(), _arguments(call.group(2))
    if function in ("parameters", "variables") and len(arguments) == 1:
        return _named(function, arguments[0].strip("' "), template, parameters, depth)
    parts = [_pattern(argument, template, parameters, depth + 1) for argument in arguments]
    if function == "concat":
        return "".join(parts)
    form = _STRING.fullmatch(arguments[0].strip()) if function == "format" and arguments else None
    if form:
        pieces = _HOLE.split(form.group(1).replace("''", "'"))
        return "".join(_piece(piece, index, parts[1:]) for index, piece in enumerate(pieces))
    return _ANYTHING


def _piece(piece: str, index: int, parts: list[str]) -> str:
    """Of a format string split at its holes: text at even places, the number of an argument at odd ones."""
    if index % 2 == 0:
        return re.escape(piece)
    return parts[int(piece)] if int(piece) < len(parts) else _ANYTHING


def _named(function: str, name: str, template: Template, parameters: Mapping[str, Any], depth: int) -> str:
    if function == "parameters":
        if name in parameters:
            return re.escape(str(parameters[name]))
        declared = (template.content.get("parameters") or {}).get(name)
        value = declared.get("defaultValue") if isinstance(declared, dict) else None
    else:
        value = (template.content.get("variables") or {}).get(name)
    if not isinstance(value, str):
        return _ANYTHING
    if value.startswith("[") and value.endswith("]"):
        return _pattern(value[1:-1], template, parameters, depth + 1)
    return re.escape(value)


def _arguments(text: str) -> list[str]:
    """Splits at the commas that are in no string and no brackets."""
    parts, depth, start, quoted = [], 0, 0, False
    for position, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif not quoted and character in "([":
            depth += 1
        elif not quoted and character in ")]":
            depth -= 1
        elif character == "," and not quoted and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    rest = text[start:]
    return [*parts, rest] if rest.strip() or parts else []
