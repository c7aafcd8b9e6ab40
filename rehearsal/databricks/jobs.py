"""Jobs: kept definitions, who may see and change them (`/api/2.x/jobs/*` without runs).

Rules: Jobs API docs and SDK docstrings; permission sentences measured by databricks/cli (`libs/testserver/jobs.go`).
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from rehearsal.databricks.access import JOB_LEVELS, highest, rank, read_request
from rehearsal.databricks.errors import ApiError, denied, invalid, malformed
from rehearsal.databricks.job_settings import KEPT, Settings, complete
from rehearsal.databricks.members import Member, Members
from rehearsal.databricks.task_settings import LEGACY_TASK_FIELDS
from rehearsal.store import Collection

Job = dict[str, Any]

MOST_JOBS = 10_000
OWNER_RULE = "The job must have exactly one owner."


class Jobs:
    """The jobs of one workspace. A job: job_id, creator, created, run_as (a member key, or "" for the owner), acl, settings."""

    def __init__(
        self,
        jobs: Collection,
        members: Members,
        new_id: Callable[[], int],
        clock: Callable[[], float],
        moved_to: Collection,
    ) -> None:
        self._jobs = jobs
        self._members = members
        self._new_id = new_id
        self._clock = clock
        # Jobs that are continuous, paused or not: looked at often.
        self._continuous = {int(key) for key in jobs if jobs[key]["settings"].get("continuous")}
        # How far the clock was moved for schedules; up to where each has fired lies with the job.
        self._moved_to = moved_to
        self._seen: dict[str, Job] = {}
        # Whether a member may have jobs run as a service principal, by its application id.
        self.may_use: Callable[[Member, str], bool] = lambda *_: False
        # Told when the time limit of a job has changed.
        self.limit_changed: Callable[[Job], None] = lambda _: None

    # -- reading ---------------------------------------------------------------------------------------------------

    def get(self, member: Member, job_id: int, level: str = "CAN_VIEW") -> Job:
        """The job, if the member may do that much with it. Permission is checked before existence (measured)."""
        job: Job | None = self._jobs.get(str(job_id))
        if not self.may(member, job, level):
            words = "View or Admin or Manage Run or Owner" if level == "CAN_VIEW" else "Admin or Owner"
            if level == "CAN_MANAGE_RUN":
                words = "Admin or Manage Run or Owner"  # by analogy (unverified)
            raise denied(f"User {member.name} does not have {words} permissions on job {job_id}")
        if job is None:
            # 400 INVALID_PARAMETER_VALUE: what both SDKs' override tables expect of the real service.
            raise invalid(f"Job {job_id} does not exist.")
        return job

    def may(self, member: Member, job: Job | None, level: str) -> bool:
        if member.admin:
            return True
        return job is not None and highest(JOB_LEVELS, [job["acl"]], member) >= rank(JOB_LEVELS, level)

    def list(self, member: Member, name: str = "") -> list[Job]:
        """Jobs that the member may see, newest first; `name` matches whole, in any case."""
        jobs = [self._look(key) for key in self._jobs]
        found = [job for job in jobs if self.may(member, job, "CAN_VIEW")]
        if name:
            found = [job for job in found if job["settings"]["name"].lower() == name.lower()]
        return sorted(found, key=lambda job: (job["created"], job["job_id"]), reverse=True)

    def _look(self, key: str) -> Job:
        """A job to look at and not to change; read once until it changes, because lists go over all jobs for each page."""
        if key not in self._seen:
            self._seen[key] = self._jobs[key]
        return self._seen[key]

    def _put(self, job: Job) -> None:
        self._jobs[str(job["job_id"])] = job
        self._seen.pop(str(job["job_id"]), None)

    def ids(self) -> builtins.list[int]:
        return [int(key) for key in self._jobs]

    def find(self, job_id: int) -> Job | None:
        """The job without asking for permission."""
        found: Job | None = self._jobs.get(str(job_id))
        return found

    def continuous(self) -> builtins.list[Job]:
        """Continuous jobs that are not paused, and have something to run."""
        jobs = [job for job_id in sorted(self._continuous) if (job := self.find(job_id))]
        found = [job for job in jobs if job["settings"].get("tasks")]
        return [job for job in found if job["settings"]["continuous"]["pause_status"] == "UNPAUSED"]

    def scheduled(self) -> builtins.list[Job]:
        """Jobs that have a schedule or a periodic trigger that is not paused, and something to run."""
        jobs = [job for key in self._jobs if (job := self._look(key))["settings"].get("tasks")]
        return [job for job in jobs if (starter_of(job["settings"]) or {}).get("pause_status") == "UNPAUSED"]

    def fires_since(self, job: Job) -> float:
        """Up to where a job's schedule has fired, seconds since the epoch: at first, when it was set or unpaused."""
        return float(job.get("fired_until") or job["created"] / 1000)

    def fired_until(self, job: Job, moment: float) -> None:
        self._put(job | {"fired_until": max(moment, self.fires_since(job))})

    def move(self, moment: float) -> None:
        """The clock was moved: what is scheduled from here on fires after that."""
        self._moved_to["moved_to"] = max(moment, self._moved_to.get("moved_to", 0.0))

    def run_identity(self, job: Job) -> Member | None:
        """Whom a run of the job acts as: run_as, else the owner."""
        return self._members.by_key(job["run_as"] or owner_of(job["acl"]))

    # -- changing --------------------------------------------------------------------------------------------------

    def create(self, member: Member, raw: Settings, version: str) -> int:
        """Keep a new job; the creator owns it. Whether the notebook exists is not checked."""
        if len(self._jobs) >= MOST_JOBS:
            text = f"The quota for the number of jobs has been reached. The current quota is {MOST_JOBS}."
            raise ApiError(400, "QUOTA_EXCEEDED", text)
        settings = complete(raw, version)
        acl = {member.key: "IS_OWNER"}
        if "access_control_list" in raw:
            asked = self.checked_acl(raw["access_control_list"])
            acl = asked if owner_of(asked) else acl | asked
            self.check_owner(acl)
        run_as = self.take_run_as(member, settings)
        job_id = self._new_id()
        job = {"job_id": job_id, "creator": member.name, "created": int(self._clock() * 1000), "run_as": run_as}
        self._store(job | {"acl": acl, "settings": settings})
        return job_id

    def reset(self, member: Member, job_id: int, raw: Any, version: str) -> None:
        """Replace all settings; run_as stays when it is not named (measured by databricks/cli)."""
        job = self.get(member, job_id, "CAN_MANAGE")
        if not isinstance(raw, dict):
            raise malformed("Could not parse request object: new_settings must be an object")
        self._keep(member, job, complete(raw, version))

    def update(self, member: Member, job_id: int, raw: Any, removed: Any) -> None:
        """Replace some settings: top-level fields whole, tasks and job_clusters entry by entry (SDK docstring)."""
        job = self.get(member, job_id, "CAN_MANAGE")
        raw = {} if raw is None else raw
        if not isinstance(raw, dict) or not isinstance(removed or [], list):
            raise malformed("Could not parse request object: new_settings must be an object, fields_to_remove a list")
        settings = _without(job["settings"], removed or [])
        for field, value in raw.items():
            key = {"tasks": "task_key", "job_clusters": "job_cluster_key"}.get(field)
            if field in LEGACY_TASK_FIELDS:
                settings["tasks"] = [_single_task(settings) | {field: value}]
            else:
                settings[field] = _merged(settings.get(field, []), value, key) if key else value
        self._keep(member, job, complete(settings, KEPT))

    def _keep(self, member: Member, job: Job, settings: Settings) -> None:
        run_as = self.take_run_as(member, settings)
        if run_as and run_as != job["run_as"]:
            job["run_as"] = run_as
        self._store(job | {"settings": settings})

    def _store(self, job: Job) -> None:
        before = self.find(job["job_id"])
        starter = starter_of(job["settings"])
        if starter and (before is None or starter_of(before["settings"]) != starter):
            job["begun"] = job["fired_until"] = max(self._clock(), self._moved_to.get("moved_to", 0.0))
        self._put(job)
        if before and before["settings"]["timeout_seconds"] != job["settings"]["timeout_seconds"]:
            self.limit_changed(job)
        note = self._continuous.add if job["settings"].get("continuous") else self._continuous.discard
        note(job["job_id"])

    def delete(self, member: Member, job_id: int) -> None:
        self.get(member, job_id, "CAN_MANAGE")
        del self._jobs[str(job_id)]
        self._seen.pop(str(job_id), None)
        self._continuous.discard(job_id)

    def set_acl(self, job: Job, acl: dict[str, str]) -> None:
        self._put(job | {"acl": acl})

    def checked_acl(self, raw: Any) -> dict[str, str]:
        """An access list from a request, every principal of which exists."""
        return {self._members.check_key(key): level for key, level in read_request(raw, JOB_LEVELS).items()}

    @staticmethod
    def check_owner(acl: dict[str, str]) -> None:
        """Raises ApiError unless exactly one user or service principal owns the job."""
        owners = [key for key, level in acl.items() if level == "IS_OWNER"]
        if len(owners) != 1:
            raise invalid(OWNER_RULE)
        if owners[0].startswith("group:"):
            raise invalid(
                "Groups can not be owners of a job."
            )  # that it is refused is documented, the text is unverified

    def take_run_as(self, member: Member, settings: Settings) -> str:
        """The identity that the settings name, taken out of them: run_as is write-only (databricks-sdk-py issue 967).

        A member may name itself; an admin may name any service principal or user of the workspace (product docs,
        "RestrictWorkspaceAdmins" off); others need the Service Principal User role.
        """
        run_as = settings.pop("run_as", None)
        if not run_as:
            return ""
        named = [
            (kind, run_as[f]) for kind, f in (("user", "user_name"), ("sp", "service_principal_name")) if run_as.get(f)
        ]
        if len(named) != 1:
            raise invalid("run_as must have exactly one of user_name and service_principal_name")
        kind, name = named[0]
        wanted = self._members.by_key(f"{kind}:{name}")
        if wanted is None:
            raise invalid(
                f"The {'user' if kind == 'user' else 'service principal'} {name} does not exist in this workspace."
            )
        usable = member.admin or (kind == "sp" and self.may_use(member, name))
        if wanted != member and not usable:
            raise denied(
                f"{member.name} is not allowed to set run_as to {name}: it needs the role Service Principal User on it."
            )
        return wanted.key


