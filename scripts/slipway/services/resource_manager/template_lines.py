"""Where things stand in a template file: JSON, with comments allowed, read together with the line of every value."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slipway.errors import Finding, ReleaseError

Place = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t\r\n]*")
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]|\['((?:[^']|'')*)'\]")
_DEEPEST = 200
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Template:
    """A template file: its name for people, its text with comments blanked, its content, and the line of each value."""

    file: str
    text: str
    content: dict[str, Any]
    lines: dict[Place, int] = field(repr=False)

    def line_of(self, place: Place) -> int | None:
        """The line of a value, or of the nearest thing around it that is in the file."""
        while place:
            if place in self.lines:
                return self.lines[place]
            place = place[:-1]
        return None


def read_template(path: Path, shown_as: str) -> Template:
    """Reads a template. Raises ReleaseError, with the line, when it is missing or not a JSON object."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ReleaseError("There is no template.", [Finding(shown_as, "", "is missing")]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ReleaseError("The template can't be read.", [Finding(shown_as, "", str(error))]) from error
    text = blank_comments(text)
    lines: dict[Place, int] = {}
    try:
        scanner = _Scanner(text, lines)
        content, end = scanner.value(scanner.skip(0), ())
        if scanner.skip(end) != len(text):
            raise json.JSONDecodeError("Extra data", text, scanner.skip(end))
    except json.JSONDecodeError as error:
        raise ReleaseError(
            "The template is not JSON.", [Finding(shown_as, "", f"{error.msg}, column {error.colno}", error.lineno)]
        ) from error
    if not isinstance(content, dict):
        raise ReleaseError("The template is not a JSON object.", [Finding(shown_as, "", "is not an object", 1)])
    return Template(shown_as, text, content, lines)


def blank_comments(text: str) -> str:
    """Replaces // and /* */ outside strings by spaces, so that every line and column stays where it was."""
    pattern = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)

    def blank(found: re.Match[str]) -> str:
        token = found.group(0)
        return token if token.startswith('"') else re.sub(r"[^\r\n]", " ", token)

    return pattern.sub(blank, text)


def parse_path(path: str) -> Place:
    """`properties.template.resources[2].name` as a place in the template file; () when it is not about the template."""
    steps: list[str | int] = []
    position = 0
    path = path.removeprefix("$").removeprefix(".")
    while position < len(path):
        found = _STEP.match(path, position)
        if not found:
            return ()
        name, index, quoted = found.groups()
        steps.append(int(index) if index else name if name is not None else quoted.replace("''", "'"))
        position = found.end()
    if steps[:2] == ["properties", "template"]:
        steps = steps[2:]
    elif steps[:1] == ["properties"]:
        return ()
    return tuple(steps)


class _Scanner:
    def __init__(self, text: str, lines: dict[Place, int]) -> None:
        self._text = text
        self._lines = lines
        self._counted = (0, 1)

    def skip(self, position: int) -> int:
        found = _SPACE.match(self._text, position)
        return found.end() if found else position

    def value(self, position: int, place: Place) -> tuple[Any, int]:
        if len(place) > _DEEPEST:
            raise json.JSONDecodeError("Nested too deeply", self._text, position)
        self._lines.setdefault(place, self._line(position))
        opening = self._text[position : position + 1]
        if opening == "{":
            return self._object(position, place)
        if opening == "[":
            return self._array(position, place)
        try:
            return _DECODER.raw_decode(self._text, position)
        except StopIteration as error:
            raise json.JSONDecodeError("Expecting value", self._text, position) from error

    def _object(self, position: int, place: Place) -> tuple[dict[str, Any], int]:
        result: dict[str, Any] = {}
        position = self.skip(position + 1)
        if self._text[position : position + 1] == "}":
            return result, position + 1
        while True:
            if self._text[position : position + 1] != '"':
                raise json.JSONDecodeError("Expecting a name in double quotes", self._text, position)
            start = position
            name, position = _DECODER.raw_decode(self._text, position)
            position = self._expect(":", self.skip(position))
            self._lines[(*place, name)] = self._line(start)
            result[name], position = self.value(self.skip(position), (*place, name))
            position = self.skip(position)
            if self._text[position : position + 1] == "}":
                return result, position + 1
            position = self.skip(self._expect(",", position))

    def _array(self, position: int, place: Place) -> tuple[list[Any], int]:
        result: list[Any] = []
        position = self.skip(position + 1)
        if self._text[position : position + 1] == "]":
            return result, position + 1
        while True:
            item, position = self.value(position, (*place, len(result)))
            result.append(item)
            position = self.skip(position)
            if self._text[position : position + 1] == "]":
                return result, position + 1
            position = self.skip(self._expect(",", position))

    def _expect(self, mark: str, position: int) -> int:
        if self._text[position : position + 1] != mark:
            raise json.JSONDecodeError(f"Expecting '{mark}'", self._text, position)
        return position + 1

    def _line(self, position: int) -> int:
        # Positions only grow, so each character is counted once.
        counted, line = self._counted
        line += self._text.count("\n", counted, position)
        self._counted = (position, line)
        return line
