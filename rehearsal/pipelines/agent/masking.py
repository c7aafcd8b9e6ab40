"""Secrets taken out of whatever is shown."""

from __future__ import annotations

import json
from urllib.parse import quote

MASK = "***"
_SHORTEST = 3


class Masker:
    """Knows the secrets of a run. Each is masked as it is, line by line, and in the forms that JSON and URLs give it.

    Values shorter than three characters are not masked, as in the agent: they would blacken every line.
    """

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._ordered: list[str] = []

    def add(self, secret: str) -> None:
        for part in {secret, *secret.splitlines()}:
            part = part.strip("\r\n")
            if len(part.strip()) >= _SHORTEST:
                self._forms |= {part, json.dumps(part)[1:-1], quote(part, safe=""), quote(part)}
        # The longest first, so that a secret inside another one leaves nothing of it behind.
        self._ordered = sorted(self._forms, key=len, reverse=True)

    def mask(self, text: str) -> str:
        for form in self._ordered:
            if form in text:
                text = text.replace(form, MASK)
        return text
