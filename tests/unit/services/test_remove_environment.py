"""The step remove_environment: what it asks, and when it does nothing. What it removes is tested in front of the stand-ins."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from slipway.errors import AuthenticationError, NotPossible, ServiceError, UsageError
from slipway.services.credentials import Credential
from slipway.steps import remove_environment
from tests.unit.services.bootstrap_wire import ABSENT, NO_GROUP, WORKSPACE
from tests.unit.services.conftest import Answer, Step, Wire
from tests.unit.services.removal_wire import asked, only_the_group

NO_RIGHT = Answer(403, {"error_code": "PERMISSION_DENIED", "message": "not an admin"})


@pytest.fixture
def left(wire: Wire, identity: Credential, monkeypatch: pytest.MonkeyPatch) -> Wire:
    monkeypatch.setattr("slipway.steps.remove_environment.credential", lambda _: identity)
    return only_the_group(wire)


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


def test_what_fails_in_the_middle_says_what_is_gone(left: Wire, step: Step) -> None:
    status = {"path": "/Workspace/Slipway/bikeshare/dev", "object_type": "DIRECTORY", "object_id": 12}
    left.on("GET", "/workspace/get-status", Answer(body=status))
    left.on("GET", "/workspace/list", Answer(body={"objects": []}))
    left.on("POST", "/workspace/delete", Answer())
    left.on("DELETE", r"/resourcegroups/rg-bikeshare-dev\?", Answer(400, {"error": {"code": "Bad", "message": "no"}}))
    with pytest.raises(ServiceError) as caught:
        remove_environment.run(asked(step, yes="dev"))
    assert "  - folder /Workspace/Slipway/bikeshare/dev" in step.text
    assert caught.value.changed.endswith("the same command goes on from there.")


def test_an_owner_without_rights_on_blobs_is_told_the_role(left: Wire, step: Step) -> None:
    left.on(
        "GET", r"blob\.core\.windows\.net", Answer(403, b"", {"x-ms-error-code": "AuthorizationPermissionMismatch"})
    )
    with pytest.raises(AuthenticationError) as caught:
        remove_environment.run(asked(step, yes="dev"))
    assert caught.value.changed == "Nothing was removed."
    assert "az role assignment create --assignee <you> --role 'Storage Blob Data Contributor'" in caught.value.next_step
    assert left.writes() == []


def test_production_takes_a_word_more(left: Wire, step: Step) -> None:
    environment = dataclasses.replace(step.context().environment, production=True)
    context = dataclasses.replace(asked(step, yes="dev"), environment=environment)
    with pytest.raises(NotPossible, match="production"):
        remove_environment.run(context)
    assert left.sent == []


_never: Callable[[str], str] = lambda _: pytest.fail("nothing is to be asked")  # noqa: E731
