"""The network rules of the vault and the storage account against this machine, as the configuration says them.

What is deployed is set again by every release, before anything is read from it; so a rule counts only where the configuration says
it. The way to the state, which no release opens, is looked at in `state`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from slipway.domain.diagnosis import PORTAL, Finding
from slipway.domain.environment import Environment
from slipway.services.key_vault import shut_out
from slipway.services.resource_manager import reading
from slipway.steps.doctor import facts
from slipway.steps.doctor.examination import Check, Examination, NotSeen, Said


def checks(examination: Examination) -> list[Check]:
    return [Check(title="the way to the vault", look=partial(_vault, examination))]


def _vault(examination: Examination) -> Iterator[Said]:
    network, vault = examination.environment.resources.network, examination.environment.resources.key_vault
    if network.default_action == "Allow" or not _uses_vault(examination.environment):
        return
    facts.group(examination)
    if facts.resource(examination, facts.vault_id(examination), reading.VAULTS) is None:
        raise NotSeen(f"Key Vault {vault} is not there yet, so nobody says which address this machine has")
    address = shut_out(vault, examination.credential)
    if address is None or address in network.ip_rules:
        return
    rules = ", ".join([*network.ip_rules, address])
    mend = examination.configure("resources.network.ip_rules", f"[{rules}]")
    yield Finding(
        id="network.vault",
        what=f"The network rules of Key Vault {vault} shut this machine out{f' ({address})' if address else ''}.",
        why="A release writes secrets from the machine that it runs on.",
        mend=mend if address else f"{PORTAL} Key Vault {vault} > Networking > add this machine's public address",
        severity=facts.way_severity(examination),
        who="whoever changes the configuration; or run on an agent that the rules let in",
    )


def _uses_vault(environment: Environment) -> bool:
    return any("key_vault" in (secret.source, secret.to) for secret in environment.secrets.values())
