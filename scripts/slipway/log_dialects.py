"""How a log speaks to the agent that runs the step: logging commands of Azure Pipelines, workflow commands of GitHub Actions.

Both are lines on standard output that begin with a marker. Text that is not ours must not hold one: `defuse` breaks it with a
character that a person does not see.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from slipway.errors import Finding

# Recognised anywhere in a line, by Azure Pipelines and, in the older form ##[…], by GitHub's runner too (actions/runner,
# ActionCommand.TryParse).
_COMMAND = re.compile(r"##(?=vso\[|\[)", re.IGNORECASE)
# A percent sign is escaped only where it would be read as a code: agents decode %AZP25 only with DECODE_PERCENTS on.
_CODE = re.compile(r"%(?=0D|0A|3B|5D|AZP25)", re.IGNORECASE)
# Recognised at the beginning of a line, after white space (ActionCommand.TryParseV2).
_WORKFLOW_COMMAND = re.compile(r"^(\s*):(?=:)", re.MULTILINE)
_SUMMARY_LIMIT = 1024 * 1024


class Dialect(Protocol):
    """What each kind of agent is told, as lines; `summary` also writes where the agent reads it."""

    def defuse(self, text: str) -> str: ...

    def group(self, title: str) -> str: ...

    def end_group(self) -> str: ...

    def issue(self, kind: str, text: str, finding: Finding | None) -> str: ...

    def mask(self, value: str) -> str: ...

    def progress(self, percent: int, what: str) -> Sequence[str]: ...

    def summary(self, path: Path, markdown: str) -> Sequence[str]: ...


def dialect_of(variables: Mapping[str, str]) -> Dialect | None:
    """Of the agent whose variables these are; None where no agent reads the log."""
    if variables.get("TF_BUILD", "").lower() == "true":
        return AzurePipelines()
    if variables.get("GITHUB_ACTIONS", "").lower() == "true":
        return GitHubActions(variables.get("GITHUB_STEP_SUMMARY", ""))
    return None


def defuse(text: str) -> str:
    """`text` so that Azure Pipelines reads no command out of it; it looks the same to a person."""
    return _COMMAND.sub("#\u200b#", text)


class AzurePipelines:
    """https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands"""

    def defuse(self, text: str) -> str:
        return defuse(text)

    def group(self, title: str) -> str:
        return f"##[group]{title}"

    def end_group(self) -> str:
        return "##[endgroup]"

    def issue(self, kind: str, text: str, finding: Finding | None) -> str:
        place = ""
        if finding is not None:
            place = f"sourcepath={self._property(finding.file)};"
            place += f"linenumber={finding.line};" if finding.line else ""
        return f"##vso[task.logissue type={kind};{place}]{self._data(text)}"

    def mask(self, value: str) -> str:
        return f"##vso[task.setsecret]{self._data(value)}"

    def progress(self, percent: int, what: str) -> Sequence[str]:
        return [f"##vso[task.setprogress value={percent};]{self._data(what)}"]

    def summary(self, path: Path, markdown: str) -> Sequence[str]:
        del markdown
        return [f"##vso[task.uploadsummary]{path.resolve()}"]

    @staticmethod
    def _data(text: str) -> str:
        """One line (the agent turns the codes back)."""
        return _CODE.sub("%AZP25", text).replace("\r", "%0D").replace("\n", "%0A")

    def _property(self, text: str) -> str:
        return self._data(text).replace("]", "%5D").replace(";", "%3B")


class GitHubActions:
    """https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands; codes as in actions/toolkit,
    packages/core/src/command.ts. `summary_file`: GITHUB_STEP_SUMMARY, Markdown of at most 1 MiB for each step."""

    def __init__(self, summary_file: str) -> None:
        self._summary_file = summary_file

    def defuse(self, text: str) -> str:
        return _WORKFLOW_COMMAND.sub("\\1:\u200b", defuse(text))

    def group(self, title: str) -> str:
        return f"::group::{self._data(title)}"

    def end_group(self) -> str:
        return "::endgroup::"

    def issue(self, kind: str, text: str, finding: Finding | None) -> str:
        place = ""
        if finding is not None:
            place = f" file={self._property(finding.file)}"
            place += f",line={finding.line}" if finding.line else ""
        return f"::{kind}{place}::{self._data(text)}"

    def mask(self, value: str) -> str:
        return f"::add-mask::{self._data(value)}"

    def progress(self, percent: int, what: str) -> Sequence[str]:
        del percent, what  # GitHub has no command for it
        return []

    def summary(self, path: Path, markdown: str) -> Sequence[str]:
        """Added to what the step has said already; a summary above the limit would be refused as a whole."""
        del path
        if not self._summary_file:
            return []
        file = Path(self._summary_file)
        there = file.stat().st_size if file.exists() else 0
        if there + len(markdown.encode()) + 2 > _SUMMARY_LIMIT:
            return ["The summary is too large for the run's page; it is among the results."]
        with file.open("a", encoding="utf-8") as stream:
            stream.write(markdown.rstrip("\n") + "\n\n")
        return []

    @staticmethod
    def _data(text: str) -> str:
        return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    def _property(self, text: str) -> str:
        return self._data(text).replace(":", "%3A").replace(",", "%2C")
