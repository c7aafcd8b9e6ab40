"""What config/ may say: every key, its form, and what the keys must be to each other.

Name rules: Azure resource naming rules
(https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules) and, for secret scopes and
keys, https://learn.microsoft.com/azure/databricks/security/secrets/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway.domain.configuration import Key, look_up
from slipway.domain.schema import Choice, Flag, Items, Keys, Plain, Report, Scalar, Table, Text, Whole, check

NAME = r"(?!.*--)[a-z][a-z0-9-]{0,18}[a-z0-9]|[a-z]"

GUID = Text(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "a GUID")
GROUP = Text(r"[A-Za-z0-9_.()-]{0,89}[A-Za-z0-9_()-]", "a resource group's name (at most 90 characters, no dot last)")
STORAGE = Text(r"[a-z0-9]{3,24}", "a storage account's name (3 to 24 lower-case letters and digits)")
CONTAINER = Text(
    r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
    "a container's name (3 to 63 lower-case letters, digits and single dashes)",
)
VAULT = Text(
    r"(?!.*--)[a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]",
    "a vault's name (3 to 24 letters, digits and single dashes, a letter first)",
)
FACTORY = Text(
    r"(?!.*--)[A-Za-z0-9][A-Za-z0-9-]{1,61}[A-Za-z0-9]",
    "a data factory's name (3 to 63 letters, digits and single dashes)",
)
SCOPE = Text(r"[A-Za-z0-9_.@-]{1,128}", "a secret scope's name (1 to 128 letters, digits, - _ . @)")
VAULT_SECRET = Text(r"[A-Za-z0-9-]{1,127}", "a vault secret's name (1 to 127 letters, digits, dashes)")
VARIABLE = Text(r"[A-Za-z_][A-Za-z0-9_]{0,127}", "an environment variable's name")
FOLDER = Text(
    r"/Workspace(/(?!\.{1,2}(/|$))[A-Za-z0-9_. @-]+)+",
    "an absolute workspace folder: /Workspace/…, without a slash last",
)
NOTEBOOK = Text(r"\./notebooks(/(?!\.{1,2}(/|$))[A-Za-z0-9_. -]+)+", "a notebook of the release: ./notebooks/…")
FILE = Text(r"(?![/~])(?!(.*/)?\.\.(/|$))[A-Za-z0-9_./-]+", "a file of the release, by relative path")
HOST = Text(
    r"https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?",
    "a workspace's address: https://…, lower-case, no slash last",
)
WORKSPACE = Text(
    r"(?i)/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]+/providers/Microsoft\.Databricks/workspaces/[^/]+",
    "the resource id of a Databricks workspace",
)
PRINCIPAL = Text(r"[^\r\n]{1,255}", "a principal's name")
IDENTITY = Text(
    r"[A-Za-z0-9][A-Za-z0-9_-]{2,127}",
    "a user-assigned identity's name (3 to 128 letters, digits, - and _, a letter or digit first)",
)
# https://learn.microsoft.com/azure/devops/organizations/settings/naming-restrictions
ORGANIZATION = Text(
    r"https://dev\.azure\.com/[A-Za-z0-9]([A-Za-z0-9-]{0,48}[A-Za-z0-9])?",
    "an organization of Azure DevOps: https://dev.azure.com/…, no slash last",
)
PROJECT = Text(r"""(?![_.])[^\r\n/:\\~&%;@'"?<>|#$*}{,+=\[\]]{1,64}(?<!\.)""", "a project of Azure DevOps, by its name")
NOTEBOOK_PATH = r"/(?!.*//)[^\r\n]*"


@dataclass(frozen=True)
class FactoryValue(Plain):
    """A parameter's value: anything that JSON can hold, or {key_vault: name of a secret}."""

    def check(self, value: Any, path: Key, report: Report) -> None:
        if isinstance(value, Mapping) and "key_vault" in value:
            check(Keys({"key_vault": VAULT_SECRET}), value, path, report)
        elif isinstance(value, list | Mapping):
            super().check(value if isinstance(value, Mapping) else dict(enumerate(value)), path, report)
        else:
            Scalar().check(value, path, report)


SCHEMA = Keys(
    {
        "app": Text(r"(?!.*--)[a-z][a-z0-9-]{0,28}[a-z0-9]", "an app's name (lower-case letters, digits, dashes)"),
        "production": Flag(),
        "azure": Keys(
            {
                "tenant_id": GUID,
                "subscription_id": GUID,
                "location": Text(r"[a-z0-9]+", "a location's short name, such as westeurope"),
                "resource_group": GROUP,
                "release_identity": Keys(
                    {"name": IDENTITY, "client_id": GUID, "object_id": GUID}, optional=frozenset({"name"})
                ),
                "state": Keys({"resource_group": GROUP, "storage_account": STORAGE, "container": CONTAINER}),
            }
        ),
        "resources": Keys(
            {
                "template": FILE,
                "storage_account": STORAGE,
                "container": CONTAINER,
                "key_vault": VAULT,
                "data_factory": FACTORY,
                "network": Keys(
                    {
                        "default_action": Choice(("Allow", "Deny")),
                        "ip_rules": Items(Text(r"[0-9.]{7,15}(/[0-9]{1,2})?", "an IPv4 address or range")),
                    }
                ),
            }
        ),
        "azure_devops": Keys(
            {"organization": ORGANIZATION, "project": PROJECT, "approvers": Items(PRINCIPAL)},
            optional=frozenset({"approvers"}),
        ),
        "databricks": Keys(
            {"host": HOST, "workspace_resource_id": WORKSPACE, "root": FOLDER, "readers": Items(PRINCIPAL)},
            optional=frozenset({"workspace_resource_id"}),
        ),
        "data_factory": Keys(
            {
                "source": Choice(("none", "export", "git")),
                "parameterise_databricks": Flag(),
                "parameters": Table(FactoryValue(), key=r"[^\r\n]{1,255}"),
                "notebook_paths": Table(
                    Text(rf"slot|{NOTEBOOK_PATH}", "slot, or an absolute workspace folder"), key=NOTEBOOK_PATH
                ),
                "delete_removed": Flag(),
                "delete_limit_percent": Whole(1, 100),
                "triggers": Choice(("as_defined", "stopped")),
            },
            optional=frozenset(
                {"source", "parameterise_databricks", "parameters", "notebook_paths"}
                | {"delete_removed", "delete_limit_percent", "triggers"}
            ),
        ),
        "secret_scope": Keys(
            {"name": SCOPE, "backend": Choice(("databricks", "key_vault")), "readers": Items(PRINCIPAL)}
        ),
        "secrets": Table(
            Keys(
                {
                    "from": Choice(("storage_key", "key_vault", "environment_variable")),
                    "to": Choice(("scope", "key_vault")),
                    "account": STORAGE,
                    "secret": VAULT_SECRET,
                    "variable": VARIABLE,
                },
                optional=frozenset({"account", "secret", "variable"}),
            )
        ),
        "notebooks": Table(Text(r"(?s).*", "text"), key=r"[a-z][a-z0-9_]*"),
        "jobs": Keys(
            {
                "schedules": Choice(("as_defined", "paused")),
                "run_as": Keys(
                    {"service_principal_name": GUID, "user_name": PRINCIPAL},
                    optional=frozenset({"service_principal_name", "user_name"}),
                ),
                "values": Table(Scalar(), key=r"[a-z][a-z0-9_]*"),
                "drift": Choice(("keep", "overwrite", "stop")),
            },
            optional=frozenset({"drift"}),
        ),
        "integration_test": Keys(
            {
                "notebook": NOTEBOOK,
                "timeout_minutes": Whole(1, 24 * 60),
                "parameters": Table(Text(r"(?s).*", "text"), key=r"[A-Za-z][A-Za-z0-9_.-]*"),
                "cluster": Plain(
                    {"existing_cluster_id": "an existing cluster keeps an older release's wheel; use a job cluster"}
                ),
                "factory_pipelines": Table(
                    Table(Text(r"(?s).*", "text"), key=r"[^\r\n]{1,255}"), key=r"[^\r\n]{1,260}"
                ),
            },
            optional=frozenset({"factory_pipelines"}),
        ),
        "archive": Keys({"keep": Whole(3, 1000)}),
        "drain": Keys({"unseen_runs": Choice(("warn", "stop"))}),
        "watch": Keys(
            {"hours": Whole(0, 14 * 24), "max_failures": Whole(0, 1000), "on_breach": Choice(("rollback", "report"))},
            optional=frozenset({"max_failures", "on_breach"}),
        ),
    },
    optional=frozenset({"azure_devops", "data_factory", "drain", "watch"}),
)

# What each source of a secret needs beside it.
_NEEDS = {"storage_key": "account", "key_vault": "secret", "environment_variable": "variable"}
_SLOT_KEYS = frozenset({"app", "environment", "slot", "version"})


def cross_check(values: Mapping[str, Any], report: Report) -> None:
    """Reports what single keys can't show. `values` may break the schema anywhere: that is reported elsewhere."""
    root = look_up(values, "databricks.root")[1]
    shared = isinstance(root, str) and (root + "/").lower().startswith("/workspace/shared/")
    if shared and values.get("production") is not False:
        report(("databricks", "root"), "production must not lie under /Shared: every user may write there")
    run_as = look_up(values, "jobs.run_as")[1]
    if isinstance(run_as, Mapping) and len(run_as) != 1:
        report(("jobs", "run_as"), "needs exactly one of service_principal_name and user_name")
    for key in sorted(_SLOT_KEYS & _mapping(values.get("notebooks")).keys()):
        report(("notebooks", key), "is written by Slipway itself; use another name")
    _check_twins(("integration_test", "factory_pipelines"), values, report)
    backend = look_up(values, "secret_scope.backend")[1]
    for name, secret in _mapping(values.get("secrets")).items():
        _check_secret(name, _mapping(secret), backend, report)


def _check_twins(path: Key, values: Mapping[str, Any], report: Report) -> None:
    """Upper and lower case make no difference to the factory's names."""
    seen: dict[str, str] = {}
    for name in _mapping(look_up(values, ".".join(map(str, path)))[1]):
        other = seen.setdefault(name.lower(), name)
        if other != name:
            report((*path, name), f"is the same pipeline as {other}: the service makes no difference by case")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _check_secret(name: str, secret: Mapping[str, Any], backend: Any, report: Report) -> None:
    source, to = secret.get("from"), secret.get("to")
    needed = _NEEDS.get(source) if isinstance(source, str) else None
    if needed is not None:
        if needed not in secret:
            report(("secrets", name, needed), f"is missing: from: {source} needs it")
        for other in sorted(set(_NEEDS.values()) & secret.keys() - {needed}):
            report(("secrets", name, other), f"does not belong to from: {source}")
    if to == "scope" and backend == "key_vault":
        text = "a scope with the key_vault backend can't be written to; use to: key_vault"
        report(("secrets", name, "to"), text)
    if to == "key_vault" and source == "key_vault" and secret.get("secret") == name:
        report(("secrets", name, "from"), "the secret would be copied onto itself")
    if to == "key_vault" and not _is_vault_name(name):
        report(("secrets", name), "a vault secret's name has letters, digits and dashes only (at most 127)")


def _is_vault_name(name: str) -> bool:
    return len(name) <= 127 and all(part.isalnum() and part.isascii() for part in name.split("-") if part)
