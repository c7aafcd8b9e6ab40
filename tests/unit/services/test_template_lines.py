"""A template is read as JSON is, with the line of everything in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.errors import ReleaseError
from slipway.services.resource_manager.template_lines import blank_comments, parse_path, read_template

KEYS = st.text(alphabet="ab\"'\\/*{}[]:, \n", max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | KEYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)

TEMPLATE = """{
  // what it is for
  "parameters": {
    "name": { "type": "string" } /* no
    default */
  },
  "resources": [
    {
      "type": "Microsoft.Storage/storageAccounts", "name": "https://not/a/comment",
      "properties": {}
    }
  ]
}
"""


def write(folder: Path, text: str) -> Path:
    (folder / "t.json").write_text(text, encoding="utf-8")
    return folder / "t.json"


@settings(deadline=None, max_examples=60)
@given(content=st.dictionaries(KEYS, VALUES, max_size=4), indent=st.sampled_from([None, 0, 2]))
def test_the_content_is_what_json_says(tmp_path_factory: pytest.TempPathFactory, content: object, indent: int) -> None:
    path = write(tmp_path_factory.mktemp("t"), json.dumps(content, indent=indent))
    assert read_template(path, "t.json").content == content


def test_lines(tmp_path: Path) -> None:
    template = read_template(write(tmp_path, TEMPLATE), "arm/t.json")
    assert template.line_of(("parameters", "name")) == 4
    assert template.line_of(("resources", 0)) == 8
    assert template.line_of(("resources", 0, "name")) == 9
    assert template.line_of(("resources", 0, "properties", "sku", "name")) == 10  # the nearest that is there
    assert template.line_of(("outputs",)) is None
    assert template.content["resources"][0]["name"] == "https://not/a/comment"


def test_comments_leave_every_character_in_its_place() -> None:
    blank = blank_comments(TEMPLATE)
    assert [len(line) for line in blank.split("\n")] == [len(line) for line in TEMPLATE.split("\n")]
    json.loads(blank)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n  "a": 1\n  "b": 2\n}', "t.json:3: Expecting ','"),
        ('{\n  "a": [1, 2,]\n}', "t.json:2: Expecting value"),
        ('{"a": 1} x', "Extra data"),
        ("{'a': 1}", "name in double quotes"),
        ("[]", "not an object"),
        ("", "Expecting value"),
        ("[" * 1000, "Nested too deeply"),
        ('{"a": "b', "Unterminated string"),
    ],
)
def test_what_is_not_json(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ReleaseError) as caught:
        read_template(write(tmp_path, text), "t.json")
    assert said in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"arm/main\.json: is missing"):
        read_template(tmp_path / "main.json", "arm/main.json")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("properties.template.resources[2].properties.sku", ("resources", 2, "properties", "sku")),
        ("$.resources[0]", ("resources", 0)),
        ("properties.template.parameters['a.b']", ("parameters", "a.b")),
        ("resources['it''s']", ("resources", "it's")),
        ("properties.parameters.x", ()),
        ("", ()),
        ("[", ()),
    ],
)
def test_paths(path: str, place: tuple[str | int, ...]) -> None:
    assert parse_path(path) == place


@given(path=st.text(alphabet="ab.[]'0$", max_size=12))
def test_any_path_is_read(path: str) -> None:
    assert isinstance(parse_path(path), tuple)
