"""What the integration-test notebook says."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.check_report import Check, Report, junit, markdown, parse_result

PASSED = {"name": "rows", "outcome": "passed", "seconds": 1.5, "message": ""}
FAILED = {"name": "rows", "outcome": "failed", "seconds": 1, "message": "too few"}


OF_A_PIPELINE: list[tuple[str, Any, str]] = [("daily / A", "passed", ""), ("daily / B", "failed", "42: no rows")]


def said(**changed: Any) -> str:
    return json.dumps({"manifest": "m", "passed": True, "checks": [PASSED], **changed})


def test_a_passed_test() -> None:
    report = parse_result(said(), manifest="m", error="")
    assert report.passed and [check.name for check in report.checks] == ["rows"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "ended without a result: Boom"),
        ("", "can't be read"),
        ("ok", "can't be read"),
        (said(checks=[{**PASSED, "name": "\ud800"}]), "can't be read"),
        ("\ud800", "can't be read"),
        (said(manifest="other"), "read manifest other"),
        (said(checks=[]), "made no checks"),
        (said(checks=[FAILED]), "too few"),
        (said(passed=False), "without a failed check"),
        (said(extra=1), "extra: unknown field"),
        (said(checks=[{**PASSED, "outcome": "skipped"}]), "is not one of"),
        (said(passed="true"), "passed: must be bool"),
    ],
)
def test_what_does_not_count_as_passed(text: str | None, expected: str) -> None:
    report = parse_result(text, manifest="m", error="Boom")
    assert not report.passed
    assert any(expected in check.message for check in report.failed), report


@given(
    st.lists(
        st.builds(Check, name=st.text(), outcome=st.sampled_from(["passed", "failed", "error"]), message=st.text())
    )
)
def test_any_text_makes_a_file_that_can_be_read(checks: list[Check]) -> None:
    report = Report(manifest="m", passed=False, checks=tuple(checks))
    suite = ElementTree.fromstring(junit(report, suite="s")).find("testsuite")
    assert suite is not None
    assert len(suite.findall("testcase")) == len(checks) == int(suite.attrib["tests"])
    assert len(suite.findall("testcase/failure")) == int(suite.attrib["failures"])
    assert len(suite.findall("testcase/error")) == int(suite.attrib["errors"])


def test_markdown_keeps_its_table() -> None:
    report = Report(manifest="m", passed=False, checks=(Check(name="a|b", outcome="failed", message="x\n|y <b>"),))
    line = markdown(report, environment="dev", version="1").splitlines()[-1]
    assert line == "| a\\|b | failed | 0.0 | x<br>\\|y &lt;b> |"


def test_pages_are_named_with_what_failed_and_kept_with_the_rest() -> None:
    links = {"notebook": "https://w/run/1", "Data Factory": "https://adf/run/2"}
    checks = [Check(name=name, outcome=how, links=links, message=text) for name, how, text in OF_A_PIPELINE]
    report = Report(manifest="m", passed=True, checks=()).and_then(checks)
    assert not report.passed
    good, bad = ElementTree.fromstring(junit(report, suite="s")).iter("testcase")
    for case in (good, bad):
        assert case.findtext("system-out") == "notebook: https://w/run/1\nData Factory: https://adf/run/2"
    assert bad.findtext("failure") == "42: no rows\nnotebook: https://w/run/1\nData Factory: https://adf/run/2"
    rows = markdown(report, environment="test", version="1").splitlines()[-2:]
    assert rows[0] == "| daily / A | passed | 0.0 |  |"
    assert rows[1].endswith("| 42: no rows; notebook: https://w/run/1; Data Factory: https://adf/run/2 |")
