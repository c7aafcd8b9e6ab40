"""Exports of every generation are found and read; what is no export is refused with its place."""

from __future__ import annotations

import json
import stat
import zipfile
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipway.domain.factory import export_files
from slipway.domain.factory.export import Definition, Export, parameter_values, read_export, render
from slipway.domain.factory.export_files import find_export
from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.errors import Finding
from tests.unit.factory_import import made

OBJECTS = [
    made.linked_service("ls_adb", domain="https://adb-1.azuredatabricks.net"),
    made.dataset("ds day", "ls_adb"),
    made.pipeline("pl it's", datasets=["ds day"], description="[not an expression]"),
    made.pipeline("pl_ñ", calls=["pl it's"], description="['half"),
    made.trigger("tr_day", "pl_ñ"),
    FactoryObject(Kind.MANAGED_VIRTUAL_NETWORKS, "default", {}),
    FactoryObject(Kind.MANAGED_PRIVATE_ENDPOINTS, "default/pe-1", {"groupId": "vault"}),
    FactoryObject(Kind.CREDENTIALS, "cr", {"type": "ManagedIdentity", "typeProperties": {}}),
    FactoryObject(Kind.INTEGRATION_RUNTIMES, "ir", {"type": "SelfHosted"}),
    FactoryObject(Kind.DATAFLOWS, "df", {"type": "MappingDataFlow", "typeProperties": {}}),
    FactoryObject(Kind.CHANGE_DATA_CAPTURES, "cdc", {"Policy": {"mode": "Microbatch"}}),
]


def read(path: Path, target: str = "adf-test") -> tuple[Export, list[Finding]]:
    files, findings = find_export(path)
    if findings:
        return Export(str(path)), findings
    return read_export(files, target=target)


def rendered(path: Path, target: str = "adf-test", **overrides: Any) -> tuple[Definition, list[Finding]]:
    export, findings = read(path, target)
    values, more = parameter_values(export, overrides, factory=target, configuration="test.yml")
    definition, last = render(export, values, factory=target)
    return definition, findings + more + last


def export_of(objects: list[FactoryObject], generation: int = 3) -> dict[str, Any]:
    return made.files_of(made.template(objects), made.parameters_file(), generation=generation)


@pytest.mark.parametrize("generation", [1, 2, 3])
@pytest.mark.parametrize("folder", [False, True])
def test_every_generation_gives_all_objects_back(tmp_path: Path, generation: int, folder: bool) -> None:
    files = export_of(OBJECTS, generation)
    path = made.write_folder(tmp_path / "e", files) if folder else made.write_zip(tmp_path / "e.zip", files)
    definition, findings = rendered(path)
    assert findings == []
    assert {item.key: item.properties for item in definition.objects} == {item.key: item.properties for item in OBJECTS}
    assert [item.name for item in definition.objects] == [item.name for item in OBJECTS]


def test_stray_files_and_byte_order_marks_do_no_harm(tmp_path: Path) -> None:
    files = {f"adf-dev/{name}": content for name, content in export_of(OBJECTS).items()}
    files["adf-dev/ARMTemplateForFactory.json"] = b"\xef\xbb\xbf" + json.dumps(made.template(OBJECTS)).encode()
    files["adf-dev/ARMTemplateParametersForFactory.json"] = json.dumps(made.parameters_file()).encode("utf-16")
    files |= {"__MACOSX/._arm_template.json": b"\0", "adf-dev/PartialArmTemplates/ARMTemplateForFactory.json": "{"}
    files |= {
        "README.md": "#",
        "adf-dev/~ARMTemplateForFactory.json": "{",
        "adf-dev/linkedTemplates/ArmTemplate_7.json": "{",
    }
    definition, findings = rendered(made.write_zip(tmp_path / "e.zip", files))
    assert findings == []
    assert len(definition.objects) == len(OBJECTS)


