"""Bootstrap: what the subscription must let happen. Providers are registered, and names that Azure has only once are free."""

from __future__ import annotations

from collections.abc import Iterable

from slipway.command import Context
from slipway.errors import NotPossible
from slipway.services.resource_manager.groups import Resources
from slipway.services.resource_manager.subscription import (
    STORAGE_ACCOUNT,
    VAULT,
    availability,
    register,
    registration_of,
)
from slipway.steps.bootstrap.report import Refusal, Report, az

NAMESPACES = ("Microsoft.Storage", "Microsoft.KeyVault", "Microsoft.DataFactory", "Microsoft.ManagedIdentity")
WORKSPACES = "Microsoft.Databricks"
# A registration takes a minute or so (seconds between two looks, and how many of them).
_PAUSE, _TRIES = 5.0, 60


def register_providers(
    context: Context, resources: Resources, report: Report, namespaces: Iterable[str]
) -> frozenset[str]:
    """Registers what is not; a subscription that never had such a resource refuses to make one otherwise.

    The namespaces that are registered at the end.
    """
    registered = set()
    for namespace in namespaces:
        command = az("provider", "register", "--wait", namespace=namespace, subscription=resources.subscription_id)
        refusal = Refusal(
            what=f"register the resource provider {namespace}",
            who="Contributor or Owner of the subscription",
            mend=command,
        )
        with report.part(context, refusal):
            if _register(context, resources, report, namespace):
                registered.add(namespace)
    return frozenset(registered)


def _register(context: Context, resources: Resources, report: Report, namespace: str) -> bool:
    state = registration_of(resources, namespace)
    if state in ("Registered", "Registering"):
        context.log.info(f"= {namespace} is {state.lower()}")
        return True
    context.log.info(f"+ {namespace} is registered")
    report.done.append(f"registration of {namespace}")
    if context.what_if:
        return False
    state = register(resources, namespace)
    for _ in range(_TRIES):
        if state == "Registered":
            return True
        context.sleep(_PAUSE)
        state = registration_of(resources, namespace)
    context.log.warning(f"{namespace} is still {state.lower()}: what needs it may be refused for some minutes.")
    return False


def check_names(context: Context, resources: Resources, registered: frozenset[str]) -> None:
    """Raises NotPossible when a name is taken by somebody else that Azure has only once, before anything is made.

    Names that the environment's own groups have already are not asked for; only a provider that is registered answers.
    """
    environment = context.environment
    azure, wanted = environment.azure, environment.resources
    groups = (azure.state.resource_group, azure.resource_group)
    ours = {str(one["name"]).lower() for group in groups for one in resources.inside(group)}
    names = {
        "azure.state.storage_account": (STORAGE_ACCOUNT, azure.state.storage_account),
        "resources.storage_account": (STORAGE_ACCOUNT, wanted.storage_account),
        "resources.key_vault": (VAULT, wanted.key_vault),
    }
    taken = []
    for key, (kind, name) in names.items():
        if kind.partition("/")[0] not in registered or name.lower() in ours:
            continue
        if not (found := availability(resources, kind, name)).free:
            taken.append((key, name, found.why))
    if not taken:
        context.log.info("= names that Azure has only once are free, or ours")
        return
    lines = [f"  - {key}: {name}: {why}" for key, name, why in taken]
    key = taken[0][0]
    raise NotPossible(
        f"Names of {environment.name} are taken by somebody else:\n" + "\n".join(lines),
        changed="Nothing was made.",
        next_step=f"Choose others: python scripts/configure.py --environment {environment.name} --set {key}=<another name>. "
        f"A vault that was deleted keeps its name: az keyvault list-deleted --subscription {azure.subscription_id}",
    )
