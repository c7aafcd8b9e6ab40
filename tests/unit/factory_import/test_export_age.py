"""An export that is older than the Git folder is recognised, and what Studio adds on its own is not taken for a change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slipway.domain.factory.export import read_export
from slipway.domain.factory.export_age import stale_objects
from slipway.domain.factory.export_files import find_export
from slipway.domain.factory.objects import FactoryObject
from tests.unit.factory_import import made

GIT = [
    made.linked_service("ls", domain="https://adb-1.azuredatabricks.net", encryptedCredential="x"),
    made.dataset("ds", "ls"),
    made.pipeline("p", datasets=["ds"], description="[x", annotations=[]),
    made.trigger("t", "p"),
]


def stale(tmp_path: Path, exported: list[FactoryObject], git: list[FactoryObject]) -> list[str]:
    path = made.write_zip(tmp_path / "e.zip", made.files_of(made.template(exported), made.parameters_file()))
    export, findings = read_export(find_export(path)[0], target="adf-test")
    assert findings == []
    return stale_objects(export, git, factory="adf-test")


def test_what_studio_adds_and_makes_a_parameter_is_no_difference(tmp_path: Path) -> None:
    exported: list[FactoryObject] = [
        made.linked_service("LS", domain=made.Parameter("domain"), accessToken={"type": "SecureString", "value": "x"}),
        *GIT[1:2],
        made.pipeline("p", datasets=["ds"], description="[x", policy={"cancelAfter": {}}, lastPublishTime="2025"),
        *GIT[3:],
    ]
    assert stale(tmp_path, exported, GIT) == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({2: made.pipeline("p", datasets=["ds"], description="[y")}, "pipelines/p differs"),
        ({2: made.pipeline("p", calls=["q"], datasets=["ds"], description="[x")}, "pipelines/p differs"),
        ({2: made.pipeline("p", datasets=["ds"], description="[x", concurrency=1)}, "pipelines/p differs"),
        ({3: made.trigger("new", "p")}, "triggers/new is not in the export"),
        ({3: made.trigger("new", "p")}, "triggers/t is not in the Git folder any more"),
    ],
)
def test_each_object_that_changed_is_named(tmp_path: Path, change: dict[int, Any], line: str) -> None:
    git = [change.get(number, item) for number, item in enumerate(GIT)]
    assert line in stale(tmp_path, GIT, git)


def test_the_stars_beside_a_connection_string_are_no_difference(tmp_path: Path) -> None:
    """Studio leaves them out of an export, where the connection string is the secret."""
    stars = {"type": "SecureString", "value": "**********"}
    git = made.linked_service("s", connectionString="AccountName=st;", accountKey=stars, encryptedCredential="x")
    exported = made.linked_service("s", connectionString=made.Parameter("s_connectionString"))
    assert stale(tmp_path, [exported], [git]) == []
    key = {"type": "AzureKeyVaultSecret", "secretName": "k"}
    assert stale(tmp_path, [exported], [made.linked_service("s", accountKey=key)]) == ["linkedServices/s differs"]
