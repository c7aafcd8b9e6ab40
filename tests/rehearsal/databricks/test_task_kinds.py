"""Tasks that are no notebooks: scripts, wheels, conditions, runs of other jobs, loops."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rehearsal.databricks.control_tasks import CanNotRunError, compare
from tests.rehearsal.databricks.workbench import ADMIN, CLUSTER, JOBS, RELEASE, Site

FOLDER = "/Shared/project"


def task(key: str, kind: str = "notebook_task", **more: Any) -> dict[str, Any]:
    """A task; what is neither key nor dependency are the fields of its kind."""
    outer: dict[str, Any] = {
        name: more.pop(name) for name in ("depends_on", "run_if", "max_retries", "disabled") if name in more
    }
    fields = more or {"notebook_path": f"{FOLDER}/{key}"}
    compute = {} if kind in ("condition_task", "run_job_task", "for_each_task") else {"new_cluster": CLUSTER}
    return {"task_key": key, kind: fields, **compute, **outer}


def submit(site: Site, *tasks: dict[str, Any], who: Any = RELEASE, **more: Any) -> dict[str, Any]:
    run_id = site.ok(who, "POST", "/jobs/runs/submit", {"tasks": list(tasks), **more}, "2.2")["run_id"]
    return site.wait(run_id)


def job(site: Site, *tasks: dict[str, Any], **more: Any) -> int:
    return int(site.ok(RELEASE, "POST", "/jobs/create", {"name": "j", "tasks": list(tasks), **more}, "2.2")["job_id"])


def of(run: dict[str, Any], key: str) -> dict[str, Any]:
    return next(entry for entry in reversed(run["tasks"]) if entry["task_key"] == key)


def results(run: dict[str, Any]) -> dict[str, str]:
    return {entry["task_key"]: entry["state"].get("result_state", "") for entry in run["tasks"]}


def output(site: Site, run_id: int) -> dict[str, Any]:
    return dict(site.ok(ADMIN, "GET", "/jobs/runs/get-output", {"run_id": run_id}, "2.2"))


def test_a_script_gets_its_command_line_and_gives_its_logs(site: Site) -> None:
    site.ok(RELEASE, "POST", "/workspace/import", {"path": "/Users/app-release/s.py", "content": "", "format": "RAW"})
    script = task("s", "spark_python_task", python_file="/Users/app-release/s.py", parameters=["{{job.run_id}}", "b"])
    run = submit(site, script)
    shown = output(site, run["tasks"][0]["run_id"])
    program = {"path": "/Workspace/Users/app-release/s.py", "arguments": [str(run["run_id"]), "b"]}
    assert (json.loads(shown["logs"]), shown["logs_truncated"]) == (program, False)
    assert "notebook_output" not in shown
    job_id = job(site, script)
    for given, arguments in ((["x"], ["x"]), ([], [])):
        values = {"job_id": job_id, "python_params": given}
        run = site.wait(site.ok(RELEASE, "POST", "/jobs/run-now", values, "2.2")["run_id"])
        assert json.loads(output(site, run["tasks"][0]["run_id"])["logs"])["arguments"] == arguments
    assert site.refused(RELEASE, "POST", "/jobs/run-now", {"job_id": job_id, "python_params": ["ä"]}, "2.2")[0] == 400
    run = submit(site, task("s", "spark_python_task", python_file="/Shared/none.py"))
    assert "Cannot read the python file /Shared/none.py" in run["state"]["state_message"]


def test_keyword_parameters_of_a_wheel_get_the_jobs_parameters(site: Site) -> None:
    package = {"package_name": "p", "entry_point": "main"}
    named = task("named", "python_wheel_task", **package, named_parameters={"a": "1", "b": "2"})
    placed = task("placed", "python_wheel_task", **package, parameters=["one"])
    job_id = job(site, named, placed, parameters=[{"name": "b", "default": "job"}])
    values = {"job_id": job_id, "python_named_params": {"a": "run"}}
    run = site.wait(site.ok(RELEASE, "POST", "/jobs/run-now", values, "2.2")["run_id"])
    told = {key: json.loads(output(site, of(run, key)["run_id"])["logs"]) for key in ("named", "placed")}
    assert told["named"] == {"package": "p", "entry_point": "main", "arguments": ["--a=run", "--b=job"]}
    assert told["placed"]["arguments"] == ["one"]
    assert run["overriding_parameters"] == {"python_named_params": {"a": "run"}}
    asked = {"run_id": run["run_id"], "include_resolved_values": "true"}
    shown = site.ok(ADMIN, "GET", "/jobs/runs/get", asked, "2.2")
    assert {entry["task_key"]: entry["resolved_values"] for entry in shown["tasks"]} == {
        "named": {"python_wheel_task": {"named_parameters": {"a": "run", "b": "job"}}},
        "placed": {"python_wheel_task": {"parameters": ["one"]}},
    }


def test_a_single_script_in_the_older_shape(site: Site) -> None:
    site.ok(RELEASE, "POST", "/workspace/import", {"path": "/Users/app-release/s.py", "content": "", "format": "RAW"})
    script = {"spark_python_task": {"python_file": "/Users/app-release/s.py"}, "new_cluster": CLUSTER}
    run_id = site.ok(RELEASE, "POST", "/jobs/runs/submit", script)["run_id"]
    site.wait(run_id)
    assert site.ok(ADMIN, "GET", "/jobs/runs/get", {"run_id": run_id})["task"] == {
        "spark_python_task": script["spark_python_task"]
    }
    assert "logs" in output(site, run_id)


@pytest.mark.parametrize(
    ("op", "left", "right", "expected"),
    [
        ("EQUAL_TO", "12.0", "12", False),
        ("NOT_EQUAL", "12.0", "12", True),
        ("EQUAL_TO", "true", "true", True),
        ("GREATER_THAN_OR_EQUAL", "12.0", "12", True),
        ("GREATER_THAN_OR_EQUAL", "10.0", "12", False),
        ("GREATER_THAN", "12", "12.0", False),
        ("LESS_THAN", "-1", "1e3", True),
        ("LESS_THAN_OR_EQUAL", "2", "10", True),
    ],
)
def test_how_a_condition_compares(op: str, left: str, right: str, expected: bool) -> None:
    assert compare(op, left, right) is expected


@pytest.mark.parametrize("operands", [("GREATER_THAN", "many", "1"), ("EQUAL_TO", "{{tasks.x.values.y}}", "1")])
def test_what_can_not_be_compared(operands: tuple[str, str, str]) -> None:
    with pytest.raises(CanNotRunError):
        compare(*operands)


def test_a_condition_chooses_a_branch(site: Site) -> None:
    site.notebook(f"{FOLDER}/count", "value bad=3")
    site.notebook(f"{FOLDER}/nb", "exit 1")
    nb = {"notebook_path": f"{FOLDER}/nb"}
    run = submit(
        site,
        task("count"),
        task(
            "many",
            "condition_task",
            op="GREATER_THAN",
            left="{{tasks.count.values.bad}}",
            right="0",
            depends_on=[{"task_key": "count"}],
        ),
        task("yes", **nb, depends_on=[{"task_key": "many", "outcome": "true"}]),
        task("no", **nb, depends_on=[{"task_key": "many", "outcome": "false"}]),
        task("after_no", **nb, depends_on=[{"task_key": "no"}], run_if="ALL_DONE"),
        task("join", **nb, depends_on=[{"task_key": "yes"}, {"task_key": "no"}], run_if="NONE_FAILED"),
    )
    chosen = {"count": "SUCCESS", "many": "SUCCESS", "yes": "SUCCESS", "join": "SUCCESS"}
    assert results(run) == chosen | {"no": "EXCLUDED", "after_no": "EXCLUDED"}
    assert of(run, "many")["condition_task"] == {"op": "GREATER_THAN", "left": "3", "right": "0", "outcome": "true"}
    assert run["state"]["result_state"] == "SUCCESS"
    run = submit(site, task("c", "condition_task", op="LESS_THAN", left="few", right="1"))
    assert results(run) == {"c": "FAILED"}
    assert "must be numbers" in run["state"]["state_message"]


def test_a_disabled_task_does_not_run(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "exit 1")
    nb = {"notebook_path": f"{FOLDER}/nb"}
    run = submit(site, task("off", **nb, disabled=True), task("on", **nb))
    assert results(run) == {"off": "DISABLED", "on": "SUCCESS"}


def test_a_job_that_runs_another(site: Site) -> None:
    site.notebook(f"{FOLDER}/child", "show parameters")
    child = job(site, task("child"), parameters=[{"name": "day", "default": "none"}])
    parent = job(site, task("run", "run_job_task", job_id=child, job_parameters={"day": "{{job.start_time.iso_date}}"}))
    run = site.wait(site.ok(RELEASE, "POST", "/jobs/run-now", {"job_id": parent}, "2.2")["run_id"])
    assert results(run) == {"run": "SUCCESS"}
    told = output(site, run["tasks"][0]["run_id"])
    of_child = site.wait(told["run_job_output"]["run_id"])
    assert (of_child["job_id"], of_child["trigger"], of_child["run_type"]) == (child, "RUN_JOB_TASK", "JOB_RUN")
    given = json.loads(output(site, of_child["tasks"][0]["run_id"])["notebook_output"]["result"])
    assert given == {"day": "2025-10-09"}
    site.notebook(f"{FOLDER}/child", "fail x")
    run = site.wait(site.ok(RELEASE, "POST", "/jobs/run-now", {"job_id": parent}, "2.2")["run_id"])
    assert (run["state"]["result_state"], results(run)) == ("FAILED", {"run": "FAILED"})


def test_jobs_that_can_not_be_run_by_a_task(site: Site) -> None:
    mine = job(site, task("nb"))
    run = submit(site, task("run", "run_job_task", job_id=mine), who=JOBS)
    assert "does not have Admin or Manage Run or Owner permissions" in run["state"]["state_message"]
    run = submit(site, task("run", "run_job_task", job_id=12345), who=ADMIN)
    assert "Job 12345 does not exist" in run["state"]["state_message"]
    settings = {"tasks": [task("run", "run_job_task", job_id=mine)]}
    site.ok(RELEASE, "POST", "/jobs/update", {"job_id": mine, "new_settings": {**settings, "name": "loop"}}, "2.2")
    site.ok(RELEASE, "POST", "/jobs/update", {"job_id": mine, "fields_to_remove": ["tasks/nb"]}, "2.2")
    run = site.wait(site.ok(RELEASE, "POST", "/jobs/run-now", {"job_id": mine}, "2.2")["run_id"])
    assert "would run itself" in run["state"]["state_message"]


def test_cancelling_ends_the_run_of_the_other_job(site: Site) -> None:
    site.notebook(f"{FOLDER}/child", "hang")
    child = job(site, task("child"))
    parent = site.ok(
        RELEASE, "POST", "/jobs/runs/submit", {"tasks": [task("run", "run_job_task", job_id=child)]}, "2.2"
    )["run_id"]

    def of_child() -> list[dict[str, Any]]:
        return list(site.ok(ADMIN, "GET", "/jobs/runs/list", {"job_id": child}, "2.2").get("runs", []))

    site.wait(parent, until=lambda _: any(run["status"]["state"] == "RUNNING" for run in of_child()))
    site.ok(RELEASE, "POST", "/jobs/runs/cancel", {"run_id": parent}, "2.2")
    assert site.wait(parent)["state"]["result_state"] == "CANCELED"
    assert site.wait(of_child()[0]["run_id"])["state"]["result_state"] == "CANCELED"


def test_a_loop_runs_its_task_for_each_input(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "show parameters")
    nested = task("nb", notebook_path=f"{FOLDER}/nb", base_parameters={"all": "{{input}}", "x": "{{input.x}}"})
    inputs = '[{"x": "one"}, {"x": 2}, "three"]'
    run = submit(site, task("loop", "for_each_task", inputs=inputs, concurrency=2, task=nested))
    assert results(run) == {"loop": "SUCCESS"}
    shown = site.ok(ADMIN, "GET", "/jobs/runs/get", {"run_id": run["tasks"][0]["run_id"]}, "2.2")
    given = [json.loads(output(site, one["run_id"])["notebook_output"]["result"]) for one in shown["iterations"]]
    assert given == [
        {"all": '{"x": "one"}', "x": "one"},
        {"all": '{"x": 2}', "x": "2"},
        {"all": "three", "x": "{{input.x}}"},
    ]
    (loop,) = shown["tasks"]
    counts = loop["for_each_task"]["stats"]["task_run_stats"]
    assert (counts["total_iterations"], counts["succeeded_iterations"], counts["failed_iterations"]) == (3, 3, 0)
    assert len(run["tasks"]) == 1


def test_a_loop_over_values_of_an_earlier_task_with_failures_and_retries(site: Site) -> None:
    site.notebook(f"{FOLDER}/list", 'value names=["a", "b"]')
    site.notebook(f"{FOLDER}/nb", "once marker-{{input}}\nfail x")
    nested = task("nb", max_retries=1)
    loop = task(
        "loop",
        "for_each_task",
        inputs="{{tasks.list.values.names}}",
        task=nested,
        depends_on=[{"task_key": "list"}],
    )
    run = submit(site, task("list"), loop)
    assert results(run) == {"list": "SUCCESS", "loop": "FAILED"}
    shown = site.ok(ADMIN, "GET", "/jobs/runs/get", {"run_id": of(run, "loop")["run_id"]}, "2.2")
    assert [one["attempt_number"] for one in shown["iterations"]] == [0, 0, 1, 1]
    assert shown["tasks"][0]["for_each_task"]["stats"]["task_run_stats"]["failed_iterations"] == 2
    run = submit(site, task("loop", "for_each_task", inputs="{}", task=task("nb")))
    assert "no JSON array" in run["state"]["state_message"]


def test_many_iterations_come_in_pages(site: Site) -> None:
    loop = task("loop", "for_each_task", inputs=json.dumps(list(range(120))), concurrency=100, task=task("missing"))
    run = submit(site, loop)
    query = {"run_id": run["tasks"][0]["run_id"]}
    first = site.ok(ADMIN, "GET", "/jobs/runs/get", query, "2.2")
    second = site.ok(ADMIN, "GET", "/jobs/runs/get", {**query, "page_token": first["next_page_token"]}, "2.2")
    assert (len(first["iterations"]), len(second["iterations"]), "next_page_token" in second) == (100, 20, False)


def test_a_cancelled_loop_leaves_nothing_running(site: Site) -> None:
    site.notebook(f"{FOLDER}/nb", "hang")
    loop = task("loop", "for_each_task", inputs="[1, 2, 3]", concurrency=2, task=task("nb"))
    run_id = site.ok(RELEASE, "POST", "/jobs/runs/submit", {"tasks": [loop]}, "2.2")["run_id"]
    task_run = site.wait(run_id, until=lambda run: run["tasks"][0]["status"]["state"] == "RUNNING")["tasks"][0][
        "run_id"
    ]

    def iterations() -> list[str]:
        shown = site.ok(ADMIN, "GET", "/jobs/runs/get", {"run_id": task_run}, "2.2")
        return [one["status"]["state"] for one in shown.get("iterations", [])]

    site.wait(run_id, until=lambda _: iterations().count("RUNNING") == 2)
    site.ok(RELEASE, "POST", "/jobs/runs/cancel", {"run_id": run_id}, "2.2")
    assert site.wait(run_id)["state"]["result_state"] == "CANCELED"
    assert iterations() == ["TERMINATED"] * 3


def test_a_run_of_a_thousand_tasks_does_not_hold_up_the_workspace(site: Site) -> None:
    fields = {"op": "EQUAL_TO", "left": "{{job.run_id}}", "right": "{{tasks.t0.run_id}}"}
    chain = [{"depends_on": [{"task_key": f"t{n - 1}"}]} if n % 10 else {} for n in range(1000)]
    run = submit(site, *(task(f"t{n}", "condition_task", **fields, **chain[n]) for n in range(1000)))
    assert (run["state"]["result_state"], len(run["tasks"]), "next_page_token" in run) == ("SUCCESS", 100, True)
    site.close()
    site.open()
    assert site.wait(run["run_id"]) == run
