"""Pieces that the configuration itself loses, and those that matter only with another configuration than the sample's."""

from __future__ import annotations

from collections.abc import Callable

from rehearsal.pieces.hand import Hand, Json
from rehearsal.pieces.piece import Piece

NOBODY = "c0ffee00-0000-4000-8000-00000000aaaa"
RUNNER = "c0ffee00-0000-4000-8000-00000000bbbb"
POLICY = "A1B2C3D4E5F60718"
PRINCIPALS = "/preview/scim/v2/ServicePrincipals"
_RUNS_AS = {"jobs.run_as.service_principal_name": RUNNER}


def _runner(hand: Hand) -> str:
    return f"{PRINCIPALS}/{hand.member(RUNNER)['id']}"


def _prepare_runner(hand: Hand) -> None:
    clusters = {"op": "add", "path": "entitlements", "value": [{"value": "allow-cluster-create"}]}
    hand.workspace("PATCH", _runner(hand), {"Operations": [clusters]})


def _forbid_runner(hand: Hand) -> None:
    """Nobody may use it any more."""
    said = hand.workspace("GET", "/tokens/introspect")["principal_context"]["authentication_scope"]
    name = f"accounts/{said['account_id']}/servicePrincipals/{RUNNER}/ruleSets/default"
    path = "/preview/accounts/access-control/rule-sets"
    etag = hand.workspace("GET", path, name=name, etag="")["etag"]
    rule_set = {"name": name, "etag": etag, "grant_rules": []}
    hand.workspace("PUT", path, {"name": name, "rule_set": rule_set})


def _remove_runner(hand: Hand) -> None:
    hand.workspace("DELETE", _runner(hand))


def _patch_runner(operation: Json) -> Callable[[Hand], None]:
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}
    return lambda hand: _ignore(hand.workspace("PATCH", _runner(hand), body))


def _ignore(_: object) -> None:
    """What is answered to a change that was made."""


def _close_vault(hand: Hand) -> None:
    """As a deployment of the spoilt configuration leaves it."""
    path = f"{hand.group}/providers/Microsoft.KeyVault/vaults/{hand.environment.resources.key_vault}"
    vault = hand.arm("GET", path, "2023-07-01")
    vault["properties"]["networkAcls"] = {"defaultAction": "Deny", "bypass": "AzureServices", "ipRules": []}
    hand.arm("PUT", path, "2023-07-01", {"location": vault["location"], "properties": vault["properties"]})


def _add_policy(*keys: str) -> Callable[[Hand], None]:
    """A cluster policy with an id of ours, which no request could choose, for these principals."""

    def lose(hand: Hand) -> None:
        workspace = hand.azure.workspaces.get(hand.host.removeprefix("https://"))
        if workspace is None:
            raise LookupError(hand.host)
        policies, admin = workspace.policies, workspace.members.all()[0]

        def add() -> None:
            made = policies.create(admin, {"name": "small clusters", "definition": "{}"})
            kept = policies._kept.pop(made)
            policies._kept[POLICY] = {**kept, "policy_id": POLICY, "acl": dict.fromkeys(keys, "CAN_USE")}

        hand.call(add)

    return lose


PIECES = (
    Piece(
        name="configured-tenant",
        says="the right tenant in the configuration",
        finding="azure.tenant_configured",
        spoils={"azure.tenant_id": NOBODY},
    ),
    Piece(
        name="configured-subscription",
        says="the right subscription in the configuration",
        finding="azure.subscription",
        spoils={"azure.subscription_id": NOBODY},
    ),
    Piece(
        name="configured-identity",
        says="the release identity's ids in the configuration",
        finding="identity.ids",
        spoils={"azure.release_identity.client_id": NOBODY, "azure.release_identity.object_id": NOBODY},
        shown="identity.other",
    ),
    Piece(
        name="configured-host",
        says="the right workspace in the configuration: its host is another one's",
        finding="workspace.host",
        spoils={"databricks.host": "https://adb-7405612345678902.2.azuredatabricks.net"},
        shown=None,
    ),
    Piece(
        name="configured-region",
        says="the workspace's region in the configuration",
        finding="workspace.region",
        spoils={"azure.location": "northeurope"},
        shown=None,
    ),
    Piece(
        name="configured-readers",
        says="a group that is there in databricks.readers",
        finding="root.reader_group",
        spoils={"databricks.readers": ["analysts"]},
        shown=None,
    ),
    Piece(
        name="configured-scope-readers",
        says="a group that is there in secret_scope.readers",
        finding="scope.reader_group",
        spoils={"secret_scope.readers": ["analysts"]},
        shown=None,
    ),
    Piece(
        name="run-as",
        says="whom jobs run as, in the workspace",
        finding="jobs.run_as_member",
        settings=_RUNS_AS,
        prepare=_prepare_runner,
        lose=_remove_runner,
    ),
    Piece(
        name="run-as-use",
        says="the release identity's role to let jobs run as somebody else",
        finding="jobs.run_as_use",
        settings=_RUNS_AS,
        prepare=_prepare_runner,
        lose=_forbid_runner,
        shown=None,
    ),
    Piece(
        name="run-as-active",
        says="whom jobs run as, active in the workspace",
        finding="jobs.run_as_inactive",
        settings=_RUNS_AS,
        prepare=_prepare_runner,
        lose=_patch_runner({"op": "replace", "path": "active", "value": False}),
    ),
    Piece(
        name="run-as-clusters",
        says="allow-cluster-create of whom jobs run as",
        finding="jobs.run_as_clusters",
        settings=_RUNS_AS,
        prepare=_prepare_runner,
        lose=_patch_runner({"op": "remove", "path": 'entitlements[value eq "allow-cluster-create"]'}),
    ),
    Piece(
        name="cluster-policy",
        says="a cluster policy that is there in the configuration",
        finding="compute.policy",
        spoils={"integration_test.cluster.policy_id": "FFFFFFFFFFFFFFFF"},
        lose=_add_policy("group:users"),
        shown="compute.policy_use",
    ),
    Piece(
        name="cluster-policy-use",
        says="CAN_USE of the release identity on the cluster policy",
        finding="compute.policy_use",
        settings={"integration_test.cluster.policy_id": POLICY},
        lose=_add_policy(),
    ),
    Piece(
        name="vault-scope-role",
        says="the role of AzureDatabricks on the vault that the secret scope shows",
        finding="scope.vault_role",
        settings={"secret_scope.backend": "key_vault", "secrets.storage-key.to": "key_vault"},
        released=True,
    ),
    Piece(
        name="vault-network",
        says="this machine in the network rules of the vault",
        finding="network.vault",
        settings={"secrets.storage-key.to": "key_vault"},
        spoils={"resources.network.default_action": "Deny"},
        released=True,
        lose=_close_vault,
    ),
)
