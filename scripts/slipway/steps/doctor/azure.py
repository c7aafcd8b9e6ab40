"""Sign-in, subscription, providers, resource group, locks."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import partial

from slipway.domain.diagnosis import PORTAL, Finding
from slipway.domain.environment import Environment
from slipway.services.resource_manager import reading
from slipway.services.resource_manager.reading import NotLetIn
from slipway.steps.doctor import facts
from slipway.steps.doctor.examination import Check, Examination, Said

GROUP = "the resource group"
OWNER = "an Owner of the subscription"
# What every release deploys.
PROVIDERS = ("Microsoft.Storage", "Microsoft.KeyVault", "Microsoft.DataFactory")


def providers(environment: Environment) -> tuple[str, ...]:
    """And, in this subscription, what bootstrap makes: a workspace may lie elsewhere, an identity be an application of others."""
    subscription = f"/subscriptions/{environment.azure.subscription_id}/".lower()
    workspace = (environment.databricks.workspace_resource_id or "").lower().startswith(subscription)
    identity = environment.azure.release_identity.name is not None
    return (*PROVIDERS, *["Microsoft.Databricks"] * workspace, *["Microsoft.ManagedIdentity"] * identity)


def checks(examination: Examination) -> list[Check]:
    return [
        Check(title="the subscription", look=partial(_subscription, examination)),
        *(
            Check(title=f"resource provider {namespace}", look=partial(_provider, examination, namespace))
            for namespace in providers(examination.environment)
        ),
        Check(title=GROUP, look=partial(_group, examination)),
        Check(title="locks on the resource group", look=partial(_locks, examination)),
    ]


def _subscription(examination: Examination) -> Iterator[Said]:
    azure = examination.environment.azure
    login = f"az login --tenant {azure.tenant_id}"
    try:
        found = facts.subscription(examination)
    except NotLetIn as error:
        if error.status != 401:
            raise
        tenant = facts.caller(examination).get("tid", "another tenant")
        yield Finding(
            id="azure.tenant",
            what=f"Signed in to tenant {tenant}, and subscription {azure.subscription_id} is not of it ({error.code}).",
            why="Nothing in the subscription can be reached with a sign-in of another tenant.",
            mend=login,
        )
        return
    if found is None:
        yield Finding(
            id="azure.subscription",
            what=f"There is no subscription {azure.subscription_id}, or none for this sign-in.",
            why="Everything that an environment has lies in its subscription.",
            mend=_other_subscription(examination) or login,
            who="somebody with a role in that subscription, where it is the right one",
        )
        return
    if str(found.get("tenantId", "")).lower() != azure.tenant_id.lower():
        yield Finding(
            id="azure.tenant_configured",
            what=f"Subscription {azure.subscription_id} is of tenant {found.get('tenantId')}, not of {azure.tenant_id}.",
            why="Tokens are asked of the configured tenant, and another one's open nothing here.",
            mend=examination.configure("azure.tenant_id", str(found.get("tenantId"))),
        )
    state = str(found.get("state") or "Enabled")
    if state in ("PastDue", "Warned"):
        yield Finding(
            id="azure.subscription_state",
            what=f"Subscription {azure.subscription_id} is {state}: it takes changes still, and may be disabled.",
            # https://learn.microsoft.com/azure/cost-management-billing/manage/subscription-states
            why="A subscription that is disabled takes no change.",
            mend=f"{PORTAL} Subscriptions > {azure.subscription_id} > Pay now",
            severity="warning",
            who="whoever pays for it",
        )
    elif state != "Enabled":
        yield Finding(
            id="azure.subscription_state",
            what=f"Subscription {azure.subscription_id} is {state}.",
            why="A subscription that is not enabled can be read, and takes no change.",
            # Subscription - Enable, https://learn.microsoft.com/rest/api/subscription/subscription/enable
            mend=(
                "az rest --method post --url https://management.azure.com/subscriptions/"
                f"{azure.subscription_id}/providers/Microsoft.Subscription/enable?api-version=2021-10-01"
            ),
            who="an Owner of the subscription",
        )


def _other_subscription(examination: Examination) -> str:
    """The mend where this sign-in has exactly one subscription of the tenant; else ""."""
    tenant = examination.environment.azure.tenant_id.lower()
    there = examination.azure.every("/subscriptions", reading.SUBSCRIPTIONS) or []
    ids = [str(one["subscriptionId"]) for one in there if str(one.get("tenantId", tenant)).lower() == tenant]
    return examination.configure("azure.subscription_id", ids[0]) if len(ids) == 1 else ""


def _provider(examination: Examination, namespace: str) -> Iterator[Said]:
    path = f"{facts.subscription_id(examination)}/providers/{namespace}"
    found = facts.resource(examination, path, reading.GROUPS) or {}
    state = str(found.get("registrationState") or "NotRegistered")
    if state == "Registering":
        yield Finding(
            id="azure.provider_registering",
            what=f"Resource provider {namespace} is being registered.",
            why="Some regions take its resources only when that has ended, in minutes.",
            mend=f"az provider register --namespace {namespace} --wait",
            severity="warning",
            who=OWNER,
        )
    elif state != "Registered":
        yield Finding(
            id="azure.provider",
            what=f"Resource provider {namespace} is not registered in the subscription ({state}).",
            why="A subscription takes no resource of a provider that is not registered.",
            mend=f"az provider register --namespace {namespace} --wait",
            who=OWNER,
        )


def _group(examination: Examination) -> Iterator[Said]:
    name = examination.environment.azure.resource_group
    try:
        found = facts.resource(examination, facts.group_id(examination), reading.GROUPS)
    except NotLetIn:
        if facts.is_release_identity(examination):
            return  # it lacks its role: the check of roles says so
        raise
    if found is None:
        yield Finding(
            id="azure.group",
            what=f"There is no resource group {name}.",
            why="A release deploys into it, and its identity may not make it.",
            mend=examination.bootstrap(),
            who=OWNER,
        )


def _locks(examination: Examination) -> Iterator[Said]:
    facts.group(examination)
    path = f"{facts.group_id(examination)}/providers/Microsoft.Authorization/locks"
    ours = (facts.storage_id(examination), facts.vault_id(examination), facts.factory_id(examination))
    for lock in examination.azure.every(path, reading.LOCKS) or []:
        place = str(lock["id"]).partition("/providers/Microsoft.Authorization/")[0]
        # What is locked beside them is no matter of a release.
        matters = any((one + "/").lower().startswith(place.lower() + "/") for one in ours)
        if matters and (lock.get("properties") or {}).get("level") == "ReadOnly":
            yield Finding(
                id="azure.lock",
                what=f"{place.rpartition('/')[2]} has a ReadOnly lock, {lock['name']}.",
                why="Under it nothing can be deployed, and the keys of a storage account can't be read.",
                mend=shlex.join(["az", "lock", "delete", "--ids", str(lock["id"])]),
                who="an Owner or User Access Administrator",
            )
