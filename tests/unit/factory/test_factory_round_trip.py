"""What is generated is an export to the import: it reads the template, and renders the objects of the Git folder again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slipway.domain.factory.export import parameter_values, read_export, render
from slipway.domain.factory.export_files import Document, ExportFiles
from slipway.domain.factory.git_folder import GitFolder, read_git_folder
from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.domain.factory.template import generate
from tests.unit.factory.made import EVERY_KIND, write

REPOSITORY = Path(__file__).resolve().parents[3]
FACTORY = "adf-elsewhere"
SECRETS = {
    "blob_connectionString": "AccountName=st;AccountKey=k",
    "ssis_properties_typeProperties_ssisProperties_catalogInfo_catalogAdminPassword": "p",
}


def rendered_again(folder: GitFolder, overrides: dict[str, Any]) -> dict[tuple[Kind, str], FactoryObject]:
    """The template of the folder, imported into another factory with these values."""
    whole = generate(folder)
    files = ExportFiles("made", template=Document("template.json", whole.to_template()))
    export, mistakes = read_export(files, target=FACTORY)
    values, more = parameter_values(export, overrides, factory=FACTORY, configuration="config/environments/test.yml")
    definition, rest = render(export, values, factory=FACTORY)
    assert [*mistakes, *more, *rest] == []
    return {item.key: item for item in definition.objects}


def test_every_kind_comes_back_as_it_is_in_git(tmp_path: Path) -> None:
    folder = read_git_folder(write(tmp_path, EVERY_KIND))
    found = rendered_again(folder, SECRETS)
    for item in folder.objects:
        if item.name in ("blob", "ssis"):  # these have secrets
            continue
        assert found[item.key].properties == item.properties, str(item)
        assert found[item.key].name == item.name
    assert found[Kind.LINKED_SERVICES, "blob"].properties["typeProperties"] == {
        "connectionString": "AccountName=st;AccountKey=k"
    }


def test_the_sample_comes_back_as_it_is_in_git() -> None:
    folder = read_git_folder(REPOSITORY / "datafactory")
    found = rendered_again(folder, {})
    assert {item.key: item.properties for item in folder.objects} == {
        key: item.properties for key, item in found.items()
    }


def test_a_parameter_reaches_the_place_that_it_was_made_from() -> None:
    folder = read_git_folder(REPOSITORY / "datafactory")
    found = rendered_again(folder, {"ls_storage_properties_typeProperties_url": "https://other"})
    assert found[Kind.LINKED_SERVICES, "ls_storage"].properties["typeProperties"] == {"url": "https://other"}
