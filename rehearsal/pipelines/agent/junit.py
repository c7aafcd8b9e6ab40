"""JUnit XML to test cases."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from rehearsal.pipelines.events import TestCase

_LARGEST = 64 * 1024 * 1024


class NoResultsError(Exception):
    """A file that holds no JUnit results; the text says why."""


def read_junit(path: Path) -> tuple[TestCase, ...]:
    """The cases of all suites in a file, in order. Raises NoResultsError."""
    if path.stat().st_size > _LARGEST:
        raise NoResultsError(f"{path.name} is larger than {_LARGEST // 1024 // 1024} MiB")
    try:
        # Written by a step of this run; expat refuses entity bombs by itself.
        root = ElementTree.parse(path).getroot()  # noqa: S314
    except ElementTree.ParseError as error:
        raise NoResultsError(f"{path.name} is not XML: {error}") from error
    if root.tag not in ("testsuites", "testsuite"):
        raise NoResultsError(f"{path.name} is not JUnit XML: it begins with <{root.tag}>")
    return tuple(_case(element) for element in root.iter("testcase"))


def _case(element: ElementTree.Element) -> TestCase:
    outcome: Literal["passed", "failed", "error", "skipped"] = "passed"
    message = ""
    for child in element:
        if child.tag in ("failure", "error", "skipped"):
            outcome = "failed" if child.tag == "failure" else "error" if child.tag == "error" else "skipped"
            message = child.get("message") or (child.text or "").strip()
    try:
        seconds = float(element.get("time") or 0)
    except ValueError:
        seconds = 0.0
    name, suite = element.get("name") or "", element.get("classname") or ""
    return TestCase(classname=suite, name=name, outcome=outcome, seconds=seconds, message=message)
