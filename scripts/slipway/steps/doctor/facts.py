"""What several checks need to know. Each is asked once; what hangs on something missing raises NotSeen."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from slipway.domain.diagnosis import Severity
from slipway.services.resource_manager import reading
from slipway.services.resource_manager.groups import newest
from slipway.services.resource_manager.reading import NotLetIn
from slipway.steps.doctor.examination import Examination, NotSeen
from slipway.steps.session import in_pipeline

Json = dict[str, Any]
# New role assignments take up to 10 minutes to work
# (https://learn.microsoft.com/azure/role-based-access-control/troubleshooting).
PROPAGATION_SECONDS = 600.0
# As bootstrap_environment and the template assign them; the ids are of
# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles.
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
ACCESS_ADMINISTRATOR = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
SECRETS_OFFICER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"
VAULT_ADMINISTRATOR = "00482a5a-887f-4fb3-b363-3b7fe8e74483"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
USER_ACCESS_ADMINISTRATOR = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
BLOB_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"


_READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
_KNOWN = frozenset(
    (
        *(CONTRIBUTOR, ACCESS_ADMINISTRATOR, BLOB_CONTRIBUTOR, BLOB_OWNER, SECRETS_USER, SECRETS_OFFICER),
        *(VAULT_ADMINISTRATOR, OWNER, USER_ACCESS_ADMINISTRATOR, _READER),
    )
)


# -- who asks --------------------------------------------------------------------------------------------------------


def caller(examination: Examination) -> Mapping[str, Any]:
    """The claims of who is signed in. Raises SignInFailed."""
    return examination.fact("caller", examination.credential.claims)


def is_release_identity(examination: Examination) -> bool:
    """Whether the release identity itself asks: what it may not do then is no question of what it may see."""
    identity, claims = examination.environment.azure.release_identity, caller(examination)
    return identity.object_id.lower() == str(claims.get("oid", "")).lower()


def release_object_id(examination: Examination) -> str:
    """By which Azure knows the release identity. Raises NotSeen where the configured ids are somebody else's: what would be
    said of them would be no finding about the identity."""
    _own_identity(examination)
    return examination.environment.azure.release_identity.object_id


def release_client_id(examination: Examination) -> str:
    """By which the workspace knows it. Raises NotSeen, see `release_object_id`."""
    _own_identity(examination)
    return examination.environment.azure.release_identity.client_id


def _own_identity(examination: Examination) -> None:
    somebody = caller(examination).get("oid") and not is_release_identity(examination)
    if in_pipeline(examination.context.variables) and somebody:
        raise NotSeen("this pipeline signs in as somebody else than the configured release identity")
    if not examination.short and wrong_ids(examination):
        raise NotSeen("the configured ids are not those of the release identity")


def wrong_ids(examination: Examination) -> dict[str, tuple[str, str]]:
    """client_id and object_id where the configuration says something else than the identity of that name: (said, there)."""
    place, configured = identity_id(examination), examination.environment.azure.release_identity
    try:
        found = None if place is None else resource(examination, place, reading.IDENTITIES)
    except NotLetIn:
        return {}
    properties = (found or {}).get("properties") or {}
    pairs = {
        "client_id": (configured.client_id, str(properties.get("clientId") or configured.client_id)),
        "object_id": (configured.object_id, str(properties.get("principalId") or configured.object_id)),
    }
    return {key: pair for key, pair in pairs.items() if pair[0].lower() != pair[1].lower()}


# -- places ----------------------------------------------------------------------------------------------------------


def subscription_id(examination: Examination) -> str:
    return f"/subscriptions/{examination.environment.azure.subscription_id}"


def group_id(examination: Examination) -> str:
    return f"{subscription_id(examination)}/resourceGroups/{examination.environment.azure.resource_group}"


def state_group_id(examination: Examination) -> str:
    return f"{subscription_id(examination)}/resourceGroups/{examination.environment.azure.state.resource_group}"


def state_account_id(examination: Examination) -> str:
    account = examination.environment.azure.state.storage_account
    return f"{state_group_id(examination)}/providers/Microsoft.Storage/storageAccounts/{account}"


def storage_id(examination: Examination) -> str:
    account = examination.environment.resources.storage_account
    return f"{group_id(examination)}/providers/Microsoft.Storage/storageAccounts/{account}"


def vault_id(examination: Examination) -> str:
    return f"{group_id(examination)}/providers/Microsoft.KeyVault/vaults/{examination.environment.resources.key_vault}"


def factory_id(examination: Examination) -> str:
    factory = examination.environment.resources.data_factory
    return f"{group_id(examination)}/providers/Microsoft.DataFactory/factories/{factory}"


def identity_id(examination: Examination) -> str | None:
    """The user-assigned identity that releases; None where it is somebody else's."""
    name = examination.environment.azure.release_identity.name
    if name is None:
        return None
    return f"{state_group_id(examination)}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"


# -- what is there ---------------------------------------------------------------------------------------------------


