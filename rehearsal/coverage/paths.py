"""Reads the patterns of routes as people would write them: each alternative a path of its own, with names in braces."""

from __future__ import annotations

import re
from collections.abc import Iterator

_NAMED = re.compile(r"\(\?P<(\w+)>")
# A named part of these names is written by its name, whatever stands in it.
WHOLE = frozenset({"scope"})
ONE_NAME = ("[^/]+", "[^/].*", ".*")


def spelled(pattern: str) -> list[str]:
    """Every path that a pattern means. It knows literals, `\\.`, groups, `|`, `?` after a group, and names without a slash."""
    texts, rest = _alternatives(pattern)
    if rest:
        raise ValueError(f"{pattern!r} is not read at {rest!r}")
    return list(dict.fromkeys(texts))


def matcher(path: str) -> re.Pattern[str]:
    """What fits a path with names in braces, without regard to case. `{scope}` may hold slashes, and nothing."""
    parts = re.split(r"(\{\w*\})", path)
    fits = {"{scope}": ".*"}
    text = "".join(fits.get(part, "[^/]+") if part[:1] == "{" else re.escape(part) for part in parts)
    return re.compile(text, re.IGNORECASE)


def _alternatives(text: str) -> tuple[list[str], str]:
    """The texts of `a|b|…`, and what stands behind them: a closing bracket and more, or nothing."""
    found: list[str] = []
    while True:
        texts, text = _sequence(text)
        found += texts
        if not text.startswith("|"):
            return found, text
        text = text[1:]


def _sequence(text: str) -> tuple[list[str], str]:
    made = [""]
    while text and text[0] not in "|)":
        pieces, text = _piece(text)
        made = [before + piece for before in made for piece in pieces]
    return made, text


def _piece(text: str) -> tuple[list[str], str]:
    for name in ONE_NAME:
        if text.startswith(name):
            return ["{scope}" if name == ".*" else "{}"], text[len(name) :]
    if text.startswith("\\"):
        return [text[1]], text[2:]
    if not text.startswith("("):
        return [text[0]], text[1:]
    named = _NAMED.match(text)
    start = named.end() if named else len("(?:")
    texts, rest = _alternatives(text[start:])
    rest = rest[1:]
    if named and (named[1] in WHOLE or texts in (["{}"], ["{scope}"])):
        texts = [f"{{{named[1]}}}"]
    if rest.startswith("?"):
        texts, rest = ["", *texts], rest[1:]
    return texts, rest


def segments(path: str) -> Iterator[str]:
    """The parts of a path between slashes."""
    return (part for part in path.split("/") if part)
