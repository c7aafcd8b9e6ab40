"""Figures that a run of tests ends with, also those of tests that ran in other processes; for the conftest of a folder."""

from __future__ import annotations

from collections.abc import Callable

import pytest

FIGURE = "figure"


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Notes a figure that the run shall end with."""
    return lambda text: record_property(FIGURE, text)


def write_figures(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests noted, whether they passed or not."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    for report in reports:
        for name, text in report.user_properties if report.when == "call" else ():
            if name == FIGURE:
                terminalreporter.write_line(str(text))
