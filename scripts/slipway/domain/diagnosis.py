"""What the doctor says of an environment: findings, each with the one command that mends it, and what it could not see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]
PORTAL = "portal:"
"""Begins a mend for which there is no command: the way through the portal's pages follows."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is missing or wrong.

    `id`: `subject.thing`, stable, listed in docs/doctor.md. `why`: what fails without it. `mend`: one command, ready for a
    shell in the repository, or "portal: …". `who`: who may run it, where that is not whoever asked. An error stops a release.
    """

    id: str
    what: str
    why: str
    mend: str
    severity: Severity = "error"
    who: str = ""


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """What could not be looked at, and why: neither good nor bad."""

    what: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Everything that a doctor found of one environment. `looked_at`: the titles of what was looked at, to the end or not.

    `blind`: the titles of what was not seen, and without which nothing can be said of all the rest.
    """

    environment: str
    findings: tuple[Finding, ...]
    unknown: tuple[Unknown, ...]
    looked_at: tuple[str, ...]
    blind: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether enough was seen, and nothing of it stops a release."""
        return not self.errors and not self.blind

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "warning")


def diagnosis(
    environment: str, looked_at: Iterable[str], said: Iterable[Finding | Unknown], *, needed: Iterable[str] = ()
) -> Diagnosis:
    """Sorts what the checks said: errors first, then by id and text; the same thing said twice counts once.

    needed: titles of checks that must have seen something.
    """
    findings: set[Finding] = set()
    unknown: set[Unknown] = set()
    for one in said:
        if isinstance(one, Finding):
            findings.add(one)
        else:
            unknown.add(one)
    return Diagnosis(
        environment=environment,
        findings=tuple(sorted(findings, key=lambda one: (one.severity != "error", one.id, one.what))),
        unknown=tuple(sorted(unknown, key=lambda one: (one.what, one.reason))),
        looked_at=tuple(looked_at),
        blind=tuple(title for title in needed if title in {one.what for one in unknown}),
    )


def by_reason(unknown: Iterable[Unknown]) -> list[tuple[str, list[str]]]:
    """What was not seen, by the reason: one reason hides many things."""
    groups: dict[str, list[str]] = {}
    for one in unknown:
        groups.setdefault(one.reason, []).append(one.what)
    return list(groups.items())


def as_data(found: Diagnosis) -> dict[str, Any]:
    """The fields of `--json`, which docs/doctor.md describes."""
    return {
        "environment": found.environment,
        "ready": found.ready,
        "findings": [asdict(finding) for finding in found.findings],
        "unknown": [asdict(one) for one in found.unknown],
        "looked_at": list(found.looked_at),
    }


SUBJECTS: Mapping[str, str] = {
    "azure": "Azure: sign-in, subscription, resource group",
    "names": "Names of resources",
    "network": "Network",
    "state": "State storage",
    "identity": "Release identity",
    "roles": "Roles",
    "factory": "Data factory",
    "devops": "Azure DevOps",
    "workspace": "Databricks workspace",
    "root": "Root folder",
    "scope": "Secret scope",
    "jobs": "Jobs",
    "compute": "Compute",
    "clock": "Clock",
}
"""What the first word of an id is about, in the order of the report."""


def grouped(findings: Iterable[Finding]) -> list[tuple[str, list[Finding]]]:
    """Findings by subject, in the order of SUBJECTS; each with its title."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.id.partition(".")[0], []).append(finding)
    order = list(SUBJECTS)
    known = sorted(groups, key=lambda name: (order.index(name) if name in order else len(order), name))
    return [(SUBJECTS.get(name, name), groups[name]) for name in known]
