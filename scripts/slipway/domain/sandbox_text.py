"""What a sandbox shows of names and contents that may come from anybody."""

from __future__ import annotations

import difflib

_MOST_LINES = 120


def shown(path: str) -> str:
    """A path for a person: as it is, or quoted where it has characters that a terminal would act on."""
    return path if path.isprintable() else repr(path)


def readable_difference(there: bytes | None, here: bytes | None, name: str) -> str:
    """What leads from the workspace's content to that of the checkout, as a unified diff of at most 120 lines."""
    if there is None or here is None:
        return f"  {name}: too large to be compared line by line"
    if b"\0" in there[:8192] or b"\0" in here[:8192]:
        return f"  {name}: no text; {len(there)} bytes in the workspace, {len(here)} here"
    lines = list(
        difflib.unified_diff(
            _lines(there), _lines(here), f"in the workspace: {name}", f"here: {name}", lineterm="", n=2
        )
    )
    if not lines:
        return f"  {name}: the text is the same; kind, language or line ends differ"
    more = [f"… and {len(lines) - _MOST_LINES} lines more"] if len(lines) > _MOST_LINES else []
    return "\n".join(f"  {line}" for line in [*lines[:_MOST_LINES], *more])


def _lines(data: bytes) -> list[str]:
    return [
        "".join(letter if letter.isprintable() or letter == "\t" else "\N{REPLACEMENT CHARACTER}" for letter in line)
        for line in data.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    ]
