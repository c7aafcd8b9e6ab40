"""In-memory stand-ins for the two services that steps call, only as deep as the steps' own logic needs.

They answer with no rules of the real services (those are the rehearsal's), but they count, and can stop at any change.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from slipway.domain.audit import Row
from slipway.errors import NotPossible, ServiceError, StateMoved

T = TypeVar("T")


class Crash(BaseException):
    """The agent is gone: nothing after this runs, not even clean-up of the step."""


class Changes:
    """Counts the changes of both fakes; `stop_at` ends the process before (or, with `after`, after) that one."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.stop_at: int | None = None
        self.after = False
        self.dead = False
        self.refuse: Callable[[str], bool] = lambda _: False
        self.watch: Callable[[str], None] = lambda _: None

    def change(self, what: str, do: Callable[[], T]) -> T:
        if self.dead:
            raise Crash
        self.watch(what)
        if self.stop_at is not None and len(self.log) >= self.stop_at:
            self.dead = True
            if self.after:
                do()
            raise Crash
        if self.refuse(what):
            raise ServiceError(f"refused: {what}")
        self.log.append(what)
        return do()

    def revive(self) -> None:
        self.dead, self.stop_at = False, None


class FakeStore:
    ahead = 0.0

    def __init__(self, changes: Changes) -> None:
        self.blobs: dict[str, bytes] = {}
        self.etags: dict[str, int] = {}
        self.changes = changes
        self._numbers = itertools.count(1)

    def read(self, name: str) -> tuple[bytes, str] | None:
        return None if name not in self.blobs else (self.blobs[name], str(self.etags[name]))

    def write(self, name: str, data: bytes, *, etag: str | None) -> str:
        there = self.etags.get(name)
        if (None if there is None else str(there)) != etag:
            raise StateMoved(f"{name} moved")

        def do() -> str:
            self.blobs[name] = data
            self.etags[name] = next(self._numbers)
            return str(self.etags[name])

        return self.changes.change(f"state {json.loads(data)['serial']}", do)

    def put_bytes(self, name: str, data: bytes) -> None:
        def do() -> None:
            self.blobs[name] = data
            self.etags.setdefault(name, next(self._numbers))

        self.changes.change(f"put {name}", do)

    def put_file(self, name: str, path: Path) -> None:
        self.put_bytes(name, path.read_bytes())

    def get_bytes(self, name: str) -> bytes:
        if name not in self.blobs:
            raise NotPossible(f"no blob {name}")
        return self.blobs[name]

    def list(self, prefix: str) -> list[str]:
        return sorted(name for name in self.blobs if name.startswith(prefix))

    def delete(self, name: str) -> None:
        self.changes.change(f"delete {name}", lambda: self.blobs.pop(name, None))


class FakeAudit:
    """The audit's table."""

    def __init__(self, changes: Changes) -> None:
        self.changes = changes
        self.rows: list[Row] = []

    def append(self, rows: Sequence[Row]) -> None:
        self.changes.change(f"audit {len(rows)}", lambda: self.rows.extend(rows))


@dataclass(frozen=True)
class Info:
    path: str
    object_type: str
    object_id: int = 0
    language: str | None = None
    size: int | None = None
    modified_at: int | None = None


class Objects(dict[str, tuple[str, bytes]]):
    """The workspace's tree, which notes when each object was last written."""

    def __init__(self) -> None:
        super().__init__()
        self.modified: dict[str, int] = {}
        self._clock = 0

    def __setitem__(self, path: str, item: tuple[str, bytes]) -> None:
        self._clock += 1
        self.modified[path] = self._clock
        super().__setitem__(path, item)

    def __deepcopy__(self, memo: dict[int, Any]) -> Objects:
        other = Objects()
        for path in sorted(self, key=lambda path: self.modified[path]):
            other[path] = self[path]
        return other


