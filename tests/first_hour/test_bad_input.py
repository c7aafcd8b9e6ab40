"""The doctor of somebody who is not signed in, or elsewhere, or whose clock is wrong."""

from __future__ import annotations

import pytest

from rehearsal.gateway.faults import Fault
from tests.first_hour.estate import Estate
from tests.first_hour.test_pieces import ids

pytestmark = pytest.mark.first_hour
ELSEWHERE = "c0ffee00-0000-4000-8000-00000000cccc"
STRANGER = "c0ffee00-0000-4000-8000-00000000dddd"


def test_a_sign_in_of_another_tenant_is_told_where_to_sign_in(estate: Estate) -> None:
    directory = estate.server.azure.world.directory

    def add() -> None:
        directory.add_tenant(ELSEWHERE)
        directory.add_service_principal(
            tenant_id=ELSEWHERE,
            app_id=STRANGER,
            object_id=STRANGER.replace("dddd", "eeee"),
            display_name="stranger",
            client_secret="as-good-as-any",
        )

    estate.server.call(add)
    secret = {"AZURE_TENANT_ID": ELSEWHERE, "AZURE_CLIENT_ID": STRANGER, "AZURE_CLIENT_SECRET": "as-good-as-any"}
    found = estate.doctor(secret)
    told = next(finding for finding in found["findings"] if finding["id"] == "azure.tenant")
    assert told["mend"] == f"az login --tenant {estate.environment.azure.tenant_id}"
    assert ids(found) == ["azure.tenant"]
    # Everything in the subscription is unknown then, and nothing of it is called missing.
    assert {"the resource group", "the data factory"} <= {one["what"] for one in found["unknown"]}


def test_a_sign_in_that_has_ended_is_no_finding(estate: Estate) -> None:
    done = estate.as_somebody({**estate.admin, "AZURE_CLIENT_SECRET": "not-any-more"}, "doctor", "--json")
    assert done.code == 5
    assert "AADSTS" in done.text
    assert "findings" not in done.text


def test_whoever_is_not_signed_in_is_told_that_nothing_was_changed(estate: Estate) -> None:
    steps = ("bootstrap_environment",), ("setup_azure_devops",), ("doctor",), ("remove_environment", "--yes", "dev")
    for step, *more in steps:
        done = estate.as_somebody({**estate.admin, "AZURE_CLIENT_SECRET": "not-any-more"}, step, *more)
        assert done.code == 5, done.text
        assert "[dev] Signing in as" in done.text
        assert f"Nothing was {'removed' if more else 'changed'}." in done.text
        assert "Traceback" not in done.text


def test_a_clock_that_is_wrong_is_named(estate: Estate) -> None:
    estate.agent.set_clock(-400.0)
    try:
        found = estate.doctor()
    finally:
        estate.agent.set_clock(0.0)
    assert "clock.skew" in ids(found)
    assert estate.doctor()["findings"] == []


def test_a_reader_guesses_nothing(estate: Estate) -> None:
    """Whoever may read the group, and nothing else, is told what was not seen."""
    directory, roles = estate.server.azure.world.directory, estate.server.azure.world.roles
    tenant = estate.environment.azure.tenant_id

    def add() -> None:
        directory.add_service_principal(
            tenant_id=tenant,
            app_id=STRANGER,
            object_id=STRANGER.replace("dddd", "eeee"),
            display_name="reader",
            client_secret="as-good-as-any",
        )
        roles.assign(
            scope=estate.hand.group,
            principal_id=STRANGER.replace("dddd", "eeee"),
            role_name="Reader",
            immediately=True,
        )

    estate.server.call(add)
    found = estate.doctor({"AZURE_CLIENT_ID": STRANGER, "AZURE_CLIENT_SECRET": "as-good-as-any"})
    assert found["findings"] == []
    assert not found["ready"], "nothing is wrong of what was seen, and the workspace was not seen"
    unseen = {one["what"]: one["reason"] for one in found["unknown"]}
    assert {"the state account", "the workspace", "the root folder", "jobs of the last release"} <= unseen.keys()
    assert all(unseen.values())


def test_a_service_that_fails_is_unknown_and_nothing_else(estate: Estate) -> None:
    rule = Fault(kind="status", status=400, path="*/providers/Microsoft.KeyVault", times=None)
    estate.server.call(lambda: estate.server.azure.gateway.faults.add(rule))
    found = estate.doctor()
    assert found["findings"] == []
    assert [one["what"] for one in found["unknown"]] == ["resource provider Microsoft.KeyVault"]
