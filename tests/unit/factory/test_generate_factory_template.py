"""The script: what it writes, what it says, and that a mistake leaves everything as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slipway.steps.generate_factory_template import main
from tests.unit.factory.made import EVERY_KIND, item, write


def run(tmp_path: Path, *more: str, source: str = "git") -> int:
    arguments = ["--source", str(tmp_path / source), "--output", str(tmp_path / "out" / "template.json"), *more]
    return main(arguments, variables={}, root=tmp_path)


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_it_writes_the_template_and_its_parameters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "git", EVERY_KIND)
    assert run(tmp_path) == 0
    template, values = read(tmp_path / "out" / "template.json"), read(tmp_path / "out" / "template.parameters.json")
    assert set(template["parameters"]) == set(values["parameters"])
    assert values["parameters"]["factoryName"] == {"value": "adf-made"}
    assert values["parameters"]["blob_connectionString"] == {"value": ""}
    assert "22 resources, 18 parameters" in capsys.readouterr().err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"template.json", "template.parameters.json"}


def test_datafactory_is_the_source_if_none_is_said(tmp_path: Path) -> None:
    write(tmp_path / "datafactory", EVERY_KIND)
    assert main(["--output", str(tmp_path / "t.json"), "--parameters", str(tmp_path / "p.json")], {}, tmp_path) == 0
    assert read(tmp_path / "p.json")["parameters"]["factoryName"] == {"value": "adf-made"}


def test_options_reach_the_template(tmp_path: Path) -> None:
    write(tmp_path / "git", EVERY_KIND)
    assert run(tmp_path, "--parameterise-databricks", "--factory", "adf-other") == 0
    parameters = read(tmp_path / "out" / "template.json")["parameters"]
    assert parameters["factoryName"]["defaultValue"] == "adf-other"
    assert "bricks_properties_typeProperties_domain" in parameters


def test_mistakes_are_listed_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "git", {**EVERY_KIND, "pipeline/x.json": "{", "dataset/y.json": item("in PUT", type="Json")})
    write(tmp_path / "out", {"template.json": "before"})
    assert run(tmp_path) == 4
    said = capsys.readouterr().err
    assert "x.json:1: column 2" in said
    assert "dataset/y.json" in said
    assert "has 2 mistakes" in said
    assert (tmp_path / "out" / "template.json").read_text() == "before"
    assert not (tmp_path / "out" / "template.parameters.json").exists()


def test_one_file_for_both_is_a_mistake_of_the_command_line(tmp_path: Path) -> None:
    write(tmp_path / "git", EVERY_KIND)
    assert run(tmp_path, "--parameters", str(tmp_path / "out" / "template.json")) == 2


def test_what_is_odd_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "git", {"pipeline/p.json": item("q", activities=[])})
    assert run(tmp_path) == 0
    said = capsys.readouterr().err
    assert "has the name 'q'" in said
    assert "factoryName has no default" in said


def test_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, source="nowhere") == 4
    assert "There is no folder" in capsys.readouterr().err


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    write(tmp_path / "git", EVERY_KIND)
    write(tmp_path, {"out": "a file where the folder should be"})
    assert run(tmp_path) == 2
