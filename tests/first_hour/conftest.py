"""One estate for each process of the run, set up by the scripts; each test gets a copy of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.pieces import PIECES
from tests.faults.agents import Agent
from tests.figures import figure, write_figures
from tests.first_hour.estate import Estate, copied, set_up

__all__ = ["figure"]


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    agent = Agent(tmp_path_factory.mktemp("agent") / "agent")
    yield agent
    agent.close()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, agent: Agent) -> Path:
    folder = tmp_path_factory.mktemp("first-hour") / "template"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        set_up(folder, agent, patch)
    return folder


@pytest.fixture
def estate(
    request: pytest.FixtureRequest, template: Path, tmp_path: Path, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Estate]:
    """A copy; with the settings of the test's piece, where it has any."""
    piece = PIECES[request.node.callspec.params["name"]] if hasattr(request.node, "callspec") else None
    settings = {} if piece is None else piece.settings
    with Estate(copied(template, tmp_path / "estate"), agent, monkeypatch, settings) as estate:
        if settings:
            estate.set_up()
        yield estate


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures, also of tests that ran in other processes; and how many pieces were missed, mended and released without."""
    passed = [report for report in terminalreporter.getreports("passed") if report.when == "call"]
    write_figures(terminalreporter)
    pieces = [report.nodeid for report in passed if "test_a_piece_is_missed_and_mended[" in report.nodeid]
    if pieces:
        terminalreporter.write_line(
            f"{len(pieces)} of {len(PIECES)} pieces taken away, named, mended, and released to."
        )