def test_a_folder_with_one_zip_and_a_template_by_name(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    made.write_zip(tmp_path / "a" / "e.zip", export_of(OBJECTS))
    assert len(rendered(tmp_path / "a")[0].objects) == len(OBJECTS)
    made.write_folder(tmp_path / "b", export_of(OBJECTS))
    assert len(rendered(tmp_path / "b" / "ARMTemplateForFactory.json")[0].objects) == len(OBJECTS)
    made.write_zip(tmp_path / "a" / "f.zip", export_of(OBJECTS))
    assert "2 ZIP files (e.zip, f.zip)" in str(read(tmp_path / "a")[1][0])


def test_linked_templates_alone_are_read_as_their_master_says(tmp_path: Path) -> None:
    files = {
        "linkedTemplates/ArmTemplate_master.json": made.master(["ArmTemplate_0.json", "ArmTemplate_1.json"]),
        "linkedTemplates/ArmTemplateParameters_master.json": made.parameters_file(
            {"containerUri": "", "containerSasToken": ""}
        ),
        "linkedTemplates/ArmTemplate_0.json": made.template(OBJECTS[:2]),
        "linkedTemplates/ArmTemplate_1.json": made.template(OBJECTS[2:]),
        "linkedTemplates/ArmTemplate_2.json": "a left-over",
    }
    definition, findings = rendered(made.write_zip(tmp_path / "e.zip", files))
    assert findings == []
    assert len(definition.objects) == len(OBJECTS)
    del files["linkedTemplates/ArmTemplate_1.json"]
    assert "ArmTemplate_1.json that is not there" in str(read(made.write_zip(tmp_path / "f.zip", files))[1])


@pytest.mark.parametrize(
    "name", ["../ARMTemplateForFactory.json", "a/../../x.txt", "/etc/passwd", "C:/x.json", "..\\x"]
)
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    path = made.write_zip(tmp_path / "e.zip", {**export_of(OBJECTS), name: "{}"})
    assert any("leads out of the ZIP" in str(finding) for finding in read(path)[1])


def test_two_templates_are_refused_by_name(tmp_path: Path) -> None:
    files = {**export_of(OBJECTS), "other/arm_template.json": made.template([])}
    (finding,) = read(made.write_zip(tmp_path / "e.zip", files))[1]
    assert "2 templates (ARMTemplateForFactory.json, other/arm_template.json); unpack it" in finding.text


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_files, "LARGEST_FILE", 1024 * 1024)
    path = tmp_path / "e.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ARMTemplateForFactory.json", b"[" + b" " * (8 * 1024 * 1024) + b"]")
    assert "larger than 1 MB unpacked" in str(read(path)[1][0])


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    path = made.write_zip(tmp_path / "e.zip", export_of(OBJECTS))
    link = zipfile.ZipInfo("factory/x.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    (finding,) = read(path)[1]
    assert "e.zip!factory/x.json: is a symbolic link" in str(finding)


def test_all_files_together_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_files, "LARGEST", 1024)
    text = str(read(made.write_zip(tmp_path / "e.zip", export_of(OBJECTS)))[1][0])
    assert "and the files before it are larger than 0 MB unpacked" in text


def test_twins_in_a_zip_are_refused(tmp_path: Path) -> None:
    path = made.write_zip(tmp_path / "e.zip", export_of(OBJECTS))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("ArmTemplateForFactory.json", "{}")
    assert "is in the ZIP twice" in str(read(path)[1][0])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 0.999))
