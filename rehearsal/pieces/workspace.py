"""Pieces in the Databricks workspace: who is in it, the root folder, the scope, jobs, compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rehearsal.pieces.hand import Hand, Json
from rehearsal.pieces.piece import Piece

PRINCIPALS = "/preview/scim/v2/ServicePrincipals"


def _release(hand: Hand) -> str:
    return hand.release_identity


def _remove(who: Callable[[Hand], str]) -> Callable[[Hand], None]:
    def lose(hand: Hand) -> None:
        hand.workspace("DELETE", f"{PRINCIPALS}/{hand.member(who(hand))['id']}")

    return lose


def _patch(who: Callable[[Hand], str], operation: Json) -> Callable[[Hand], None]:
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}

    def lose(hand: Hand) -> None:
        hand.workspace("PATCH", f"{PRINCIPALS}/{hand.member(who(hand))['id']}", body)

    return lose


_ASLEEP = {"op": "replace", "path": "active", "value": False}
_NO_CLUSTERS = {"op": "remove", "path": 'entitlements[value eq "allow-cluster-create"]'}


def _delete_root(hand: Hand) -> None:
    hand.workspace("POST", "/workspace/delete", {"path": hand.environment.databricks.root, "recursive": True})


def _root_permissions(change: Callable[[Hand, list[Json]], list[Json]]) -> Callable[[Hand], None]:
    """Sets the direct permissions of the root folder anew."""

    def lose(hand: Hand) -> None:
        folder = hand.workspace("GET", "/workspace/get-status", path=hand.environment.databricks.root)
        path = f"/permissions/directories/{folder['object_id']}"
        direct = []
        for entry in hand.workspace("GET", path)["access_control_list"]:
            who = {key: entry[key] for key in ("service_principal_name", "group_name", "user_name") if key in entry}
            levels = [one["permission_level"] for one in entry["all_permissions"] if not one["inherited"]]
            direct += [{**who, "permission_level": level} for level in levels]
        hand.workspace("PUT", path, {"access_control_list": change(hand, direct)})

    return lose


def _without(hand: Hand, direct: list[Json]) -> list[Json]:
    return [entry for entry in direct if entry.get("service_principal_name") != hand.release_identity]


def _without_readers(_: Hand, direct: list[Json]) -> list[Json]:
    return [entry for entry in direct if "group_name" not in entry]


def _notebook_in_its_place(hand: Hand) -> None:
    _delete_root(hand)
    source: Json = {"path": hand.environment.databricks.root, "format": "SOURCE", "language": "PYTHON", "content": ""}
    hand.workspace("POST", "/workspace/import", source)


def _scope(**changes: Any) -> Callable[[Hand], None]:
    """Somebody made the scope before the first release did."""

    def lose(hand: Hand) -> None:
        hand.workspace("POST", "/secrets/scopes/create", {"scope": hand.environment.secret_scope.name, **changes})

    return lose


def _key_vault_scope(hand: Hand) -> None:
    scopes = hand.azure.workspaces.get(hand.host.removeprefix("https://"))
    if scopes is None:
        raise LookupError(hand.host)
    vault = {
        "resource_id": f"{hand.group}/providers/Microsoft.KeyVault/vaults/kv-of-others",
        "dns_name": "https://kv-of-others.vault.azure.net/",
    }
    kept = hand.azure.world.store.collection(f"databricks/{scopes.host}/scopes")
    name = hand.environment.secret_scope.name

    def make() -> None:
        hand_made = {"name": name, "backend": "AZURE_KEYVAULT", "vault": vault, "acl": {}, "secrets": {}}
        kept[name.lower()] = hand_made

    hand.call(make)


def _retire(what: Callable[[Hand], str]) -> Callable[[Hand], None]:
    """A runtime or a node type that the workspace has no more."""

    def lose(hand: Hand) -> None:
        kept = hand.azure.world.store.collection(f"databricks/{hand.host.removeprefix('https://')}/retired")
        hand.call(lambda: kept.update({what(hand): {}}))

    return lose


def _take_jobs(hand: Hand) -> None:
    """An admin made every job their own."""
    admin = hand.workspace("GET", "/preview/scim/v2/Me")["userName"]
    for job in hand.workspace("GET", "/jobs/list").get("jobs") or []:
        owner = [{"service_principal_name": admin, "permission_level": "IS_OWNER"}]
        hand.workspace("PUT", f"/permissions/jobs/{job['job_id']}", {"access_control_list": owner})


def _take_factory_role(hand: Hand) -> None:
    """The factory's identity reads no secrets any more."""
    vault = f"{hand.group}/providers/Microsoft.KeyVault/vaults/{hand.environment.resources.key_vault}"
    principal = hand.arm("GET", hand.factory, "2018-06-01")["identity"]["principalId"]
    found = hand.call(lambda: hand.azure.world.roles.find(vault, principal, "Key Vault Secrets User"))
    if found is None:
        raise LookupError(vault)
    hand.arm("DELETE", str(found["id"]), "2022-04-01")


