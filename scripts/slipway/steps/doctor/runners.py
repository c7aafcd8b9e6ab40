"""Who runs what is released: the factory's identity and run_as in the workspace, and the jobs of the last release."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from slipway.domain.codec import Damaged
from slipway.domain.diagnosis import Finding
from slipway.domain.state import STATE_BLOB, State, read_state
from slipway.errors import AuthenticationError, NotBootstrapped, SlipwayError
from slipway.services.databricks import AccessRefused, NotFound
from slipway.services.resource_manager import reading
from slipway.services.storage import StateStore
from slipway.steps.doctor import facts, people
from slipway.steps.doctor.compute import free_clusters
from slipway.steps.doctor.examination import Check, Examination, NotSeen, Said
from slipway.steps.doctor.people import ADMIN

_MANAGES = ("CAN_MANAGE", "IS_OWNER")


def checks(examination: Examination) -> list[Check]:
    return [
        Check(title="the factory's identity in the workspace", look=partial(_factory, examination), short=False),
        Check(title="who may make clusters", look=partial(_clusters, examination)),
        Check(title="whom jobs run as", look=partial(_run_as, examination)),
        Check(title="who may let jobs run as that", look=partial(_run_as_use, examination), short=False),
        Check(title="jobs of the last release", look=partial(_jobs, examination)),
    ]


def _factory(examination: Examination) -> Iterator[Said]:
    resource, name = facts.factory_id(examination), examination.environment.resources.data_factory
    facts.group(examination)
    factory = facts.resource(examination, resource, reading.FACTORIES)
    if factory is None or not (factory.get("identity") or {}).get("principalId"):
        raise NotSeen(f"data factory {name} has no identity yet")
    path = f"{resource}/providers/Microsoft.ManagedIdentity/identities/default"
    identity = examination.azure.get(path, reading.IDENTITIES) or {}
    client_id = (identity.get("properties") or {}).get("clientId")
    if not client_id:
        raise NotSeen("its application id is not known to Azure yet")
    member = people.principal(examination, client_id)
    if member is None:
        yield Finding(
            id="factory.member",
            what=f"The identity of data factory {name} ({client_id}) is not in the workspace.",
            why="Its pipelines start notebooks as it.",
            mend=examination.bootstrap(),
            severity=facts.factory_severity(examination),
            who=ADMIN,
        )
        return
    if member.get("active") is False:
        yield Finding(
            id="factory.inactive",
            what=f"The identity of data factory {name} ({client_id}) is not active in the workspace.",
            why="Its pipelines start notebooks as it.",
            mend=people.wake(examination, member),
            severity=facts.factory_severity(examination),
            who=ADMIN,
        )
    if not people.may_make_clusters(examination, member) and not _has_a_policy(examination, member):
        yield Finding(
            id="factory.clusters",
            what=f"The identity of data factory {name} ({client_id}) may make no clusters, and use no cluster policy.",
            why="The notebooks that its pipelines start run on new clusters.",
            mend=people.let_make_clusters(examination, member),
            severity=facts.factory_severity(examination),
            who=ADMIN,
        )


def _has_a_policy(examination: Examination, member: facts.Json) -> bool:
    """Whether one of the workspace's policies is for it; a linked service names which."""
    names = {str(member.get("applicationId", "")).lower(), *map(str.lower, people.groups_of(member)), people.USERS}
    for policy in examination.fact("policies", examination.workspace.policies):
        ask = partial(examination.workspace.get_permissions, "cluster-policies", str(policy["policy_id"]))
        answer = people.seen(ask, "permissions of cluster policies")
        for entry in answer.get("access_control_list") or []:
            who = entry.get("service_principal_name") or entry.get("group_name") or ""
            if str(who).lower() in names:
                return True
    return False


def _clusters(examination: Examination) -> Iterator[Said]:
    """Of the release identity, and of whom jobs run as: both need to be let, where a cluster names no policy. Whoever is no
    admin may not be shown what groups are entitled to, so what they don't see is a warning."""
    free = free_clusters(examination)
    if not free:
        return
    client_id = facts.release_client_id(examination)
    asked = {client_id: ("workspace.clusters", "The release identity")}
    run_as = examination.environment.jobs.run_as.get("service_principal_name")
    if run_as:
        asked.setdefault(run_as, ("jobs.run_as_clusters", "The identity that jobs run as,"))
    for name, (finding, who) in asked.items():
        member = people.principal(examination, name)
        if member is None or people.may_make_clusters(examination, member):
            continue
        yield Finding(
            id=finding,
            what=f"{who} {name} may make no clusters, and {free[0]} names no cluster policy.",
            why="Its runs make clusters of their own.",
            mend=people.let_make_clusters(examination, member),
            severity="error" if people.is_admin(examination) else "warning",
            who=ADMIN,
        )


