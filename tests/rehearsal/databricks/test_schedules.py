"""Schedules of jobs: when an expression fires, and what a moved clock starts."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rehearsal.databricks import quartz
from tests.rehearsal.databricks.workbench import ADMIN, CLUSTER, RELEASE, Site

START = datetime(2024, 2, 28, 12, 0, tzinfo=UTC)
NEVER = datetime(2034, 1, 1, tzinfo=UTC)
DAY = 86_400.0


@pytest.mark.parametrize(
    ("expression", "zone", "moments"),
    [
        ("0 0 1 * * ?", "UTC", ["2024-02-29 01:00:00", "2024-03-01 01:00:00"]),
        ("0 0/20 12 * * ?", "UTC", ["2024-02-28 12:20:00", "2024-02-28 12:40:00", "2024-02-29 12:00:00"]),
        ("*/30 59 23 28 2 ?", "UTC", ["2024-02-28 23:59:00", "2024-02-28 23:59:30", "2025-02-28 23:59:00"]),
        ("0 15 10 ? * MON-FRI", "UTC", ["2024-02-29 10:15:00", "2024-03-01 10:15:00", "2024-03-04 10:15:00"]),
        ("0 0 0 ? * FRI-SUN", "UTC", ["2024-03-01 00:00:00", "2024-03-02 00:00:00", "2024-03-03 00:00:00"]),
        ("0 0 22-1 ? * 4", "UTC", ["2024-02-28 22:00:00", "2024-02-28 23:00:00", "2024-03-06 00:00:00"]),
        ("0 0 6 L * ?", "UTC", ["2024-02-29 06:00:00", "2024-03-31 06:00:00"]),
        ("0 0 6 L-2 * ?", "UTC", ["2024-03-29 06:00:00", "2024-04-28 06:00:00"]),
        ("0 0 6 LW * ?", "UTC", ["2024-02-29 06:00:00", "2024-03-29 06:00:00"]),
        ("0 0 6 1W JUN ?", "UTC", ["2024-06-03 06:00:00", "2025-06-02 06:00:00"]),
        ("0 0 6 ? * 6#3", "UTC", ["2024-03-15 06:00:00", "2024-04-19 06:00:00"]),
        ("0 0 6 ? * 6L", "UTC", ["2024-03-29 06:00:00", "2024-04-26 06:00:00"]),
        ("0 0 6 ? * L", "UTC", ["2024-03-02 06:00:00", "2024-03-09 06:00:00"]),
        ("0 0 6 31 * ? 2025", "UTC", ["2025-01-31 06:00:00", "2025-03-31 06:00:00"]),
        ("0 0 6 ? * MON", "America/New_York", ["2024-03-04 11:00:00", "2024-03-11 10:00:00"]),
        ("0 30 2 30,31 3 ?", "Europe/Berlin", ["2024-03-30 01:30:00", "2025-03-31 00:30:00"]),
        ("0 30 2 27 10 ?", "Europe/Berlin", ["2024-10-27 00:30:00", "2025-10-27 01:30:00"]),
    ],
)
def test_when_an_expression_fires(expression: str, zone: str, moments: list[str]) -> None:
    found = islice(quartz.parse(expression).moments(ZoneInfo(zone), START, NEVER), len(moments))
    assert [moment.strftime("%Y-%m-%d %H:%M:%S") for moment in found] == moments


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "0 0 1 * *",
        "0 0 1 * * *",
        "0 0 1 ? * ?",
        "60 0 1 * * ?",
        "0 0 24 * * ?",
        "0 0 1 32 * ?",
        "0 0 1 ? * 8",
        "0 0 1 ? * MON#6",
        "0 0 1 ? * XYZ",
        "0 0/0 1 * * ?",
        "0 0 1,, * * ?",
        "0 0 1 * 13 ?",
        "0 0 1 * * ? 1900",
        "* * * * * ? * *",
    ],
)
def test_what_is_no_expression(site: Site, expression: str) -> None:
    with pytest.raises(quartz.NotQuartzError):
        quartz.parse(expression)
    values = {"tasks": [], "schedule": {"quartz_cron_expression": expression, "timezone_id": "UTC"}}
    assert "Invalid quartz cron expression" in site.refused(RELEASE, "POST", "/jobs/create", values, "2.2")[2]


def job(site: Site, schedule: dict[str, Any], **more: Any) -> int:
    task = {"task_key": "a", "notebook_task": {"notebook_path": "/Shared/nb"}, "new_cluster": CLUSTER}
    values = {"name": "nightly", "tasks": [task], "schedule": {"timezone_id": "UTC", **schedule}, **more}
    return int(site.ok(RELEASE, "POST", "/jobs/create", values, "2.2")["job_id"])


def advance(site: Site, to: float) -> list[int]:
    return site.client.wait_for(site.schedules.advance(to))


def update(site: Site, job_id: int, **settings: Any) -> None:
    site.ok(RELEASE, "POST", "/jobs/update", {"job_id": job_id, "new_settings": settings}, "2.2")


def test_a_moved_clock_fires_what_is_due_and_time_alone_does_not(site: Site) -> None:
    site.notebook("/Shared/nb", "exit done")
    daily = job(site, {"quartz_cron_expression": "0 0 1 * * ?"}, queue={"enabled": False})
    begin = site.now
    site.now += 10 * DAY
    assert site.ok(ADMIN, "GET", "/jobs/runs/list", {}, "2.2") == {"has_more": False}
    runs = advance(site, begin + 3 * DAY)
    ended = [site.wait(run_id) for run_id in runs]
    assert [(run["job_id"], run["trigger"], run["state"]["result_state"]) for run in ended] == [
        (daily, "PERIODIC", "SUCCESS")
    ] * 3
    assert advance(site, begin + 3 * DAY) == []
    site.close()
    site.open()
    assert len(advance(site, begin + 4 * DAY)) == 1


def test_a_paused_schedule_does_not_fire_and_makes_up_for_nothing(site: Site) -> None:
    site.notebook("/Shared/nb", "exit done")
    schedule = {"quartz_cron_expression": "0 0 1 * * ?", "timezone_id": "UTC"}
    job_id = job(site, {**schedule, "pause_status": "PAUSED"})
    begin = site.now
    assert advance(site, begin + 2 * DAY) == []
    update(site, job_id, schedule={**schedule, "pause_status": "UNPAUSED"})
    assert len(advance(site, begin + 3 * DAY)) == 1
    update(site, job_id, schedule={**schedule, "quartz_cron_expression": "0 0 2 * * ?"})
    assert len(advance(site, begin + 4 * DAY)) == 1
    site.ok(RELEASE, "POST", "/jobs/update", {"job_id": job_id, "fields_to_remove": ["schedule"]}, "2.2")
    assert advance(site, begin + 9 * DAY) == []


def test_schedules_fire_in_the_order_of_their_moments(site: Site) -> None:
    site.notebook("/Shared/nb", "exit done")
    late = job(site, {"quartz_cron_expression": "0 0 20 * * ?"})
    early = job(site, {"quartz_cron_expression": "0 0 4 * * ?"})
    begin = datetime.fromtimestamp(site.now + DAY, UTC).replace(hour=0, minute=0, second=0).timestamp()
    advance(site, begin)
    started = [site.wait(run_id)["job_id"] for run_id in advance(site, begin + 2 * DAY)]
    assert started == [early, late, early, late]


def test_runs_of_a_schedule_are_ten_seconds_apart(site: Site) -> None:
    job(site, {"quartz_cron_expression": "0/4 * * * * ?"}, max_concurrent_runs=0, queue={"enabled": False})
    begin = float(int(site.now) // 60 * 60 + 60)
    advance(site, begin)
    assert len(advance(site, begin + 60)) == 5  # at 4, 16, 28, 40, 52


def test_a_periodic_trigger_fires_at_its_interval(site: Site) -> None:
    site.notebook("/Shared/nb", "exit done")
    task = {"task_key": "a", "notebook_task": {"notebook_path": "/Shared/nb"}, "new_cluster": CLUSTER}
    trigger = {"periodic": {"interval": 12, "unit": "HOURS"}}
    site.ok(RELEASE, "POST", "/jobs/create", {"name": "p", "tasks": [task], "trigger": trigger}, "2.2")
    begin = site.now
    assert advance(site, begin + 0.3 * DAY) == []
    assert len(advance(site, begin + 0.6 * DAY)) == 1
    runs = advance(site, begin + 2.1 * DAY)
    assert [site.wait(run_id)["trigger"] for run_id in runs] == ["PERIODIC"] * 3