class FakeWorkspace:
    def __init__(self, changes: Changes) -> None:
        self.changes = changes
        self.objects = Objects()
        self.jobs: dict[int, dict[str, Any]] = {}
        self.acls: dict[int, Sequence[dict[str, str]]] = {}
        self.active: list[dict[str, Any]] = []
        self.ended: list[dict[str, Any]] = []
        self.errors: dict[int, str] = {}
        self.listed = 0
        self.groups = ["admins", "users"]
        self.submitted: list[dict[str, Any]] = []
        self.answer: Callable[[FakeWorkspace, dict[str, Any]], dict[str, Any]] = passing_test
        self._ids = itertools.count(100)

    def me(self) -> dict[str, Any]:
        return {"userName": "release", "groups": [{"display": name} for name in self.groups]}

    def concurrently(self, calls: Iterable[Callable[[], T]], limit: int = 16) -> list[T]:
        return [call() for call in calls]

    def list(self, path: str) -> Sequence[Info]:
        start = path + "/"
        names = {p for p in self.objects if p.startswith(start) and "/" not in p[len(start) :]}
        kept = self.objects
        return [Info(name, kept[name][0], modified_at=kept.modified[name]) for name in sorted(names)]

    def mkdirs(self, path: str) -> None:
        def do() -> None:
            parts = path.split("/")
            for end in range(2, len(parts) + 1):
                self._make_folder("/".join(parts[:end]))

        self.changes.change(f"mkdirs {path}", do)

    def _make_folder(self, path: str) -> None:
        if path not in self.objects:
            self.objects[path] = ("DIRECTORY", b"")

    def _put(self, path: str, kind: str, data: bytes) -> None:
        parent = path.rpartition("/")[0]
        if self.objects.get(parent, ("",))[0] != "DIRECTORY":
            raise ServiceError(f"The parent folder ({parent}) does not exist.")
        there = self.objects.get(path)
        if there is not None and there[0] != kind:
            raise ServiceError(f"type mismatch at {path}")
        self.changes.change(f"import {path}", lambda: self.objects.__setitem__(path, (kind, data)))

    def import_notebook(self, path: str, language: str, source: bytes) -> None:
        self._put(path, "NOTEBOOK", source)

    def import_file(self, path: str, source: Path | bytes) -> None:
        self._put(path, "FILE", source if isinstance(source, bytes) else source.read_bytes())

    def export_file(self, path: str) -> bytes | None:
        return self.objects[path][1] if path in self.objects else None

    def delete(self, path: str, recursive: bool = False) -> None:
        def do() -> None:
            for name in [p for p in self.objects if p == path or p.startswith(path + "/")]:
                del self.objects[name]

        self.changes.change(f"delete {path}", do)

    def create_job(self, settings: Mapping[str, Any]) -> int:
        def do() -> int:
            job_id = next(self._ids)
            self.jobs[job_id] = as_service(settings)
            return job_id

        return self.changes.change(f"create {settings['name']}", do)

    def reset_job(self, job_id: int, settings: Mapping[str, Any]) -> None:
        self.changes.change(f"reset {job_id}", lambda: self.jobs.__setitem__(job_id, as_service(settings)))

    def update_job(self, job_id: int, new_settings: Mapping[str, Any]) -> None:
        changed = {**self.jobs[job_id], **new_settings}
        self.changes.change(f"update {job_id}", lambda: self.jobs.__setitem__(job_id, as_service(changed)))

    def get_permissions(self, kind: str, object_id: int) -> dict[str, Any]:
        entries = [
            {**{k: v for k, v in entry.items() if k != "permission_level"}}
            | {"all_permissions": [{"permission_level": entry["permission_level"], "inherited": False}]}
            for entry in self.acls.get(object_id, [])
        ]
        return {"object_id": f"/{kind}/{object_id}", "access_control_list": entries}

    def get_job(self, job_id: int) -> dict[str, Any] | None:
        if job_id not in self.jobs:
            return None
        return {"job_id": job_id, "settings": copy.deepcopy(self.jobs[job_id])}

    def list_jobs(self, expand_tasks: bool = False, name: str | None = None) -> Iterator[dict[str, Any]]:
        for job_id, settings in sorted(self.jobs.items(), reverse=True):
            if name is not None and settings["name"].lower() != name.lower():
                continue
            yield {"job_id": job_id, "settings": {k: v for k, v in settings.items() if k != "tasks"}}

    def delete_job(self, job_id: int) -> None:
        self.changes.change(f"delete job {job_id}", lambda: self.jobs.pop(job_id, None))

    def add_permissions(self, kind: str, object_id: int, acl: Sequence[dict[str, str]]) -> None:
        self.changes.change(f"permissions {object_id}", lambda: self.acls.__setitem__(object_id, acl))

    def set_permissions(self, kind: str, object_id: int, acl: Sequence[dict[str, str]]) -> None:
        self.changes.change(f"permissions {object_id}", lambda: self.acls.__setitem__(object_id, acl))

    def list_runs(
        self, active_only: bool = True, job_id: int | None = None, expand_tasks: bool = False
    ) -> Iterator[dict[str, Any]]:
        there = self.active if active_only else [*self.active, *self.ended]
        chosen = [run for run in there if job_id is None or run.get("job_id") == job_id]
        chosen.sort(key=lambda run: run.get("start_time", 0), reverse=True)
        for run in chosen:
            self.listed += 1
            yield {key: value for key, value in run.items() if expand_tasks or key != "tasks"}

    def ended_runs(self, job_id: int, since: float) -> Sequence[dict[str, Any]]:
        return [run for run in self.ended if run["job_id"] == job_id and run["start_time"] >= since * 1000]

    def submit_run(self, body: Mapping[str, Any]) -> int:
        self.changes.change("submit", lambda: self.submitted.append(dict(body)))
        return 1000 + len(self.submitted)

    def get_run(self, run_id: int) -> dict[str, Any]:
        for run in self.active:
            if run["run_id"] == run_id:
                return run
        state = {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}
        return {"run_id": run_id, "state": state, "tasks": [{"run_id": run_id + 1, "state": state}]}

    def get_run_output(self, task_run_id: int) -> dict[str, Any]:
        if task_run_id in self.errors:
            return {"error": self.errors[task_run_id]}
        return self.answer(self, self.submitted[-1])

    def cancel_run(self, run_id: int) -> None:
        def do() -> None:
            self.active = [run for run in self.active if run["run_id"] != run_id]

        self.changes.change(f"cancel {run_id}", do)


