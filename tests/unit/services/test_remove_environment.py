"""The step remove_environment: what it asks, and when it does nothing. What it removes is tested in front of the stand-ins."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from slipway.command import Context
from slipway.errors import AuthenticationError, NotPossible, UsageError
from slipway.services.credentials import Credential
from slipway.steps import remove_environment
from tests.unit.services.bootstrap_wire import ABSENT, NO_GROUP, NO_PATH, OURS, SUBSCRIPTION, WORKSPACE, workspace
from tests.unit.services.conftest import Answer, Step, Wire

GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-bikeshare-dev"
TAGS = {"slipway_app": "bikeshare", "slipway_environment": "dev"}
NO_RIGHT = Answer(403, {"error_code": "PERMISSION_DENIED", "message": "not an admin"})


@pytest.fixture
def left(wire: Wire, identity: Credential, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """Only the environment's resource group is left."""
    monkeypatch.setattr("slipway.steps.remove_environment.credential", lambda _: identity)
    wire.on("GET", r"/subscriptions/[^/]*\?", Answer(body=OURS))
    wire.on("GET", WORKSPACE, Answer(body=workspace("westeurope")))
    wire.on("GET", "/storageAccounts/stbikesharestate", ABSENT)
    wire.on("GET", r"blob\.core\.windows\.net", Answer(404, b"", {"x-ms-error-code": "ContainerNotFound"}))
    wire.on("GET", "/identities/default", ABSENT)
    wire.on("GET", "/federatedIdentityCredentials", ABSENT)
    wire.on("GET", "/locks", Answer(body={"value": []}))
    wire.on("GET", r"/jobs/list", Answer(body={"jobs": []}))
    wire.on("GET", "/workspace/get-status", NO_PATH)
    wire.on("GET", "/secrets/scopes/list", Answer(body={"scopes": []}))
    wire.on("GET", "/scim/v2/ServicePrincipals", Answer(body={"Resources": []}))
    wire.on("GET", r"/resourceGroups/[^/]*/resources\?", Answer(body={"value": []}))
    wire.on("GET", r"/resourceGroups/rg-bikeshare-dev\?", Answer(body={"id": GROUP, "tags": TAGS}))
    wire.on("DELETE", r"/resourcegroups/rg-bikeshare-dev\?", Answer(200, b""))
    return wire


def asked(step: Step, **given: Any) -> Context:
    options: dict[str, Any] = {
        "yes": None,
        "production": False,
        "last": False,
        "workspace": None,
        "with_foreign": False,
    }
    return dataclasses.replace(step.context(), arguments=argparse.Namespace(**(options | given)))


@pytest.mark.parametrize("typed", ["", "prod", "Dev"])
def test_another_name_than_its_own_removes_nothing(left: Wire, step: Step, typed: str) -> None:
    with pytest.raises(UsageError):
        remove_environment.run(asked(step), ask=lambda _: typed)
    assert left.writes() == []


def test_its_name_typed_removes_it(left: Wire, step: Step) -> None:
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        return "dev"

    remove_environment.run(asked(step), ask=ask)
    assert len(questions) == 1
    assert [one.partition(" ")[0] for one in left.writes()] == ["DELETE"]


def test_where_nobody_can_be_asked_it_takes_the_name_as_an_option(left: Wire, step: Step) -> None:
    remove_environment.run(asked(step, yes="dev"))
    assert len(left.writes()) == 1


def test_nothing_is_asked_where_nothing_is_left(left: Wire, step: Step) -> None:
    left.on("GET", r"/resourceGroups/rg-bikeshare-dev\?", NO_GROUP)
    remove_environment.run(asked(step), ask=_never)
    assert left.writes() == []
    assert "There is nothing of dev any more." in step.text


def test_a_workspace_that_is_gone_holds_nothing_up(left: Wire, step: Step) -> None:
    left.on("GET", WORKSPACE, ABSENT)
    left.on("GET", "/api/2", Answer(500))
    remove_environment.run(asked(step, yes="dev"))
    assert len(left.writes()) == 1
    assert "There is no workspace" in step.text


def test_a_workspace_that_refuses_stops_it_before_anything_is_removed(left: Wire, step: Step) -> None:
    left.on("GET", "/jobs/list", NO_RIGHT)
    with pytest.raises(AuthenticationError) as caught:
        remove_environment.run(asked(step, yes="dev"))
    assert caught.value.changed == "Nothing was removed."
    assert left.writes() == []


def test_production_takes_a_word_more(left: Wire, step: Step) -> None:
    environment = dataclasses.replace(step.context().environment, production=True)
    context = dataclasses.replace(asked(step, yes="dev"), environment=environment)
    with pytest.raises(NotPossible, match="production"):
        remove_environment.run(context)
    assert left.sent == []


_never: Callable[[str], str] = lambda _: pytest.fail("nothing is to be asked")  # noqa: E731
