"""Expressions that do not parse are found before a deployment, with activity, property and position."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rehearsal.data_factory.expressions import syntax
from rehearsal.data_factory.expressions.errors import SyntaxMistake
from slipway.domain.factory.export_parameters import Secret
from slipway.domain.factory.expressions import Malformed, check, unparsable
from slipway.domain.factory.git_folder import read_git_folder
from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.errors import ReleaseError
from tests.unit.factory.made import activity, item, linked, write

GOOD = [
    "", "text", "me@example.com", "@@concat('a'", "@@{", "a@@{x", "@concat()", "@concat('it''s )', 'x')",
    "@pipeline().parameters.day", "@{pipeline()?.parameters?['day']}/x/@{item().a[0].b}", "@add(-1, +2.5)",
    "@true", "@5", "@ if ( equals(1, null), json('{}'), variables('x') ) ", "@{'}'}", "@concat('\n',\n  'x')", "x@{item()}}",
]  # fmt: skip
BAD = [
    ("@concat('a'", 8, "( has no )"), ("@concat('a'))", 13, ") closes nothing"), ("@item()[0", 8, "[ has no ]"),
    ("@concat('a',)", 13, "not )"), ("@concat(,'a')", 9, "not ,"), ("@concat('a' 'b')", 13, "not expected"),
    ("@concat('a", 9, "quotes has no end"), ("a@{item()", 10, "the @{ at position 2 has no }"), ("@{}", 3, "ends"),
    ("@", 2, "ends"), ("@item().", 9, "ends"), ("@item()..a", 9, "not expected"), ("@item(]", 7, "not ]"),
    ("@a()[1)", 7, "closes nothing"),
    ("@pipeline.parameters.x", 2, "'pipeline' needs ()"), ("@concat(x)", 9, "'x' needs ()"), ("@(item())", 2, "not ("),
    ("@pipeline().parameters.a-b", 25, "['a-b']"), ("@item()/@{item()}", 8, "not expected"),
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_what_parses_is_left_alone(text: str) -> None:
    check(text)
    syntax.read(text)


@pytest.mark.parametrize(("text", "position", "reason"), BAD)
def test_what_does_not_parse_has_its_position(text: str, position: int, reason: str) -> None:
    with pytest.raises(Malformed, match=f"^position {position}: ") as caught:
        check(text)
    assert reason in str(caught.value)


@given(
    st.lists(
        st.sampled_from(["@", "{", "}", "(", ")", "[", "]", ".", "?", ",", "'", "a", "1", " ", "item()", "x"]),
        max_size=12,
    )
)
@example(["@", "@", "{"])
def test_what_the_stand_in_runs_is_never_refused(parts: list[str]) -> None:
    text = "@" + "".join(parts)
    try:
        syntax.read(text)
    except SyntaxMistake:
        return
    check(text)


def test_no_depth_is_too_great() -> None:
    check("@" + "not(" * 50_000 + "true" + ")" * 50_000)
    with pytest.raises(Malformed):
        check("@" + "not(" * 50_000)


def expression(text: str) -> dict[str, Any]:
    return {"value": text, "type": "Expression"}


def test_a_folder_is_refused_with_activity_property_and_position(tmp_path: Path) -> None:
    inner = activity("say it", "SetVariable", value=expression("@concat('a'"))
    files = {
        "pipeline/p.json": item(
            "p", activities=[activity("each", "ForEach", items=expression("@x"), activities=[inner])]
        ),
        "dataset/d.json": item(
            "d", type="Json", typeProperties={"location": {"folderPath": expression("@{dataset().x")}}
        ),
    }
    with pytest.raises(ReleaseError) as caught:
        read_git_folder(write(tmp_path, files))
    text = "\n".join(map(str, caught.value.findings))
    assert "has 3 mistakes" in str(caught.value)
    lines = (tmp_path / "pipeline" / "p.json").read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "@concat" in text)
    assert f"p.json:{line}: properties.activities[0].typeProperties.activities[0].typeProperties.value.value" in text
    assert "an expression of activity 'say it' does not parse: position 8: ( has no )" in text
    assert "an expression of activity 'each' does not parse: position 2: 'x' needs ()" in text
    assert "properties.typeProperties.location.folderPath.value" in text


def test_what_only_looks_like_an_expression_is_a_warning(tmp_path: Path) -> None:
    files = {
        "pipeline/p.json": item(
            "p",
            description="@(",
            annotations=["@("],
            parameters={"x": {"type": "string", "defaultValue": "@("}},
            activities=[
                activity(
                    "ask", "Script", text="@Mode = 1; SELECT 'x'", mapping=[{"name": "@id", "path": "@odata.type"}]
                ),
                {**activity("off", "Wait", waitTimeInSeconds=expression("@(")), "state": "Inactive"},
            ],
        ),
        "linkedService/s.json": linked("s", "Sql", password={"type": "SecureString", "value": "@("}),
        "dataflow/f.json": item("f", type="MappingDataFlow", typeProperties={"scriptLines": ["@("]}),
    }
    (warning,) = read_git_folder(write(tmp_path, files)).warnings
    assert "properties.activities[0].typeProperties.text" in str(warning)
    assert "an expression of activity 'ask' does not parse: position 2: 'Mode' needs ()" in str(warning)
    assert warning.line


def test_a_secret_is_not_looked_into() -> None:
    settings = {"password": Secret("@("), "url": "@{linkedService().x"}
    (found,) = unparsable(FactoryObject(Kind.LINKED_SERVICES, "s", {"typeProperties": settings}))
    assert found.place[-1] == "url"