def test_a_truncated_zip_is_an_error_and_never_half_an_export(tmp_path: Path, share: float) -> None:
    whole = made.write_zip(tmp_path / "whole.zip", export_of(OBJECTS)).read_bytes()
    path = tmp_path / "cut.zip"
    path.write_bytes(whole[: int(len(whole) * share)])
    export, findings = read(path)
    assert findings
    assert not export.resources


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0), st.integers(0, 255))
def test_a_damaged_byte_never_crashes_the_reader(tmp_path: Path, place: int, byte: int) -> None:
    data = bytearray(made.write_zip(tmp_path / "whole.zip", export_of(OBJECTS[:2])).read_bytes())
    data[place % len(data)] = byte
    path = tmp_path / "damaged.zip"
    path.write_bytes(bytes(data))
    rendered(path)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", "is not valid JSON"),
        ('{"a": 1,\n  "b": }', ":2: is not valid JSON, column 8: expecting value"),
        ("[]", "is no ARM template"),
        ('{"resources": NaN}', "column 15: NaN is not a value of JSON"),
        ("[" * 100_000, "nested too deeply"),
        (b"\xff\xff{}", "is not UTF-8 text"),
        ({"$schema": made.SCHEMA, "resources": []}, "parameters: are missing"),
        ({"$schema": made.SCHEMA, "parameters": {}, "resources": []}, "no export of a data factory"),
        ({"$schema": made.SCHEMA, "parameters": {}, "resources": {}}, "must be a list"),
        (made.template([]), "there is no factory object"),
        (made.master(["ArmTemplate_0.json"]), "the master of linked templates"),
        (
            made.template([], more=[{"type": "Microsoft.Storage/storageAccounts", "name": "x"}]),
            "which is no factory object",
        ),
        (made.template([], more=[{"type": "Microsoft.DataFactory/factories/pipelines", "name": "x"}]), "no properties"),
        (made.template([], more=cast(Any, ["x"])), "which is no factory object"),
        ('{"a": [1,\n2,]}', ":2: is not valid JSON, column 3: a comma too many before ]"),
        ('{"a": "1e999", "b": 1e999}', "column 21: 1e999 is not a value of JSON"),
        (f'{{"a": {"9" * 5000}}}', "column 7: a number that is too long"),
        ('{"a": 1} // by hand', "column 10: a comment"),
        ("{'a': 1}", "column 2: JSON's quotes are double quotes"),
        ('{"a":', "the file ends too early"),
        ('{\n<<<<<<< HEAD\n"a": 1}', ":2: is not valid JSON, column 1: a merge conflict was left here"),
        (
            '{"b": {"a": "{", "c": ["a"]},\n"a": 1, "d": {"a": "\\"a\\":"},\n "a": 2}',
            ":3: column 2: has the key 'a' twice in one object",
        ),
        (made.template([FactoryObject(Kind.PIPELINES, "p" * 261, {})]), "resources[0].name: has 261 characters"),
        (made.template([FactoryObject(Kind.PIPELINES, "p\n", {})]), "has the character '\\n', which no name may have"),
        ({**made.template(OBJECTS), "functions": [{"namespace": "x"}]}, "functions: are no part of an export"),
        (
            made.template([], more=[{**made.resource(OBJECTS[0]), "condition": "[x]"}]),
            "has condition, which Studio never",
        ),
        (made.template([], more=[{**made.resource(OBJECTS[0]), "Copy": {}}]), "has copy, which Studio never"),
    ],
)
def test_what_is_no_export_is_refused(tmp_path: Path, content: Any, text: str) -> None:
    path = made.write_zip(tmp_path / "e.zip", {"ARMTemplateForFactory.json": content})
    assert text in "\n".join(map(str, rendered(path)[1]))


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip", b"%PDF-1.4"])
def test_a_file_that_is_no_zip(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "e.zip"
    path.write_bytes(data)
    assert "is not a whole ZIP file" in str(read(path)[1][0])


def test_no_export_at_all(tmp_path: Path) -> None:
    assert "there is no such file" in str(read(tmp_path / "x.zip")[1][0])
    assert "holds no factory export" in str(read(tmp_path)[1][0])


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    made.write_folder(tmp_path / "out", export_of(OBJECTS))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ARMTemplateForFactory.json").symlink_to(tmp_path / "out" / "ARMTemplateForFactory.json")
    assert "holds no factory export" in str(read(tmp_path / "in")[1][0])


def test_the_parameters_of_another_factory(tmp_path: Path) -> None:
    files = made.files_of(made.template(OBJECTS), made.parameters_file(factory="adf-other"))
    (finding,) = read(made.write_zip(tmp_path / "e.zip", files))[1]
    assert "belongs to factory adf-other, but the template was exported from adf-dev" in finding.text
    files = made.files_of(made.template(OBJECTS), made.parameters_file(factory="adf-test"))
    assert read(made.write_zip(tmp_path / "e.zip", files))[1] == []
    files = made.files_of(made.template(OBJECTS), made.parameters_file({"ls_old_url": "x"}))
    (finding,) = read(made.write_zip(tmp_path / "e.zip", files))[1]
    assert "ls_old_url" in finding.path
    assert "no parameter of the template" in finding.text


def test_all_mistakes_are_found_at_once(tmp_path: Path) -> None:
    objects = [
        made.pipeline("a", calls=["b", "missing"]),
        made.pipeline("b", calls=["a"]),
        made.pipeline("A"),
        made.dataset("ds", "gone"),
        FactoryObject(Kind.PIPELINES, "bad/name", {"activities": []}),
    ]
    content = made.template(objects, {"secret": {"type": "secureString"}, "plain": {"type": "string"}})
    content["resources"][3]["properties"]["typeProperties"] = {"x": "[reference('y')]"}
    path = made.write_zip(tmp_path / "e.zip", made.files_of(content, made.parameters_file()))
    text = "\n".join(map(str, rendered(path, wrong="x")[1]))
    for part in (
        "pipelines/A is here twice",
        "datasets/ds needs linkedServices/gone, which is not in the export",
        "properties.linkedServiceName.referenceName",
        "can't be read as the name of one of pipelines",
        "uses reference, which no export has",
        "parameters.secret: is secure and has no value",
        "parameters.plain: has no value",
        "data_factory.parameters.wrong: names no parameter",
    ):
        assert part in text


def test_expressions_that_do_not_parse_are_named(tmp_path: Path) -> None:
    wait = {
        "name": "rest",
        "type": "Wait",
        "typeProperties": {"waitTimeInSeconds": {"value": "@int(", "type": "Expression"}},
    }
    plain = {"name": "ask", "type": "Script", "typeProperties": {"text": "@Mode = 1"}}
    item = FactoryObject(Kind.PIPELINES, "p", {"activities": [wait, plain]})
    definition, (finding,) = rendered(made.write_zip(tmp_path / "e.zip", export_of([item])))
    assert "(pipelines/p) properties.activities[0].typeProperties.waitTimeInSeconds.value" in str(finding)
    assert "activity 'rest' does not parse: position 5: ( has no )" in str(finding)
    assert "activity 'ask' does not parse: position 2" in str(definition.warnings[0])


def test_a_ring_is_named(tmp_path: Path) -> None:
    objects = [made.pipeline("a", calls=["b"]), made.pipeline("b", calls=["a"])]
    text = str(rendered(made.write_zip(tmp_path / "e.zip", export_of(objects)))[1])
    assert "pipelines/a -> pipelines/b -> pipelines/a" in text


GLOBALS = {"env": {"type": "string", "value": "dev"}, "rows": {"type": "int", "value": 5}}


def globals_in_factory(values: Any) -> dict[str, Any]:
    return {
        "name": "[parameters('factoryName')]",
        "type": "Microsoft.DataFactory/factories",
        "properties": {"globalParameters": values},
        "location": "[parameters('dataFactory_location')]",
    }


@pytest.mark.parametrize("where", ["resource", "factory", "factory file", "own file"])
def test_global_parameters_wherever_they_stand(tmp_path: Path, where: str) -> None:
    name = {"resource": "default_properties_env_value", "own file": "default_properties_env_value"}.get(
        where, "dataFactory_properties_globalParameters_env_value"
    )
    declared = {
        name: {"type": "string", "defaultValue": "dev"},
        "dataFactory_location": {"type": "string", "defaultValue": "w"},
    }
    values = {"env": {"type": "string", "value": f"[parameters('{name}')]"}, "rows": {"type": "int", "value": 5}}
    own = {
        "name": "[concat(parameters('factoryName'), '/default')]",
        "type": "Microsoft.DataFactory/factories/globalparameters",
        "properties": values,
    }
    files = made.files_of(made.template(OBJECTS), made.parameters_file())
    if where == "resource":
        files["ARMTemplateForFactory.json"] = made.template(OBJECTS, declared, more=[own])
    elif where == "factory":
        files["ARMTemplateForFactory.json"] = made.template(OBJECTS, declared, more=[globals_in_factory(values)])
    elif where == "factory file":
        content = made.template([], declared, more=[globals_in_factory(values)])
        files["factory/adf-dev_ARMTemplateForFactory.json"] = content
    else:
        files["globalParameters/adf-dev_GlobalParameters.json"] = GLOBALS
    path = made.write_zip(tmp_path / "e.zip", files)
    definition, findings = rendered(path)
    assert findings == []
    assert definition.global_parameters == GLOBALS
    assert len(definition.objects) == len(OBJECTS)
    assert rendered(path, **{name: "test"})[0].global_parameters["env"]["value"] == "test"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["[", "[]", "[[x]", "['"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
NAMES = st.text(
    st.characters(exclude_characters="<>*%&:\\?/+", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12
).filter(str.strip)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, JSON, min_size=1, max_size=3), st.sampled_from([1, 2, 3]))
def test_any_object_comes_back_as_it_was(tmp_path: Path, bodies: dict[str, Any], generation: int) -> None:
    objects = {name.lower(): FactoryObject(Kind.PIPELINES, name, {"x": body}) for name, body in bodies.items()}
    path = made.write_zip(tmp_path / "e.zip", export_of(list(objects.values()), generation))
    definition, findings = rendered(path)
    assert [finding for finding in findings if "which is not in the export" not in str(finding)] == []
    assert {item.name: item.properties for item in definition.objects} == {
        item.name: item.properties for item in objects.values()
    }


def places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Each container in a JSON value, with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    for key in keys:
        found.append((value, key))
        places(value[key], found)
    return found


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.sampled_from([1, 2, 3]))
def test_no_damage_of_the_json_crashes_the_reader(tmp_path: Path, data: st.DataObject, generation: int) -> None:
    """Any value in any file is taken away, or another one: it is read, or refused in words."""
    files = json.loads(json.dumps(export_of(OBJECTS[:6], generation)))
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places(files[data.draw(st.sampled_from(sorted(files)))], [])))
        try:
            if data.draw(st.booleans()):
                container[key] = data.draw(JSON | EXPRESSIONS)
            else:
                del container[key]
        except (KeyError, IndexError):  # gone already
            pass
    rendered(made.write_zip(tmp_path / "e.zip", files))


EXPRESSIONS = st.text(st.sampled_from("[]()',@{}. acfjnoprst0"), max_size=12).map(
    lambda text: f"[{text}]"
) | st.sampled_from(
    ["[parameters('factoryName')]", "[json('{')]", "[variables('factoryId')]", "[concat()]", "[format('{0}')]"]
)
