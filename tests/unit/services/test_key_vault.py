"""Secrets of a vault: compared, recovered, and a role that does not work yet."""

from __future__ import annotations

import pytest

from slipway.errors import AuthenticationError, Conflict, ServiceError
from slipway.services.credentials import Credential
from slipway.services.key_vault import Vault
from tests.unit.services.conftest import Answer, Moment, Sent, Wire

CHALLENGE = Answer(
    401,
    {},
    {
        "WWW-Authenticate": 'Bearer authorization="https://login.microsoftonline.com/7a6f3c1e-52d4-4b8e-9d0a-1f2e3d4c5b6a",'
        ' resource="https://vault.azure.net"'
    },
)
NO_ROLE = Answer(
    403,
    {"error": {"code": "Forbidden", "message": "Caller is not authorized.", "innererror": {"code": "ForbiddenByRbac"}}},
)
GONE = Answer(404, {"error": {"code": "SecretNotFound", "message": "no"}})
DELETED = Answer(
    409,
    {
        "error": {
            "code": "Conflict",
            "message": "Secret k is currently in a deleted but recoverable state",
            "innererror": {"code": "ObjectIsDeletedButRecoverable"},
        }
    },
)
SECRET = "https://kv-x.vault.azure.net/secrets/k"


def bundle(value: str) -> Answer:
    return Answer(body={"value": value, "id": f"{SECRET}/1", "attributes": {}})


def route(wire: Wire, method: str, pattern: str, *answers: Answer) -> None:
    """The vault challenges requests without a token first."""
    left = list(answers)

    def answer(sent: Sent) -> Answer:
        if "Authorization" not in sent.headers:
            return CHALLENGE
        return left.pop(0) if len(left) > 1 else left[0]

    wire.on(method, pattern, answer)


def vault(identity: Credential, moment: Moment, made_at: float | None = None) -> Vault:
    return Vault("kv-x", identity, role_made_at=lambda: made_at, clock=moment.clock, sleep=moment.sleep)


def test_reading(wire: Wire, identity: Credential, moment: Moment) -> None:
    route(wire, "GET", "/secrets/k", bundle("v"), GONE)
    here = vault(identity, moment)
    assert here.get("k") == "v"
    assert here.get("k") is None


def test_writing(wire: Wire, identity: Credential, moment: Moment) -> None:
    route(wire, "PUT", "/secrets/k", bundle("v"))
    assert vault(identity, moment).set("k", "v") is False
    assert wire.sent[-1].json["value"] == "v"


def test_a_deleted_secret_is_recovered(wire: Wire, identity: Credential, moment: Moment) -> None:
    route(wire, "PUT", "/secrets/k", DELETED, bundle("v"))
    route(wire, "POST", "/deletedsecrets/k/recover", bundle("old"))
    route(wire, "GET", "/secrets/k", bundle("old"))
    assert vault(identity, moment).set("k", "v") is True


def test_a_deleted_secret_that_can_not_be_recovered(wire: Wire, identity: Credential, moment: Moment) -> None:
    route(wire, "PUT", "/secrets/k", DELETED)
    route(wire, "POST", "/deletedsecrets/k/recover", NO_ROLE)
    with pytest.raises(Conflict, match="keeps its name") as caught:
        vault(identity, moment).set("k", "planted-value")
    assert "az keyvault secret recover" in caught.value.next_step
    assert "planted-value" not in str(caught.value)


def test_a_role_made_just_now_is_waited_for(wire: Wire, identity: Credential, moment: Moment) -> None:
    route(wire, "GET", "/secrets/k", NO_ROLE, NO_ROLE, NO_ROLE, bundle("v"))
    assert vault(identity, moment, made_at=moment.now - 5).get("k") == "v"
    assert len(moment.slept) == 3


@pytest.mark.parametrize("age", [None, 3600.0])
def test_an_old_role_or_none_is_not_waited_for(
    wire: Wire, identity: Credential, moment: Moment, age: float | None
) -> None:
    route(wire, "GET", "/secrets/k", NO_ROLE)
    with pytest.raises(AuthenticationError, match=r"Forbidden/ForbiddenByRbac") as caught:
        vault(identity, moment, None if age is None else moment.now - age).get("k")
    assert moment.slept == []
    assert "Key Vault Secrets Officer" in caught.value.next_step


def test_waiting_ends(wire: Wire, identity: Credential, moment: Moment) -> None:
    route(wire, "GET", "/secrets/k", NO_ROLE)
    with pytest.raises(AuthenticationError):
        vault(identity, moment, made_at=moment.now).get("k")
    assert sum(moment.slept) <= 600


def test_another_failure_is_told_as_it_is(wire: Wire, identity: Credential, moment: Moment) -> None:
    route(wire, "PUT", "/secrets/k", Answer(400, {"error": {"code": "BadParameter", "message": "no such name"}}))
    with pytest.raises(ServiceError, match="no such name"):
        vault(identity, moment).set("k", "v")