def _forget_workspace(hand: Hand) -> None:
    """Its Azure resource is gone."""
    resource = hand.environment.databricks.workspace_resource_id or ""
    hand.call(lambda: hand.azure.world.resources.delete(resource))


PIECES = (
    Piece(
        name="workspace",
        says="the workspace's Azure resource",
        finding="workspace.resource",
        lose=_forget_workspace,
        shown=None,
    ),
    Piece(
        name="runtime",
        says="the runtime that clusters ask for",
        finding="compute.spark_version",
        lose=_retire(lambda hand: str(hand.environment.jobs.values["spark_version"])),
    ),
    Piece(
        name="node-type",
        says="the node type that clusters ask for",
        finding="compute.node_type",
        lose=_retire(lambda hand: str(hand.environment.jobs.values["node_type_id"])),
    ),
    Piece(
        name="jobs-manage",
        says="the release identity's hold on the jobs of the last release",
        finding="jobs.manage",
        lose=_take_jobs,
        released=True,
    ),
    Piece(
        name="factory-role",
        says="a role of the factory's identity: Key Vault Secrets User on the vault",
        finding="factory.role",
        lose=_take_factory_role,
        released=True,
    ),
    Piece(
        name="workspace-member",
        says="the release identity in the workspace",
        finding="workspace.member",
        lose=_remove(_release),
    ),
    Piece(
        name="workspace-active",
        says="an active release identity in the workspace",
        finding="workspace.inactive",
        lose=_patch(_release, _ASLEEP),
        shown="workspace.member",
    ),
    Piece(
        name="workspace-clusters",
        says="allow-cluster-create of the release identity",
        finding="workspace.clusters",
        lose=_patch(_release, _NO_CLUSTERS),
    ),
    Piece(
        name="factory-member",
        says="the factory's identity in the workspace",
        finding="factory.member",
        lose=_remove(Hand.factory_client),
        shown=None,
    ),
    Piece(
        name="factory-active",
        says="an active factory's identity in the workspace",
        finding="factory.inactive",
        lose=_patch(Hand.factory_client, _ASLEEP),
        shown=None,
    ),
    Piece(
        name="factory-clusters",
        says="allow-cluster-create of the factory's identity",
        finding="factory.clusters",
        lose=_patch(Hand.factory_client, _NO_CLUSTERS),
        shown=None,
    ),
    Piece(name="root", says="the root folder", finding="root.missing", lose=_delete_root),
    Piece(
        name="root-folder",
        says="a folder at the root's path: it is a notebook",
        finding="root.kind",
        lose=_notebook_in_its_place,
        shown="root.manage",
    ),
    Piece(
        name="root-manage",
        says="CAN_MANAGE of the release identity on the root folder",
        finding="root.manage",
        lose=_root_permissions(_without),
    ),
    Piece(
        name="root-readers",
        says="CAN_READ of the readers on the root folder",
        finding="root.readers",
        lose=_root_permissions(_without_readers),
    ),
    Piece(
        name="scope-backend",
        says="the configured backend of the secret scope: it shows a vault",
        finding="scope.backend",
        lose=_key_vault_scope,
    ),
    Piece(
        name="scope-manage",
        says="MANAGE of the release identity on the secret scope: an admin made it",
        finding="scope.manage",
        lose=_scope(),
    ),
)
