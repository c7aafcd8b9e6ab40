"""The Permissions API's rules over jobs, cluster policies and workspace objects (`/api/2.0/permissions/*`).

Shapes: terraform-provider-databricks fixtures; rules: databricks/cli acceptance tests, terraform provider issues 1241 and 2269.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rehearsal.databricks import paths
from rehearsal.databricks.access import JOB_LEVELS, OBJECT_LEVELS, POLICY_LEVELS, Acl, read_request, show
from rehearsal.databricks.errors import ApiError, denied, invalid, lacks, missing, not_simulated
from rehearsal.databricks.jobs import Job
from rehearsal.databricks.members import Member
from rehearsal.databricks.policies import Policy
from rehearsal.databricks.tree import DIRECTORY, FILE, NOTEBOOK, REPO, Node
from rehearsal.databricks.workspace import Workspace

# request type -> object_type of answers, kind in the tree
OBJECTS = {
    "directories": ("directory", DIRECTORY),
    "notebooks": ("notebook", NOTEBOOK),
    "files": ("file", FILE),
    "repos": ("repo", REPO),
}
JOBS = "jobs"
POLICIES = "cluster-policies"
NOT_BUILT = [
    "clusters",
    "instance-pools",
    "pipelines",
    "experiments",
    "registered-models",
    "serving-endpoints",
    "sql",
    "authorization",
    "dashboards",
    "apps",
    "alertsv2",
    "database-instances",
    "queries",
    "warehouses",
    "genie",
    "vector-search-endpoints",
]
DESCRIPTIONS = {
    "CAN_READ": "Can view the object",
    "CAN_RUN": "Can run the object",
    "CAN_EDIT": "Can edit the object",
    "CAN_MANAGE": "Can manage the object, and change who may do what with it",
    "CAN_VIEW": "Can view the job",
    "CAN_MANAGE_RUN": "Can start and cancel runs",
    "IS_OWNER": "Is owner of the job",
    "CAN_USE": "Can use the policy",
}


@dataclass
class Subject:
    """What a permissions request is about: a job, a cluster policy, or an object of the tree."""

    request_type: str
    job: Job | None = None
    node: Node | None = None
    policy: Policy | None = None

    @property
    def levels(self) -> tuple[str, ...]:
        if self.policy is not None:
            return POLICY_LEVELS
        return JOB_LEVELS if self.job is not None else OBJECT_LEVELS

    @property
    def acl(self) -> dict[str, str]:
        if self.job is not None:
            return dict(self.job["acl"])
        if self.policy is not None:
            return dict(self.policy["acl"])
        return dict(self.node.acl) if self.node else {}


def find(workspace: Workspace, member: Member, request_type: str, object_id: str) -> Subject:
    """The object, if the member manages it. Raises ApiError."""
    if request_type == JOBS:
        return Subject(request_type, job=_job(workspace, member, object_id))
    if request_type == POLICIES:
        policy = workspace.policies.find(object_id)
        if not member.admin:
            raise lacks(member.name, "Manage", f"cluster policy {object_id}")  # text by analogy (unverified)
        return Subject(request_type, policy=policy)
    if request_type in NOT_BUILT:
        raise not_simulated(f"permissions of {request_type}")
    if request_type not in OBJECTS:
        raise invalid(f"request_object_type is not recognized: {request_type}")
    kind = OBJECTS[request_type][1]
    # 0 is the root's id; its name in a path of the API is the number.
    node = workspace.tree.find(int(object_id), (kind,)) if object_id.isdigit() else None
    if node is None:
        raise missing(f"{kind.title()} with id {object_id} does not exist.")  # text unverified
    workspace.tree.require(member, node.path, "CAN_MANAGE", node.path)
    return Subject(request_type, node=node)


def _job(workspace: Workspace, member: Member, object_id: str) -> Job:
    job = workspace.jobs.find(int(object_id)) if object_id.isdigit() else None
    if not workspace.jobs.may(member, job, "CAN_MANAGE"):
        text = f"{member.name} does not have Manage permissions on Job with ID: ElasticJobId({object_id})."
        raise denied(f"{text} Please contact the owner or an administrator for access.")
    if job is None:
        raise missing(f"Job {object_id} does not exist.")
    return job


def render(workspace: Workspace, subject: Subject) -> dict[str, Any]:
    """The answer to GET, PUT and PATCH."""
    names = {member.key: member.display_name for member in workspace.members.all()}
    inherited = list(_inherited(workspace, subject))
    if subject.job is not None:
        object_id, object_type = f"/jobs/{subject.job['job_id']}", "job"
    elif subject.policy is not None:
        object_id, object_type = f"/{POLICIES}/{subject.policy['policy_id']}", "cluster-policy"
    else:
        object_id = f"/{subject.request_type}/{subject.node.id if subject.node else ''}"
        object_type = OBJECTS[subject.request_type][0]
    entries = show(subject.acl, inherited, names)
    return {"object_id": object_id, "object_type": object_type, "access_control_list": entries}


def _inherited(workspace: Workspace, subject: Subject) -> list[tuple[str, Acl]]:
    if subject.job is not None:
        return [("/jobs/", {"group:admins": "CAN_MANAGE"})]
    if subject.policy is not None:
        return []
    found: list[tuple[str, Acl]] = []
    for path in paths.ancestors(subject.node.path) if subject.node else []:
        for folder in workspace.tree.walk(path):
            found.append((f"/directories/{folder.id or ''}", folder.acl))
            break
    return found


def change(workspace: Workspace, member: Member, subject: Subject, raw: Any, *, replace: bool) -> None:
    """Replace the direct list (PUT) or add to it (PATCH)."""
    asked = {workspace.members.check_key(key): level for key, level in read_request(raw or [], subject.levels).items()}
    if subject.job is not None:
        _change_job(workspace, member, subject, asked, replace=replace)
    elif subject.policy is not None:
        acl = asked if replace else subject.acl | asked
        workspace.policies.set_acl(subject.policy["policy_id"], acl)
        subject.policy = workspace.policies.find(subject.policy["policy_id"])
    elif subject.node is not None:
        _change_node(workspace, subject.node, asked, replace=replace)


def _change_job(
    workspace: Workspace, member: Member, subject: Subject, asked: dict[str, str], *, replace: bool
) -> None:
    job = subject.job or {}
    before = dict(job["acl"])
    acl = dict(asked) if replace else before | asked
    new_owners = [key for key, level in asked.items() if level == "IS_OWNER"]
    if not replace and new_owners:
        # Naming a new owner takes the ownership away from the old one (unverified for PATCH).
        acl = {key: level for key, level in acl.items() if level != "IS_OWNER" or key in new_owners}
    workspace.jobs.check_owner(acl)
    if new_owners and before.get(new_owners[0]) != "IS_OWNER" and not member.admin:
        raise denied(
            f"{member.name} can not change the owner of the job; only an administrator can."
        )  # text unverified
    workspace.jobs.set_acl(job, acl)
    subject.job = workspace.jobs.find(job["job_id"])


def _change_node(workspace: Workspace, node: Node, asked: dict[str, str], *, replace: bool) -> None:
    acl = asked if replace else node.acl | asked
    if node.path == paths.ROOT and acl.get("group:admins") != "CAN_MANAGE":
        raise ApiError(400, "BAD_REQUEST", "Cannot remove admins's CAN_MANAGE permission on 0")
    if node.path in ("/Shared", "/Users", "/Repos"):
        raise ApiError(400, "BAD_REQUEST", f"Cannot modify permissions of directory {node.id}")
    workspace.tree.set_acl(node, acl)


def levels(subject: Subject) -> list[dict[str, str]]:
    return [{"permission_level": level, "description": DESCRIPTIONS[level]} for level in subject.levels]
