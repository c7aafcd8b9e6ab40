"""Pieces in Azure DevOps: the service connection, the environment, the pipelines, and what they may use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rehearsal.azure_devops.checks import APPROVAL, EXCLUSIVE_LOCK
from rehearsal.azure_devops.errors import Json
from rehearsal.pieces.hand import Hand
from rehearsal.pieces.piece import Piece

RELEASE, ROLLBACK = "azure-pipelines.yml", "templates/pipelines/rollback.yml"
_ELSEWHERE = "00000000-0000-4000-8000-000000000000"


def _connection(hand: Hand) -> Json:
    """The environment's, by what the set-up wrote beside it. Raises LookupError."""
    about = f"to {hand.environment.name}"
    for one in hand.azure.devops.connections.all():
        if str(one.get("description", "")).endswith(about):
            return dict(one)
    raise LookupError(f"no service connection {about}")


def _environment(hand: Hand) -> Json:
    found = hand.azure.devops.environments.by_name(hand.environment.name)
    if found is None:
        raise LookupError(hand.environment.name)
    return found


def _losing(change: Callable[[Hand], Any]) -> Callable[[Hand], None]:
    """What a person does in the portal, where the stand-in lives."""

    def lose(hand: Hand) -> None:
        hand.call(lambda: change(hand))

    return lose


def _lead_elsewhere(hand: Hand) -> None:
    found = _connection(hand)
    hand.azure.devops.connections.change(found["id"], data={**found["data"], "subscriptionId": _ELSEWHERE})


def _unlock(hand: Hand) -> None:
    checks = hand.azure.devops.checks
    for one in checks.of("environment", str(_environment(hand)["id"])):
        if one["type"] == EXCLUSIVE_LOCK:
            checks.remove(one["id"])


def _disapprove(hand: Hand) -> None:
    checks = hand.azure.devops.checks
    for one in checks.of("environment", str(_environment(hand)["id"])):
        if one["type"] == APPROVAL:
            checks.remove(one["id"])


def _open_branches(hand: Hand) -> None:
    checks = hand.azure.devops.checks
    for one in checks.of("endpoint", str(_connection(hand)["id"])):
        checks.remove(one["id"])


def _delete_pipeline(file: str) -> Callable[[Hand], None]:
    def change(hand: Hand) -> None:
        found = hand.azure.devops.definitions.of_file(file)
        if found is None:
            raise LookupError(file)
        hand.azure.devops.definitions.remove(found["id"])

    return _losing(change)


def _withdraw(kind: str, found: Callable[[Hand], Json]) -> Callable[[Hand], None]:
    def change(hand: Hand) -> None:
        pipeline = hand.azure.devops.definitions.of_file(RELEASE)
        if pipeline is None:
            raise LookupError(RELEASE)
        hand.azure.devops.permissions.withdraw(kind, str(found(hand)["id"]), pipeline["id"])

    return _losing(change)


def _delete_credentials(hand: Hand) -> None:
    azure = hand.environment.azure
    identity = (
        f"{hand.state_group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{azure.release_identity.name}"
    )
    found = hand.arm("GET", f"{identity}/federatedIdentityCredentials", "2023-01-31").get("value") or []
    for one in found:
        hand.arm("DELETE", f"{identity}/federatedIdentityCredentials/{one['name']}", "2023-01-31")


def _delete_policies(hand: Hand) -> None:
    policies = hand.azure.devops.policies
    for one in policies.all():
        policies.remove(one["id"])


PIECES = (
    Piece(
        name="connection",
        says="the service connection",
        finding="devops.connection",
        lose=_losing(lambda hand: hand.azure.devops.connections.remove(_connection(hand)["id"])),
        starts=False,
    ),
    Piece(
        name="connection-target",
        says="a service connection that is for the environment's subscription",
        finding="devops.connection_target",
        lose=_losing(_lead_elsewhere),
        shown=None,
    ),
    Piece(
        name="federation",
        says="the federated credential by which the service connection signs in",
        finding="devops.federation",
        lose=_delete_credentials,
        starts=False,
    ),
    Piece(
        name="devops-environment",
        says="the environment in Azure DevOps",
        finding="devops.environment",
        lose=_losing(lambda hand: hand.azure.devops.environments.remove(str(_environment(hand)["id"]))),
        shown=None,
    ),
    Piece(
        name="exclusive-lock",
        says="the exclusive lock of the environment in Azure DevOps",
        finding="devops.lock",
        lose=_losing(_unlock),
        shown=None,
    ),
    Piece(
        name="approval",
        says="the approval of the environment in Azure DevOps, where it is production",
        finding="devops.approval",
        lose=_losing(_disapprove),
        settings={"production": True},
        shown=None,
    ),
    Piece(
        name="branch-control",
        says="the branch control of the service connection, where it is production's",
        finding="devops.branches",
        lose=_losing(_open_branches),
        settings={"production": True},
        shown=None,
    ),
    Piece(
        name="pipeline",
        says="the release pipeline",
        finding="devops.pipeline",
        lose=_delete_pipeline(RELEASE),
        starts=False,
    ),
    Piece(
        name="pipeline-rollback",
        says="the pipeline of a rollback",
        finding="devops.pipelines",
        lose=_delete_pipeline(ROLLBACK),
        shown=None,
    ),
    Piece(
        name="permission-connection",
        says="the release pipeline's permission to use the service connection",
        finding="devops.permission_connection",
        lose=_withdraw("endpoint", _connection),
        starts=False,
    ),
    Piece(
        name="permission-environment",
        says="the release pipeline's permission to use the environment in Azure DevOps",
        finding="devops.permission_environment",
        lose=_withdraw("environment", _environment),
        starts=False,
    ),
    Piece(
        name="policy",
        says="the build of pull requests to main",
        finding="devops.policy",
        lose=_losing(_delete_policies),
        shown=None,
    ),
)