def as_service(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as the service gives them back: with defaults that nobody set."""
    result = copy.deepcopy(dict(settings))
    result.setdefault("email_notifications", {})
    result.setdefault("max_concurrent_runs", 1)
    result["format"] = "MULTI_TASK"
    for task in result.get("tasks", []):
        task.setdefault("run_if", "ALL_SUCCESS")
        task.setdefault("timeout_seconds", 0)
    return result


def exit_value(workspace: FakeWorkspace, body: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """What a notebook exits with that read the manifest of its own slot."""
    import hashlib

    folder = body["tasks"][0]["notebook_task"]["notebook_path"].rpartition("/notebooks/")[0]
    manifest = hashlib.sha256(workspace.objects[f"{folder}/manifest.json"][1]).hexdigest()
    checks = [{"name": "rows", "outcome": "passed", "seconds": 0.5, "message": ""}]
    return {
        "notebook_output": {"result": json.dumps({"manifest": manifest, "passed": True, "checks": checks, **changed})}
    }


def passing_test(workspace: FakeWorkspace, body: dict[str, Any]) -> dict[str, Any]:
    return exit_value(workspace, body)


def failing_test(workspace: FakeWorkspace, body: dict[str, Any]) -> dict[str, Any]:
    checks = [{"name": "rows", "outcome": "failed", "seconds": 0.5, "message": "0 rows | expected 2000"}]
    return exit_value(workspace, body, passed=False, checks=checks)
