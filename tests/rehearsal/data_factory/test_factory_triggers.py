"""Triggers: starting, stopping, subscribing, and firing when the clock is moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.data_factory.recurrence import NoRecurrence, occurrences
from tests.rehearsal.data_factory.factories import GROUP_NAME, Factories, reference, set_variable, wait, window


def schedule(azure: Factories, name: str, recurrence: dict[str, Any], **parameters: Any) -> None:
    azure.put(
        "triggers",
        name,
        type="ScheduleTrigger",
        typeProperties={"recurrence": recurrence},
        pipelines=[{"pipelineReference": reference("Pipeline", "p"), "parameters": parameters}],
    )


def events(azure: Factories) -> None:
    azure.pipeline("p", wait("w"))
    azure.put(
        "triggers",
        "t",
        type="BlobEventsTrigger",
        typeProperties={"events": ["Microsoft.Storage.BlobCreated"], "scope": "/s"},
        pipelines=[{"pipelineReference": reference("Pipeline", "p")}],
    )


def state(azure: Factories, name: str = "t") -> str:
    found: str = azure.ok("GET", f"/triggers/{name}")["properties"]["runtimeState"]
    return found


def test_a_started_trigger_can_not_be_changed(azure: Factories) -> None:
    azure.pipeline("p", wait("w"))
    schedule(azure, "t", {"frequency": "Day", "interval": 1, "startTime": "2026-01-01T00:00:00Z"})
    assert state(azure) == "Stopped"
    azure.sdk.triggers.begin_start(GROUP_NAME, azure.factory, "t").result()
    assert state(azure) == "Started"
    body = {"properties": azure.ok("GET", "/triggers/t")["properties"]}
    for method in ("PUT", "DELETE"):
        status, code, message = azure.refused(method, "/triggers/t", body)
        assert (status, code) == (400, "TriggerEnabledCannotUpdate")
        assert "needs to be disabled first" in message
    assert azure.refused("DELETE", "/pipelines/p")[2].endswith("referenced by t.")
    azure.pipeline("p", wait("other"))
    azure.sdk.triggers.begin_start(GROUP_NAME, azure.factory, "t").result()
    azure.sdk.triggers.begin_stop(GROUP_NAME, azure.factory, "t").result()
    azure.sdk.triggers.begin_stop(GROUP_NAME, azure.factory, "t").result()
    azure.ok("PUT", "/triggers/t", body)
    assert state(azure) == "Stopped"
    azure.ok("DELETE", "/triggers/t")


def test_a_trigger_without_pipeline_can_not_be_started(azure: Factories) -> None:
    azure.put("triggers", "t", type="ScheduleTrigger", typeProperties={}, pipelines=[])
    assert azure.refused("POST", "/triggers/t/start")[0] == 400
    assert azure.refused("POST", "/triggers/nobody/start")[0] == 404


def test_events_are_subscribed_and_awaited(azure: Factories) -> None:
    events(azure)
    assert azure.refused("POST", "/triggers/t/start")[1] == "TriggerNotSubscribed"
    poller = azure.sdk.triggers.begin_subscribe_to_events(GROUP_NAME, azure.factory, "t")
    assert poller.result().status == "Enabled"
    azure.sdk.triggers.begin_start(GROUP_NAME, azure.factory, "t").result()
    assert azure.send("POST", "/triggers/t/unsubscribeFromEvents").status_code == 202
    assert azure.refused("POST", "/triggers/t/stop")[2] == "Resource cannot be updated during provisioning"
    told = [azure.ok("POST", "/triggers/t/getEventSubscriptionStatus")["status"] for _ in range(3)]
    assert told == ["Deprovisioning", "Disabled", "Disabled"]
    azure.sdk.triggers.begin_stop(GROUP_NAME, azure.factory, "t").result()


def test_nothing_changes_between_two_states(azure: Factories) -> None:
    events(azure)
    body = {"properties": azure.ok("GET", "/triggers/t")["properties"]}
    assert azure.send("POST", "/triggers/t/subscribeToEvents").status_code == 202
    for method, path in (("PUT", "/triggers/t"), ("DELETE", "/triggers/t"), ("POST", "/triggers/t/start")):
        assert azure.refused(method, path, body)[2] == "Resource cannot be updated during provisioning"


def test_subscribing_a_schedule_is_refused(azure: Factories) -> None:
    azure.pipeline("p")
    schedule(azure, "t", {"frequency": "Day", "interval": 1, "startTime": "2026-01-01T00:00:00Z"})
    assert azure.refused("POST", "/triggers/t/subscribeToEvents")[0] == 400


def test_schedules_fire_when_the_clock_is_moved(azure: Factories) -> None:
    azure.pipeline(
        "p",
        set_variable("s", "v", "@concat(pipeline().parameters.at, ' ', pipeline().TriggerName)"),
        parameters={"at": {"type": "String"}},
        variables={"v": {"type": "String"}},
    )
    daily = {"frequency": "Day", "interval": 1, "startTime": "2026-01-01T06:30:00Z", "timeZone": "UTC"}
    schedule(azure, "t", daily, at="@trigger().scheduledTime")
    schedule(azure, "stopped", daily, at="never")
    azure.ok("POST", "/triggers/t/start")
    now = azure.now()
    started = azure.cloud.call(lambda: azure.service.advance(now + 2 * 86_400))
    assert len(started) == 2
    runs = [azure.ended(run_id) for run_id in started]
    assert {run.status for run in runs} == {"Succeeded"}
    assert runs[0].invoked_by.name == "t"
    value = azure.named(started[0])["s"].input["value"]
    assert value.endswith("T06:30:00.0000000Z t")
    assert azure.cloud.call(lambda: azure.service.advance(now + 2 * 86_400)) == []
    found = azure.sdk.trigger_runs.query_by_factory(GROUP_NAME, azure.factory, window()).value
    assert [one.status for one in found] == ["Succeeded", "Succeeded"]
    assert [one.triggered_pipelines for one in found] == [{"p": run_id} for run_id in started]
    azure.ok("POST", "/triggers/t/stop")
    assert azure.cloud.call(lambda: azure.service.advance(now + 9 * 86_400)) == []
    azure.ok("POST", "/triggers/t/start")
    assert len(azure.cloud.call(lambda: azure.service.advance(now + 10 * 86_400))) == 1
    azure.ok("POST", "/triggers/t/stop")


def test_a_run_that_can_not_start_is_in_the_trigger_run(azure: Factories) -> None:
    azure.pipeline("p", {"name": "c", "type": "Copy", "typeProperties": {}})
    schedule(azure, "t", {"frequency": "Hour", "interval": 1, "startTime": "2026-01-01T00:00:00Z"})
    azure.ok("POST", "/triggers/t/start")
    to = azure.now() + 3_600
    assert azure.cloud.call(lambda: azure.service.advance(to)) == []
    (found,) = azure.sdk.trigger_runs.query_by_factory(GROUP_NAME, azure.factory, window()).value
    assert found.status == "Failed"
    assert "activity type 'Copy'" in (found.message or "")
    azure.ok("POST", "/triggers/t/stop")


def moments(recurrence: dict[str, Any], after: str, until: str) -> list[str]:
    begin, end = (datetime.fromisoformat(one + "+00:00") for one in (after, until))
    return [one.strftime("%m-%dT%H:%M") for one in occurrences(recurrence, begin, end)]


@pytest.mark.parametrize(
    ("recurrence", "expected"),
    [
        ({"frequency": "Day", "interval": 2}, ["03-01T05:00", "03-03T05:00"]),
        ({"frequency": "Day", "interval": 3, "schedule": {"hours": [7, 6], "minutes": [0, 30]}},
         ["03-01T06:00", "03-01T06:30", "03-01T07:00", "03-01T07:30"]),
        ({"frequency": "Week", "interval": 1, "schedule": {"weekDays": ["Monday", "Tuesday"]}},
         ["03-02T05:00", "03-03T05:00"]),
        ({"frequency": "Month", "interval": 1, "schedule": {"monthDays": [2]}}, ["03-02T05:00"]),
        ({"frequency": "Month", "interval": 1, "schedule": {"monthlyOccurrences": [{"day": "Monday", "occurrence": 1}]}},
         ["03-02T05:00"]),
        ({"frequency": "Hour", "interval": 36}, ["03-01T05:00", "03-02T17:00"]),
        ({"frequency": "Day", "interval": 1, "endTime": "2026-03-02T04:00:00Z"}, ["03-01T05:00"]),
        ({"frequency": "Day", "interval": 1, "timeZone": "W. Europe Standard Time", "startTime": "2026-01-01T06:00:00"},
         ["03-01T05:00", "03-02T05:00", "03-03T05:00"]),
    ],
)  # fmt: skip
def test_recurrences(recurrence: dict[str, Any], expected: list[str]) -> None:
    given_start = {"startTime": "2026-03-01T05:00:00Z", **recurrence}
    assert moments(given_start, "2026-03-01T00:00:00", "2026-03-04T00:00:00") == expected


@pytest.mark.parametrize(
    "recurrence",
    [
        {"frequency": "Never", "startTime": "2026-01-01T00:00:00Z"},
        {"frequency": "Day", "interval": 0, "startTime": "2026-01-01T00:00:00Z"},
        {"frequency": "Day", "interval": 1},
        {"frequency": "Day", "interval": 1, "startTime": "2026-01-01T00:00:00Z", "timeZone": "Mars Standard Time"},
    ],
)
def test_recurrences_that_can_not_be(recurrence: dict[str, Any]) -> None:
    recurrence = {"interval": 1, **recurrence}
    with pytest.raises(NoRecurrence):
        moments(recurrence, "2026-03-01T00:00:00", "2026-03-04T00:00:00")


@given(
    st.sampled_from(["Minute", "Hour", "Day", "Week", "Month"]),
    st.integers(1, 20),
    st.integers(0, 400_000),
    st.integers(0, 400_000),
    st.sampled_from(["UTC", "W. Europe Standard Time", "India Standard Time", "Pacific Standard Time"]),
)
def test_moving_the_clock_in_two_steps_fires_the_same(
    frequency: str, interval: int, first: int, second: int, zone: str
) -> None:
    recurrence = {"frequency": frequency, "interval": interval * (60 if frequency == "Minute" else 1)}
    recurrence |= {"startTime": "2026-03-27T03:15:00Z", "timeZone": zone}
    begin = datetime(2026, 3, 25, tzinfo=UTC)
    middle = begin + timedelta(seconds=first)
    end = middle + timedelta(seconds=second)
    whole = list(occurrences(recurrence, begin, end))
    assert whole == [*occurrences(recurrence, begin, middle), *occurrences(recurrence, middle, end)]
    assert whole == sorted(set(whole))
