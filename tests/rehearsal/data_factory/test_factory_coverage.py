"""The page about what is there says what is there."""

from __future__ import annotations

import re
from pathlib import Path

from rehearsal.data_factory import service
from rehearsal.data_factory.expressions import functions
from tests.rehearsal.data_factory.factories import Factories

PAGE = Path(service.__file__).with_name("COVERAGE.md").read_text()


def listed(title: str) -> set[str]:
    """The names in the first paragraph below a title, in lower case."""
    paragraph = PAGE.split(f"## {title}\n", 1)[1].split("\n\n", 1)[0]
    return {name.lower() for name in re.findall(r"\w+", paragraph)}


def test_every_function_is_listed() -> None:
    assert listed("Functions") == functions.NAMES


def test_every_activity_is_listed(azure: Factories) -> None:
    assert listed("Activities") == azure.service.activity_types


def test_functions_that_are_missing_are_none_of_them() -> None:
    assert not functions.NAMES & functions.NOT_HERE