def starter_of(settings: Settings) -> dict[str, Any] | None:
    """What starts a job's runs by the clock: its schedule or its trigger."""
    found: dict[str, Any] | None = settings.get("schedule") or settings.get("trigger")
    return found


def owner_of(acl: dict[str, str]) -> str:
    """The key of the owner, or empty."""
    return next((key for key, level in acl.items() if level == "IS_OWNER"), "")


def _single_task(settings: Settings) -> Settings:
    """The only task of a job in the shape of API 2.0, whose fields are the job's. Raises ApiError 400 for any other job."""
    held: list[Settings] = settings.get("tasks", [])
    if settings.get("format") != "SINGLE_TASK" or len(held) != 1:
        # That it is no success is certain, code and text are unverified.
        raise invalid(
            "Fields of a task can only be changed within tasks: the job has more than the one task of API 2.0."
        )
    return held[0]


def _merged(old: list[dict[str, Any]], new: Any, key: str) -> Any:
    """Entries with the same key are replaced whole, others are kept, new ones come after them."""
    if not isinstance(new, list) or not all(isinstance(entry, dict) for entry in new):
        return new
    by_key = {entry.get(key): entry for entry in new}
    kept = [by_key.pop(entry[key], entry) for entry in old]
    return kept + list(by_key.values())


def _without(settings: Settings, removed: list[Any]) -> Settings:
    """The settings without fields like `schedule` or `tasks/train`."""
    settings = dict(settings)
    for path in removed:
        field, _, entry = str(path).partition("/")
        if field in LEGACY_TASK_FIELDS:
            settings["tasks"] = [{name: value for name, value in _single_task(settings).items() if name != field}]
        elif not entry:
            settings.pop(field, None)
        else:
            key = {"tasks": "task_key", "job_clusters": "job_cluster_key"}.get(field, "name")
            settings[field] = [item for item in settings.get(field, []) if item.get(key) != entry]
    return settings
