"""The foreign commands, run with nothing but what a place gives them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.contract.place import LIMIT_SECONDS, Place

Json = Any


class Refusal(Exception):
    """A command that failed; the text is what it said."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"exit code {code}: {text}")
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Commands:
    """Runs commands; folder: where they run."""

    place: Place
    folder: Path
    more: Mapping[str, str] = field(default_factory=dict)

    def run(self, *words: str, given: str | None = None) -> str:
        """What a command prints. Raises Refusal."""
        done = subprocess.run(
            list(words),
            cwd=self.folder,
            env={**self.place.variables, **self.more},
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_SECONDS,
        )
        if done.returncode:
            raise Refusal(done.returncode, done.stdout + done.stderr)
        return done.stdout

    def az(self, *words: str) -> Json:
        """What `az` answers, as JSON; None when it answers nothing."""
        printed = self.run("az", *words, "--output", "json")
        return json.loads(printed) if printed.strip() else None

    def databricks(self, *words: str) -> str:
        profile = ["--profile", self.place.profile] if self.place.profile else []
        return self.run("databricks", *profile, *words)

    def curl(self, url: str, token: str, *words: str) -> Json:
        """What a GET answers, as JSON; `words` make another request of it."""
        head = ["--header", f"Authorization: Bearer {token}"] if token else []
        printed = self.run("curl", "--fail-with-body", "--silent", "--show-error", *head, *words, url)
        return json.loads(printed) if printed.strip() else None