def _run_as(examination: Examination) -> Iterator[Said]:
    run_as, client_id = examination.environment.jobs.run_as, facts.release_client_id(examination)
    name, user = run_as.get("service_principal_name"), run_as.get("user_name")
    if name == client_id:
        return
    people.inside(examination)
    if name:
        member = people.principal(examination, name)
    else:
        member = people.seen(lambda: examination.workspace.find_user(str(user)), "users")
    if member is None:
        yield Finding(
            id="jobs.run_as_member",
            what=f"Jobs run as {name or user}, who is not in the workspace.",
            why="A job can't be made to run as somebody whom the workspace does not know.",
            mend=examination.bootstrap()
            if name
            else people.rest(examination, "post", "/preview/scim/v2/Users", _user(str(user)), scim=True),
            who=ADMIN,
        )
    elif member.get("active") is False:
        kind = "ServicePrincipals" if name else "Users"
        path = f"/preview/scim/v2/{kind}/{member['id']}"
        yield Finding(
            id="jobs.run_as_inactive",
            what=f"Jobs run as {name or user}, who is not active in the workspace.",
            why="Every run would be refused.",
            mend=people.rest(examination, "patch", path, people.patch("replace", "active", True), scim=True),
            who=ADMIN,
        )


def _run_as_use(examination: Examination) -> Iterator[Said]:
    """The release identity needs a role in the account, on the service principal that jobs run as; admins do without."""
    client_id = facts.release_client_id(examination)
    name = examination.environment.jobs.run_as.get("service_principal_name")
    if name is None or name.lower() == client_id.lower():
        return
    people.inside(examination)
    member = people.principal(examination, client_id)
    if member is None or people.principal(examination, name) is None:
        return
    groups = people.groups_of(member) | {people.USERS}
    account = examination.workspace.account_id()
    if account is None:
        raise NotSeen("the workspace does not say its account")
    rules = people.seen(lambda: examination.workspace.users_of(account, name), "roles on service principals")
    if people.ADMINS not in groups and not rules.lets_use(client_id, groups):
        yield Finding(
            id="jobs.run_as_use",
            what=f"The release identity {client_id} is not Service Principal User of {name}, which jobs run as.",
            why="A job can be made to run as another identity only by whoever may use that.",
            mend=examination.bootstrap(),
            who="a Service Principal Manager of it (whoever added it), or an admin of the Databricks account",
        )


def _user(name: str) -> facts.Json:
    return {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name}


# -- the jobs of the last release ------------------------------------------------------------------------------------


def _state(examination: Examination) -> State:
    """Raises NotSeen where there is none, or none that this identity may read; SlipwayError for a damaged one."""
    place = examination.environment.azure.state
    store = StateStore(place.storage_account, place.container, examination.credential)
    try:
        found = store.read(STATE_BLOB)
    except NotBootstrapped as error:
        raise NotSeen("there is no state yet") from error
    except AuthenticationError as error:
        raise NotSeen("the state may not be read") from error
    if found is None:
        raise NotSeen("nothing was released yet")
    try:
        return read_state(found[0], app=examination.environment.app, environment=examination.environment.name)
    except (Damaged, SlipwayError) as error:
        raise NotSeen("the state can't be read; scripts/status.py says why") from error


def _jobs(examination: Examination) -> Iterator[Said]:
    people.inside(examination)
    try:
        state = _state(examination)
    except NotSeen:
        return  # no release, no jobs; that the state can't be reached is said by its own checks
    client_id = facts.release_client_id(examination)
    calls = [partial(_permissions, examination, record.id) for record in state.jobs.values()]
    answers = examination.workspace.concurrently(calls)
    for (key, record), answer in zip(state.jobs.items(), answers, strict=True):
        if answer is None:
            continue  # deleted by hand: the next release makes it again
        if not _manages(examination, answer, client_id):
            body = {"access_control_list": [{"service_principal_name": client_id, "permission_level": "CAN_MANAGE"}]}
            yield Finding(
                id="jobs.manage",
                what=f"The release identity {client_id} may not manage job {key} ({record.id}).",
                why="A switch sets every job's settings.",
                mend=people.rest(examination, "patch", f"/permissions/jobs/{record.id}", body),
                who="the job's owner, or an admin of the workspace",
            )


def _permissions(examination: Examination, job_id: int) -> facts.Json | None:
    """The job's access list; {} where the caller does not manage it; None where there is no such job."""
    try:
        return examination.workspace.get_permissions("jobs", job_id)
    except NotFound:
        return None
    except AccessRefused as error:
        if not facts.is_release_identity(examination):
            raise NotSeen("permissions of jobs may not be read") from error
        return {}


def _manages(examination: Examination, answer: facts.Json, client_id: str) -> bool:
    member = people.principal(examination, client_id)
    names = {client_id.lower(), people.USERS} | {name.lower() for name in people.groups_of(member or {})}
    for entry in answer.get("access_control_list") or []:
        who = str(entry.get("service_principal_name") or entry.get("group_name") or "").lower()
        if who in names and any(one.get("permission_level") in _MANAGES for one in entry.get("all_permissions") or []):
            return True
    return False
