"""The table of rules is true: the code of each is there, its test too, and docs/rules.md shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.mutations import broken, table
from tests.faults.rules import RULES, Rule

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.text)
def test_a_rule_has_code_and_a_test(rule: Rule) -> None:
    text = (ROOT / rule.file).read_text(encoding="utf-8")
    assert broken(rule, text) != text
    assert f"def {rule.function}(" in text
    file, _, test = rule.test.partition("::")
    assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8")


def test_the_page_shows_every_rule() -> None:
    assert (ROOT / "docs" / "rules.md").read_text(encoding="utf-8").endswith(table())
