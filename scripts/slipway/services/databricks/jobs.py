"""Jobs and runs, Jobs API 2.2: databricks-cli's JobsService where it knows the call, the bare request elsewhere. It has
no page_token, queue, parameters, run_as or environments.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from databricks_cli.sdk.service import JobsService  # type: ignore[import-untyped]

from slipway.services.databricks.client import Client
from slipway.services.databricks.errors import NotFound

VERSION = "2.2"
# Arrays of a job and of a run that come in pages of 100; later pages hold only what is left of them
# (https://learn.microsoft.com/azure/databricks/reference/jobs-api-2-2-updates).
_PAGED = ("tasks", "parameters", "job_clusters", "environments", "job_parameters")
_JOBS_PER_PAGE = 100
_RUNS_PER_PAGE = 24  # "greater than 0 and less than 25"


class Jobs:
    client: Client

    @property
    def _jobs(self) -> Any:
        return JobsService(self.client)

    def create_job(self, settings: Mapping[str, Any]) -> int:
        """Makes a job of settings in the API's shape (access_control_list too); never sent twice. Returns its id."""
        return int(self._query("POST", "/jobs/create", settings)["job_id"])

    def reset_job(self, job_id: int, settings: Mapping[str, Any]) -> None:
        """Replaces all settings; runs under way keep those they started with."""
        self._jobs.reset_job(job_id, dict(settings), version=VERSION)

    def update_job(self, job_id: int, new_settings: Mapping[str, Any]) -> None:
        """Replaces the named top-level fields (tasks and clusters are merged by key)."""
        self._jobs.update_job(job_id, dict(new_settings), version=VERSION)

    def get_job(self, job_id: int) -> dict[str, Any] | None:
        """The job with its whole settings, from every page; None when there is no such job.

        The service takes `run_as` and never shows it again (a write-only setting in databricks-sdk's JobSettings): what it
        shows instead, `run_as_user_name`, is put back into the settings.
        """
        try:
            job = self._whole("/jobs/get", {"job_id": job_id}, "settings")
        except NotFound:
            return None
        name = job.get("run_as_user_name")
        if name and "run_as" not in job["settings"]:
            job["settings"]["run_as"] = {"user_name" if "@" in name else "service_principal_name": name}
        return job

    def list_jobs(self, expand_tasks: bool = False, name: str | None = None) -> Iterator[dict[str, Any]]:
        """Every job the identity may see; `name` is compared by the service, without regard to case."""
        query: dict[str, Any] = {"limit": _JOBS_PER_PAGE, "expand_tasks": expand_tasks}
        if name is not None:
            query["name"] = name
        return self._every("/jobs/list", query, "jobs")

    def delete_job(self, job_id: int) -> None:
        """Removes a job; a missing one is fine."""
        try:
            self._jobs.delete_job(job_id, version=VERSION)
        except NotFound:
            return

    def submit_run(self, body: Mapping[str, Any]) -> int:
        """Starts a one-time run, once: it gets an idempotency token when it has none. Returns its id."""
        return int(self._query("POST", "/jobs/runs/submit", _once(body))["run_id"])

    def run_now(self, job_id: int, **parameters: Any) -> int:
        """Starts a job (job_parameters, notebook_params, idempotency_token, …). Returns the run's id."""
        return int(self._query("POST", "/jobs/run-now", _once({"job_id": job_id, **parameters}))["run_id"])

    def get_run(self, run_id: int) -> dict[str, Any]:
        """A run with all its tasks. Raises NotFound."""
        return self._whole("/jobs/runs/get", {"run_id": run_id}, None)

    def get_run_output(self, task_run_id: int) -> dict[str, Any]:
        """The output of one *task's* run; the run of several tasks has none."""
        return dict(self._jobs.get_run_output(task_run_id, version=VERSION))

    def list_runs(
        self, active_only: bool = True, job_id: int | None = None, expand_tasks: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Runs, newest first, page by page as they are asked for. Only those that the identity may see; their tasks (the
        first 100) only with `expand_tasks`."""
        query: dict[str, Any] = {"active_only": active_only, "limit": _RUNS_PER_PAGE}
        if expand_tasks:
            query["expand_tasks"] = True
        if job_id is not None:
            query["job_id"] = job_id
        return self._every("/jobs/runs/list", query, "runs")

    def ended_runs(self, job_id: int, since: float) -> list[dict[str, Any]]:
        """The newest runs of a job that have ended, of those that began after `since` (seconds since the epoch): one
        page, so one request."""
        query = {
            "job_id": job_id,
            "completed_only": True,
            "limit": _RUNS_PER_PAGE,
            "start_time_from": int(since * 1000),
        }
        return list(self._query("GET", "/jobs/runs/list", query).get("runs") or [])

    def cancel_run(self, run_id: int) -> None:
        """Asks for the run to stop; it stops some time later."""
        self._jobs.cancel_run(run_id, version=VERSION)

    def _query(self, method: str, path: str, data: Mapping[str, Any]) -> dict[str, Any]:
        return self.client.perform_query(method, path, data=data, version=VERSION)

    def _every(self, path: str, query: dict[str, Any], key: str) -> Iterator[dict[str, Any]]:
        while True:
            page = self._query("GET", path, query)
            yield from page.get(key) or []
            token = page.get("next_page_token")
            if not token:
                return
            query = {**query, "page_token": token}

    def _whole(self, path: str, query: dict[str, Any], part: str | None) -> dict[str, Any]:
        whole = self._query("GET", path, query)
        token = whole.pop("next_page_token", None)
        while token:
            page = self._query("GET", path, {**query, "page_token": token})
            token = page.pop("next_page_token", None)
            into, more = (whole, page) if part is None else (whole.setdefault(part, {}), page.get(part) or {})
            for key in _PAGED:
                if more.get(key):
                    into[key] = [*(into.get(key) or []), *more[key]]
        whole.pop("has_more", None)
        return whole


def _once(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"idempotency_token": secrets.token_hex(16), **body}
