"""Somebody who may do a part of a bootstrap: the rest is named, and the commands that are named do it, run by somebody who may."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.faults.agents import Agent
from tests.first_hour.estate import AZ, Estate, make_repository

pytestmark = [pytest.mark.first_hour, pytest.mark.skipif(not AZ.exists(), reason="there is no az")]

COMMAND = re.compile(r"^ {6}(az .*|python .*)$", re.MULTILINE)
SECRET = "not one of a real application"
ROUNDS = 3


@pytest.fixture
def estate(tmp_path: Path, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> Iterator[Estate]:
    """Nothing is set up."""
    folder = tmp_path / "estate"
    folder.mkdir()
    make_repository(folder)
    with Estate(folder, agent, monkeypatch) as estate:
        estate.sign_az_in()
        yield estate


def somebody(estate: Estate, **roles: str) -> dict[str, str]:
    """The sign-in of somebody with roles: on `subscription` or `group`, and `workspace` for an admin of it."""
    azure, world = estate.environment.azure, estate.server.azure.world
    app_id, object_id = "50e3b0d1-0000-4000-8000-000000000001", "50e3b0d1-0000-4000-8000-000000000002"
    add = partial(
        world.directory.add_service_principal,
        tenant_id=azure.tenant_id,
        app_id=app_id,
        object_id=object_id,
        display_name="Somebody",
        client_secret=SECRET,
    )
    principal = estate.server.call(add)
    places = {
        "subscription": f"/subscriptions/{azure.subscription_id}",
        "group": f"/subscriptions/{azure.subscription_id}/resourceGroups/{azure.resource_group}",
    }
    for where, role in roles.items():
        if where == "workspace":
            host = estate.environment.databricks.host.removeprefix("https://")
            workspaces = estate.server.azure.workspaces
            estate.server.call(partial(workspaces.add_principal, host, principal, groups=["admins"]))
            continue
        assign = partial(
            world.roles.assign, scope=places[where], principal_id=object_id, role_name=role, immediately=True
        )
        estate.server.call(assign)
    return {"AZURE_TENANT_ID": azure.tenant_id, "AZURE_CLIENT_ID": app_id, "AZURE_CLIENT_SECRET": SECRET}


def run_what_is_named(estate: Estate, text: str) -> list[str]:
    """The commands that a bootstrap ended with, run by the admin; what they were."""
    commands = list(dict.fromkeys(COMMAND.findall(text)))
    for command in commands:
        done = estate.mend(command)
        assert done.code == 0, f"{command}\n{done.text}"
    return commands


def test_a_contributor_leaves_lock_and_roles_to_be_given_by_az(estate: Estate) -> None:
    contributor = somebody(estate, subscription="Contributor")
    first = estate.as_somebody(contributor, "bootstrap_environment")
    assert first.code == 5, first.text
    commands = run_what_is_named(estate, first.text)
    assert sorted(" ".join(command.split()[:3]) for command in commands) == [
        "az lock create",
        "az role assignment",
        "az role assignment",
        "az role assignment",
    ]
    last = estate.as_admin("bootstrap_environment")
    assert (last.code, "nothing to change" in last.text) == (0, True), last.text


@pytest.mark.parametrize(
    "roles",
    [{"group": "Contributor"}, {"workspace": "admin"}, {"group": "Reader"}, {"subscription": "Reader"}],
    ids=["contributor of the group", "admin of the workspace", "reader of the group", "reader of the subscription"],
)
def test_however_little_it_is_the_named_commands_lead_to_a_whole_environment(
    estate: Estate, roles: dict[str, str]
) -> None:
    if "group" in roles:
        azure = estate.environment.azure
        tags = f"slipway_app={estate.environment.app} slipway_environment={estate.environment.name}"
        made = estate.mend(f"az group create --name {azure.resource_group} --location {azure.location} --tags {tags}")
        assert made.code == 0, made.text
    person = somebody(estate, **roles)
    text = ""
    for _ in range(ROUNDS):
        done = estate.as_somebody(person, "bootstrap_environment")
        assert done.code == 5, done.text
        assert run_what_is_named(estate, done.text)
        text = estate.as_admin("bootstrap_environment", "--what-if").text
        if "nothing to change" in text:
            break
    assert "nothing to change" in text, text
    estate.age_roles()
    done = estate.mend("python scripts/setup_azure_devops.py --environment dev")
    assert done.code == 0, done.text
    assert estate.doctor()["findings"] == []
