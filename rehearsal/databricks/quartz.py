"""Quartz cron expressions: when a schedule fires.

Rules: Quartz, "Cron Trigger Tutorial" (the SDK's docstring of CronSchedule points there). A moment that a clock leaves out in
spring is left out, one that it has twice in autumn comes once (Quartz says only that such may be skipped or repeated).
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_NAMES = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
MONTHS = {name: n for n, name in enumerate(_NAMES, 1)}
DAYS = {name: n for n, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], 1)}
FIRST_YEAR, LAST_YEAR = 1970, 2199
_PART = re.compile(r"(\*|(\w+)(?:-(\w+))?)?(?:/(\d+))?")
_OF_MONTH = re.compile(r"L(?:-(\d{1,2}))?(W)?|(\d{1,2})W")
_OF_WEEK = re.compile(r"(\w+)(?:L|#([1-5]))")


class NotQuartzError(Exception):
    """What is wrong with an expression."""


@dataclass(frozen=True)
class Expression:
    """Seconds, minutes and hours, and what the day has to be. Of `of_month` and `of_week` one is "?"."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    years: frozenset[int]
    of_month: str
    of_week: str

    def moments(self, zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[datetime]:
        """When it fires, later than `after` and not later than `until` (both with a time zone); in UTC, in order."""
        day, last = after.astimezone(zone).date(), until.astimezone(zone).date()
        while day <= last:
            if day.year in self.years and day.month in self.months and self._is_day(day):
                for moment in self._of_day(day, zone):
                    if after < moment <= until:
                        yield moment
            day += timedelta(days=1)

    def _is_day(self, day: date) -> bool:
        if self.of_week == "?":
            return any(day.day in _days_of_month(part, day.year, day.month) for part in self.of_month.split(","))
        return any(_is_weekday(part, day) for part in self.of_week.split(","))

    def _of_day(self, day: date, zone: ZoneInfo) -> Iterator[datetime]:
        for hour in self.hours:
            for minute in self.minutes:
                for second in self.seconds:
                    local = datetime.combine(day, time(hour, minute, second), zone)
                    moment = local.astimezone(UTC)
                    if moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
                        yield moment


def parse(text: str) -> Expression:
    """An expression of six or seven fields. Raises NotQuartzError."""
    fields = text.upper().split()
    if len(fields) not in (6, 7):
        raise NotQuartzError("it must have six or seven fields")
    seconds, minutes, hours, of_month, months, of_week = fields[:6]
    if (of_month == "?") == (of_week == "?"):
        raise NotQuartzError("one of day-of-month and day-of-week must be ?, and only one")
    expression = Expression(
        seconds=_values(seconds, 0, 59, {}),
        minutes=_values(minutes, 0, 59, {}),
        hours=_values(hours, 0, 23, {}),
        months=frozenset(_values(months, 1, 12, MONTHS)),
        years=frozenset(_values(fields[6] if len(fields) == 7 else "*", FIRST_YEAR, LAST_YEAR, {})),
        of_month=of_month,
        of_week=of_week,
    )
    for part in of_month.split(",") if of_week == "?" else ():
        _days_of_month(part, 2024, 1)
    for part in of_week.split(",") if of_month == "?" else ():
        _is_weekday(part, date(2024, 1, 1))
    return expression


def _values(text: str, lowest: int, highest: int, names: dict[str, int]) -> tuple[int, ...]:
    """The values of a field: `*`, numbers, names, ranges (also over the end), steps, and lists of these."""
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if not part or match is None:
            raise NotQuartzError(f"{part or text} can not be read")
        step = int(match[4] or 1)
        if not 1 <= step <= highest:
            raise NotQuartzError(f"the step of {part} is out of range")
        if match[2] is None:
            found.update(range(lowest, highest + 1, step))
            continue
        first = _value(match[2], lowest, highest, names)
        end = _value(match[3], lowest, highest, names) if match[3] else (highest if match[4] else first)
        span = highest - lowest + 1
        found.update((first - lowest + n) % span + lowest for n in range(0, (end - first) % span + 1, step))
    return tuple(sorted(found))


def _value(text: str, lowest: int, highest: int, names: dict[str, int]) -> int:
    value = names.get(text, int(text) if text.isdigit() else -1)
    if not lowest <= value <= highest:
        raise NotQuartzError(f"{text} is not between {lowest} and {highest}")
    return value


def _days_of_month(part: str, year: int, month: int) -> tuple[int, ...]:
    """The days that one part of the field means in a month; L is the last, W the weekday that is nearest within the month."""
    length = calendar.monthrange(year, month)[1]
    match = _OF_MONTH.fullmatch(part)
    if match is None:
        return _values(part, 1, 31, {})
    day = _value(match[3], 1, 31, {}) if match[3] else length - int(match[1] or 0)
    if not 1 <= day <= length:
        return ()
    return (_nearest_weekday(year, month, day, length),) if match[2] or match[3] else (day,)


def _nearest_weekday(year: int, month: int, day: int, length: int) -> int:
    weekday = date(year, month, day).weekday()
    if weekday == 5:
        return day - 1 if day > 1 else day + 2
    if weekday == 6:
        return day + 1 if day < length else day - 2
    return day


def _is_weekday(part: str, day: date) -> bool:
    """Whether one part of the field means a day: `6#3` is the third Friday of a month, `6L` the last, `L` alone Saturday."""
    number = day.isoweekday() % 7 + 1
    if part == "L":
        return number == DAYS["SAT"]
    match = _OF_WEEK.fullmatch(part)
    if match is None or part in DAYS:
        return number in _values(part, 1, 7, DAYS)
    if number != _value(match[1], 1, 7, DAYS):
        return False
    if match[2]:
        return (day.day - 1) // 7 + 1 == int(match[2])
    return day.day + 7 > calendar.monthrange(day.year, day.month)[1]
