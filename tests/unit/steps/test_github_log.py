"""The log in GitHub Actions: groups, annotations, masks, the step's summary, and nothing foreign that is read as a command."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from slipway.errors import Finding
from slipway.log import Log
from slipway.steps.session import holder_of, in_pipeline

GITHUB = {"GITHUB_ACTIONS": "true"}
# What the runner takes for a command: actions/runner, ActionCommand.TryParseV2 and TryParse.
COMMAND = re.compile(r"^\s*::|##\[", re.MULTILINE)


def log(variables: dict[str, str] = GITHUB) -> tuple[Log, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    ticks = iter(range(10_000))
    return Log(out=out, err=err, variables=variables, clock=lambda: float(next(ticks))), out, err


def test_a_section_is_a_group_that_is_not_nested() -> None:
    it, out, err = log()
    with it.section("Outer 100%"), it.section("Inner"):
        it.info("text")
    assert out.getvalue().splitlines() == [
        "::group::Outer 100%25",
        "▸ Inner",
        "text",
        "✓ Inner (1.0 s)",
        "::endgroup::",
        "✓ Outer 100% (3.0 s)",
    ]
    assert err.getvalue() == ""


def test_issues_are_annotations_with_their_place() -> None:
    it, out, _ = log()
    it.error("50%\nit", finding=Finding("a,b:c.yml", "x", "t", 3))
    it.warning("careful")
    it.error("nowhere", finding=Finding("config/defaults.yml", "", "t"))
    assert out.getvalue().splitlines() == [
        "::error file=a%2Cb%3Ac.yml,line=3::50%25%0Ait",
        "::warning::careful",
        "::error file=config/defaults.yml::nowhere",
    ]


@pytest.mark.parametrize(
    "text", ["::add-mask::x", "  ::set-output name=a::b", "fine\n::error::no", "##[command]x", "\t::stop-commands::t"]
)
def test_foreign_commands_are_defused_wherever_they_are_said(text: str) -> None:
    it, out, _ = log()
    it.info(text)
    it.result(text)
    with it.section(text):
        pass
    it.error(text)
    ours = re.compile(r"^(::group::|::endgroup::$|::error::)")
    for line in out.getvalue().splitlines():
        assert not COMMAND.search(line.partition("::")[2].partition("::")[2] if ours.match(line) else line)


def test_masks_are_told_to_the_runner_and_kept_out_of_all_else(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    it, out, _ = log({**GITHUB, "GITHUB_STEP_SUMMARY": str(summary), "SLIPWAY_RESULTS": str(tmp_path / "r")})
    it.mask("p4ss%\nword-two")
    it.info("word-two")
    it.summary("# word-two")
    assert "::add-mask::p4ss%25%0Aword-two" in out.getvalue().splitlines()
    assert "::add-mask::word-two" in out.getvalue().splitlines()
    shown = [line for line in out.getvalue().splitlines() if not line.startswith("::add-mask::")]
    assert shown == ["***"]
    assert "word-two" not in summary.read_text()


def test_summaries_of_a_step_stand_below_each_other(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    it, out, _ = log({**GITHUB, "GITHUB_STEP_SUMMARY": str(summary), "SLIPWAY_RESULTS": str(tmp_path / "r")})
    assert it.summary("# One\n", name="one").read_text() == "# One\n"
    it.summary("# Two", name="two")
    assert summary.read_text() == "# One\n\n# Two\n\n"
    it.summary("x" * 1024 * 1024, name="three")
    assert summary.read_text() == "# One\n\n# Two\n\n"
    assert "too large" in out.getvalue()


def test_long_work_says_so_in_plain_lines() -> None:
    it, out, _ = log()
    for done in range(1, 12):
        it.progress(done, 11, "uploaded")
    assert out.getvalue().splitlines()[0] == "uploaded 6/11"
    assert not COMMAND.search(out.getvalue())


def test_a_run_is_one_holder_in_all_its_steps() -> None:
    variables = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_RUN_ID": "42",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "contoso/bikes",
        "GITHUB_ACTOR": "ada",
        "GITHUB_JOB": "release",
    }
    holder = holder_of(variables, "1.0")
    assert (holder.run, holder.who) == ("https://github.com/contoso/bikes/actions/runs/42", "ada")
    assert holder == holder_of({**variables, "GITHUB_JOB": "other"}, "1.0")
    assert holder != holder_of({**variables, "GITHUB_RUN_ID": "43"}, "1.0")
    assert in_pipeline(variables)
    assert not in_pipeline({})
