"""The release identity with its roles, and the data factory with its own identity."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import ceil

from slipway.domain.diagnosis import Finding, Severity
from slipway.services.resource_manager import reading
from slipway.services.resource_manager.groups import assignment_name
from slipway.services.resource_manager.reading import NotLetIn
from slipway.steps.doctor import facts
from slipway.steps.doctor.examination import Check, Examination, NotSeen, Said
from slipway.steps.session import in_pipeline

OWNER = "an Owner of the subscription"


def checks(examination: Examination) -> list[Check]:
    return [
        Check(title="the release identity", look=partial(_identity, examination), short=False),
        Check(title="roles of the release identity on the group", look=partial(_group_roles, examination)),
        Check(
            title="role of the release identity on the state account",
            look=partial(_state_role, examination),
            short=False,
        ),
        Check(title="how long the roles are given", look=partial(_young, examination)),
        Check(title="the data factory", look=partial(_factory, examination)),
        Check(title="roles of the data factory", look=partial(_factory_roles, examination)),
        Check(title="who this pipeline signs in as", look=partial(_signed_in, examination)),
    ]


def _identity(examination: Examination) -> Iterator[Said]:
    configured, resource = examination.environment.azure.release_identity, facts.identity_id(examination)
    if resource is None:
        return
    found = facts.resource(examination, resource, reading.IDENTITIES)
    if found is None:
        yield Finding(
            id="identity.missing",
            what=f"There is no user-assigned identity {configured.name} in {resource.split('/')[4]}.",
            why="It is who a release signs in as.",
            mend=examination.bootstrap(),
            who=OWNER,
        )
        return
    wrong = facts.wrong_ids(examination)
    if wrong:
        told = ", ".join(f"{key} is {there}, and the configuration says {said}" for key, (said, there) in wrong.items())
        sets = " ".join(f"--set azure.release_identity.{key}={there}" for key, (_, there) in wrong.items())
        yield Finding(
            id="identity.ids",
            what=f"Identity {configured.name}: {told}.",
            why="Roles and permissions are given to the ids of the configuration: to somebody else.",
            mend=f"python scripts/configure.py --environment {examination.environment.name} {sets}",
        )


_ACCESS = "roles.access_administrator"
_GROUP_ROLES = (
    (
        "roles.contributor",
        "Contributor",
        "It deploys the environment's resources.",
        (facts.CONTRIBUTOR, facts.OWNER),
    ),
    (
        _ACCESS,
        "Role Based Access Control Administrator",
        "The template gives roles, to whoever uses the vault and the data.",
        (facts.ACCESS_ADMINISTRATOR, facts.USER_ACCESS_ADMINISTRATOR, facts.OWNER),
    ),
)
_SECRETS_ROLES = (facts.SECRETS_USER, facts.SECRETS_OFFICER, facts.VAULT_ADMINISTRATOR)
_STATE_ROLES = (facts.BLOB_CONTRIBUTOR, facts.BLOB_OWNER)


def _group_roles(examination: Examination) -> Iterator[Said]:
    """Seen by the release identity itself, being let in shows its role, and not being let in its absence."""
    principal = facts.release_object_id(examination)
    try:
        facts.group(examination)
        held = facts.assignments(examination, facts.group_id(examination), principal)
    except NotLetIn:
        if not facts.is_release_identity(examination):
            raise
        yield _role(examination, *_GROUP_ROLES[0][:3], doubt=True)
        return
    for name, role, why, ids in _GROUP_ROLES:
        if facts.with_role(held, *ids) or (name == _ACCESS and not _gives_roles(examination)):
            continue
        # A role that the team made itself may do as well.
        yield _role(examination, name, role, why, severity="warning" if facts.may_suffice(held) else "error")


def _gives_roles(examination: Examination) -> bool:
    """Whether the template does; one that can't be read is refused by the build."""
    path = examination.context.root / examination.environment.resources.template
    try:
        return "microsoft.authorization/roleassignments" in path.read_text(encoding="utf-8").lower()
    except (OSError, UnicodeDecodeError):
        return True


def _state_role(examination: Examination) -> Iterator[Said]:
    """What the release identity itself sees of this is in `state`: it may not read roles there."""
    facts.state_account(examination)
    principal = facts.release_object_id(examination)
    held = facts.assignments(examination, facts.state_account_id(examination), principal)
    if not facts.with_role(held, *_STATE_ROLES):
        yield state_role_missing(examination, severity="warning" if facts.may_suffice(held) else "error")


def state_role_missing(examination: Examination, *, doubt: bool = False, severity: Severity = "error") -> Finding:
    """`doubt`: it was only refused, which a new role is too."""
    name, role = examination.environment.azure.state.storage_account, "Storage Blob Data Contributor"
    why = "A release keeps its state, and every released version, in blobs there."
    return _role(examination, "roles.state", role, why, place=name, doubt=doubt, severity=severity)


