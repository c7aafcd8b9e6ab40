"""docs/azure.md as a person reads it: what is to be typed, and what is seen then."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^## (.*)$", re.MULTILINE)
_TYPED = ("az ", "python ", "git ")
ANYTHING = "…"


@dataclass(frozen=True, kw_only=True)
class Typed:
    """Commands that stand together, under a heading of the page, and the lines that the last of them shows ("…": any, or none)."""

    heading: str
    commands: tuple[str, ...]
    seen: tuple[str, ...]


def walk(page: Path) -> Iterator[Typed]:
    """The page's blocks, in order."""
    text = page.read_text(encoding="utf-8")
    blocks = list(_BLOCK.finditer(text))
    for position, block in enumerate(blocks):
        lines = block[1].splitlines()
        if not lines[0].startswith(_TYPED):
            continue
        following = blocks[position + 1][1].splitlines() if position + 1 < len(blocks) else ["python "]
        seen = () if following[0].startswith(_TYPED) else tuple(following)
        heading = _HEADING.findall(text[: block.start()])[-1]
        yield Typed(heading=heading, commands=tuple(lines), seen=seen)


def unseen(printed: tuple[str, ...], text: str, names: Mapping[str, str]) -> list[str]:
    """The printed lines that `text` has not, or not in this order. `names`: the page's, and what they are here."""
    said, missing = text.splitlines(), []
    for line in printed:
        for name, here in names.items():
            line = line.replace(name, here)
        if line.strip() == ANYTHING:
            continue
        pattern = re.compile(".*".join(map(re.escape, line.split(ANYTHING))))
        found = next((number for number, one in enumerate(said) if pattern.fullmatch(one)), None)
        if found is None:
            missing.append(line)
        else:
            said = said[found + 1 :]
    return missing
