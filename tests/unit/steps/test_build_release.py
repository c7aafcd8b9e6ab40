"""Building a release: reproducible, whole or not at all, and refused with every reason at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slipway.steps import build_release
from tests.unit.steps.conftest import World


def build(root: Path, *more: str, **variables: str) -> int:
    return build_release.main(list(more), variables=variables, root=root)


def test_equal_inputs_make_equal_releases(world: World) -> None:
    assert world.build("1.0") == 0
    folder = world.root / "dist" / "release"
    first = (folder / "release.json").read_bytes()
    assert world.build("1.0") == 0
    assert (folder / "release.json").read_bytes() == first
    data = json.loads(first)
    assert data["version"] == "1.0" and data["commit"] == "c" * 40
    assert set(data["files"]) == {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "release.json"
    }
    assert [path.name for path in folder.parent.iterdir() if path.name.startswith(".")] == []


def test_the_pipeline_names_version_and_build(project: Path) -> None:
    assert build(project, BUILD_BUILDNUMBER="20260101.1", BUILD_BUILDID="77", BUILD_SOURCEVERSION="abc") == 0
    data = json.loads((project / "dist" / "release" / "release.json").read_text())
    assert (data["version"], data["build"], data["commit"]) == ("20260101.1", "77", "abc")


def test_all_reasons_at_once_and_the_former_release_stays(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.build("1.0") == 0
    (world.root / "notebooks" / "score.sql").write_text("-- Databricks notebook source\n")
    (world.root / "notebooks" / "train.py").write_text("# Databricks notebook source\n%run /Workspace/Slipway/x\n")
    job = world.root / "config" / "jobs" / "score.json"
    job.write_text(job.read_text().replace("{{ node_type_id }}", "{{ nope }}"))
    assert world.build("1.1") == 4
    said = capsys.readouterr().err
    assert "notebooks/score.sql" in said
    assert "notebooks/train.py:2" in said
    assert "{{ nope }} is not defined" in said and "config/jobs/score.json:" in said
    assert "3 things to correct" in said
    assert json.loads((world.root / "dist" / "release" / "release.json").read_text())["version"] == "1.0"


def test_configuration_is_checked_for_every_environment(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "config" / "environments" / "uat.yml").write_text("nope: 1\n")
    assert build(project) == 3
    assert "uat.yml:1: nope: unknown key" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["../x", "", "a b", "x" * 65, "-x", "a\n"])
def test_versions_that_are_refused(project: Path, version: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = build(project, f"--version={version}", BUILD_BUILDNUMBER="a b")
    assert code == 2
    assert "is not a version" in capsys.readouterr().err


def test_an_output_that_is_something_else_is_left_alone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "precious").mkdir()
    (project / "precious" / "thesis.txt").write_text("x")
    assert build(project, "--output", str(project / "precious")) == 2
    assert (project / "precious" / "thesis.txt").exists()
    assert "not a release" in capsys.readouterr().err


def test_no_wheel_where_one_was_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "empty").mkdir()
    assert build(project, "--wheel", str(project / "empty")) == 2
    assert "There is no wheel" in capsys.readouterr().err


def test_a_release_goes_only_with_its_own_configuration(world: World) -> None:
    from slipway.errors import ReleaseError

    assert world.build("1.0") == 0
    path = world.root / "config" / "environments" / "prod.yml"
    path.write_text(path.read_text() + "\narchive: {keep: 5}\n")
    with pytest.raises(ReleaseError, match=r"prod\.yml: is not what the release was built with"):
        world.publish()
    assert not world.changes.log