def _role(
    examination: Examination,
    name: str,
    role: str,
    why: str,
    *,
    place: str = "",
    doubt: bool = False,
    severity: Severity = "error",
) -> Finding:
    principal = facts.release_object_id(examination)
    place = place or examination.environment.azure.resource_group
    late = ", or got it so late that it does not work yet" if doubt else ""
    return Finding(
        id=name,
        what=f"The release identity ({principal}) lacks the role {role} on {place}{late}.",
        why=why,
        mend=examination.bootstrap(),
        severity=severity,
        who="an Owner, or whoever may give roles there",
    )


def _young(examination: Examination) -> Iterator[Said]:
    """One warning for all roles that may not work yet."""
    principal = facts.release_object_id(examination)
    young = {}
    for name, _, _, ids in _GROUP_ROLES:
        held = facts.assignments(examination, facts.group_id(examination), principal)
        young[name] = facts.age(examination, facts.with_role(held, *ids))
    if not examination.short:
        held = facts.assignments(examination, facts.state_account_id(examination), principal)
        young["roles.state"] = facts.age(examination, facts.with_role(held, *_STATE_ROLES))
    ages = [max(age, 0.0) for age in young.values() if age is not None and age < facts.PROPAGATION_SECONDS]
    if ages:
        left = facts.PROPAGATION_SECONDS - min(ages)
        yield Finding(
            id="roles.new",
            what=f"The release identity got {_counted(len(ages))} {_within(max(ages))}.",
            why="A new role takes up to 10 minutes to work; a release may be refused till then.",
            mend=f"sleep {left:.0f}",
            severity="warning",
        )


def _counted(roles: int) -> str:
    return "one of its roles" if roles == 1 else f"{roles} of its roles"


def _within(seconds: float) -> str:
    """The last minutes in which all of it happened, for a person."""
    minutes = ceil(seconds / 60)
    return "in the last minute" if minutes <= 1 else f"in the last {minutes} minutes"


def _factory(examination: Examination) -> Iterator[Said]:
    try:
        facts.group(examination)
        found = facts.resource(examination, facts.factory_id(examination), reading.FACTORIES)
    except NotLetIn as error:
        raise NotSeen("the resource group may not be read") from error
    name = examination.environment.resources.data_factory
    if found is None:
        yield Finding(
            id="factory.missing",
            what=f"There is no data factory {name} in {examination.environment.azure.resource_group}.",
            why="A first release could make it, and then nobody would have let its identity into the workspace.",
            mend=examination.bootstrap(),
            severity=facts.factory_severity(examination),
            who=OWNER,
        )
        return
    identity = found.get("identity") or {}
    if not identity.get("principalId"):
        url = f"https://management.azure.com{facts.factory_id(examination)}?api-version={reading.FACTORIES}"
        yield Finding(
            id="factory.identity",
            what=f"Data factory {name} has no system-assigned identity.",
            why="As it the factory reads secrets and data, and starts notebooks.",
            # Factories - Update: only what is named changes; a PUT would wipe its Git link.
            mend=f'az rest --method patch --url \'{url}\' --body \'{{"identity": {{"type": "SystemAssigned"}}}}\'',
            severity=facts.factory_severity(examination),
            who=OWNER,
        )


def _factory_roles(examination: Examination) -> Iterator[Said]:
    """What the template gives it, where a release has deployed that already; the next release gives it again."""
    factory = facts.resource(examination, facts.factory_id(examination), reading.FACTORIES) or {}
    principal = str((factory.get("identity") or {}).get("principalId") or "")
    if not principal:
        return
    name = examination.environment.resources.data_factory
    for scope, version, role, ids in (
        (facts.vault_id(examination), reading.VAULTS, "Key Vault Secrets User", _SECRETS_ROLES),
        (facts.storage_id(examination), reading.STORAGE, "Storage Blob Data Contributor", _STATE_ROLES),
    ):
        if facts.resource(examination, scope, version) is None:
            continue  # made by the next release, and the role with it
        if not facts.with_role(facts.assignments(examination, scope, principal), *ids):
            yield Finding(
                id="factory.role",
                what=f"The identity of data factory {name} ({principal}) lacks the role {role} on {scope.split('/')[-1]}.",
                why="Its pipelines read secrets and data as it.",
                # By the name that the template gives it: under another, the next deployment would be refused.
                mend=f"az role assignment create --name {assignment_name(scope, principal, ids[0])} --assignee-object-id "
                f'{principal} --assignee-principal-type ServicePrincipal --role "{role}" --scope {scope}',
                severity="warning",
                who="an Owner, or whoever may give roles there",
            )


def _signed_in(examination: Examination) -> Iterator[Said]:
    """Of a pipeline alone: somebody at a terminal is somebody else."""
    if not in_pipeline(examination.context.variables) or facts.is_release_identity(examination):
        return
    configured, claims = examination.environment.azure.release_identity, facts.caller(examination)
    if not claims.get("oid"):
        raise NotSeen("the token does not say whose it is")
    yield Finding(
        id="identity.other",
        what=f"This pipeline signs in as {claims.get('appid')}, and the configuration says {configured.client_id}.",
        why="Roles and permissions are given to the configured identity; who releases is another.",
        mend=f"python scripts/setup_azure_devops.py --environment {examination.environment.name}",
        who="an administrator of the service connection",
    )
