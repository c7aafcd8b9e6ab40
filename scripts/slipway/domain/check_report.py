"""What the integration-test notebook says, and how it is shown: JUnit XML for the Tests tab, Markdown for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from xml.etree import ElementTree

from slipway.domain.codec import Damaged, decode, load

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, kw_only=True)
class Check:
    name: str
    outcome: Literal["passed", "failed", "error"]
    seconds: float = 0.0
    message: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    """Pages that show more of what was checked, by title."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """`manifest` is the hash that the notebook read from its own slot ("" when it said nothing)."""

    manifest: str
    passed: bool
    checks: tuple[Check, ...]

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if check.outcome != "passed"]

    def and_then(self, checks: Iterable[Check]) -> Report:
        """The report with more checks behind its own."""
        more = tuple(checks)
        passed = self.passed and all(check.outcome == "passed" for check in more)
        return replace(self, checks=(*self.checks, *more), passed=passed)


def parse_result(text: Any, *, manifest: str, error: str) -> Report:
    """The notebook's exit value as a report; `error` is why there is none. A result for another manifest than the
    slot's does not count, nor does one that says `passed` over failed checks or over none."""
    if not isinstance(text, str):
        return _broken("", f"the notebook ended without a result: {error}")
    try:
        report: Report = decode(Report, load(text.encode(errors="surrogatepass")))
    except Damaged as problem:
        return _broken("", f"the notebook's result can't be read: {problem}")
    if report.manifest != manifest:
        text = f"the notebook read manifest {report.manifest[:12] or 'none'}, but the slot holds {manifest[:12]}"
        return _broken(report.manifest, text, report.checks)
    if not report.checks:
        return _broken(report.manifest, "the notebook made no checks")
    if report.passed and report.failed:
        return Report(manifest=report.manifest, passed=False, checks=report.checks)
    if not report.passed and not report.failed:
        return _broken(report.manifest, "the notebook says that it failed, without a failed check", report.checks)
    return report


def _broken(manifest: str, message: str, checks: tuple[Check, ...] = ()) -> Report:
    check = Check(name="integration test", outcome="error", message=message)
    return Report(manifest=manifest, passed=False, checks=(*checks, check))


def junit(report: Report, *, suite: str) -> bytes:
    """JUnit XML as PublishTestResults@2 reads it."""
    errors = sum(check.outcome == "error" for check in report.checks)
    attributes = {
        "name": suite,
        "tests": str(len(report.checks)),
        "failures": str(len(report.failed) - errors),
        "errors": str(errors),
        "time": f"{sum(check.seconds for check in report.checks):.3f}",
    }
    root = ElementTree.Element("testsuites")
    element = ElementTree.SubElement(root, "testsuite", attributes)
    for check in report.checks:
        case = ElementTree.SubElement(
            element, "testcase", {"classname": _xml(suite), "name": _xml(check.name), "time": f"{check.seconds:.3f}"}
        )
        if check.outcome != "passed":
            kind = "failure" if check.outcome == "failed" else "error"
            text = "\n".join([check.message, *_links(check)])
            ElementTree.SubElement(case, kind, {"message": _xml(check.message)}).text = _xml(text)
        if check.links:
            ElementTree.SubElement(case, "system-out").text = _xml("\n".join(_links(check)))
    data: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return data


def _links(check: Check) -> list[str]:
    return [f"{title}: {url}" for title, url in check.links.items()]


def markdown(report: Report, *, environment: str, version: str) -> str:
    """A summary for the run's page."""
    mark = "passed" if report.passed else f"**failed** ({len(report.failed)} of {len(report.checks)} checks)"
    lines = [
        f"### Integration test of {version} in {environment}: {mark}",
        "",
        "| check | outcome | s | |",
        "|---|---|---|---|",
    ]
    for check in report.checks:
        pages = _links(check) if check.outcome != "passed" else []
        more = "; ".join(text for text in (check.message, *pages) if text)
        lines.append(f"| {_cell(check.name)} | {check.outcome} | {check.seconds:.1f} | {_cell(more)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\r", "").replace("\n", "<br>")


def _xml(text: str) -> str:
    """`text` without the characters that XML can't hold."""
    return _NOT_XML.sub("\ufffd", text)
