"""Changing one value of a YAML text: only that value changes."""

from __future__ import annotations

import difflib
from typing import Any

import pytest
import yaml

from slipway.domain.configuration import look_up
from slipway.domain.yaml_edit import set_value
from slipway.errors import NotPossible
from tests.unit.domain.conftest import REPOSITORY

DEFAULTS = (REPOSITORY / "config/defaults.yml").read_text(encoding="utf-8")


def changes(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[:1] in "+-"]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("app", "taxi", ["- app: bikeshare", "+ app: taxi"]),
        ("watch.hours", 5, ["-   hours: 4", "+   hours: 5"]),
        ("databricks.readers", ["a", "b c"], ["-   readers: [users]", "+   readers: [a, b c]"]),
        ("jobs.drift", "stop", ["+   drift: stop"]),
        ("azure.state.more.deep", True, ["+     more:", "+       deep: true"]),
        ("azure.location", "15", ["-   location: westeurope", "+   location: '15'"]),
        (
            "azure.state.container",
            "{{ app }}",
            ['-     container: "{{ environment }}"', "+     container: '{{ app }}'"],
        ),
        ("new.key", "x: y #", ["+ new:", "+   key: 'x: y #'"]),
    ],
)
def test_only_that_value_changes(path: str, value: Any, expected: list[str]) -> None:
    after = set_value(DEFAULTS, path.split("."), value)
    assert changes(DEFAULTS, after) == expected
    assert look_up(yaml.safe_load(after), path) == (True, value)


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ("", "a.b", "a:\n  b: 1\n"),
        ("# only words\n", "a", "# only words\na: 1\n"),
        ("a:\n# kept\nb: 2", "a.x", "a:\n  x: 1\n# kept\nb: 2"),
        ("a: # kept\nb: 2", "a", "a: 1 # kept\nb: 2"),
        ("a: {x: 2} # kept\n", "a.y", "a: {x: 2, y: 1} # kept\n"),
        ("a: {}\n", "a.y.z", "a: {y: {z: 1}}\n"),
        ("a:\n  - x\n  - y\nb: 2\n", "a", "a: 1\nb: 2\n"),
        ("a:\n  x: 3\n\n# kept\nb: 2\n", "a", "a: 1\n\n# kept\nb: 2\n"),
        ("a: 0 # kept\n", "a", "a: 1 # kept\n"),
        ("a:\n    b: 0", "a.c", "a:\n    b: 0\n    c: 1\n"),
        ("a:\n  t: |\n    text\n\nb: 0\n", "a.c", "a:\n  t: |\n    text\n\n  c: 1\nb: 0\n"),
    ],
)
def test_wherever_it_stands(before: str, path: str, after: str) -> None:
    assert set_value(before, path.split("."), 1) == after


@pytest.mark.parametrize(
    "before", ["a: [", "a: 1\n", "- a\n", "a: &x 1\nb: *x\n", "a: |\n  text\n", "a:\n  b:\n    # words\n    - x\n"]
)
def test_what_would_touch_other_things_is_left_to_a_person(before: str) -> None:
    path = ["b"] if "*x" in before else ["a", "b"]
    with pytest.raises(NotPossible, match="by hand"):
        set_value(before, path, 2)
