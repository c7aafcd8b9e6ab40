"""What every part of the set-up of Azure DevOps works with, what it did, and its last words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from slipway.command import Context
from slipway.domain.devops import Json
from slipway.errors import AuthenticationError, NotPossible
from slipway.log import Log
from slipway.services.azure_devops import AzureDevOps
from slipway.services.resource_manager.groups import Resources
from slipway.steps.bootstrap.report import Refusal, Report, counted

COMMAND = "python scripts/setup_azure_devops.py"


@dataclass
class SetupReport(Report):
    """`wrong`: what is there and not as it must be, which nothing here changes; each with what to do about it."""

    wrong: list[tuple[str, str]] = field(default_factory=list)


@dataclass(kw_only=True)
class Work:
    """One project. `pipelines`: ids of the pipelines of this repository, as far as they are there."""

    devops: AzureDevOps
    project: Json
    resources: Resources
    report: SetupReport
    pipelines: list[int] = field(default_factory=list)

    def add(self, context: Context, what: str) -> bool:
        """Says and notes that something is made; whether it really is."""
        context.log.info(f"+ {what}")
        self.report.done.append(what)
        return not context.what_if

    def wrong(self, context: Context, what: str, next_step: str) -> None:
        context.log.error(what)
        self.report.wrong.append((what, next_step))

    def settings(self, *path: str) -> str:
        """A place in the project's settings, for a person."""
        return f"portal: {self.devops.organization}/{self.devops.project} > " + " > ".join(path)


def to_be_made(name: str) -> Json:
    """Stands for what --what-if would make: it has no id yet."""
    return {"id": "", "name": name}


def refusal(what: str, who: str, place: str) -> Refusal:
    return Refusal(what=what, who=who, mend=place)


def conclude(log: Log, report: SetupReport, *, what_if: bool) -> None:
    """The last words. Raises NotPossible where something is wrong, AuthenticationError where something was refused."""
    changed = "Nothing was changed." if what_if else "Everything else above is done."
    refused = [f"  - {one.what} ({one.who}):\n      {one.mend}" for one in report.refused]
    again = f"\nThen run again: {COMMAND}"
    if report.wrong:
        lines = [f"  - {what}\n      {step}" for what, step in report.wrong]
        raise NotPossible(
            f"{_count(report.wrong)} in Azure DevOps not as the configuration says.",
            changed=changed,
            next_step="\n".join(["To mend:", *lines, *refused]) + again,
        )
    if refused:
        raise AuthenticationError(
            f"{_count(report.refused)} refused to this identity.",
            changed=changed,
            next_step="Somebody who may has to:\n" + "\n".join(refused) + again,
        )
    if not report.done:
        log.info("Everything is there: nothing to change.")
    elif what_if:
        log.info(f"{counted(len(report.done), 'change').capitalize()} would be made. Nothing was changed (--what-if).")
    else:
        log.info(f"Azure DevOps is ready: {counted(len(report.done), 'change')}.")


def _count(things: list[Any]) -> str:
    return "One thing is" if len(things) == 1 else f"{len(things)} things are"
