"""What a run in Azure answered otherwise than the stand-ins do: a list that can be shown to others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

LONGEST = 2000
_SECRETS = (
    (re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*"), "<token>"),
    (re.compile(r"\bdapi[0-9a-f]{8,}[\w-]*"), "<token>"),
    (re.compile(r"(sig=|AccountKey=)[^&;\s'\"]+"), r"\1<key>"),
    (re.compile(r"[A-Za-z0-9+/]{86}=="), "<key>"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{32}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"adb-\d+\.\d+"), "adb-<workspace>"),
    (re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+"), "<mail>"),
    (re.compile(r"\b\d{1,3}(\.\d{1,3}){3}\b"), "<address>"),
)


def redacted(text: str, environment: Mapping[str, str]) -> str:
    """Without secrets, ids, addresses and names of people, and without any value of a variable that a client was given."""
    for name, value in environment.items():
        if name.startswith(("AZURE_CLIENT", "AZURE_TENANT", "ARM_")) and len(value) > 3:
            text = text.replace(value, f"<{name}>")
    for pattern, word in _SECRETS:
        text = pattern.sub(word, text)
    return text


class Differences:
    """A pytest plug-in: writes the tests that failed, and why, to a file."""

    def __init__(self, file: Path, environment: Mapping[str, str]) -> None:
        self._file, self._environment = file, dict(environment)
        self._found: dict[str, str] = {}
        self._begun = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._begun = True
        if report.failed:
            name = report.nodeid.partition("::")[2] + ("" if report.when == "call" else f" ({report.when})")
            said = getattr(getattr(report.longrepr, "reprcrash", None), "message", None) or str(report.longrepr)
            self._found[name] = redacted(said, self._environment)[:LONGEST]

    def pytest_sessionfinish(self) -> None:
        if not self._begun:  # Azure was not asked anything
            return
        lines = ["# What Azure answered otherwise than the stand-ins", ""]
        for name, said in self._found.items():
            lines += [f"## {name}", "", "```", said.replace("```", "'''"), "```", ""]
        if not self._found:
            lines.append("Nothing.")
        self._file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._begun:
            terminalreporter.write_line(f"Differences: {len(self._found)}, in {self._file}")
