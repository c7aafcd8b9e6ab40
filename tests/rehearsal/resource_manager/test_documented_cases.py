"""The engine against values that Microsoft documents, and hashes that the real engine gave; where that data is at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rehearsal.resource_manager.template.hashes import hash64, unique_string
from tests.rehearsal.resource_manager.engine import outputs
from tests.rehearsal.resource_manager.local_azure import REPOSITORY, SUBSCRIPTION

DATA = REPOSITORY.parent / "shared" / "data" / "arm"
# Cases by name that are known not to agree, each with the reason. None.
SKIPPED: dict[str, str] = {}


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


CASES = (read(DATA / "documented-cases.json") or {"cases": []})["cases"]


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_documented_case(case: dict[str, Any]) -> None:
    if case["name"] in SKIPPED:
        pytest.skip(SKIPPED[case["name"]])
    expected = json.dumps(case["expected_outputs"]).replace("{current-sub-id}", SUBSCRIPTION).replace("{rg}", "rg-app")
    assert outputs(case["template"], case["parameters"]) == json.loads(expected)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["hello", "world"], "a7wkljktk6wne"),
        (["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/myRg"], "js26ofeqkqeve"),
        (["/subscriptions/00000000-0000-0000-0000-000000000000", "resource-id"], "cwvxuqg24sifi"),
    ],
)
def test_unique_string_as_in_azure(arguments: list[str], expected: str) -> None:
    assert unique_string(arguments) == expected


def test_hash_behind_it() -> None:
    assert hash64(b"hello-world") == 571013382255652050


def test_vectors_at_hand() -> None:
    for vector in read(DATA / "hash-vectors.json") or []:
        assert unique_string(vector["args"]) == vector["expected"], vector
