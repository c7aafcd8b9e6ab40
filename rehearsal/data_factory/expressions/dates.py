"""Functions on dates. Formats are .NET's; without one, the result is written as "o" writes it."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from rehearsal.data_factory.expressions.errors import ExpressionError
from rehearsal.data_factory.expressions.function import Function
from rehearsal.data_factory.expressions.values import as_integer, as_string
from rehearsal.data_factory.time_zones import time_zone
from rehearsal.resource_manager.template.dotnet import format_date

Json = Any
_UNITS = {"second": "seconds", "minute": "minutes", "hour": "hours", "day": "days", "week": "weeks"}
_FRACTION = re.compile(r"(\.\d{6})\d+")
_AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: (\d{1,2}):(\d\d)(?::(\d\d))?)?")


def moment(name: str, value: Json) -> datetime:
    """A timestamp; one without a zone is taken as UTC. Raises ExpressionError."""
    given = _FRACTION.sub(r"\1", as_string(name, value).strip())
    american = _AMERICAN.fullmatch(given)
    try:
        if american:
            month, day, year, hour, minute, second = (int(part or 0) for part in american.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        found = datetime.fromisoformat(given)
    except ValueError as error:
        raise ExpressionError(
            f"In the function '{name}', the value provided for date time string '{value}' was not valid."
        ) from error
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _format(name: str, when: datetime, form: Json) -> str:
    return format_date(when, "o" if form is None else as_string(name, form))


def _plain(when: datetime, form: Json, name: str) -> str:
    """A local time: written without a zone."""
    written = format_date(when, "o" if form is None else as_string(name, form))
    return written.removesuffix("Z") if form is None else written


def _shift(name: str, when: datetime, count: int, unit: str) -> datetime:
    kind = unit.lower().rstrip("s")
    try:
        if kind in _UNITS:
            return when + timedelta(**{_UNITS[kind]: count})
        if kind in ("month", "year"):
            months = when.year * 12 + when.month - 1 + count * (12 if kind == "year" else 1)
            year, month = divmod(months, 12)
            return when.replace(year=year, month=month + 1, day=min(when.day, calendar.monthrange(year, month + 1)[1]))
    except (OverflowError, ValueError, calendar.IllegalMonthError) as error:
        raise ExpressionError(f"The template function '{name}' has a result out of range.") from error
    raise ExpressionError(f"The template function '{name}' does not know the time unit '{unit}'.")


def _adding(name: str, unit: str) -> Function:
    def call(value: Json, count: Json, form: Json = None) -> str:
        return _format(name, _shift(name, moment(name, value), as_integer(name, count), unit), form)

    return Function(call, 2, 3)


def _by_unit(name: str, sign: int) -> Function:
    def call(value: Json, count: Json, unit: Json, form: Json = None) -> str:
        return _format(
            name, _shift(name, moment(name, value), sign * as_integer(name, count), as_string(name, unit)), form
        )

    return Function(call, 3, 4)


def _from_now(name: str, sign: int, now: Callable[[], float]) -> Function:
    def call(count: Json, unit: Json, form: Json = None) -> str:
        there = datetime.fromtimestamp(now(), UTC)
        return _format(name, _shift(name, there, sign * as_integer(name, count), as_string(name, unit)), form)

    return Function(call, 2, 3)


def _start(name: str, **zero: int) -> Function:
    def call(value: Json, form: Json = None) -> str:
        return _format(name, moment(name, value).replace(microsecond=0, second=0, minute=0, **zero), form)  # type: ignore[arg-type]

    return Function(call, 1, 2)


def _convert(name: str, value: Json, source: Json, target: Json, form: Json) -> str:
    zones = []
    for given in (source, target):
        zone = time_zone(as_string(name, given))
        if zone is None:
            raise ExpressionError(f"The template function '{name}' does not know the time zone '{given}'.")
        zones.append(zone)
    try:
        local = moment(name, value).replace(tzinfo=None).replace(tzinfo=zones[0]).astimezone(zones[1])
    except OverflowError as error:
        raise ExpressionError(f"The template function '{name}' has a result out of range.") from error
    if zones[1] is UTC:
        return _format(name, local, form)
    return _plain(local, form, name)


def _day_of_week(value: Json) -> int:
    return (moment("dayOfWeek", value).weekday() + 1) % 7


def _ticks(value: Json) -> int:
    passed = moment("ticks", value) - datetime(1, 1, 1, tzinfo=UTC)
    return ((passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds) * 10


def functions(now: Callable[[], float]) -> dict[str, Function]:
    """now: seconds since the epoch."""

    def utc_now(form: Json = None) -> str:
        return _format("utcNow", datetime.fromtimestamp(now(), UTC), form)

    return {
        "adddays": _adding("addDays", "day"),
        "addhours": _adding("addHours", "hour"),
        "addminutes": _adding("addMinutes", "minute"),
        "addseconds": _adding("addSeconds", "second"),
        "addtotime": _by_unit("addToTime", 1),
        "convertfromutc": Function(
            lambda value, target, form=None: _convert("convertFromUtc", value, "UTC", target, form), 2, 3
        ),
        "converttimezone": Function(
            lambda value, source, target, form=None: _convert("convertTimeZone", value, source, target, form), 3, 4
        ),
        "converttoutc": Function(
            lambda value, source, form=None: _convert("convertToUtc", value, source, "UTC", form), 2, 3
        ),
        "dayofmonth": Function(lambda value: moment("dayOfMonth", value).day, 1, 1),
        "dayofweek": Function(_day_of_week, 1, 1),
        "dayofyear": Function(lambda value: moment("dayOfYear", value).timetuple().tm_yday, 1, 1),
        "formatdatetime": Function(
            lambda value, form=None: _format("formatDateTime", moment("formatDateTime", value), form), 1, 2
        ),
        "getfuturetime": _from_now("getFutureTime", 1, now),
        "getpasttime": _from_now("getPastTime", -1, now),
        "startofday": _start("startOfDay", hour=0),
        "startofhour": _start("startOfHour"),
        "startofmonth": _start("startOfMonth", hour=0, day=1),
        "subtractfromtime": _by_unit("subtractFromTime", -1),
        "ticks": Function(_ticks, 1, 1),
        "utcnow": Function(utc_now, 0, 1),
    }
