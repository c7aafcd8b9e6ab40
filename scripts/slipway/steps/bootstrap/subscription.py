"""Bootstrap: what the subscription must let happen. Providers are registered, and names that Azure has only once are free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.command import Context
from slipway.domain.environment import Environment
from slipway.errors import NotPossible
from slipway.services.resource_manager.groups import Resources
from slipway.services.resource_manager.subscription import (
    STORAGE_ACCOUNT,
    VAULT,
    availability,
    deleted_vault,
    register,
    registration_of,
)
from slipway.services.resource_manager.tenancy import own_subscription
from slipway.steps.bootstrap.report import Refusal, Report, again, az, counted
from slipway.steps.configuration_files import configure_command
from slipway.steps.deploy_resources import tags

NAMESPACES = ("Microsoft.Storage", "Microsoft.KeyVault", "Microsoft.DataFactory", "Microsoft.ManagedIdentity")
WORKSPACES = "Microsoft.Databricks"
# A registration takes a minute or so (seconds between two looks, and how many of them).
_PAUSE, _TRIES = 5.0, 60


def check_subscription(context: Context, resources: Resources) -> None:
    """Raises SignInFailed or NotPossible where nothing could be made: the wrong tenant, another subscription, a disabled one."""
    azure = context.environment.azure
    found = own_subscription(resources, azure.tenant_id)
    if found is None:
        context.log.info(f"  This sign-in may not read subscription {azure.subscription_id}.")
        return
    context.log.info(f"= subscription {found.name}, {found.id}")
    if found.tenant_id and found.tenant_id.lower() != azure.tenant_id.lower():
        raise NotPossible(
            f"Subscription {found.id} is of tenant {found.tenant_id}, and the configuration says {azure.tenant_id}.",
            changed="Nothing was made.",
            next_step=f"python scripts/configure.py --set azure.tenant_id={found.tenant_id}",
        )
    if not found.usable:
        raise NotPossible(
            f"Subscription {found.name} ({found.id}) is {found.state}: nothing can be made in it.",
            changed="Nothing was made.",
            next_step="portal: Subscriptions, the subscription, Reactivate",
        )


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


def check_names(context: Context, resources: Resources, report: Report, registered: frozenset[str]) -> None:
    """Raises NotPossible when a name is taken by somebody else that Azure has only once, before anything is made.

    Names that the environment's own groups have already are not asked for; only a provider that is registered answers.
    """
    environment = context.environment
    azure = environment.azure
    refusal = Refusal(
        what=f"look whether names of {environment.name} are free",
        who=f"Reader of {azure.subscription_id}",
        mend=again(context),
    )
    taken: list[Taken] = []
    with report.part(context, refusal):
        for one in _taken(environment, resources, registered):
            taken.append(one)  # what was found before a refusal counts
        if not taken:
            context.log.info("= no name that Azure has only once is somebody else's")
    if not taken:
        return
    lines = [f"  - {one.key}: {one.name}: {one.why}\n      {one.mend}" for one in taken]
    raise NotPossible(
        f"{counted(len(taken), 'name').capitalize()} of {environment.name} can't be had: Azure has each name only once.",
        changed="Nothing was made.",
        next_step="\n".join(lines),
    )


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A name that can't be had: its key path, why in the service's words, and the command that mends it."""

    key: str
    name: str
    why: str
    mend: str


def _taken(environment: Environment, resources: Resources, registered: frozenset[str]) -> Iterator[Taken]:
    azure, wanted = environment.azure, environment.resources
    groups = (azure.state.resource_group, azure.resource_group)
    ours = {str(one["name"]).lower(): one for group in groups for one in resources.inside(group)}
    names = {
        "azure.state.storage_account": (STORAGE_ACCOUNT, azure.state.storage_account),
        "resources.storage_account": (STORAGE_ACCOUNT, wanted.storage_account),
        "resources.key_vault": (VAULT, wanted.key_vault),
    }
    yield from _account_of_others(environment, ours.get(azure.state.storage_account))
    for key, (kind, name) in names.items():
        if kind.partition("/")[0] not in registered or name.lower() in ours:
            continue
        if (found := availability(resources, kind, name)).free:
            continue
        for group in groups:  # who may not see them would take the environment's own names for other people's
            resources.group_exists(group)
        why, mend = found.why, configure_command(environment.name, key, "<another name>")
        if kind == VAULT and (former := deleted_vault(resources, azure.location, name)) is not None:
            why = (
                f"this subscription deleted that vault ({former}), and keeps it and its name for its days of retention"
            )
            if former.lower() == _vault_id(environment).lower():
                mend = _recover(environment, there=resources.group_exists(azure.resource_group))
        yield Taken(key=key, name=name, why=why, mend=mend)


def _account_of_others(environment: Environment, found: Mapping[str, Any] | None) -> Iterator[Taken]:
    """An account of the name that bootstrap did not make for this app: making it again would change what others set there."""
    if found is None or (found.get("tags") or {}).get("slipway_app") == environment.app:
        return
    key, mark = "azure.state.storage_account", f"slipway_app={environment.app}"
    own = az("tag", "update", "--tags", mark, operation="Merge", resource_id=str(found["id"]))
    yield Taken(
        key=key,
        name=str(found["name"]),
        why=f"it is there without the tag {mark}, so bootstrap did not make it; where it is for this app alone: {own}",
        mend=configure_command(environment.name, key, "<another name>"),
    )


def _vault_id(environment: Environment) -> str:
    azure = environment.azure
    group = f"/subscriptions/{azure.subscription_id}/resourceGroups/{azure.resource_group}"
    return f"{group}/providers/Microsoft.KeyVault/vaults/{environment.resources.key_vault}"


def _recover(environment: Environment, *, there: bool) -> str:
    """A vault comes back into the group that it was in, which must be there."""
    azure, subscription = environment.azure, environment.azure.subscription_id
    recover = az(
        *("keyvault", "recover"),
        name=environment.resources.key_vault,
        resource_group=azure.resource_group,
        location=azure.location,
        subscription=subscription,
    )
    if there:
        return recover
    marks = (f"{name}={value}" for name, value in tags(environment).items())
    group = az(
        *("group", "create", "--tags", *marks),
        name=azure.resource_group,
        location=azure.location,
        subscription=subscription,
    )
    return f"{group} && {recover}"
