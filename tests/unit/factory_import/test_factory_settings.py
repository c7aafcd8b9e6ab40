"""data_factory in the configuration: what it may say, and every mistake at once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.domain.environment import DataFactoryPolicy, load_environment
from slipway.errors import ConfigurationError

REPOSITORY = Path(__file__).parents[3]


def load(tmp_path: Path, policy: Any) -> DataFactoryPolicy:
    shutil.copytree(REPOSITORY / "config", tmp_path / "config", dirs_exist_ok=True)
    defaults = tmp_path / "config/defaults.yml"
    values = yaml.safe_load(defaults.read_text(encoding="utf-8"))
    del values["data_factory"]  # the sample's own; what is left out has the schema's defaults
    defaults.write_text(yaml.safe_dump(values), encoding="utf-8")
    own = {"production": False, "data_factory": policy}
    (tmp_path / "config/environments/test.yml").write_text(yaml.safe_dump(own, allow_unicode=True), encoding="utf-8")
    return load_environment(tmp_path, "test").data_factory


def test_a_factory_is_left_alone_by_default(tmp_path: Path) -> None:
    found = load(tmp_path, {})
    assert (found.source, found.delete_removed, found.triggers) == ("none", False, "as_defined")


def test_values_of_every_form(tmp_path: Path) -> None:
    parameters = {
        "Linked service 1_url": "https://{{ resources.storage_account }}.dfs.core.windows.net",
        "pe-1_properties_fqdns": ["a", "b"],
        "n": 5,
        "on": True,
        "o": {"k": [1, {"x": None}]},
        "secret": {"key_vault": "my-secret"},
        "ñ'\"": "",
    }
    found = load(
        tmp_path, {"source": "export", "parameters": parameters, "notebook_paths": {"/a b": "slot", "/": "/Shared"}}
    )
    expected = {**parameters, "Linked service 1_url": "https://stbikesharetest.dfs.core.windows.net"}
    assert found.parameters.keys() == expected.keys()
    assert found.parameters["Linked service 1_url"] == expected["Linked service 1_url"]
    assert found.parameters["secret"] == {"key_vault": "my-secret"}


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(
            tmp_path,
            {
                "source": "zip",
                "parameterise_databricks": 1,
                "parameters": {"a": {"key_vault": "no such name!"}, "b": {"key_vault": "x", "more": 1}},
                "notebook_paths": {"relative": "slot", "/x": "blue"},
                "delete_removed": "yes",
                "delete_limit_percent": 0,
                "triggers": "off",
                "unknown": 1,
            },
        )
    paths = {finding.path.removeprefix("data_factory.") for finding in caught.value.findings}
    assert paths == {
        "source",
        "parameterise_databricks",
        "parameters.a.key_vault",
        "parameters.b.more",
        "notebook_paths.relative",
        "notebook_paths./x",
        "delete_removed",
        "delete_limit_percent",
        "triggers",
        "unknown",
    }
