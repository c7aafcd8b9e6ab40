"""Names that must be free in all of Azure: taken by us, free, or by somebody else; and deleted vaults that keep theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial

from slipway.domain.diagnosis import Finding
from slipway.services.resource_manager import reading
from slipway.services.resource_manager.reading import NotLetIn
from slipway.steps.bootstrap.report import az
from slipway.steps.deploy_resources import tags
from slipway.steps.doctor import facts
from slipway.steps.doctor.examination import Check, Examination, NotSeen, Said

_STORAGE = "Microsoft.Storage/storageAccounts"
_VAULT = "Microsoft.KeyVault/vaults"
_LONGEST = 24
_TRIES = 3


def checks(examination: Examination) -> list[Check]:
    return [
        Check(title="the name of the storage account", look=partial(_storage, examination), short=False),
        Check(title="the name of the state account", look=partial(_state, examination), short=False),
        Check(title="the name of the vault", look=partial(_vault, examination), short=False),
    ]


def _storage(examination: Examination) -> Iterator[Said]:
    if _there(examination, facts.storage_id(examination), reading.STORAGE):
        return
    name = examination.environment.resources.storage_account
    if facts.taken(examination, _STORAGE, name, reading.STORAGE):
        mend = examination.configure("resources.storage_account", _free(examination, _STORAGE, name, reading.STORAGE))
        yield _somebody_else(examination, "names.storage_account", f"storage account {name}", mend)


def _state(examination: Examination) -> Iterator[Said]:
    if _there(examination, facts.state_account_id(examination), reading.STORAGE):
        return
    name = examination.environment.azure.state.storage_account
    if facts.taken(examination, _STORAGE, name, reading.STORAGE):
        free = _free(examination, _STORAGE, name, reading.STORAGE)
        mend = f"{examination.configure('azure.state.storage_account', free)} && {examination.bootstrap()}"
        yield _somebody_else(examination, "names.state_account", f"storage account {name}", mend)


def _vault(examination: Examination) -> Iterator[Said]:
    if _there(examination, facts.vault_id(examination), reading.VAULTS):
        return
    name = examination.environment.resources.key_vault
    if not facts.taken(examination, _VAULT, name, reading.VAULTS):
        return
    location = examination.environment.azure.location
    path = (
        f"{facts.subscription_id(examination)}/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{name}"
    )
    deleted = examination.azure.get(path, reading.VAULTS)
    if deleted is None:
        mend = examination.configure("resources.key_vault", _free(examination, _VAULT, name, reading.VAULTS))
        yield _somebody_else(examination, "names.key_vault", f"Key Vault {name}", mend)
    else:
        yield _deleted(examination, name, deleted.get("properties") or {})


def _deleted(examination: Examination, name: str, properties: facts.Json) -> Finding:
    """One that was ours comes back with its secrets. Another's is left alone, for purging it loses its secrets for ever."""
    why = "A deleted vault keeps its name, so a release can't make one."
    until = properties.get("scheduledPurgeDate")
    what = f"Key Vault {name} was deleted, and is kept until {until}"
    if str(properties.get("vaultId", "")).lower() == facts.vault_id(examination).lower():
        return Finding(
            id="names.deleted_vault",
            what=f"{what}.",
            why=why,
            mend=_recover(examination, name),
            who="a Contributor of the subscription",
        )
    mend = examination.configure("resources.key_vault", _free(examination, _VAULT, name, reading.VAULTS))
    if properties.get("purgeProtectionEnabled"):
        return Finding(
            id="names.deleted_vault_protected",
            what=f"{what}; it lay elsewhere ({properties.get('vaultId')}), and is protected from being purged.",
            why=why,
            mend=mend,
        )
    return Finding(
        id="names.deleted_vault_elsewhere",
        what=f"{what}; it lay elsewhere ({properties.get('vaultId')}).",
        why=why,
        mend=mend,
    )


def _recover(examination: Examination, name: str) -> str:
    """The mend that brings a vault back; into its group, which must be there."""
    environment, azure = examination.environment, examination.environment.azure
    recover = az("keyvault", "recover", name=name, resource_group=azure.resource_group, location=azure.location)
    if facts.resource(examination, facts.group_id(examination), reading.GROUPS) is not None:
        return recover
    marks = (f"{key}={value}" for key, value in tags(environment).items())
    return f"{az('group', 'create', '--tags', *marks, name=azure.resource_group, location=azure.location)} && {recover}"


def _there(examination: Examination, resource_id: str, api_version: str) -> bool:
    """Whether it is ours already. Raises NotSeen where its group may not be read."""
    try:
        return facts.resource(examination, resource_id, api_version) is not None
    except NotLetIn as error:
        raise NotSeen(error.what) from error


def _free(examination: Examination, kind: str, name: str, api_version: str) -> str:
    """A name like it that is free now: the same for the same subscription, so that asking again says the same."""
    for number in range(_TRIES):
        seed = f"{examination.environment.azure.subscription_id}/{name}/{number}"
        end = hashlib.sha256(seed.encode()).hexdigest()[:4]
        joint = "-" if kind == _VAULT else ""
        suggested = f"{name[: _LONGEST - len(end) - len(joint)].rstrip('-')}{joint}{end}"
        if not facts.taken(examination, kind, suggested, api_version):
            return suggested
    return "NAME"


def _somebody_else(examination: Examination, name: str, what: str, mend: str) -> Finding:
    return Finding(
        id=name,
        what=f"The name of {what} is taken, and not by {examination.environment.name}.",
        why="It must be unique in all of Azure; nobody else's can be used or deployed over.",
        mend=mend,
    )
