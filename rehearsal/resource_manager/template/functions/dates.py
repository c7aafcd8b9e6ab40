"""Date functions (learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-date)."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from rehearsal.resource_manager.template.context import Context
from rehearsal.resource_manager.template.dotnet import format_date
from rehearsal.resource_manager.template.errors import ExpressionError
from rehearsal.resource_manager.template.functions.function import Function, integer, invalid, plain, text

Json = Any
_DURATION = re.compile(
    r"(-)?P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.IGNORECASE
)
_UTC_NOW = "yyyyMMddTHHmmssZ"


def _moment(name: str, value: Json) -> datetime:
    written = text(name, value).strip()
    compacted = re.fullmatch(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", written)
    if compacted:
        return datetime(*(int(part) for part in compacted.groups()), tzinfo=UTC)  # type: ignore[arg-type, misc]
    try:
        found = datetime.fromisoformat(written)
    except ValueError as error:
        raise invalid(name, f"expects a date and time: '{written}' is none.") from error
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _add(base: Json, duration: Json, form: Json = None) -> str:
    moment = _moment("dateTimeAdd", base)
    match = _DURATION.fullmatch(text("dateTimeAdd", duration))
    if match is None or not any(match.groups()[1:]):
        raise invalid("dateTimeAdd", f"expects an ISO 8601 duration: '{duration}' is none.")
    sign = -1 if match[1] else 1
    years, months, weeks, days, hours, minutes = (sign * int(part or 0) for part in match.groups()[1:7])
    month = moment.month - 1 + months + years * 12
    year, month = moment.year + month // 12, month % 12 + 1
    day = min(moment.day, calendar.monthrange(year, month)[1])
    moment = moment.replace(year=year, month=month, day=day)
    moment += timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=sign * float(match[8] or 0))
    # Without a format the service answers in its own culture's text; this is the documented output.
    return format_date(moment, text("dateTimeAdd", form) if form is not None else "M/d/yyyy h:mm:ss tt")


def _from_epoch(value: Json) -> str:
    return datetime.fromtimestamp(integer("dateTimeFromEpoch", value), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _now(context: Context, arguments: list[Json]) -> str:
    if context.now is None:
        raise ExpressionError(
            "The template function 'utcNow' is not expected at this location. "
            "It can only be used in the default value of a parameter."
        )
    return format_date(context.now, text("utcNow", arguments[0]) if arguments else _UTC_NOW)


FUNCTIONS = (
    plain("dateTimeAdd", 2, 3, _add),
    plain("dateTimeFromEpoch", 1, 1, _from_epoch),
    plain("dateTimeToEpoch", 1, 1, lambda value: int(_moment("dateTimeToEpoch", value).timestamp())),
    Function("utcNow", 0, 1, eager=_now),
)
