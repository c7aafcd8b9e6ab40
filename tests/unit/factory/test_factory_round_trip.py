"""What is generated is an export to the import: it reads the template, and renders the objects of the Git folder again."""

from __future__ import annotations

import json
import string
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.domain.factory.export import parameter_values, read_export, render
from slipway.domain.factory.export_files import Document, ExportFiles, find_export
from slipway.domain.factory.git_folder import GitFolder, read_git_folder
from slipway.domain.factory.limits import Limits, within_limits
from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.domain.factory.template import generate, to_bytes
from slipway.errors import Finding
from tests.unit.factory.made import EVERY_KIND, item, linked, ref, write

REPOSITORY = Path(__file__).resolve().parents[3]
FACTORY = "adf-elsewhere"
SECRETS = {
    "blob_connectionString": "AccountName=st;AccountKey=k",
    "ssis_properties_typeProperties_ssisProperties_catalogInfo_catalogAdminPassword": "p",
}


def rendered_again(
    folder: GitFolder, overrides: dict[str, Any], limits: Limits | None = None
) -> dict[tuple[Kind, str], FactoryObject]:
    """The template of the folder, imported into another factory with these values."""
    output = within_limits(generate(folder), limits)
    files = ExportFiles(
        "made",
        template=Document("template.json", json.loads(to_bytes(output.template))),
        parameters=Document("template.parameters.json", json.loads(to_bytes(output.parameters))),
    )
    found, findings = imported(files, overrides)
    assert findings == []
    return found


def imported(
    files: ExportFiles, overrides: dict[str, Any]
) -> tuple[dict[tuple[Kind, str], FactoryObject], list[Finding]]:
    export, mistakes = read_export(files, target=FACTORY)
    values, more = parameter_values(export, overrides, factory=FACTORY, configuration="config/environments/test.yml")
    definition, rest = render(export, values, factory=FACTORY)
    return {item.key: item for item in definition.objects}, [*mistakes, *more, *rest]


NESTED = Limits(resources=5)
PACKED = Limits(resources=5, parameters=8)


@pytest.mark.parametrize("limits", [None, NESTED, PACKED])
def test_every_kind_comes_back_as_it_is_in_git(tmp_path: Path, limits: Limits | None) -> None:
    folder = read_git_folder(write(tmp_path, EVERY_KIND))
    found = rendered_again(folder, SECRETS, limits)
    for one in folder.objects:
        if one.name in ("blob", "ssis"):  # these have secrets
            continue
        assert found[one.key].properties == one.properties, str(one)
        assert found[one.key].name == one.name
    assert found[Kind.LINKED_SERVICES, "blob"].properties["typeProperties"] == {
        "connectionString": "AccountName=st;AccountKey=k"
    }


def test_the_sample_comes_back_as_it_is_in_git() -> None:
    folder = read_git_folder(REPOSITORY / "datafactory")
    found = rendered_again(folder, {})
    assert {item.key: item.properties for item in folder.objects} == {
        key: item.properties for key, item in found.items()
    }


@pytest.mark.parametrize("limits", [None, NESTED, Limits(resources=2, parameters=3)])
def test_a_parameter_reaches_the_place_that_it_was_made_from(limits: Limits | None) -> None:
    folder = read_git_folder(REPOSITORY / "datafactory")
    found = rendered_again(folder, {"ls_storage_properties_typeProperties_url": "https://other"}, limits)
    assert found[Kind.LINKED_SERVICES, "ls_storage"].properties["typeProperties"] == {"url": "https://other"}


@pytest.mark.parametrize("limits", [None, NESTED, PACKED])
def test_the_parameters_file_beside_the_template_counts(tmp_path: Path, limits: Limits | None) -> None:
    """Under the names that generate_factory_template gives its two files."""
    output = within_limits(generate(read_git_folder(write(tmp_path / "git", EVERY_KIND))), limits)
    text = to_bytes(output.parameters).decode().replace("https://kv-x.vault.azure.net/", "https://edited")
    files = {"template.json": to_bytes(output.template).decode(), "template.parameters.json": text}
    found, findings = imported(find_export(write(tmp_path / "out", files) / "template.json")[0], SECRETS)
    assert findings == []
    assert found[Kind.LINKED_SERVICES, "vault"].properties["typeProperties"]["baseUrl"] == "https://edited"


@pytest.mark.parametrize("limits", [NESTED, PACKED])
def test_secrets_of_a_nested_template_must_be_set(tmp_path: Path, limits: Limits) -> None:
    output = within_limits(generate(read_git_folder(write(tmp_path, EVERY_KIND))), limits)
    _, findings = imported(ExportFiles("made", template=Document("t.json", output.template)), {})
    assert sorted(finding.path for finding in findings) == sorted(f"parameters.{name}" for name in SECRETS)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"expressionEvaluationOptions": {"scope": "outer"}}, "has no inner scope"),
        ({"parameters": {"factoryName": {"value": "adf-other"}}}, "gives the parameter factoryName something else"),
    ],
)
def test_a_nested_template_of_another_make_is_refused(tmp_path: Path, change: dict[str, Any], text: str) -> None:
    output = within_limits(generate(read_git_folder(write(tmp_path, EVERY_KIND))), NESTED)
    template = json.loads(to_bytes(output.template))
    template["resources"][1]["properties"] |= change
    _, findings = imported(ExportFiles("made", template=Document("t.json", template)), SECRETS)
    assert any(text in str(finding) and "resources[1].properties" in str(finding) for finding in findings)


NAMES = st.text(
    st.characters(exclude_characters='<>*%&:\\?/+#"', exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20
).filter(lambda name: name.strip() and not name.startswith(".") and len(name.encode()) < 100)
TEXTS = st.text(st.characters(exclude_characters="@", exclude_categories=["Cs"])) | st.sampled_from(
    ["[", "[]", "[[x]", "['", "[concat('a')]", "@item()"]
)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
KEYS = st.text(string.ascii_letters + "[]'. ", min_size=1)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_factory_comes_back_as_it_was(data: st.DataObject) -> None:
    """Pipelines that call each other, datasets, linked services, whatever their names and bodies: flat, nested, packed."""
    names = data.draw(st.lists(NAMES, unique_by=lambda name: name.lower(), min_size=1, max_size=6))
    files: dict[str, Any] = {}
    for number, name in enumerate(names):
        called = data.draw(st.sampled_from(["", *names[:number]]))
        body = {"x": data.draw(VALUES), **({"call": ref(called, "Pipeline")} if called else {})}
        files[f"pipeline/{number}.json"] = item(name, activities=[], body=body)
        service = linked(name, "Any", url=data.draw(VALUES), more=data.draw(VALUES), database=data.draw(VALUES))
        files[f"linkedService/{number}.json"] = service
        where = {"linkedServiceName": ref(name, "LinkedService"), "typeProperties": {"fileName": data.draw(VALUES)}}
        files[f"dataset/{number}.json"] = item(name, type="Any", **where)
    limits = data.draw(st.sampled_from([None, NESTED, PACKED]))
    with tempfile.TemporaryDirectory() as scratch:
        folder = read_git_folder(write(Path(scratch), files))
    found = rendered_again(folder, {}, limits)
    assert {one.key: (one.name, one.properties) for one in folder.objects} == {
        key: (one.name, one.properties) for key, one in found.items()
    }
