"""An Azure DevOps environment with its exclusive lock and its approval, its agents, and which pipelines may use all of it."""

from __future__ import annotations

from slipway.command import Context
from slipway.domain import devops as rules
from slipway.domain.devops import Json, Listed
from slipway.services.azure_devops import APPROVAL, ENDPOINT, ENVIRONMENT, EXCLUSIVE_LOCK, QUEUE
from slipway.steps.devops_setup.work import Work, refusal, to_be_made

ADMINISTRATORS = "Project Administrators"


def ensure_environment(work: Work, context: Context, name: str) -> Json | None:
    """The environment with its checks; None where it is not there at the end."""
    place = work.settings("Pipelines", "Environments")
    who = "whoever has the role Creator for environments: Contributors or Project Administrators"
    found = None
    with work.report.part(context, refusal(f"make the environment {name}", who, f"{place} > New environment > {name}")):
        found = work.devops.environment(name)
        if found is not None:
            context.log.info(f"= environment {name} is there")
        elif work.add(context, f"environment {name}"):
            found = work.devops.create_environment(name, f"Releases of {context.environment.app} to {name}")
    if found is None and not context.what_if:
        return None
    checks: list[Json] = []
    who = f"Administrator of the environment, or {ADMINISTRATORS}"
    with work.report.part(
        context, refusal(f"read the checks of environment {name}", who, f"{place} > {name} > Security")
    ):
        checks = work.devops.checks(ENVIRONMENT, str(found["id"]), name) if found else []
        _ensure_lock(work, context, found, checks, f"{place} > {name} > Approvals and checks")
        if context.environment.production:
            _ensure_approval(work, context, found, checks, f"{place} > {name} > Approvals and checks")
    return found or to_be_made(name)


def _ensure_lock(work: Work, context: Context, found: Json | None, checks: list[Json], place: str) -> None:
    name = context.environment.name
    if rules.check_of(checks, EXCLUSIVE_LOCK) is not None:
        context.log.info(f"= {name} has an exclusive lock")
        return
    what = f"exclusive lock of environment {name}"
    who = f"Administrator of the environment, or {ADMINISTRATORS}"
    with work.report.part(context, refusal(f"add the {what}", who, f"{place} > + > Exclusive lock")):
        if work.add(context, what) and found:
            work.devops.create_check(ENVIRONMENT, str(found["id"]), name, rules.lock_body(EXCLUSIVE_LOCK))


def _ensure_approval(work: Work, context: Context, found: Json | None, checks: list[Json], place: str) -> None:
    """Production alone has one. One that is there stays as people made it."""
    name = context.environment.name
    there = rules.check_of(checks, APPROVAL)
    if there is not None:
        names = ", ".join(str(one.get("displayName")) for one in rules.approvers_of(there))
        context.log.info(f"= releases to {name} are approved by {names or 'nobody'}")
        return
    ids = _approvers(work, context)
    if not ids:
        return
    what = f"approval of releases to {name}"
    who = f"Administrator of the environment, or {ADMINISTRATORS}"
    with work.report.part(context, refusal(f"add the {what}", who, f"{place} > + > Approvals")):
        if work.add(context, what) and found:
            body = rules.approval_body(APPROVAL, ids, name)
            work.devops.create_check(ENVIRONMENT, str(found["id"]), name, body)


def _approvers(work: Work, context: Context) -> list[str]:
    """The ids of everybody that the configuration names; none where one of them is not known."""
    place, name = context.environment.azure_devops, context.environment.name
    asked = place.approvers if place is not None else ()
    command = f"python scripts/configure.py --environment {name} --set 'azure_devops.approvers=[\"…\"]'"
    if not asked:
        text = f"Nobody is named who approves releases to {name}, which is production."
        work.wrong(context, text, f"{command}, with e-mail addresses or groups")
    ids: list[str] = []
    for approver in asked:
        found = work.devops.find_identity(approver)
        if found is None:
            work.wrong(
                context, f"{approver}, who is to approve releases to {name}, is not in the organization.", command
            )
            return []
        ids.append(str(found["id"]))
    return ids


def ensure_queue(work: Work, context: Context, pool: str) -> Json | None:
    """The project may use a pool of agents of one's own; None where it may not at the end."""
    where = work.settings("Project settings", "Agent pools", "Add pool", "Existing", pool)
    what = f"the project uses the agent pool {pool}"
    with work.report.part(context, refusal(f"let {what}", f"Administrator of the pool and {ADMINISTRATORS}", where)):
        found = work.devops.queue(pool)
        if found is not None:
            context.log.info(f"= {what}")
            return found
        there = work.devops.pool(pool)
        if there is None:
            text = f"There is no agent pool {pool}, or it does not show itself; {context.environment.name} runs on it."
            place = f"portal: {work.devops.organization} > Organization settings > Agent pools > Add pool > Self-hosted, {pool}; "
            work.wrong(context, text, place + "then add agents to it")
        elif work.add(context, what):
            return work.devops.create_queue(there)
        else:
            return to_be_made(pool)
    return None


def ensure_permissions(
    work: Work, context: Context, listed: Listed, connection: Json | None, environment: Json | None, queue: Json | None
) -> None:
    """The pipelines may use what is there."""
    places = (
        (ENDPOINT, connection, f"service connection {listed.connection}", ("Project settings", "Service connections")),
        (ENVIRONMENT, environment, f"environment {listed.name}", ("Pipelines", "Environments")),
        (QUEUE, queue, f"agent pool {listed.pool}", ("Project settings", "Agent pools")),
    )
    for kind, found, what, path in places:
        if found is None:
            continue
        if context.what_if and not (found["id"] and work.pipelines):
            work.add(context, f"the pipelines may use {what}")
            continue
        if not work.pipelines:  # none is there, and why is said already
            continue
        place = work.settings(*path, str(found["name"]), "Security", "Pipeline permissions")
        with work.report.part(
            context, refusal(f"let the pipelines use {what}", f"Administrator of it, or {ADMINISTRATORS}", place)
        ):
            missing = rules.not_permitted(
                work.devops.permissions(kind, str(found["id"]), str(found["name"])), work.pipelines
            )
            if not missing:
                context.log.info(f"= the pipelines may use {what}")
            elif work.add(context, f"the pipelines may use {what}"):
                work.devops.permit(kind, str(found["id"]), str(found["name"]), missing)
