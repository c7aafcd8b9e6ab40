"""The rules of runs that need no process: whether a task runs, how ends add up, what parameters become, what settings become."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.databricks import outcomes, parameters
from rehearsal.databricks.app import operations
from rehearsal.databricks.engine import Engine
from rehearsal.databricks.errors import ApiError
from rehearsal.databricks.job_settings import complete
from rehearsal.databricks.task_kinds import KINDS
from rehearsal.databricks.task_process import Tools
from rehearsal.databricks.task_settings import RUN_IF
from tests.rehearsal.databricks.workbench import CLUSTER

S, F, X, U, C = "SUCCESS", "FAILED", "EXCLUDED", "UPSTREAM_FAILED", "CANCELED"
COVERAGE = Path(outcomes.__file__).with_name("COVERAGE.md")


@pytest.mark.parametrize(
    ("run_if", "results", "expected"),
    [
        ("ALL_SUCCESS", [S, S], None),
        ("ALL_SUCCESS", [S, F], U),
        ("ALL_SUCCESS", [S, U], U),
        ("ALL_SUCCESS", [S, X], X),
        ("ALL_SUCCESS", [S, C], "UPSTREAM_CANCELED"),
        ("AT_LEAST_ONE_SUCCESS", [S, F], None),
        ("AT_LEAST_ONE_SUCCESS", [F, F], U),
        ("NONE_FAILED", [S, X], None),
        ("NONE_FAILED", [X, X], X),
        ("NONE_FAILED", [S, F], U),
        ("ALL_DONE", [F, C, X], None),
        ("AT_LEAST_ONE_FAILED", [S, "TIMEDOUT"], None),
        ("AT_LEAST_ONE_FAILED", [S, S], X),
        ("ALL_FAILED", [F, U], None),
        ("ALL_FAILED", [F, S], X),
    ],
)
def test_whether_a_task_runs(run_if: str, results: list[str], expected: str | None) -> None:
    found = outcomes.verdict(run_if, results)
    assert (found.result if found else None) == expected


@given(st.sampled_from(RUN_IF), st.lists(st.sampled_from([S, F, X, U, C, "TIMEDOUT"]), max_size=5))
def test_every_combination_has_a_verdict(run_if: str, results: list[str]) -> None:
    found = outcomes.verdict(run_if, results)
    if not results or (run_if == "ALL_SUCCESS" and set(results) == {S}):
        assert found is None
    assert found is None or found.result in (X, U, "UPSTREAM_CANCELED")


@given(st.dictionaries(st.from_regex(r"[a-z_.]{1,9}", fullmatch=True), st.text(max_size=9)), st.text(max_size=30))
def test_references_that_nobody_knows_stay(known: dict[str, str], text: str) -> None:
    expanded = parameters.expand(text, {})
    assert expanded == text
    for name, value in known.items():
        assert parameters.expand("<{{ " + name + " }}>", known) == f"<{value}>"


def task(key: str, **more: Any) -> dict[str, Any]:
    return {"task_key": key, "notebook_task": {"notebook_path": "/x"}, "new_cluster": CLUSTER, **more}


@given(
    st.lists(st.sampled_from("abcdef"), min_size=1, unique=True),
    st.randoms(),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
)
def test_settings_come_back_as_they_were_kept(keys: list[str], random: Any, tags: dict[str, str]) -> None:
    tasks = [
        task(key, depends_on=[{"task_key": other} for other in keys[:n] if random.random() < 0.5])
        for n, key in enumerate(keys)
    ]
    kept = complete({"name": "n", "tags": tags, "tasks": tasks, "unknown": 1}, "2.2")
    assert complete(kept, "2.2") == kept
    assert [entry["task_key"] for entry in kept["tasks"]] == keys
    with pytest.raises(ApiError, match="in a circle"):
        complete(
            {"tasks": [task("x", depends_on=[{"task_key": "y"}]), task("y", depends_on=[{"task_key": "x"}])]}, "2.2"
        )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["task_key", "new_cluster", "name", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
fields = st.sampled_from(
    [
        "name",
        "tags",
        "tasks",
        "job_clusters",
        "parameters",
        "schedule",
        "queue",
        "timeout_seconds",
        "max_concurrent_runs",
        "run_as",
    ]
)


@given(
    st.dictionaries(fields, json_values, max_size=4),
    st.dictionaries(
        st.sampled_from(["libraries", "depends_on", "run_if", "notebook_task", "new_cluster", "max_retries"]),
        json_values,
        max_size=3,
    ),
)
def test_no_settings_break_the_service(changed: dict[str, Any], task_changed: dict[str, Any]) -> None:
    for settings in (changed, {"tasks": [{**task("a"), **task_changed}]}):
        try:
            complete(settings, "2.2")
        except ApiError as error:
            assert error.status in (400, 501)


@given(
    st.sampled_from(sorted(KINDS)),
    json_values
    | st.dictionaries(
        st.sampled_from(
            ["notebook_path", "python_file", "package_name", "parameters", "op", "left", "job_id", "inputs"]
        ),
        json_values | st.sampled_from(["/x", "EQUAL_TO", "1"]),
        max_size=5,
    ),
    st.dictionaries(st.sampled_from(["whl", "pypi", "x"]), json_values, max_size=2),
)
def test_no_kind_of_task_breaks_the_service(kind: str, fields: Any, library: dict[str, Any]) -> None:
    settings = {"task_key": "a", "new_cluster": CLUSTER, kind: fields, "libraries": [library]}
    try:
        kept = complete({"tasks": [settings]}, "2.2")
    except ApiError as error:
        assert error.status in (400, 501)
    else:
        assert complete(kept, "2.2") == kept


def test_the_page_of_coverage_names_every_operation() -> None:
    engine = Engine(Tools(command=[], environment=dict, datasets=Path(), wheelhouse=None))
    rows = {
        row.split("|")[1].split()[0]: row.split("|")[2]
        for row in COVERAGE.read_text().splitlines()
        if row.startswith("| ") and not row.startswith("| service")
    }
    served: dict[str, list[tuple[str, str]]] = {name: [] for name in rows}
    for operation in operations(engine, Path()):
        path = operation.path.removeprefix("/")
        service = max((name for name in rows if f"{path}/".startswith(f"{name}/")), key=len)
        served[service].append((operation.method, path.removeprefix(service).removeprefix("/")))
    for service, found in served.items():
        # Calls are named alone, resources with the method.
        calls = not any("{" in path or not path for _, path in found)
        names = {path if calls else f"{method} {path}".strip() for method, path in found}
        if service.startswith("jobs"):
            assert all(re.search(rf"(^|[ (]){re.escape(name)}\b", rows[service]) for name in names), service
        else:
            assert set(re.findall(r"`([^`]+)`", rows[service])) == names, service
