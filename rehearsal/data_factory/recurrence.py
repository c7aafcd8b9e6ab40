"""When a schedule trigger fires (learn.microsoft.com/azure/data-factory/how-to-create-schedule-trigger).

Pure: moments in, moments out. Local times are counted in the recurrence's time zone; a local time that a change of clocks
leaves out or repeats is taken as Python's zoneinfo does (unverified).
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from rehearsal.data_factory.time_zones import time_zone

Json = Any
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_STEPS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}


class NoRecurrence(ValueError):
    """A recurrence that can't be read."""


def occurrences(recurrence: Mapping[str, Json], after: datetime, until: datetime) -> Iterator[datetime]:
    """Every moment in (after, until], in order, in UTC. Raises NoRecurrence."""
    name = str(recurrence.get("timeZone") or "UTC")
    zone = time_zone(name)
    if zone is None:
        raise NoRecurrence(f"the time zone '{name}' is not known here")
    start = _moment(recurrence.get("startTime"), zone)
    end = _moment(recurrence["endTime"], zone) if recurrence.get("endTime") else None
    last = until if end is None else min(until, end)
    for local in _locals(recurrence, start.astimezone(zone), after.astimezone(zone), last.astimezone(zone)):
        moment = local.astimezone(UTC)
        if moment > last:
            return
        if moment > after and moment >= start:
            yield moment


def _moment(given: Json, zone: tzinfo) -> datetime:
    """A start or end: with a zone of its own as it says, without one in the recurrence's zone."""
    try:
        text = str(given)
        found = datetime.fromisoformat(text[:26] + "Z" if text.endswith("Z") and len(text) > 27 else text)
    except ValueError as error:
        raise NoRecurrence(f"'{given}' is no date and time") from error
    return found if found.tzinfo else found.replace(tzinfo=zone)


def _locals(recurrence: Mapping[str, Json], start: datetime, after: datetime, last: datetime) -> Iterator[datetime]:
    frequency, interval = str(recurrence.get("frequency")).lower(), recurrence.get("interval", 1)
    schedule = recurrence.get("schedule") or {}
    if not isinstance(interval, int) or interval < 1:
        raise NoRecurrence(f"the interval is a whole number of at least 1, not '{interval}'")
    if frequency in ("minute", "hour"):
        step = _STEPS[frequency] * interval
        first, ahead = start.astimezone(UTC), after.astimezone(UTC)
        moment = first + step * max(0, (ahead - first) // step)
        minutes = sorted(schedule.get("minutes") or []) if frequency == "hour" else []
        while moment <= last.astimezone(UTC):
            yield from [moment.replace(minute=int(minute)) for minute in minutes] or [moment]
            moment += step
        return
    if frequency not in ("day", "week", "month"):
        raise NoRecurrence(f"the frequency '{recurrence.get('frequency')}' is not known")
    for day in _days(frequency, interval, schedule, start, after, last):
        yield from _times(day, schedule, start)


def _days(
    frequency: str, interval: int, schedule: Mapping[str, Json], start: datetime, after: datetime, last: datetime
) -> Iterator[datetime]:
    """The days on which a recurrence fires, at the start's time of day."""
    day = start + timedelta(days=max(0, (after.date() - start.date()).days))
    while day.date() <= last.date():
        if _fits(day, frequency, interval, schedule, start):
            yield day
        day += timedelta(days=1)


def _fits(day: datetime, frequency: str, interval: int, schedule: Mapping[str, Json], start: datetime) -> bool:
    passed = (day.date() - start.date()).days
    if frequency == "day":
        return passed % interval == 0
    if frequency == "week":
        # Weeks are counted from the Monday of the start's week (unverified).
        weeks = (passed + start.weekday()) // 7
        wanted = schedule.get("weekDays") or [_DAYS[start.weekday()]]
        return weeks % interval == 0 and _DAYS[day.weekday()] in wanted
    months = (day.year - start.year) * 12 + day.month - start.month
    return months % interval == 0 and _in_month(day, schedule, start)


def _in_month(day: datetime, schedule: Mapping[str, Json], start: datetime) -> bool:
    length = calendar.monthrange(day.year, day.month)[1]
    by_occurrence = schedule.get("monthlyOccurrences") or []
    by_day = schedule.get("monthDays") or []
    if not by_occurrence and not by_day:
        return day.day == start.day
    # A negative day counts from the end of the month: -1 is the last.
    if day.day in by_day or day.day - length - 1 in by_day:
        return True
    from_start, from_end = (day.day - 1) // 7 + 1, -((length - day.day) // 7 + 1)
    return any(
        one.get("day") == _DAYS[day.weekday()] and one.get("occurrence", from_start) in (from_start, from_end)
        for one in by_occurrence
    )


def _times(day: datetime, schedule: Mapping[str, Json], start: datetime) -> Iterator[datetime]:
    hours = sorted({int(hour) for hour in schedule.get("hours") or [start.hour]})
    minutes = sorted({int(minute) for minute in schedule.get("minutes") or [start.minute]})
    for hour in hours:
        for minute in minutes:
            yield day.replace(hour=hour, minute=minute, second=start.second, microsecond=0)
