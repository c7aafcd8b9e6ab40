"""Brings the configured secrets from their sources to Key Vault or to the workspace's secret scope."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from slipway.command import Context, run_step
from slipway.domain.environment import Environment, Secret
from slipway.errors import AuthenticationError, NotPossible, SlipwayError
from slipway.services.credentials import Credential, SignInFailed, SignInUnreachable, credential
from slipway.services.databricks import AlreadyExists, Scope, Workspace, connect
from slipway.services.databricks.secrets import BACKENDS
from slipway.services.key_vault import Vault, vault_url
from slipway.services.storage import account_keys
from slipway.steps.claiming import claim_options
from slipway.steps.release_source import version_of
from slipway.steps.session import in_pipeline, open_session

Guard = Callable[[], None]
"""Called before each change; raises Conflict when the claim is lost."""

_ORDER = ("READ", "WRITE", "MANAGE")


def main() -> int:
    return run_step(provision_secrets, description=__doc__ or "", options=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    claim_options(parser)


def provision_secrets(context: Context) -> None:
    """Reads every source first, then writes what differs, then lets the readers in. No value is ever printed.

    A secret of a scope is compared by reading it back. Where the workspace does not let it be read, it is written each
    time: nothing derived from a secret is kept anywhere. Raises NotPossible with every source that gave nothing,
    Conflict (somebody else is releasing).
    """
    if context.what_if:
        _list(context)
        return
    session = open_session(context, version_of(context, "secrets, by hand"))
    with session.claimed(keep=in_pipeline(context.variables)):
        _provision(context, Services(context), session.guard)


def _provision(context: Context, services: Services, guard: Guard) -> None:
    environment = context.environment
    with context.log.section("Reading the sources"):
        values = _read_sources(context, services)
    with context.log.section(f"Secret scope {environment.secret_scope.name} of {services.workspace.host}"):
        scope = _ensure_scope(context, services.workspace, guard)
        _let_readers_in(context, services.workspace, scope, guard)
    with context.log.section("Writing what differs"):
        for name, value in values.items():
            _write(context, services, scope, environment.secrets[name], value, guard)


@dataclass(frozen=True)
class Services:
    """The services that this step may need, connected when first used."""

    context: Context

    @cached_property
    def identity(self) -> Credential:
        return credential(self.context.variables)

    @cached_property
    def workspace(self) -> Workspace:
        return connect(self.context.environment, self.identity, self.context.variables)

    @cached_property
    def vault(self) -> Vault:
        return Vault(
            self.context.environment.resources.key_vault,
            self.identity,
            role_made_at=self._role_made_at,
            clock=self.context.clock,
            sleep=self.context.sleep,
            waiting=self.context.log.info,
        )

    def _role_made_at(self) -> float | None:
        # Imported here: only a vault that refuses needs it.
        from slipway.services.resource_manager.groups import Resources, newest

        environment = self.context.environment
        resources = Resources(self.identity, environment.azure.subscription_id)
        try:
            return newest(resources.assignments(vault_id(environment), environment.azure.release_identity.object_id))
        except SlipwayError:
            return None


def vault_id(environment: Environment) -> str:
    azure = environment.azure
    return (
        f"/subscriptions/{azure.subscription_id}/resourceGroups/{azure.resource_group}"
        f"/providers/Microsoft.KeyVault/vaults/{environment.resources.key_vault}"
    )


def _list(context: Context) -> None:
    environment = context.environment
    scope = environment.secret_scope
    context.log.info(
        f"Secret scope {scope.name}, backend {scope.backend}, read by {', '.join(scope.readers) or 'nobody'}"
    )
    for secret in environment.secrets.values():
        context.log.info(
            f"{secret.name}: from {_source(environment, secret)} to {_target(environment, secret)}, if it differs"
        )


def _source(environment: Environment, secret: Secret) -> str:
    if secret.source == "storage_key":
        return f"the key of storage account {secret.account}"
    if secret.source == "key_vault":
        return f"secret {secret.secret} of Key Vault {environment.resources.key_vault}"
    return f"the environment variable {secret.variable}"


def _target(environment: Environment, secret: Secret) -> str:
    if secret.to == "scope":
        return f"scope {environment.secret_scope.name}"
    return f"Key Vault {environment.resources.key_vault}"


def _read_sources(context: Context, services: Services) -> Mapping[str, str]:
    """Every secret's value, masked in the log from here on. Raises one error for all that are missing."""
    environment = context.environment
    values: dict[str, str] = {}
    missing: list[tuple[str, SlipwayError | None]] = []
    for secret in environment.secrets.values():
        try:
            value = _read(context, services, secret)
        except (SignInFailed, SignInUnreachable):
            raise
        except SlipwayError as error:
            missing.append((f"{secret.name}: {error.what}", error))
            continue
        if not value:
            missing.append((f"{secret.name}: {_source(environment, secret)} gives nothing", None))
            continue
        context.log.mask(value)
        values[secret.name] = value
        context.log.info(f"{secret.name}: from {_source(environment, secret)}")
    if missing:
        listed = "".join(f"\n  {text}" for text, _ in missing)
        refused = all(isinstance(error, AuthenticationError) for _, error in missing)
        raise (AuthenticationError if refused else NotPossible)(
            f"{len(missing)} of {len(environment.secrets)} secrets of {environment.name} have no value:{listed}",
            changed="Nothing was changed.",
            next_step=next((error.next_step for _, error in missing if error and error.next_step), "")
            or "Provide what is missing, then run again.",
        )
    return values


