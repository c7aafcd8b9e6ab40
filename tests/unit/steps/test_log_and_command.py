"""What users see: the log in a terminal and in Azure Pipelines, errors, exit codes."""

from __future__ import annotations

import argparse
import io
import re
from pathlib import Path
from typing import Any

import pytest

from slipway import errors
from slipway.command import Context, moment, run_step
from slipway.errors import Conflict, Finding, ServiceError
from slipway.log import Log
from slipway.steps import drill, publish_slot, rollback, watch_release

AZURE = {"TF_BUILD": "True"}


def log(variables: dict[str, str], **given: Any) -> tuple[Log, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    ticks = iter(range(10_000))
    return Log(out=out, err=err, variables=variables, clock=lambda: float(next(ticks)), **given), out, err


def test_a_section_is_a_group_in_azure_pipelines() -> None:
    it, out, err = log(AZURE)
    with it.section("Outer"), it.section("Inner"):
        it.info("text")
    with pytest.raises(ValueError, match="x"), it.section("Bad"):
        raise ValueError("x")
    assert out.getvalue().splitlines() == [
        "##[group]Outer",
        "▸ Inner",
        "text",
        "✓ Inner (1.0 s)",
        "##[endgroup]",
        "✓ Outer (3.0 s)",
        "##[group]Bad",
        "##[endgroup]",
        "✕ Bad (1.0 s)",
    ]
    assert err.getvalue() == ""


def test_elsewhere_the_log_goes_to_standard_error_and_results_to_standard_output() -> None:
    it, out, err = log({})
    with it.section("Outer"):
        it.info("a\nb")
    it.result("42")
    assert out.getvalue() == "42\n"
    assert err.getvalue().splitlines() == ["▸ Outer", "  a", "  b", "✓ Outer (1.0 s)"]


def test_issues_are_escaped_and_foreign_commands_defused() -> None:
    it, out, _ = log(AZURE)
    it.error("50% of%0A\nit; ]", finding=Finding("a;b.yml", "x", "t", 3))
    it.warning("##vso[task.setvariable variable=x]y")
    it.info("said: ##vso[task.complete result=Succeeded] and ##[error]")
    lines = out.getvalue().splitlines()
    assert lines[0] == "##vso[task.logissue type=error;sourcepath=a%3Bb.yml;linenumber=3;]50% of%AZP250A%0Ait; ]"
    commands = [line for line in lines if re.search(r"##(vso)?\[", line)]
    assert all(line.startswith("##vso[task.logissue type=") for line in commands)
    assert not any("##vso[task.set" in line or "##vso[task.comp" in line for line in lines)


def test_secrets_never_show() -> None:
    it, out, _ = log(AZURE)
    it.mask("p4ss\nword-two")
    it.mask("  ")
    it.info("a p4ss\nword-two b, word-two")
    it.error("word-two")
    it.result("word-two")
    shown = [line for line in out.getvalue().splitlines() if not line.startswith("##vso[task.setsecret]")]
    assert shown and not any("word-two" in line for line in shown)
    assert "##vso[task.setsecret]p4ss%0Aword-two" in out.getvalue()


def test_progress_is_not_a_flood_where_nobody_watches() -> None:
    now, err = [0.0], io.StringIO()
    it = Log(out=io.StringIO(), err=err, variables={}, clock=lambda: now[0])
    for done in range(1, 101):
        it.progress(done, 100, "uploaded")
    assert err.getvalue() == "", "short work says what it did when it is done"
    for done in range(1, 101):
        now[0] += 0.25
        it.progress(done, 100, "removed")
    assert err.getvalue().splitlines() == [f"removed {done}/100" for done in (21, 41, 61, 81)]


def test_a_terminal_gets_one_live_line() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    err = Terminal()
    it = Log(out=io.StringIO(), err=err, variables={"NO_COLOR": "1"}, clock=lambda: 0.0)
    it.progress(1, 2, "uploaded")
    it.progress(2, 2, "uploaded")
    it.info("done")
    assert err.getvalue().count("\r") == 2 and err.getvalue().endswith("2/2\ndone\n")


def test_a_summary_is_a_file_and_is_attached(tmp_path: Path) -> None:
    it, out, _ = log({**AZURE, "SLIPWAY_RESULTS": str(tmp_path / "r")})
    it.mask("hush-hush")
    path = it.summary("# hush-hush", name="x")
    assert path.read_text() == "# ***"
    assert f"##vso[task.uploadsummary]{path}" in out.getvalue()


def test_exit_codes_are_unique_and_documented() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.SlipwayError)]
    public = {k.__name__: k.exit_code for k in kinds if not k.__name__.startswith("_")}
    own = {
        name: code
        for name, code in public.items()
        if name not in ("SlipwayError", "StateMoved", "StateDamaged", "NotBootstrapped", "FindingsError")
    }
    assert sorted(own.values()) == list(range(2, 11))
    for name, code in own.items():
        assert f"| {code} | {name} |" in (errors.__doc__ or "")


def run(step: Any, project: Path, *more: str) -> int:
    return run_step(step, description="x", argv=["--environment", "dev", *more], variables={}, root=project)


def test_a_users_mistake_has_no_trace(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def step(context: Context) -> None:
        raise Conflict("It is taken.", changed="Nothing was changed.", next_step="Wait.")

    assert run(step, project) == 8
    said = capsys.readouterr().err
    assert said == "error: [dev] It is taken.\nNothing was changed.\nWait.\n"


def test_a_bug_says_that_it_is_one(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def step(context: Context) -> None:
        raise KeyError("x")

    assert run(step, project) == 1
    said = capsys.readouterr().err
    assert "This is a bug in Slipway: KeyError" in said and "Traceback" not in said
    assert run(step, project, "--verbose") == 1
    assert "Traceback" in capsys.readouterr().err


def test_configuration_comes_before_anything_else(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "config" / "environments" / "dev.yml").write_text("nope: 1\n")
    assert run(lambda context: pytest.fail("was called"), project) == 3
    said = capsys.readouterr().err
    assert "error: config/environments/dev.yml:1: nope: unknown key" in said and "has a mistake" in said


def test_arguments(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Context] = []
    assert run(seen.append, project, "--what-if") == 0
    assert seen[0].what_if and seen[0].release == project / "dist" / "release"
    (project / "release.json").write_text("{}")
    assert run(seen.append, project) == 0
    assert seen[1].release == project and not seen[1].what_if
    for wrong in (["--nope"], ["--environment", "nowhere"]):
        try:
            code: Any = run_step(lambda c: None, description="x", argv=wrong, variables={}, root=project)
        except SystemExit as ended:
            code = ended.code
        assert code == 2
    assert "Environments here: dev, prod, test" in capsys.readouterr().err


def test_an_error_of_a_service_keeps_its_class(project: Path) -> None:
    class Special(ServiceError):
        pass

    def step(context: Context) -> None:
        raise Special("no")

    assert run(step, project) == 6


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00+14:00", "9999-12-31T23:59:59.9999Z"])
def test_a_time_that_can_not_be_shown_is_a_users_mistake(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="years 1 to 9999"):
        moment(text)
    assert moment("1970-01-01T01:00+01:00") == 0


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1441", "soon"])
@pytest.mark.parametrize("options", [publish_slot._options, rollback._options, drill._options, watch_release._options])
def test_how_long_to_wait_is_a_number_of_minutes(options: Any, text: str) -> None:
    parser = argparse.ArgumentParser()
    options(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--wait-for-runs", text])
