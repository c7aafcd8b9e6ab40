"""The storage of the state: account, containers, what keeps blobs from being lost, and the way to them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import partial

from slipway.domain import audit
from slipway.domain.diagnosis import PORTAL, Finding, Severity
from slipway.services.resource_manager import reading
from slipway.services.storage import reach
from slipway.steps.doctor import facts
from slipway.steps.doctor.examination import Check, Examination, NotSeen, Said
from slipway.steps.doctor.identities import state_role_missing

OWNER = "an Owner of the subscription"


def checks(examination: Examination) -> list[Check]:
    return [
        Check(title="the state account", look=partial(_account, examination), short=False),
        Check(title="containers of the state account", look=partial(_containers, examination), short=False),
        Check(title="versions and soft delete of the state", look=partial(_keeping, examination), short=False),
        Check(title="the lock on the state account", look=partial(_lock, examination), short=False),
        Check(title="the way to the state", look=partial(_way, examination)),
    ]


def _account(examination: Examination) -> Iterator[Said]:
    found = facts.resource(examination, facts.state_account_id(examination), reading.STORAGE)
    if found is None:
        name = examination.environment.azure.state.storage_account
        if facts.taken(examination, "Microsoft.Storage/storageAccounts", name, reading.STORAGE):
            raise NotSeen("its name is somebody else's")
        yield _no_account(examination)
        return
    if (found.get("properties") or {}).get("allowSharedKeyAccess") is not False:
        yield _weak(
            examination,
            "state.shared_key",
            "takes account keys",
            "Whoever reads a key can change the state without a trace; releases use tokens alone.",
        )


def _no_account(examination: Examination, *, doubt: bool = False) -> Finding:
    """`doubt`: its name led nowhere, which name resolution on this machine may be the cause of."""
    state = examination.environment.azure.state
    otherwise = ", or its name leads nowhere from this machine" if doubt else ""
    return Finding(
        id="state.account",
        what=f"There is no storage account {state.storage_account} in {state.resource_group}{otherwise}.",
        why="A release keeps its state and every released version there.",
        mend=examination.bootstrap(),
        who=OWNER,
    )


def _containers(examination: Examination) -> Iterator[Said]:
    facts.state_account(examination)
    path = f"{facts.state_account_id(examination)}/blobServices/default/containers"
    there = {str(one["name"]) for one in examination.azure.every(path, reading.STORAGE) or []}
    container = examination.environment.azure.state.container
    if container not in there:
        yield _no_container(examination)
    if audit.CONTAINER not in there:
        yield Finding(
            id="state.audit",
            what=f"The state account has no container {audit.CONTAINER}.",
            why="Who released what, where, with what result, is noted there; without it, nothing is noted.",
            mend=examination.bootstrap(),
            severity="warning",
            who=OWNER,
        )


def _no_container(examination: Examination) -> Finding:
    state = examination.environment.azure.state
    return Finding(
        id="state.container",
        what=f"The state account {state.storage_account} has no container {state.container}.",
        why=f"The state of {examination.environment.name} is kept in it.",
        mend=examination.bootstrap(),
        who=OWNER,
    )


def _keeping(examination: Examination) -> Iterator[Said]:
    facts.state_account(examination)
    service = facts.resource(
        examination, f"{facts.state_account_id(examination)}/blobServices/default", reading.STORAGE
    )
    properties = (service or {}).get("properties") or {}
    why = "A state that is overwritten or deleted by mistake can't be brought back."
    if properties.get("isVersioningEnabled") is not True:
        yield _weak(examination, "state.versioning", "keeps no earlier versions of its blobs", why)
    for key, name, what in (
        ("deleteRetentionPolicy", "state.soft_delete", "keeps no deleted blobs"),
        ("containerDeleteRetentionPolicy", "state.container_soft_delete", "keeps no deleted containers"),
    ):
        if (properties.get(key) or {}).get("enabled") is not True:
            yield _weak(examination, name, what, why)


def _lock(examination: Examination) -> Iterator[Said]:
    facts.state_account(examination)
    account = facts.state_account_id(examination)
    path = f"{facts.state_group_id(examination)}/providers/Microsoft.Authorization/locks"
    for lock in examination.azure.every(path, reading.LOCKS) or []:
        place = str(lock["id"]).partition("/providers/Microsoft.Authorization/")[0].lower()
        if account.lower() == place or account.lower().startswith(place + "/"):
            return
    yield _weak(
        examination,
        "state.lock",
        "has no lock against deleting it",
        "With the account, the state and the archive of every environment would be gone.",
    )


def _weak(examination: Examination, name: str, what: str, why: str, severity: Severity = "warning") -> Finding:
    account = examination.environment.azure.state.storage_account
    return Finding(
        id=name,
        what=f"The state account {account} {what}.",
        why=why,
        mend=examination.bootstrap(),
        severity=severity,
        who=OWNER,
    )


def _open(examination: Examination, account: facts.Json) -> str:
    """An account without public access is in a network of its own, which no rule opens."""
    state = examination.environment.azure.state
    if (account.get("properties") or {}).get("publicNetworkAccess") == "Disabled":
        return f"{PORTAL} nothing there: run where the private endpoints of {state.storage_account} are reached"
    group, name = shlex.quote(state.resource_group), state.storage_account
    return f"az storage account update --resource-group {group} --name {name} --default-action Allow"


def _way(examination: Examination) -> Iterator[Said]:
    """By the way that a release goes itself; what somebody else lacks there is no finding."""
    state = examination.environment.azure.state
    account = {} if examination.short else facts.state_account(examination)
    found = reach(state.storage_account, state.container, examination.credential)
    if found == "no way":
        yield Finding(
            id="network.state",
            what=f"The network rules of the state account {state.storage_account} shut this machine out.",
            why="A release reads and writes its state from the machine that it runs on.",
            mend=_open(examination, account),
            severity=facts.way_severity(examination),
            who="a Contributor of the state account; or run on an agent that its rules let in",
        )
    elif found == "no role":
        if not facts.is_release_identity(examination):
            raise NotSeen("this identity has no role on the blobs; whether the release's has is looked at apart")
        yield state_role_missing(examination, doubt=True)
    elif examination.short and found == "no container":
        yield _no_container(examination)
    elif examination.short and found == "no account":
        yield _no_account(examination, doubt=True)
