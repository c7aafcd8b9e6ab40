"""Names everything that keeps an environment from being released to, each with the one command that mends it. Reads only.

One module for each subject, named in SUBJECTS; each has `checks(examination)`, a list of Check (examination.py).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from importlib import import_module

from slipway.command import Context, run_step
from slipway.domain.diagnosis import Diagnosis, Finding, as_data, by_reason, diagnosis, grouped
from slipway.errors import AuthenticationError, NotPossible, saying
from slipway.services.credentials import credential
from slipway.services.databricks import connect
from slipway.services.resource_manager.reading import Reader
from slipway.steps.doctor import azure, workspace
from slipway.steps.doctor.examination import Check, Examination, examine

SUBJECTS = (
    *("azure", "names", "identities", "state", "azure_devops", "workspace"),
    *("runners", "compute", "quota", "network", "clock"),
)
"""The modules of slipway.steps.doctor, in the order in which their checks begin."""
NEEDED = (azure.GROUP, workspace.MEMBER)
"""Titles of the checks by which a person's rights are told: who does not see these two sees next to nothing."""


def main() -> int:
    return run_step(run, description=(__doc__ or "").splitlines()[0], changes=False, options=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as data")
    parser.add_argument(
        "--short", action="store_true", help="only what a release needs and its identity may see: its first step"
    )


def run(context: Context) -> int:
    """Raises NotPossible where something that was found stops a release, AuthenticationError where next to nothing was seen; with
    --json, gives their exit codes: in a pipeline, an error's text goes to standard output too."""
    with saying("Nothing was changed."):
        found = diagnose(context)
    if context.arguments.json:
        context.log.result(json.dumps(as_data(found), indent=1, ensure_ascii=False))
        return NotPossible.exit_code if found.errors else AuthenticationError.exit_code if found.blind else 0
    show(context, found)
    if found.blind and not found.errors:
        raise AuthenticationError(
            f"This identity sees too little to say whether {found.environment} is ready: not {' nor '.join(found.blind)}.",
            changed="Nothing was changed.",
            next_step="Ask as somebody who does: a Reader of the resource group, and a member of the workspace (az login).",
        )
    if found.errors:
        count = len(found.errors)
        raise NotPossible(
            f"{found.environment} is not ready for a release: {count} thing{'s' * (count != 1)} to mend.",
            changed="Nothing was changed.",
            next_step=f"Run the commands above, then: python scripts/doctor.py --environment {found.environment}",
        )
    return 0


def diagnose(context: Context) -> Diagnosis:
    identity = credential(context.variables)
    examination = Examination(
        context=context,
        credential=identity,
        azure=Reader(identity, context.environment.azure.subscription_id, clock=context.clock),
        workspace=connect(context.environment, identity, context.variables),
        short=context.arguments.short,
    )
    checks = [check for check in all_checks(examination) if check.short or not examination.short]
    # A release goes on with what its identity sees; a person is to know that they see too little.
    needed = () if examination.short else NEEDED
    return diagnosis(context.environment.name, [check.title for check in checks], examine(checks), needed=needed)


def all_checks(examination: Examination) -> list[Check]:
    found: list[Check] = []
    for subject in SUBJECTS:
        checks: Callable[[Examination], Sequence[Check]] = import_module(f"slipway.steps.doctor.{subject}").checks
        found += checks(examination)
    return found


def show(context: Context, found: Diagnosis) -> None:
    """The report for a person: errors first, each command on a line of its own."""
    log = context.log
    for title, findings in grouped(found.errors) + grouped(found.warnings):
        log.info(f"\n{title}")
        for finding in findings:
            _show(context, finding)
    for reason, things in by_reason(found.unknown):
        log.info(f"\n? Not seen: {', '.join(things)}. {_sentence(reason)}")
    if found.ready:
        log.info(f"\n{_verdict(found)}")


def _verdict(found: Diagnosis) -> str:
    """The last sentence, where nothing stops a release."""
    count = f"{len(found.looked_at)} things were looked at"
    if found.findings:
        return f"Nothing of this keeps {found.environment} from being released to: {count}."
    if found.unknown:
        return (
            f"Nothing that was seen is missing or wrong in {found.environment}: {count}, {len(found.unknown)} not seen."
        )
    return f"Nothing is missing or wrong in {found.environment}: {count}."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." * (not text.endswith((".", "!", "?")))


def _show(context: Context, finding: Finding) -> None:
    say = context.log.error if finding.severity == "error" else context.log.warning
    say(f"{finding.id}: {finding.what}")
    context.log.info(f"    {finding.why}" + (f" It takes {finding.who}." if finding.who else ""))
    context.log.info(f"    {finding.mend}")
