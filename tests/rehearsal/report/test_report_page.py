"""The page: what it shows, and that nothing of a run can become part of it as HTML."""

from __future__ import annotations

from pathlib import Path

from rehearsal.report.model import slots_from_status
from rehearsal.report.page import render_page, write_page
from tests.rehearsal.report.reports import HOSTILE, report


def test_it_shows_the_move_from_slot_to_slot() -> None:
    page = render_page(report())
    assert (
        '<span class="slot blue">blue</span><span class="arrow">→</span><span class="slot live green">green</span>'
        in page
    )
    assert "1 of 2 passed" in page  # a skipped case has neither passed nor failed


def test_what_a_run_wrote_is_escaped_everywhere() -> None:
    page = render_page(report())
    assert HOSTILE not in page
    assert page.count("&lt;script&gt;") >= 2
    assert "<td>2</td>" in page  # the summary's table is one


def test_refusals_are_shown_where_there_are_some() -> None:
    assert "does not have it" not in render_page(report())
    assert "graph.microsoft.com:443" in render_page(report(refusals={"graph.microsoft.com:443": 2}))


def test_an_empty_rehearsal_has_a_page_too() -> None:
    page = render_page(report(environments=[], stages=[], suites=[], summaries=[], seconds=0.0))
    assert "No test results were published." in page


def test_the_page_replaces_the_last_one_whole(tmp_path: Path) -> None:
    first = write_page(report(number=1), tmp_path)
    second = write_page(report(number=2), tmp_path)
    assert first == second
    assert "Rehearsal 2" in second.read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_a_status_is_read_as_the_script_writes_it() -> None:
    status = {
        "live": "green",
        "slots": {"blue": None, "green": {"version": "2"}},
        "jobs": {"score": {"id": 7, "slot": "green", "name": None, "pause_status": "UNPAUSED"}},
    }
    found = slots_from_status(status)
    assert (found.live, dict(found.versions)) == ("green", {"green": "2"})
    job = found.job(7)
    assert job is not None
    assert (job.name, job.paused) == ("score", False)
    assert slots_from_status(None).live is None
