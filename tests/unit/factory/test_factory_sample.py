"""The sample's own factory generates without a warning, and fits the rest of the sample."""

from __future__ import annotations

import json
import re
from pathlib import Path

from slipway.domain.factory.git_folder import read_git_folder
from slipway.domain.factory.template import generate
from tests.unit.factory.made import edges

REPOSITORY = Path(__file__).resolve().parents[3]
SAMPLE = REPOSITORY / "datafactory"


def test_the_sample_generates_cleanly() -> None:
    whole = generate(read_git_folder(SAMPLE))
    assert whole.warnings == ()
    assert edges(whole.to_template()) == {
        "pipelines/daily": {"pipelines/score"},
        "pipelines/score": {"linkedServices/ls_databricks"},
        "datasets/ds_predictions": {"linkedServices/ls_storage"},
        "linkedServices/ls_databricks": set(),
        "linkedServices/ls_key_vault": set(),
        "linkedServices/ls_storage": set(),
        "triggers/every_day": {"pipelines/daily"},
    }


def test_the_pipelines_reach_the_release_through_one_global_parameter() -> None:
    (factory,) = read_git_folder(SAMPLE).factories
    assert list(factory.global_parameters) == ["releaseFolder"]
    text = (SAMPLE / "pipeline" / "score.json").read_text(encoding="utf-8")
    notebook = re.search(r"releaseFolder, '/notebooks/(\w+)'\)", text)
    assert notebook and (REPOSITORY / "notebooks" / f"{notebook.group(1)}.py").is_file()


def test_the_wheel_that_the_pipeline_installs_is_the_librarys() -> None:
    version = re.search(
        r'__version__ = "(.+)"', (REPOSITORY / "library/src/bikeshare/__init__.py").read_text(encoding="utf-8")
    )
    pipeline = json.loads((SAMPLE / "pipeline" / "score.json").read_text(encoding="utf-8"))
    (library,) = pipeline["properties"]["activities"][0]["typeProperties"]["libraries"]
    assert version and f"/library/bikeshare-{version.group(1)}-py3-none-any.whl'" in library["whl"]


def test_the_parameters_of_the_notebook_are_its_widgets() -> None:
    pipeline = json.loads((SAMPLE / "pipeline" / "score.json").read_text(encoding="utf-8"))
    given = pipeline["properties"]["activities"][0]["typeProperties"]["baseParameters"]
    source = (REPOSITORY / "notebooks" / "score.py").read_text(encoding="utf-8")
    assert set(given) <= set(re.findall(r'widgets\.text\("(\w+)"', source))
