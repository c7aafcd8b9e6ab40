"""Whatever form reads a global parameter gets the value; whatever only looks like it stays, letter by letter."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.data_factory.expressions import syntax
from slipway.domain.factory.candidate_expressions import Unclear, substitute

FOLDER = "/Workspace/Slipway/bikeshare/test/green"
VALUES: dict[str, Any] = {"releaseFolder": FOLDER}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("@pipeline().globalParameters.releaseFolder", FOLDER),
        ("@{pipeline().globalParameters.releaseFolder}", FOLDER),
        ("@{pipeline().globalParameters.releaseFolder}/notebooks/x", f"{FOLDER}/notebooks/x"),
        ("dbfs:@{ pipeline().globalParameters.releaseFolder }/x", f"dbfs:{FOLDER}/x"),
        (
            "@concat(pipeline().globalParameters.releaseFolder, '/notebooks/score')",
            f"@concat('{FOLDER}', '/notebooks/score')",
        ),
        ("@concat('a''b', Pipeline ( ).GLOBALPARAMETERS.releasefolder)", f"@concat('a''b', '{FOLDER}')"),
        ("@trim(pipeline()['globalParameters']['releaseFolder'])", f"@trim('{FOLDER}')"),
        ("@trim(pipeline()?.globalParameters?['releaseFolder'])", f"@trim('{FOLDER}')"),
        ("a@{trim(pipeline().globalParameters.releaseFolder)}}b", f"a@{{trim('{FOLDER}')}}}}b"),
        (
            "@{pipeline().globalParameters.releaseFolder}/@{pipeline().globalParameters.releaseFolder}/@{item()}",
            f"{FOLDER}/{FOLDER}/@{{item()}}",
        ),
        (
            "@if(equals(1, 2), pipeline().globalParameters.releaseFolder, pipeline().globalParameters.other)",
            f"@if(equals(1, 2), '{FOLDER}', pipeline().globalParameters.other)",
        ),
        ("@{concat('}', pipeline().globalParameters.releaseFolder)}", f"@{{concat('}}', '{FOLDER}')}}"),
    ],
)
def test_every_form_gets_the_value(text: str, wanted: str) -> None:
    assert substitute(text, VALUES) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "releaseFolder",
        "pipeline().globalParameters.releaseFolder",
        "see pipeline().globalParameters.releaseFolder @ home",
        "@@pipeline().globalParameters.releaseFolder",
        "@@{pipeline().globalParameters.releaseFolder}",
        "x@@{pipeline().globalParameters.releaseFolder}",
        "@concat('pipeline().globalParameters.releaseFolder')",
        "@{'pipeline().globalParameters.releaseFolder'}",
        "@pipeline().globalParameters.releaseFolders",
        "@pipeline().globalParameters.releaseFolder-2",
        "@pipeline().parameters.releaseFolder",
        "@pipeline().parameters.globalParameters",
        "@activity('x').output.globalParameters.releaseFolder",
        "@activity('x').pipeline().globalParameters.releaseFolder",
        "@mypipeline().globalParameters.releaseFolder",
        "@item().globalParameters['releaseFolder']",
        "'",
        "it's @home: globalParameters",
        "",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert substitute(text, VALUES) == text


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("@pipeline().globalParameters[variables('x')]", 2),
        ("@concat('a', string(pipeline().globalParameters))", 21),
        ("@concat(string(pipeline()), pipeline().globalParameters.a)", 16),
        ("@pipeline().globalParameters[concat('release', 'Folder')]", 2),
        ("@{pipeline().globalParameters.releaseFolder", 44),
        ("@concat(pipeline().globalParameters.releaseFolder, 'x)", 52),
    ],
)
def test_what_cannot_be_followed_is_said_with_its_position(text: str, position: int) -> None:
    with pytest.raises(Unclear) as caught:
        substitute(text, VALUES)
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (2, "@add(json('2'), 1)"),
        (True, "@add(json('true'), 1)"),
        ({"a": ["it's"]}, """@add(json('{"a":["it''s"]}'), 1)"""),
        ("o'clock", "@add('o''clock', 1)"),
    ],
)
def test_values_of_every_type_are_written_as_the_value_itself(value: Any, wanted: str) -> None:
    assert substitute("@add(pipeline().globalParameters.x, 1)", {"X": value}) == wanted


@pytest.mark.parametrize("value", ["@x", "{a", "a@{b}", ""])
def test_a_text_that_could_be_read_as_an_expression_stays_in_quotes(value: str) -> None:
    assert substitute("@pipeline().globalParameters.x", {"x": value}) == f"@'{value}'"
    assert substitute("a@{pipeline().globalParameters.x}b", {"x": value}) == f"a@{{'{value}'}}b"


SIGNS = ["@", "@@", "@{", "}", "@@{", "'", "''", ".", "?", "[", "]", "concat(", ")", ",", " ", "\n", "-", "é", "x"]
WORDS = ["pipeline()", "Pipeline( )", "globalParameters", "releaseFolder", "other", "'releaseFolder'", "item()"]
WHOLE = ["pipeline().globalParameters.releaseFolder", "@{pipeline().globalParameters.releaseFolder}", "/notebooks/"]
PIECES = st.sampled_from([*SIGNS, *WORDS, *WHOLE])


def follow(text: str) -> str | None:
    try:
        return substitute(text, VALUES)
    except Unclear:
        return None


@given(st.lists(PIECES, max_size=12).map("".join))
def test_any_text_at_all_ends_and_a_second_time_changes_nothing(text: str) -> None:
    once = follow(text)
    if once is not None:
        assert substitute(once, VALUES) == once


NAMES = st.sampled_from(["releaseFolder", "ReleaseFolder", "other"])
TEXTS = st.text(alphabet="ab'@{} /", max_size=6)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


READ = st.builds(
    lambda form, name: form.format(name),
    st.sampled_from(["pipeline().globalParameters.{}", "pipeline()['globalParameters']?['{}']"]),
    NAMES,
)
LEAVES = READ | TEXTS.map(quoted) | st.sampled_from(["1", "pipeline().parameters.releaseFolder", "item()"])
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"concat({', '.join(parts)})"),
    max_leaves=6,
)
PLAIN = st.text(alphabet="ab '/é", max_size=5)


def reads(node: Any) -> int:
    """How often a tree of the stand-in's reader reads the release folder."""
    if isinstance(node, syntax.Interpolation):
        return sum(reads(part) for part in node.parts)
    if isinstance(node, syntax.Call):
        return sum(reads(part) for part in node.arguments)
    if isinstance(node, syntax.Step):
        owner = node.of
        here = (
            isinstance(owner, syntax.Step)
            and isinstance(owner.of, syntax.Call)
            and owner.of.name.lower() == "pipeline"
            and owner.key == syntax.Literal("globalParameters")
            and isinstance(node.key, syntax.Literal)
            and str(node.key.value).lower() == "releasefolder"
        )
        return here + reads(node.of) + reads(node.key)
    return 0


def literals(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    if isinstance(node, syntax.Literal):
        return [str(node.value)]
    if isinstance(node, syntax.Interpolation):
        return [text for part in node.parts for text in literals(part)]
    if isinstance(node, syntax.Call):
        return [text for part in node.arguments for text in literals(part)]
    return [text for part in (node.of, node.key) for text in literals(part)] if isinstance(node, syntax.Step) else []


@given(st.lists(PLAIN | EXPRESSIONS.map(lambda text: f"@{{{text}}}"), min_size=1, max_size=4).map("".join))
def test_a_reader_of_another_make_finds_no_read_afterwards_and_the_value_in_its_place(text: str) -> None:
    before, after = syntax.read(text), syntax.read(substitute(text, VALUES))
    assert reads(after) == 0
    assert "".join(literals(after)).count(FOLDER) == reads(before)
    if not reads(before):
        assert after == before


@given(EXPRESSIONS)
def test_whole_expressions_too(text: str) -> None:
    before, after = syntax.read(f"@{text}"), syntax.read(substitute(f"@{text}", VALUES))
    assert reads(after) == 0
    assert "".join(literals(after)).count(FOLDER) == reads(before)
