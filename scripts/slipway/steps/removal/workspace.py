"""Removal: what an environment has in its Databricks workspace. Jobs, slots and root, secret scope, and who is a member."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from slipway.command import Context
from slipway.domain.archive import read_settings
from slipway.domain.codec import Damaged
from slipway.domain.environment import Environment
from slipway.domain.job import TAG_APP, TAG_ENVIRONMENT
from slipway.domain.state import State
from slipway.services.databricks import Workspace
from slipway.services.storage import StateStore
from slipway.steps.bootstrap.workspace import jobs_member_name, member_name, strangers_in
from slipway.steps.removal.plan import Plan, needed_by, some

_ADMIN = "an admin of the workspace"


def look_at_jobs(context: Context, workspace: Workspace, state: State | None, store: StateStore, plan: Plan) -> None:
    """Jobs with the environment's tags go; one that people had made, and Slipway adopted, gets back what it was. Without the
    state nobody knows which is which."""
    environment = context.environment
    records = {record.id: record for record in (state.jobs if state else {}).values()}
    listed = list(workspace.list_jobs())
    for unseen in sorted(records.keys() - {int(job["job_id"]) for job in listed}):
        workspace.get_job(unseen)  # one that is there, and may not be seen, is refused: nothing goes without it
    for job in listed:
        job_id, settings = int(job["job_id"]), job.get("settings") or {}
        tags = settings.get("tags") or {}
        tagged = (tags.get(TAG_APP), tags.get(TAG_ENVIRONMENT)) == (environment.app, environment.name)
        title = f"job {settings.get('name')!r} ({job_id})"
        record = records.get(job_id)
        if tagged and record is not None and record.adopted is not None:
            give_back = partial(_give_back, workspace, store, job_id, record.adopted)
            plan.remove(f"Slipway's settings of {title}, which people made: it gets back its own", give_back, _ADMIN)
        elif tagged:
            if state is None:
                plan.foreign.append(f"{title}: the state is gone, so whether people made it, and when, is not known")
            plan.remove(title, partial(workspace.delete_job, job_id), _ADMIN)
        elif record is not None:
            plan.leave(title, "somebody took Slipway's tags off it")


def _give_back(workspace: Workspace, store: StateStore, job_id: int, blob: str) -> None:
    kept = store.read(blob)
    try:
        settings = next(iter(read_settings(kept[0]).values())) if kept else None
    except (Damaged, StopIteration):
        settings = None
    if settings is None:  # without it only the tags can be taken off, which is what makes the job Slipway's
        job = workspace.get_job(job_id)
        settings = dict((job or {}).get("settings") or {})
    if settings:
        workspace.reset_job(job_id, _untagged(settings))


def _untagged(settings: Mapping[str, Any]) -> dict[str, Any]:
    tags = {key: value for key, value in (settings.get("tags") or {}).items() if not key.startswith("slipway_")}
    return {**{key: value for key, value in settings.items() if key != "tags"}, **({"tags": tags} if tags else {})}


def look_at_root(context: Context, workspace: Workspace, plan: Plan) -> None:
    """The root with its slots; what else lies in it, slots of another app or environment too, is not this environment's."""
    root = context.environment.databricks.root
    if workspace.get_status(root) is None:
        return
    strangers = strangers_in(context.environment, workspace)
    if strangers:
        plan.foreign.append(f"folder {root}: {some(strangers)}")
    plan.remove(f"folder {root}", partial(workspace.delete, root, recursive=True), _ADMIN)


def look_at_scope(context: Context, workspace: Workspace, plan: Plan) -> None:
    """The secret scope; secrets in it that the configuration does not name are not Slipway's."""
    wanted = context.environment.secret_scope
    found = next((scope for scope in workspace.list_scopes() if scope.name.lower() == wanted.name.lower()), None)
    if found is None:
        return
    vault = found.vault_resource_id
    if vault is not None and vault.rpartition("/")[2].lower() != context.environment.resources.key_vault.lower():
        plan.leave(f"secret scope {found.name}", f"it shows another vault, {vault}")
        return
    if vault is None:
        ours = {name for name, secret in context.environment.secrets.items() if secret.to == "scope"}
        strangers = sorted(set(workspace.list_secrets(found.name)) - ours)
        if strangers:
            plan.foreign.append(f"secret scope {found.name}: {some(strangers)}")
    plan.remove(f"secret scope {found.name}", partial(workspace.delete_scope, found.name), _ADMIN)


def look_at_members(context: Context, workspace: Workspace, factory_client: str | None, plan: Plan) -> None:
    """Those that bootstrap added, by the name that it gave them, unless another environment needs them."""
    environment = context.environment
    client_id = environment.azure.release_identity.client_id
    sharing = _needing(environment, client_id, plan)
    _member(workspace, client_id, member_name(environment), "the release identity", sharing, plan)
    run_as = environment.jobs.run_as.get("service_principal_name", client_id)
    if run_as.lower() != client_id.lower():
        sharing = _needing(environment, run_as, plan)
        _member(workspace, run_as, jobs_member_name(environment), "the identity that jobs run as", sharing, plan)
    if factory_client is not None:
        factory = environment.resources.data_factory
        _member(workspace, factory_client, factory, f"the identity of data factory {factory}", [], plan)


def _needing(environment: Environment, client_id: str, plan: Plan) -> list[str]:
    """The other environments of the workspace that release as it, or whose jobs run as it."""
    return [
        other.name
        for other in plan.others
        if other.databricks.host == environment.databricks.host
        and client_id.lower()
        in (
            other.azure.release_identity.client_id.lower(),
            other.jobs.run_as.get("service_principal_name", "").lower(),
        )
    ]


def _member(workspace: Workspace, client_id: str, name: str, who: str, sharing: list[str], plan: Plan) -> None:
    found = workspace.find_service_principal(client_id)
    if found is None:
        return
    text = f"{who} {client_id} in workspace {workspace.host}"
    if sharing:
        plan.leave(text, f"{needed_by(sharing)} it")
    elif found.get("displayName") != name:
        plan.leave(text, "it was there before Slipway")
    else:
        plan.remove(text, partial(workspace.remove_service_principal, str(found["id"])), _ADMIN)
