"""Every mistake in a Git folder is found at once, with file, line and column, and both ends of a broken reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.factory.git_folder import GitFolder, read_git_folder
from slipway.domain.factory.json_file import Unreadable, locate, parse, position
from slipway.domain.factory.objects import Kind
from slipway.errors import Finding, ReleaseError
from tests.unit.factory.made import EVERY_KIND, activity, item, linked, ref, write


def call(name: str) -> Any:
    return activity("call", "ExecutePipeline", pipeline=ref(name, "Pipeline"))


def mistakes(root: Path, files: dict[str, Any]) -> list[Finding]:
    with pytest.raises(ReleaseError) as error:
        read_git_folder(write(root, files))
    assert error.value.exit_code == 4
    return list(error.value.findings)


def one_mistake(root: Path, files: dict[str, Any]) -> Finding:
    found = mistakes(root, files)
    assert len(found) == 1, found
    return found[0]


def read(root: Path, files: dict[str, Any]) -> GitFolder:
    return read_git_folder(write(root, files))


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('{\n\t"name": "p",\n}', 3, "column 1: a comma too many before }"),
        ('{"name": "p" "x": 1}', 1, "column 14: expecting ',' delimiter"),
        ("", 1, "column 1: the file is empty"),
        ("[1, 2]", 1, "column 1: not a JSON object"),
        ('{\n<<<<<<< HEAD\n"name": "p"\n}', 2, "a merge conflict was left here"),
        ('{"name": "p", "properties": {"x": NaN}}', 1, "column 35: NaN is not a value of JSON"),
        (b'{\n"name": "\xff"}', 2, "column 10: not UTF-8 text"),
        ("[" * 100_000, 1, "nested too deeply"),
        ('{"properties": {}}', 1, "must be a text"),
        ('{"name": ["p"], "properties": {}}', 1, "column 10: must be a text"),
        ('{"name": "p", "properties": 3}', 1, "column 29: must be an object"),
        ('{"name": "p"}', 1, "must be an object"),
        ('{"name": "a/b", "properties": {}}', 1, "'a/b' has the character '/'"),
        (json.dumps({"name": "x" * 261, "properties": {}}), 1, "has 261 characters; at most 260"),
    ],
)
def test_a_file_with_a_mistake_has_its_line_and_column(tmp_path: Path, text: str, line: int, said: str) -> None:
    finding = one_mistake(tmp_path, {"pipeline/p.json": text})
    assert finding.file == (tmp_path / "pipeline" / "p.json").as_posix()
    assert finding.line == line
    assert said in finding.text


def test_all_mistakes_are_said_at_once_and_a_broken_file_makes_no_second_one(tmp_path: Path) -> None:
    files = {
        "pipeline/a.json": "{",
        "pipeline/b.json": item("b", activities=[call("A"), call("nowhere")]),
        "publish_config.json": "oops",
        "arm-template-parameters-definition.json": "[]",
    }
    found = mistakes(tmp_path, files)
    assert [Path(one.file).name for one in found] == [
        "arm-template-parameters-definition.json", "a.json", "b.json", "publish_config.json",
    ]  # fmt: skip


def test_a_missing_reference_names_both_ends(tmp_path: Path) -> None:
    finding = one_mistake(tmp_path, {"pipeline/p.json": item("p", activities=[call("gone")])})
    assert finding.path == "properties.activities[0].typeProperties.pipeline.referenceName"
    assert finding.line == 11
    assert finding.text == (
        f"column 24: refers to the pipeline 'gone', and there is no {(tmp_path / 'pipeline' / 'gone.json').as_posix()}"
    )


def test_what_every_factory_has_is_not_missing(tmp_path: Path) -> None:
    runtime = ref("AutoResolveIntegrationRuntime", "IntegrationRuntime")
    folder = read(
        tmp_path,
        {"pipeline/p.json": item("p", activities=[activity("d", "ExecuteDataFlow", integrationRuntime=runtime)])},
    )
    assert folder.graph.missing == ()


def test_a_private_endpoint_without_its_network_is_a_missing_reference(tmp_path: Path) -> None:
    files = {"managedVirtualNetwork/default/managedPrivateEndpoint/e.json": item("e", groupId="vault")}
    assert "managedVirtualNetwork/default.json" in one_mistake(tmp_path, files).text


def test_names_that_differ_by_case_alone_are_duplicates(tmp_path: Path) -> None:
    files = {"dataset/a.json": item("Day", type="Json"), "dataset/b.json": item("DAY", type="Json")}
    finding = one_mistake(tmp_path, files)
    assert {Path(finding.file).name, "a.json", "b.json"} == {"a.json", "b.json"}
    assert "/dataset/" in finding.text


def test_kinds_have_names_of_their_own(tmp_path: Path) -> None:
    files = {"dataset/a.json": item("a", type="Json"), "pipeline/a.json": item("a", activities=[])}
    assert len(read(tmp_path, files).objects) == 2


def test_a_ring_names_every_end_with_its_line(tmp_path: Path) -> None:
    files = {
        "pipeline/a.json": item("a", activities=[call("b")]),
        "pipeline/b.json": item("b", activities=[call("C")]),
        "pipeline/c.json": item("c", activities=[call("a")]),
        "pipeline/user.json": item("user", activities=[call("a")]),
    }
    finding = one_mistake(tmp_path, files)
    assert "a -> b -> c -> a" in finding.text
    for name in ("b", "c"):
        assert f"{(tmp_path / 'pipeline' / name).as_posix()}.json:11: column 24" in finding.text
    assert finding.line == 11


def test_two_rings_are_two_mistakes(tmp_path: Path) -> None:
    pairs = [("a", "b"), ("b", "a"), ("x", "y"), ("y", "x")]
    files = {f"pipeline/{one}.json": item(one, activities=[call(other)]) for one, other in pairs}
    assert len(mistakes(tmp_path, files)) == 2


def test_a_pipeline_that_calls_itself_is_no_ring(tmp_path: Path) -> None:
    folder = read(tmp_path, {"pipeline/a.json": item("a", activities=[call("A")])})
    assert folder.graph.needs(folder.objects[0]) == []


def test_a_folder_with_nothing_in_it_is_refused(tmp_path: Path) -> None:
    assert "no object of a data factory" in one_mistake(tmp_path, {"README.md": "# x"}).text
    with pytest.raises(ReleaseError, match="There is no folder"):
        read_git_folder(tmp_path / "nowhere")


def test_a_byte_order_mark_and_other_files_are_no_mistake(tmp_path: Path) -> None:
    files = {
        "pipeline/p.json": b"\xef\xbb\xbf" + json.dumps(item("p", activities=[])).encode(),
        "pipeline/.gitkeep": "",
        "pipeline/notes.md": "x",
        "sql/x.json": "not read",
    }
    folder = read(tmp_path, files)
    assert [str(one) for one in folder.objects] == ["pipelines/p"]
    assert folder.warnings == ()


def test_odd_things_are_warnings(tmp_path: Path) -> None:
    files = {
        "pipeline/p.json": '{"name": "q", "properties": {"activities": [], "activities": []}}',
        "pipeline/sub/r.json": item("r", activities=[]),
    }
    texts = [one.text for one in read(tmp_path, files).warnings]
    assert len(texts) == 3
    assert any("'activities' twice" in text for text in texts)
    assert any("the name 'q'" in text for text in texts)
    assert any("left out" in text for text in texts)


def test_every_kind_is_read(tmp_path: Path) -> None:
    folder = read(tmp_path, EVERY_KIND)
    assert {one.kind for one in folder.objects} == set(Kind) - {Kind.GLOBAL_PARAMETERS}
    assert folder.factories[0].identity == {"type": "SystemAssigned"}
    assert folder.include_global_parameters
    assert not folder.include_factory


def test_folders_of_another_case_are_read(tmp_path: Path) -> None:
    assert len(read(tmp_path, {"linkedservice/v.json": linked("v", "AzureKeyVault", baseUrl="x")}).objects) == 1


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(VALUES, st.sampled_from([None, 0, 1, "\t"]))
def test_every_value_is_found_where_it_stands(value: Any, indent: Any) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    decoder = json.JSONDecoder()
    pending: list[tuple[tuple[Any, ...], Any]] = [((), value)]
    while pending:
        path, expected = pending.pop()
        line, column = locate(text, path)
        offset = sum(len(one) + 1 for one in text.split("\n")[: line - 1]) + column - 1
        assert decoder.raw_decode(text, offset)[0] == expected
        assert position(text, offset) == (line, column)
        members = (
            expected.items()
            if isinstance(expected, dict)
            else enumerate(expected if isinstance(expected, list) else ())
        )
        pending.extend(((*path, key), member) for key, member in members)


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_whatever_the_bytes_are_the_answer_is_a_value_or_a_place(data: bytes) -> None:
    try:
        parse(data)
    except Unreadable as error:
        assert error.line >= 1
        assert error.column >= 1
