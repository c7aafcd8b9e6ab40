"""Every script is named in a page, and what is said of the claim's options holds for every step that takes it."""

from __future__ import annotations

import argparse
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = "".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
STEPS = sorted(path.stem for path in (ROOT / "scripts").glob("*.py"))
TAKES_THE_CLAIM = re.compile(r"\.claimed\(|\.take_claim\(")


def options_of(step: str) -> set[str]:
    module = import_module(f"slipway.steps.{step}")
    parser = argparse.ArgumentParser()
    if hasattr(module, "_options"):
        module._options(parser)
    return {word for action in parser._actions for word in action.option_strings}


@pytest.mark.parametrize("step", STEPS)
def test_a_page_names_it(step: str) -> None:
    assert re.search(rf"\b{step}\b", PAGES)


@pytest.mark.parametrize("step", STEPS)
def test_what_takes_the_claim_can_wait_for_it_and_take_it_over(step: str) -> None:
    source = Path(str(import_module(f"slipway.steps.{step}").__file__))
    takes = TAKES_THE_CLAIM.search(source.read_text(encoding="utf-8"))
    assert ({"--wait", "--take-over"} <= options_of(step)) == bool(takes)


@pytest.mark.parametrize("option", sorted(options_of("freeze") - {"-h", "--help"} | {"--wait", "--take-over"}))
def test_a_page_explains_the_option(option: str) -> None:
    assert f"{option}" in PAGES