def _read(context: Context, services: Services, secret: Secret) -> str | None:
    azure = context.environment.azure
    if secret.source == "storage_key":
        return account_keys(services.identity, azure.subscription_id, azure.resource_group, secret.account or "")
    if secret.source == "key_vault":
        return services.vault.get(secret.secret or secret.name)
    return context.variables.get(secret.variable or "")


def _ensure_scope(context: Context, workspace: Workspace, guard: Guard) -> str:
    """Makes the scope when it is absent; returns its name as the workspace writes it.

    Raises NotPossible when there is one of the other backend, or on another vault: it is never used in its place.
    """
    environment, wanted = context.environment, context.environment.secret_scope
    found = _find(workspace, wanted.name)
    if found is None:
        vault = (vault_id(environment), f"{vault_url(environment.resources.key_vault)}/")
        guard()
        try:
            workspace.create_scope(wanted.name, wanted.backend, *(vault if wanted.backend == "key_vault" else ()))
            context.log.info(f"+ made, backend {wanted.backend}")
            return wanted.name
        except AlreadyExists as error:  # made in the meantime, or not shown to this identity
            found = _find(workspace, wanted.name)
            if found is None:
                raise NotPossible(
                    f"Secret scope {wanted.name} exists in {workspace.host}, but this identity may not see it.",
                    changed="Nothing was changed.",
                    next_step="Ask whoever manages the scope for MANAGE on it, or choose another name.",
                ) from error
    if found.backend_type != BACKENDS[wanted.backend]:
        there = next((ours for ours, theirs in BACKENDS.items() if theirs == found.backend_type), found.backend_type)
        raise _other_kind(environment, workspace, f"its backend is {there}, not {wanted.backend}")
    if wanted.backend == "key_vault" and (found.vault_resource_id or "").lower() != vault_id(environment).lower():
        raise _other_kind(environment, workspace, f"it shows {found.vault_resource_id}, not {vault_id(environment)}")
    context.log.info(f"= is there, backend {wanted.backend}")
    return found.name


def _find(workspace: Workspace, name: str) -> Scope | None:
    # Names are compared without regard to case by the service.
    return next((scope for scope in workspace.list_scopes() if scope.name.lower() == name.lower()), None)


def _other_kind(environment: Environment, workspace: Workspace, why: str) -> NotPossible:
    return NotPossible(
        f"Secret scope {environment.secret_scope.name} of {workspace.host} is not the configured one: {why}.",
        changed="Nothing was changed.",
        next_step="Change secret_scope in the environment's file, or delete the scope (its secrets go with it).",
    )


def _let_readers_in(context: Context, workspace: Workspace, scope: str, guard: Guard) -> None:
    granted = workspace.get_acls(scope)
    for reader in context.environment.secret_scope.readers:
        if granted.get(reader) in _ORDER:
            context.log.info(f"= {reader} may {granted[reader]}")
        else:
            guard()
            workspace.put_acl(scope, reader, "READ")
            context.log.info(f"+ {reader} may READ")


def _write(context: Context, services: Services, scope: str, secret: Secret, value: str, guard: Guard) -> None:
    where = _target(context.environment, secret)
    if secret.to == "key_vault":
        if services.vault.get(secret.name) == value:
            context.log.info(f"= {secret.name} in {where}")
            return
        guard()
        recovered = services.vault.set(secret.name, value)
        context.log.info(
            f"~ {secret.name} written to {where}" + (" (it was deleted, and is recovered)" if recovered else "")
        )
        return
    if services.workspace.get_secret(scope, secret.name) == value:
        context.log.info(f"= {secret.name} in {where}")
        return
    guard()
    services.workspace.put_secret(scope, secret.name, value)
    context.log.info(f"~ {secret.name} written to {where}")