def subscription(examination: Examination) -> Json | None:
    """The subscription; None where there is none, or none for this caller. Raises NotLetIn, and NotSeen where it does not show
    itself and the group in it does: whoever has a role on the group alone may see just that."""

    def ask() -> Json | None:
        found = examination.azure.get(subscription_id(examination), reading.SUBSCRIPTIONS)
        if found is None:
            with suppress(NotLetIn):
                if examination.azure.get(group_id(examination), reading.GROUPS) is not None:
                    raise NotSeen("the subscription does not show itself to who has a role inside alone")
        return found

    return examination.fact("subscription", ask)


def within_subscription(examination: Examination) -> None:
    """Raises NotSeen where nothing in the subscription can be told, because it can't be reached at all."""
    try:
        found = subscription(examination)
    except NotLetIn as error:
        if error.status == 401:
            raise NotSeen("the subscription can't be reached with this sign-in") from error
        return  # whoever has a role inside may still look there
    except NotSeen:
        return
    if found is None:
        raise NotSeen("the subscription is not there, or not for this sign-in")


def settled(examination: Examination) -> None:
    """Raises NotSeen where the configured subscription, tenant or identity is wrong itself: what is held against it would be
    called wrong, and is not."""
    within_subscription(examination)
    tenant = ""
    with suppress(NotLetIn, NotSeen):
        tenant = str((subscription(examination) or {}).get("tenantId") or "")
    wrong = tenant and tenant.lower() != examination.environment.azure.tenant_id.lower()
    if wrong or wrong_ids(examination):
        raise NotSeen("the configured tenant or identity is wrong itself")


def resource(examination: Examination, resource_id: str, api_version: str) -> Json | None:
    """A resource, or None. Raises NotSeen where the subscription can't be reached, NotLetIn."""

    def ask() -> Json | None:
        within_subscription(examination)
        return examination.azure.get(resource_id, api_version)

    return examination.fact(f"resource {resource_id}", ask)


def group(examination: Examination) -> Json:
    """The environment's resource group. Raises NotSeen where it is missing."""
    found = resource(examination, group_id(examination), reading.GROUPS)
    if found is None:
        raise NotSeen(f"resource group {examination.environment.azure.resource_group} is not there")
    return found


def state_account(examination: Examination) -> Json:
    """The state's storage account. Raises NotSeen where it is missing."""
    found = resource(examination, state_account_id(examination), reading.STORAGE)
    if found is None:
        raise NotSeen(f"storage account {examination.environment.azure.state.storage_account} is not there")
    return found


def taken(examination: Examination, kind: str, name: str, api_version: str) -> bool:
    """Whether a name that must be free in all of Azure is not."""

    def ask() -> bool:
        return examination.azure.name_available(kind, name, api_version).get("nameAvailable") is False

    return examination.fact(f"name {kind} {name}", ask)


def factory_severity(examination: Examination) -> Severity:
    """Of what a factory lacks: only where releases bring it definitions do they need it."""
    return "warning" if examination.environment.data_factory.source == "none" else "error"


def way_severity(examination: Examination) -> Severity:
    """Of network rules that shut this machine out: an error where a release runs on it. A person's machine may be outside of
    what the agents are in."""
    return "error" if examination.short or in_pipeline(examination.context.variables) else "warning"


def assignments(examination: Examination, scope: str, principal_id: str) -> list[Json]:
    """The role assignments that hold for the principal at `scope`: made there or above it, to itself or to a group of its
    (https://learn.microsoft.com/azure/role-based-access-control/role-assignments-list-rest, assignedTo)."""

    def ask() -> list[Json]:
        where = f"assignedTo('{principal_id}')"
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments"
        return examination.azure.every(path, reading.ROLES, where=where) or []

    found = examination.fact(f"roles of {principal_id} at {scope}", ask)
    return [one for one in found if holds_at(one, scope)]


def holds_at(assignment: Json, scope: str) -> bool:
    """Whether it was made at `scope` or above it: the service lists also what is below."""
    made_at = str((assignment.get("properties") or {}).get("scope") or "").lower().rstrip("/")
    above = made_at.startswith("/providers/microsoft.management/managementgroups/")
    return above or scope.lower() == made_at or scope.lower().startswith(made_at + "/")


def may_suffice(assignments: list[Json]) -> bool:
    """Whether a role is among them that this knows nothing of: a custom one may allow as much as the one that is missed."""
    return any(str(one["properties"].get("roleDefinitionId", "")).lower()[-36:] not in _KNOWN for one in assignments)


def with_role(assignments: list[Json], *roles: str) -> list[Json]:
    """Those that give one of the roles (GUIDs)."""
    return [one for one in assignments if str(one["properties"].get("roleDefinitionId", "")).lower()[-36:] in roles]


def age(examination: Examination, assignments: list[Json]) -> float | None:
    """Seconds since the oldest of these was made: one of them works already, or all are young. None: not known."""
    times = [moment for one in assignments if (moment := newest([one])) is not None]
    return examination.context.clock() - min(times) if times else None
