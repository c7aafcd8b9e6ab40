"""What people changed by hand, carried into a release's settings."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.drift import same
from slipway.domain.job import move, reads_from
from slipway.domain.merge import as_kept, carry, changes, stops

ROOT = "/Workspace/Slipway/app/prod"
CRON = {"quartz_cron_expression": "0 0 6 * * ?", "timezone_id": "UTC", "pause_status": "UNPAUSED"}

values = st.none() | st.integers(1, 4) | st.sampled_from(["a", "b", f"{ROOT}/blue/notebooks/x"])
texts = st.sampled_from(["UTC", "Europe/Berlin"])


@st.composite
def jobs(draw: st.DrawFn) -> dict[str, Any]:
    """Settings with fields that are there or not, in every kind of place that a job has."""

    def some(fields: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in fields.items() if value is not None}

    names = draw(st.lists(st.sampled_from(["one", "two", "three"]), unique=True, min_size=1))
    tasks = [
        some({"task_key": name, "timeout_seconds": draw(values), "parameters": {"p": draw(values)}})
        | {"notebook_task": {"notebook_path": f"{ROOT}/blue/notebooks/{draw(st.sampled_from('xy'))}"}}
        | {"libraries": [{"whl": f"{ROOT}/blue/library/{draw(st.integers(1, 2))}.whl"}]}
        for name in names
    ]
    clusters = draw(st.dictionaries(st.sampled_from(["small", "big"]), st.integers(1, 3)))
    schedule = draw(st.none() | texts)
    return some(
        {
            "name": "job",
            "timeout_seconds": draw(values),
            "queue": draw(st.none() | st.fixed_dictionaries({"enabled": st.booleans()})),
            "tags": {"slipway_slot": "blue", "slipway_version": draw(st.sampled_from("12")), "team": draw(values)},
            "tasks": tasks,
            "job_clusters": [{"job_cluster_key": k, "new_cluster": {"num_workers": n}} for k, n in clusters.items()],
            "schedule": None if schedule is None else {**CRON, "timezone_id": schedule},
        }
    )


def in_green(settings: Any) -> dict[str, Any]:
    moved: dict[str, Any] = move(settings, root=ROOT, to="green")
    return moved


def runs(settings: Any) -> Any:
    """What leads to a slot."""
    tags = {key: value for key, value in settings["tags"].items() if key.startswith("slipway_")}
    return tags, [(task["task_key"], task["notebook_task"], task["libraries"]) for task in settings["tasks"]]


@given(jobs(), jobs(), st.sampled_from(["keep", "overwrite", "stop"]))
def test_without_a_change_by_hand_the_release_is_all(base: Any, ours: Any, policy: Any) -> None:
    assert carry(in_green(ours), base, base, policy, ROOT) == in_green(ours)


@given(jobs(), jobs(), jobs(), st.sampled_from(["keep", "overwrite"]))
def test_what_leads_to_a_slot_is_always_the_releases(base: Any, ours: Any, theirs: Any, policy: Any) -> None:
    result = carry(in_green(ours), base, theirs, policy, ROOT)
    assert runs(result) == runs(in_green(ours))
    assert not reads_from(result, f"{ROOT}/blue")


@given(jobs(), jobs(), jobs(), st.sampled_from(["keep", "overwrite"]))
def test_carrying_twice_is_carrying_once(base: Any, ours: Any, theirs: Any, policy: Any) -> None:
    once = carry(in_green(ours), base, theirs, policy, ROOT)
    assert carry(in_green(ours), base, once, policy, ROOT) == once


@given(jobs(), jobs())
def test_a_field_that_only_people_changed_stays(base: Any, theirs: Any) -> None:
    ours = in_green(base)
    result = carry(ours, base, theirs, "keep", ROOT)
    by_hand = theirs.get("timeout_seconds")
    if f"{ROOT}/blue/notebooks/x" not in (by_hand, base.get("timeout_seconds")):
        assert result.get("timeout_seconds") == by_hand
    assert result.get("schedule", {}).get("timezone_id") == theirs.get("schedule", {}).get("timezone_id")
    workers = {c["job_cluster_key"]: c["new_cluster"]["num_workers"] for c in result["job_clusters"]}
    assert (
        workers.items()
        >= {c["job_cluster_key"]: c["new_cluster"]["num_workers"] for c in theirs["job_clusters"]}.items()
    )


@given(jobs(), jobs(), jobs())
def test_what_the_definition_changes_too_is_the_definitions(base: Any, ours: Any, theirs: Any) -> None:
    result = carry(in_green(ours), base, theirs, "keep", ROOT)
    if base.get("timeout_seconds") != ours.get("timeout_seconds"):
        assert result.get("timeout_seconds") == in_green(ours).get("timeout_seconds")
    if base.get("schedule") != ours.get("schedule"):
        assert result.get("schedule") == ours.get("schedule")


@given(jobs(), jobs(), jobs())
def test_every_change_by_hand_is_said_and_its_outcome_is_true(base: Any, ours: Any, theirs: Any) -> None:
    ours = in_green(ours)
    kept = changes(ours, base, theirs, carry(ours, base, theirs, "keep", ROOT), ROOT)
    assert bool(kept) == (not same(base, theirs) or ("schedule" in theirs and "schedule" not in base))
    overwritten = changes(ours, base, theirs, carry(ours, base, theirs, "overwrite", ROOT), ROOT)
    assert [item.difference for item in kept] == [item.difference for item in overwritten]
    for item in overwritten:
        if item.difference.path == "timeout_seconds" and item.outcome in ("stays", "released already"):
            assert ours.get("timeout_seconds") == in_green(theirs).get("timeout_seconds")


def example() -> dict[str, Any]:
    return {
        "name": "job",
        "timeout_seconds": 3600,
        "tags": {"slipway_slot": "blue", "slipway_version": "1"},
        "tasks": [{"task_key": "main", "notebook_task": {"notebook_path": f"{ROOT}/blue/notebooks/x"}}],
        "schedule": dict(CRON),
    }


@pytest.mark.parametrize("policy", ["keep", "overwrite", "stop"])
def test_a_schedule_changed_by_hand_stays_with_every_policy(policy: Any) -> None:
    base, theirs = example(), example()
    theirs["schedule"]["quartz_cron_expression"] = "0 0 9 * * ?"
    ours = in_green(base)
    result = carry(ours, base, theirs, policy, ROOT)
    assert result["schedule"] == {**CRON, "quartz_cron_expression": "0 0 9 * * ?"}
    assert not stops(changes(ours, base, theirs, result, ROOT))
    theirs["trigger"] = {"periodic": {"interval": 1, "unit": "DAYS"}, "pause_status": "PAUSED"}
    del theirs["schedule"]
    result = carry(ours, base, theirs, policy, ROOT)
    assert "schedule" not in result
    assert result["trigger"] == {"periodic": {"interval": 1, "unit": "DAYS"}, "pause_status": "UNPAUSED"}


def test_a_definition_that_changes_the_schedule_wins_over_people() -> None:
    base, theirs = example(), example()
    theirs["schedule"]["timezone_id"] = "Europe/Berlin"
    ours = in_green(base)
    ours["schedule"] = {**CRON, "quartz_cron_expression": "0 0 7 * * ?"}
    result = carry(ours, base, theirs, "keep", ROOT)
    assert result["schedule"] == ours["schedule"]
    (change,) = changes(ours, base, theirs, result, ROOT)
    assert change.outcome == "defined" and "its definition is what counts" in str(change)


def test_what_the_definition_took_over_stops_nothing() -> None:
    base, theirs = example(), example()
    theirs["timeout_seconds"] = 60
    ours = in_green(base)
    (change,) = changes(ours, base, theirs, carry(ours, base, theirs, "stop", ROOT), ROOT)
    assert change.outcome == "overwritten" and stops([change])
    ours["timeout_seconds"] = 60
    (change,) = changes(ours, base, theirs, carry(ours, base, theirs, "stop", ROOT), ROOT)
    assert change.outcome == "released already" and not stops([change])


def test_tags_taken_away_by_hand_come_back_and_stop_nothing() -> None:
    base, theirs = example(), example()
    del theirs["tags"]
    ours = in_green(base)
    result = carry(ours, base, theirs, "keep", ROOT)
    assert result["tags"] == ours["tags"]
    found = changes(ours, base, theirs, result, ROOT)
    assert found and not stops(found)


def test_nothing_that_leads_past_the_slot_is_carried() -> None:
    base, theirs = example(), copy.deepcopy(example())
    theirs["git_source"] = {"git_url": "https://example.org/x"}
    theirs["tasks"][0]["notebook_task"] = {"notebook_path": "/Users/eve/x", "source": "GIT"}
    theirs["tasks"][0]["spark_python_task"] = {"python_file": f"{ROOT}/blue/x.py"}
    theirs["tasks"].append({"task_key": "more", "notebook_task": {"notebook_path": f"{ROOT}/blue/notebooks/y"}})
    ours = in_green(base)
    assert carry(ours, base, theirs, "keep", ROOT) == ours
    assert stops(changes(ours, base, theirs, ours, ROOT))


def test_what_the_service_makes_of_settings_is_told_from_what_people_keep() -> None:
    meant: dict[str, Any] = {"a": 1, "b": "x", "unknown": 5, "by_hand": 1, "list": [{"name": "p", "no": 1, "yes": 2}]}
    given = {**meant, "by_hand": 9}
    answered = {"a": "1", "b": "y", "by_hand": 9, "list": [{"name": "p", "yes": 2}], "default": True}
    kept = as_kept(meant, given, answered)
    assert kept == {"a": 1, "b": "y", "by_hand": 1, "list": [{"name": "p", "yes": 2}]}
    assert not changes({}, kept, {**answered, "by_hand": 1}, {}, ROOT)


@given(jobs())
def test_where_the_service_keeps_everything_nothing_is_noted(meant: Any) -> None:
    assert as_kept(meant, meant, meant) == meant
