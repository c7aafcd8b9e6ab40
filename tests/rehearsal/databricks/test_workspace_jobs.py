"""`/api/2.x/jobs/*` without runs: what is kept, added, refused, and who may."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rehearsal.databricks.workbench import ADMIN, CLUSTER, HOST, JOBS, READER, RELEASE, Site, token

TASK = {"task_key": "main", "notebook_task": {"notebook_path": "/Workspace/x/nb"}, "new_cluster": CLUSTER}


def create(site: Site, version: str = "2.2", **settings: Any) -> int:
    answer = site.ok(RELEASE, "POST", "/jobs/create", {"name": "nightly", "tasks": [TASK], **settings}, version)
    assert list(answer) == ["job_id"]
    return int(answer["job_id"])


def get(site: Site, job_id: int, version: str = "2.2", **query: Any) -> dict[str, Any]:
    return dict(site.ok(ADMIN, "GET", "/jobs/get", {"job_id": job_id, **query}, version))


def test_the_server_adds_its_defaults(site: Site) -> None:
    job = get(site, create(site, tags={"team": "a"}))
    assert (job["creator_user_name"], job["run_as_user_name"]) == ("app-release", "app-release")
    cluster = {
        "azure_attributes": {"availability": "ON_DEMAND_AZURE"},
        "enable_elastic_disk": True,
        "data_security_mode": "SINGLE_USER",
    }
    assert job["settings"] == {
        "name": "nightly",
        "tags": {"team": "a"},
        "email_notifications": {},
        "webhook_notifications": {},
        "timeout_seconds": 0,
        "max_concurrent_runs": 1,
        "format": "MULTI_TASK",
        "queue": {"enabled": True},
        "tasks": [
            {
                "task_key": "main",
                "notebook_task": {"notebook_path": "/Workspace/x/nb", "source": "WORKSPACE"},
                "new_cluster": CLUSTER | cluster,
                "run_if": "ALL_SUCCESS",
                "timeout_seconds": 0,
                "email_notifications": {},
            }
        ],
    }


def test_only_the_newest_version_queues_by_itself(site: Site) -> None:
    assert "queue" not in get(site, create(site, "2.1"))["settings"]


def test_fields_that_nobody_knows_are_dropped(site: Site) -> None:
    settings = get(site, create(site, colour="red", tasks=[{**TASK, "colour": "red"}]))["settings"]
    assert "colour" not in settings
    assert "colour" not in settings["tasks"][0]


def test_numbers_may_be_written_as_text(site: Site) -> None:
    job_id = create(
        site, timeout_seconds="60", tasks=[{**TASK, "max_retries": "1", "new_cluster": {**CLUSTER, "num_workers": "2"}}]
    )
    settings = get(site, job_id)["settings"]
    task = settings["tasks"][0]
    assert (settings["timeout_seconds"], task["max_retries"], task["new_cluster"]["num_workers"]) == (60, 1, 2)


def test_run_as_is_written_and_never_read(site: Site) -> None:
    job_id = site.ok(
        ADMIN, "POST", "/jobs/create", {"tasks": [TASK], "run_as": {"service_principal_name": "app-jobs"}}, "2.2"
    )["job_id"]
    job = get(site, job_id)
    assert job["run_as_user_name"] == "app-jobs"
    assert "run_as" not in job["settings"]
    site.ok(ADMIN, "POST", "/jobs/reset", {"job_id": job_id, "new_settings": {"name": "x", "tasks": [TASK]}}, "2.2")
    assert get(site, job_id)["run_as_user_name"] == "app-jobs"


@pytest.mark.parametrize(
    ("who", "run_as", "status"),
    [
        (RELEASE, {"service_principal_name": "app-release"}, 200),
        (RELEASE, {"service_principal_name": "app-jobs"}, 403),
        (ADMIN, {"service_principal_name": "app-jobs"}, 200),
        (ADMIN, {"user_name": "ada@example.org"}, 200),
        (ADMIN, {"service_principal_name": "app-stranger"}, 400),
        (ADMIN, {"service_principal_name": "app-jobs", "user_name": "ada@example.org"}, 400),
        (ADMIN, {"group_name": "users"}, 400),
    ],
)
def test_who_may_let_a_job_act_as_whom(site: Site, who: Any, run_as: dict[str, str], status: int) -> None:
    assert site.call(who, "POST", "/jobs/create", {"tasks": [TASK], "run_as": run_as}, "2.2")[0] == status


@pytest.mark.parametrize(
    ("changed", "status", "message"),
    [
        ({"tasks": "x"}, 400, "tasks must be of type list"),
        ({"tasks": ["x"]}, 400, "list of objects"),
        ({"tasks": [{**TASK, "task_key": ""}]}, 400, "tasks.task_key"),
        ({"tasks": [{**TASK, "task_key": "a b"}]}, 400, "Invalid task key"),
        ({"tasks": [TASK, TASK]}, 400, "Duplicate task_key"),
        (
            {"tasks": [{**TASK, "notebook_task": {"notebook_path": "./nb"}}]},
            400,
            "Invalid notebook_path: ./nb. Only absolute paths are currently supported. Paths must begin with '/'.",
        ),
        ({"tasks": [{**TASK, "notebook_task": {}}]}, 400, "notebook_path"),
        (
            {"tasks": [{**TASK, "notebook_task": {"notebook_path": "/x", "base_parameters": {"a": 1}}}]},
            400,
            "map field base_parameters, got 'key: \"a\"' instead.",
        ),
        ({"tasks": [{**TASK, "new_cluster": {**CLUSTER, "spark_version": ""}}]}, 400, "new_cluster.spark_version"),
        (
            {"tasks": [{**TASK, "new_cluster": {**CLUSTER, "spark_version": "latest"}}]},
            400,
            "Invalid spark version latest.",
        ),
        (
            {"tasks": [{**TASK, "new_cluster": {"spark_version": "16.4.x-scala2.12", "num_workers": 1}}]},
            400,
            "node_type_id",
        ),
        (
            {"tasks": [{**TASK, "new_cluster": {**CLUSTER, "node_type_id": "i3.xlarge"}}]},
            400,
            "Node type i3.xlarge is not",
        ),
        ({"tasks": [{**TASK, "new_cluster": {**CLUSTER, "num_workers": None}}]}, 400, "new_cluster.size"),
        ({"tasks": [{**TASK, "job_cluster_key": "c"}]}, 400, "exactly one of"),
        (
            {"tasks": [{"task_key": "a", "notebook_task": TASK["notebook_task"], "job_cluster_key": "c"}]},
            400,
            "Job cluster 'c' is not defined",
        ),
        ({"tasks": [{**TASK, "existing_cluster_id": "0101-1"}]}, 501, "all-purpose clusters"),
        ({"tasks": [{"task_key": "a", "notebook_task": TASK["notebook_task"]}]}, 501, "serverless compute"),
        ({"tasks": [{"task_key": "a", "sql_task": {}, "new_cluster": CLUSTER}]}, 501, "sql_task"),
        ({"tasks": [{"task_key": "a", "python_wheel_task": {}, "new_cluster": CLUSTER}]}, 400, "package_name"),
        (
            {"tasks": [{**TASK, "spark_python_task": {"python_file": "/x.py"}}]},
            400,
            "exactly one of notebook_task, spark",
        ),
        (
            {"tasks": [{"task_key": "a", "spark_python_task": {"python_file": "x.py"}}]},
            400,
            "Invalid python_file: x.py",
        ),
        ({"tasks": [{"task_key": "a", "spark_python_task": {"python_file": "s3://b/x.py"}}]}, 501, "s3 storage"),
        ({"tasks": [{"task_key": "a", "condition_task": {"op": "LIKE", "left": "", "right": ""}}]}, 400, "op LIKE"),
        (
            {"tasks": [{"task_key": "a", "condition_task": {"op": "EQUAL_TO", "left": "1"}}]},
            400,
            "condition_task.right",
        ),
        ({"tasks": [{"task_key": "a", "run_job_task": {"job_id": "x"}}]}, 400, "run_job_task.job_id"),
        ({"tasks": [{"task_key": "a", "for_each_task": {"inputs": [1], "task": TASK}}]}, 400, "for_each_task.inputs"),
        ({"tasks": [{"task_key": "a", "for_each_task": {"inputs": "[]"}}]}, 400, "for_each_task.task"),
        (
            {"tasks": [{"task_key": "a", "for_each_task": {"inputs": "[]", "concurrency": 101, "task": TASK}}]},
            400,
            "between 1 and 100",
        ),
        (
            {"tasks": [TASK, {**TASK, "task_key": "b", "depends_on": [{"task_key": "main", "outcome": "true"}]}]},
            400,
            "main has no outcome",
        ),
        ({"tasks": [{**TASK, "depends_on": [{"task_key": "no"}]}]}, 400, "does not exist"),
        ({"tasks": [{**TASK, "depends_on": [{"task_key": "main"}]}]}, 400, "in a circle: main"),
        ({"tasks": [{**TASK, "run_if": "SOMETIMES"}]}, 400, "run_if"),
        ({"tags": {str(n): "x" for n in range(26)}}, 400, "at most 25 tags"),
        ({"max_concurrent_runs": 1001}, 400, "max_concurrent_runs must be between 0 and 1000"),
        ({"timeout_seconds": "soon"}, 400, "timeout_seconds must be a number"),
        ({"schedule": {"quartz_cron_expression": "0 0 1 * * ?"}}, 400, "settings.schedule.timezone_id"),
        ({"schedule": {"quartz_cron_expression": "0 0 1 * * ?", "timezone_id": "Moon"}}, 400, "Invalid timezone: Moon"),
        (
            {"schedule": {"quartz_cron_expression": "daily", "timezone_id": "UTC"}},
            400,
            "Invalid quartz cron expression",
        ),
        ({"tasks": [{**TASK, "libraries": [{"pypi": "pandas"}]}]}, 400, "libraries.pypi.package"),
        ({"tasks": [{**TASK, "libraries": [{"whl": 1}]}]}, 400, "libraries.whl"),
        ({"tasks": [{**TASK, "libraries": [{}]}]}, 400, "exactly one of whl, jar"),
        ({"parameters": [{"name": "a", "default": 1}]}, 400, "defaults of parameters must be strings"),
        ({"name": "ä" * 2049}, 400, "name is longer than 4096 bytes"),
        ({"description": 5}, 400, "description must be of type str"),
        (
            {"tasks": [{**TASK, "notebook_task": {"notebook_path": "/x", "base_parameters": {"a": "x" * 1_000_000}}}]},
            400,
            "larger than 1 MB",
        ),
        ({"trigger": {"file_arrival": {"url": "/Volumes/a"}}}, 501, "trigger of kind file_arrival"),
        ({"trigger": {"periodic": {"interval": 1, "unit": "YEARS"}}}, 400, "HOURS, DAYS, WEEKS"),
        ({"trigger": {"periodic": {"interval": 0, "unit": "DAYS"}}}, 400, "interval must be between"),
        (
            {"trigger": {"periodic": {"interval": 1, "unit": "DAYS"}}, "continuous": {}},
            400,
            "Only one of schedule, continuous and trigger",
        ),
        ({"git_source": {}}, 501, "git_source"),
        (
            {"access_control_list": [{"group_name": "users", "permission_level": "IS_OWNER"}]},
            400,
            "Groups can not be owners",
        ),
        (
            {"access_control_list": [{"group_name": "users", "permission_level": "CAN_RUN"}]},
            400,
            "Invalid permission level",
        ),
    ],
)
def test_settings_that_can_not_be(site: Site, changed: dict[str, Any], status: int, message: str) -> None:
    found = site.refused(RELEASE, "POST", "/jobs/create", {"name": "x", "tasks": [TASK], **changed}, "2.2")
    assert found[0] == status
    assert message in found[2]
    assert site.ok(ADMIN, "GET", "/jobs/list", {}, "2.2") == {"has_more": False}


def test_reset_replaces_all_and_update_only_what_it_names(site: Site) -> None:
    other = {**TASK, "task_key": "other"}
    job_id = create(
        site,
        tasks=[TASK, other],
        tags={"a": "1"},
        schedule={"quartz_cron_expression": "0 0 1 * * ?", "timezone_id": "UTC"},
    )
    assert get(site, job_id)["settings"]["schedule"]["pause_status"] == "UNPAUSED"
    changed = {**other, "notebook_task": {"notebook_path": "/new"}, "description": "d"}
    update = {
        "job_id": job_id,
        "new_settings": {"name": "n", "tasks": [changed, {**TASK, "task_key": "third"}]},
        "fields_to_remove": ["schedule"],
    }
    site.ok(RELEASE, "POST", "/jobs/update", update, "2.2")
    settings = get(site, job_id)["settings"]
    assert (settings["name"], settings["tags"], "schedule" in settings) == ("n", {"a": "1"}, False)
    assert [task["task_key"] for task in settings["tasks"]] == ["main", "other", "third"]
    assert settings["tasks"][1]["notebook_task"]["notebook_path"] == "/new"
    site.ok(RELEASE, "POST", "/jobs/update", {"job_id": job_id, "fields_to_remove": ["tasks/third"]}, "2.2")
    assert [task["task_key"] for task in get(site, job_id)["settings"]["tasks"]] == ["main", "other"]
    site.ok(RELEASE, "POST", "/jobs/reset", {"job_id": job_id, "new_settings": {"name": "r", "tasks": [other]}}, "2.2")
    settings = get(site, job_id)["settings"]
    assert ("tags" in settings, [task["task_key"] for task in settings["tasks"]]) == (False, ["other"])


def test_a_refused_change_changes_nothing(site: Site) -> None:
    job_id = create(site)
    before = get(site, job_id)
    for operation in ("reset", "update"):
        values = {"job_id": job_id, "new_settings": {"name": "n", "tasks": [{**TASK, "existing_cluster_id": "x"}]}}
        assert site.call(RELEASE, "POST", f"/jobs/{operation}", values, "2.2")[0] == 501
    assert get(site, job_id) == before


def test_many_tasks_come_in_pages(site: Site) -> None:
    clusters = [{"job_cluster_key": f"c{n}", "new_cluster": CLUSTER} for n in range(120)]
    tasks = [
        {"task_key": f"t{n:03}", "notebook_task": TASK["notebook_task"], "job_cluster_key": "c1"} for n in range(250)
    ]
    job_id = create(site, tasks=tasks, job_clusters=clusters)
    seen, token, pages = [], "", 0
    while True:
        page = get(site, job_id, **({"page_token": token} if token else {}))
        seen += [task["task_key"] for task in page["settings"].get("tasks", [])]
        pages += 1
        token = page.get("next_page_token", "")
        assert bool(token) == page.get("has_more", False)
        if not token:
            break
    assert (seen, pages) == ([task["task_key"] for task in tasks], 3)
    assert "job_clusters" not in page["settings"]
    assert page["settings"]["name"] == "nightly"
    assert len(get(site, job_id, "2.1")["settings"]["tasks"]) == 250
    assert site.refused(ADMIN, "GET", "/jobs/get", {"job_id": job_id, "page_token": "x"}, "2.2")[0] == 400
    assert (
        site.refused(
            ADMIN, "POST", "/jobs/create", {"tasks": [{**tasks[0], "task_key": f"t{n}"} for n in range(1001)]}, "2.2"
        )[0]
        == 400
    )


def test_lists_have_pages_names_and_tasks_when_asked(site: Site) -> None:
    created = [create(site, name=f"Job-{n}") for n in range(45)]
    seen, token = [], ""
    while True:
        page = site.ok(ADMIN, "GET", "/jobs/list", {"page_token": token} if token else {}, "2.2")
        seen += [job["job_id"] for job in page["jobs"]]
        assert "tasks" not in page["jobs"][0]["settings"]
        token = page.get("next_page_token", "")
        assert page["has_more"] == bool(token)
        if not token:
            break
    assert seen == created[::-1]
    found = site.ok(ADMIN, "GET", "/jobs/list", {"name": "JOB-7", "expand_tasks": "true"}, "2.2")["jobs"]
    assert [(job["job_id"], len(job["settings"]["tasks"])) for job in found] == [(created[7], 1)]
    assert site.ok(ADMIN, "GET", "/jobs/list", {"name": "Job"}, "2.2") == {"has_more": False}
    assert site.refused(ADMIN, "GET", "/jobs/list", {"limit": 101}, "2.2")[0] == 400
    assert site.refused(ADMIN, "GET", "/jobs/list", {"limit": 26}, "2.1")[0] == 400
    assert len(site.ok(ADMIN, "GET", "/jobs/list", {})["jobs"]) == 45


def test_a_missing_job(site: Site) -> None:
    for operation in ("get", "delete", "reset", "update", "run-now"):
        method = "GET" if operation == "get" else "POST"
        refused = site.refused(ADMIN, method, f"/jobs/{operation}", {"job_id": 1234, "new_settings": {}}, "2.2")
        assert refused == (400, "INVALID_PARAMETER_VALUE", "Job 1234 does not exist.")
    assert site.refused(ADMIN, "GET", "/jobs/get", {"job_id": "x"}, "2.2")[0] == 400
    assert site.refused(ADMIN, "GET", "/jobs/get", {}, "2.2")[2] == "Missing required field: job_id"
    # Permission is checked before existence.
    assert site.refused(READER, "GET", "/jobs/get", {"job_id": 1234}, "2.2")[0] == 403


def test_permissions_of_a_job(site: Site) -> None:
    job_id = create(site)
    refused = site.refused(READER, "GET", "/jobs/get", {"job_id": job_id}, "2.2")
    words = f"User ada@example.org does not have View or Admin or Manage Run or Owner permissions on job {job_id}"
    assert refused == (403, "PERMISSION_DENIED", words)
    assert site.ok(READER, "GET", "/jobs/list", {}, "2.2") == {"has_more": False}
    path = f"/permissions/jobs/{job_id}"
    words = f"ada@example.org does not have Manage permissions on Job with ID: ElasticJobId({job_id})."
    assert site.refused(READER, "GET", path, {})[2].startswith(words)
    view = {"user_name": "ada@example.org", "permission_level": "CAN_VIEW"}
    assert (
        site.refused(RELEASE, "PUT", path, {"access_control_list": [view]})[2] == "The job must have exactly one owner."
    )
    owner = {"service_principal_name": "app-release", "permission_level": "IS_OWNER"}
    shown = site.ok(RELEASE, "PUT", path, {"access_control_list": [owner, view]})
    assert (shown["object_id"], shown["object_type"]) == (f"/jobs/{job_id}", "job")
    assert shown["access_control_list"][-1] == {
        "group_name": "admins",
        "all_permissions": [{"permission_level": "CAN_MANAGE", "inherited": True, "inherited_from_object": ["/jobs/"]}],
    }
    assert get(site, job_id)["job_id"] == site.ok(READER, "GET", "/jobs/get", {"job_id": job_id}, "2.2")["job_id"]
    assert site.refused(READER, "POST", "/jobs/run-now", {"job_id": job_id}, "2.2")[0] == 403
    words = f"User ada@example.org does not have Admin or Owner permissions on job {job_id}"
    assert site.refused(READER, "POST", "/jobs/delete", {"job_id": job_id}, "2.2")[2] == words


def test_ownership_moves_only_by_an_admin(site: Site) -> None:
    job_id = create(site)
    path = f"/permissions/jobs/{job_id}"
    new = {"access_control_list": [{"service_principal_name": JOBS.app_id, "permission_level": "IS_OWNER"}]}
    assert site.refused(RELEASE, "PUT", path, new)[0] == 403
    site.ok(ADMIN, "PUT", path, new)
    assert get(site, job_id)["run_as_user_name"] == "app-jobs"
    two = [{"service_principal_name": name, "permission_level": "IS_OWNER"} for name in ("app-jobs", "app-release")]
    assert site.refused(ADMIN, "PUT", path, {"access_control_list": two})[2] == "The job must have exactly one owner."


def test_deleted_jobs_are_gone(site: Site) -> None:
    job_id = create(site)
    site.ok(RELEASE, "POST", "/jobs/delete", {"job_id": job_id}, "2.2")
    assert site.call(ADMIN, "GET", "/jobs/get", {"job_id": job_id}, "2.2")[0] == 400
    assert create(site) != job_id


def test_the_older_shape_of_a_single_task(site: Site) -> None:
    single = {
        "name": "old",
        "notebook_task": {"notebook_path": "/x"},
        "new_cluster": CLUSTER,
        "libraries": [{"whl": "/w.whl"}],
    }
    job_id = site.ok(RELEASE, "POST", "/jobs/create", single, "2.0")["job_id"]
    old, new = get(site, job_id, "2.0")["settings"], get(site, job_id, "2.1")["settings"]
    assert (old["format"], old["libraries"], "tasks" in old) == ("SINGLE_TASK", [{"whl": "/w.whl"}], False)
    assert (new["format"], new["tasks"][0]["libraries"]) == ("MULTI_TASK", [{"whl": "/w.whl"}])


def test_a_single_task_of_the_older_shape_is_updated_in_place(site: Site) -> None:
    single = {"name": "old", "notebook_task": {"notebook_path": "/x"}, "new_cluster": CLUSTER, "max_retries": 2}
    job_id = site.ok(RELEASE, "POST", "/jobs/create", single, "2.0")["job_id"]
    changed = {"timeout_seconds": 60, "notebook_task": {"notebook_path": "/y"}}
    values = {"job_id": job_id, "new_settings": changed, "fields_to_remove": ["max_retries"]}
    site.ok(RELEASE, "POST", "/jobs/update", values, "2.0")
    old = get(site, job_id, "2.0")["settings"]
    assert (old["format"], old["timeout_seconds"], old["notebook_task"]["notebook_path"]) == ("SINGLE_TASK", 60, "/y")
    assert "max_retries" not in old
    several = create(site)
    refused = site.refused(RELEASE, "POST", "/jobs/update", {"job_id": several, "new_settings": changed}, "2.1")
    assert refused[0] == 400


@pytest.mark.parametrize(
    ("operation", "values"),
    [
        ("/jobs/run-now", {"queue": "yes"}),
        ("/jobs/run-now", {"job_parameters": ["x"]}),
        ("/jobs/run-now", {"python_params": "x"}),
        ("/jobs/runs/submit", {"queue": [1], "tasks": "x"}),
        ("/jobs/update", {"new_settings": [1]}),
        ("/jobs/update", {"fields_to_remove": "name"}),
    ],
)
def test_values_of_the_wrong_type_are_refused(site: Site, operation: str, values: dict[str, Any]) -> None:
    assert site.refused(RELEASE, "POST", operation, {"job_id": create(site), **values}, "2.2")[0] == 400


@pytest.mark.parametrize("listed", ["/jobs/list", "/jobs/runs/list"])
@pytest.mark.parametrize("offset", ["-1", str(2**63), "9" * 30, "x"])
def test_offsets_that_can_not_be(site: Site, listed: str, offset: str) -> None:
    assert site.refused(ADMIN, "GET", listed, {"offset": offset}, "2.1")[0] == 400


def test_half_a_character_is_no_text(site: Site) -> None:
    headers = {"Authorization": f"Bearer {token(RELEASE)}"}
    url = f"https://{HOST}/api/2.2/jobs/create"
    answer = site.client.request("POST", url, content=b'{"name": "\\ud83d"}', headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MALFORMED_REQUEST")
    answer = site.client.request("POST", url, content=b'{"name": "\\ud83d\\ude00"}', headers=headers)
    assert get(site, answer.json()["job_id"])["settings"]["name"] == "\U0001f600"


def test_a_job_that_has_nothing_to_run_starts_nothing(site: Site) -> None:
    site.ok(RELEASE, "POST", "/jobs/create", {"continuous": {}}, "2.2")
    schedule = {"quartz_cron_expression": "0 0 * * * ?", "timezone_id": "UTC"}
    site.ok(RELEASE, "POST", "/jobs/create", {"schedule": schedule}, "2.2")
    assert site.client.wait_for(site.schedules.advance(site.now + 86_400)) == []
    assert site.ok(ADMIN, "GET", "/jobs/runs/list", {}, "2.2") == {"has_more": False}
