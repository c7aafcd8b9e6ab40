"""Where environments have workspaces and identities of their own, bootstrap writes what Azure says of one into its own file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from slipway.command import Context
from slipway.domain.environment import load_environment
from slipway.services.resource_manager.identities import UserIdentity
from slipway.steps.bootstrap.identity import _configured
from slipway.steps.bootstrap.report import Report
from slipway.steps.bootstrap.workspace_resource import _addressed
from slipway.steps.bootstrap_environment import bootstrap_environment
from tests.unit.services.bootstrap_wire import CLIENT, IDENTITY, MADE, everything_is_there, workspace, writing
from tests.unit.services.conftest import Answer, Step, Wire

HOST = "adb-1.2.azuredatabricks.net"
NEW = UserIdentity(client_id="c0ffee00-0000-4000-8000-00000000000a", object_id="c0ffee00-0000-4000-8000-00000000000b")


def configured(step: Step, folder: Path, old: str, new: str) -> Context:
    """A repository whose defaults say something else."""
    context = writing(step, folder)
    file = context.root / "config" / "defaults.yml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    return dataclasses.replace(context, environment=load_environment(context.root, "dev"))


@pytest.mark.parametrize("name", ["dev", "test", "prod"])
def test_the_address_of_a_workspace_that_each_environment_has_itself(step: Step, tmp_path: Path, name: str) -> None:
    context = configured(step, tmp_path, "workspaces/dbw-{{ app }}", "workspaces/dbw-{{ app }}-{{ environment }}")
    before = {one: load_environment(context.root, one).databricks.host for one in ("dev", "test", "prod")}
    context = dataclasses.replace(context, environment=load_environment(context.root, name))
    _addressed(context, workspace("westeurope", HOST), Report())
    after = {one: load_environment(context.root, one).databricks.host for one in before}
    assert after == before | {name: f"https://{HOST}"}


def test_the_address_of_a_workspace_that_two_share_stays_with_the_defaults(step: Step, tmp_path: Path) -> None:
    context = writing(step, tmp_path)
    _addressed(context, workspace("westeurope", HOST), Report())
    assert load_environment(context.root, "test").databricks.host == f"https://{HOST}"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: id-{{ app }}-release", "name: id-{{ app }}-{{ environment }}"),
        ("resource_group: rg-{{ app }}-state", "resource_group: rg-{{ app }}-state-{{ environment }}"),
    ],
)
def test_the_ids_of_an_identity_that_each_environment_has_itself(
    step: Step, tmp_path: Path, old: str, new: str
) -> None:
    context = configured(step, tmp_path, old, new)
    _configured(context, NEW, Report())
    ids = {one: load_environment(context.root, one).azure.release_identity.client_id for one in ("dev", "test", "prod")}
    assert ids == {"dev": NEW.client_id, "test": CLIENT, "prod": CLIENT}


@pytest.mark.parametrize(("tags", "told"), [({"slipway_app": "bikeshare"}, False), ({"slipway_app": "bike"}, True)])
def test_an_identity_that_others_made_is_told(wire: Wire, step: Step, tags: dict[str, str], told: bool) -> None:
    everything_is_there(wire)
    wire.on("GET", IDENTITY, Answer(body=MADE | {"tags": tags}))
    bootstrap_environment(step.context())
    assert ("id-bikeshare-release was not made for bikeshare" in step.text) == told
