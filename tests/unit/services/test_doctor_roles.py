"""What the doctor says of roles that a release identity has in other ways than bootstrap gives them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from slipway.domain.diagnosis import Finding
from slipway.services.credentials import Credential
from slipway.services.databricks import Workspace
from slipway.services.resource_manager.reading import Reader
from slipway.steps.doctor import facts, identities
from slipway.steps.doctor.examination import Examination, Said, examine
from tests.unit.services.bootstrap_wire import IDENTITY, MADE, OURS, PRINCIPAL, SUBSCRIPTION
from tests.unit.services.conftest import Answer, Step, Wire

GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-bikeshare-dev"
TITLE = "roles of the release identity on the group"
CUSTOM = "c0ffee00-0000-4000-8000-0000000000aa"


@pytest.fixture
def examination(step: Step, identity: Credential, wire: Wire) -> Examination:
    wire.on("GET", r"/subscriptions/[^/?]+\?", Answer(body=OURS))
    wire.on("GET", r"/resourceGroups/rg-bikeshare-dev\?", Answer(body={"id": GROUP}))
    wire.on("GET", IDENTITY, Answer(body=MADE))
    return Examination(
        context=step.context(arguments={"short": False, "json": False}),
        credential=identity,
        azure=Reader(identity, SUBSCRIPTION.rpartition("/")[2], clock=step.moment.clock),
        workspace=Workspace("https://adb-1.1.azuredatabricks.net", token=lambda: "t"),
        short=False,
    )


def given(wire: Wire, *roles: tuple[str, str], to: str = PRINCIPAL) -> None:
    """Role and scope of each assignment, as `assignedTo` lists them."""
    listed = [
        {"properties": {"principalId": to, "scope": scope, "roleDefinitionId": f"/x/roleDefinitions/{role}"}}
        for role, scope in roles
    ]
    wire.on("GET", r"/roleAssignments\?.*assignedTo", Answer(body={"value": listed}))


def said_of(examination: Examination) -> list[Said]:
    return examine([check for check in identities.checks(examination) if check.title == TITLE])


BOTH = (facts.CONTRIBUTOR, facts.ACCESS_ADMINISTRATOR)


@pytest.mark.parametrize(
    "scope",
    [GROUP, SUBSCRIPTION, "/providers/Microsoft.Management/managementGroups/data", "/"],
)
def test_roles_from_above_count(examination: Examination, wire: Wire, scope: str) -> None:
    given(wire, *((role, scope) for role in BOTH))
    assert said_of(examination) == []


def test_roles_of_a_group_that_it_is_in_count(examination: Examination, wire: Wire) -> None:
    given(wire, (facts.OWNER, SUBSCRIPTION), to="c0ffee00-0000-4000-8000-0000000000bb")
    assert said_of(examination) == []


def test_roles_below_or_beside_do_not_count(examination: Examination, wire: Wire) -> None:
    below = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/x"
    given(wire, *((role, scope) for role in BOTH for scope in (below, f"{GROUP}2")))
    found = [one.id for one in said_of(examination) if isinstance(one, Finding)]
    assert found == ["roles.contributor", "roles.access_administrator"]


def test_of_a_role_that_people_defined_it_does_not_know(examination: Examination, wire: Wire) -> None:
    """It may give all that a release needs: nothing is held up for it."""
    given(wire, (CUSTOM, GROUP))
    found = [one.severity for one in said_of(examination) if isinstance(one, Finding)]
    assert found == ["warning", "warning"]


def test_a_template_that_gives_no_roles_needs_none_for_it(examination: Examination, wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "arm").mkdir()
    (tmp_path / "arm" / "main.json").write_text('{"resources": []}', encoding="utf-8")
    given(wire, (facts.CONTRIBUTOR, GROUP))
    context = dataclasses.replace(examination.context, root=tmp_path)
    assert said_of(dataclasses.replace(examination, context=context, _facts={})) == []
    assert [one.id for one in said_of(examination) if isinstance(one, Finding)] == ["roles.access_administrator"]
