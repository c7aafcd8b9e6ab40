"""A factory's part of the report: what its resources say, and nothing twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rehearsal.report.factory import factory_from, is_definition
from rehearsal.report.model import Trigger
from rehearsal.report.page import render_page
from tests.rehearsal.report.reports import HOSTILE, report

TYPE = "Microsoft.DataFactory/factories"


def resource(kind: str, name: str, **properties: Any) -> dict[str, Any]:
    return {"type": TYPE + (f"/{kind}" if kind else ""), "name": name, "properties": properties}


FACTORY = resource(
    "", "adf", globalParameters={"releaseFolder": {"type": "string", "value": "/Workspace/Slipway/a/test/green"}}
)
PARTS = [
    resource("pipelines", "score"),
    resource("pipelines", "daily"),
    resource("linkedservices", "ls"),
    resource("triggers", HOSTILE, runtimeState="Started"),
    resource("triggers", "night", runtimeState="Stopped"),
]


def test_a_factory_with_definitions() -> None:
    found = factory_from([{"type": "Microsoft.KeyVault/vaults", "name": "kv"}, FACTORY, *PARTS])
    assert found is not None
    assert (found.name, found.slot) == ("adf", "green")
    assert found.objects == {"pipelines": 2, "linkedservices": 1}
    assert found.triggers == [Trigger(name=HOSTILE, runs=True), Trigger(name="night", runs=False)]


def test_an_empty_factory_is_not_shown() -> None:
    assert factory_from([FACTORY]) is None
    assert not is_definition(FACTORY)
    assert all(is_definition(part) for part in PARTS)


def test_the_page_shows_slot_and_triggers() -> None:
    whole = report()
    environment = whole.environments[0]
    page = render_page(report(environments=[_with_factory(environment)]))
    assert "pipelines run notebooks of" in page
    assert "trigger night" in page
    assert HOSTILE not in page


def _with_factory(environment: Any) -> Any:
    return replace(environment, factory=factory_from([FACTORY, *PARTS]))
