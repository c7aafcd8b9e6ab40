"""Text as .NET formats it: format() and dates, with the invariant culture (learn.microsoft.com/dotnet/standard/base-types)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rehearsal.resource_manager.template.errors import ExpressionError
from rehearsal.resource_manager.template.values import compact

Json = Any
_ITEM = re.compile(r"\{\{|\}\}|\{(\d+)(?:,\s*(-?\d+))?(?::([^{}]*))?\}|[{}]")
_DATE = re.compile(
    r"\\.|'[^']*'|\"[^\"]*\"|%.|yyyy|yyy|yy|y|MMMM|MMM|MM|M|dddd|ddd|dd|d|HH|H|hh|h|mm|m|ss|s|f+|F+|tt|t|zzz|zz|z|K"
)
_STANDARD_DATES = {
    "d": "MM/dd/yyyy",
    "D": "dddd, dd MMMM yyyy",
    "t": "HH:mm",
    "T": "HH:mm:ss",
    "f": "dddd, dd MMMM yyyy HH:mm",
    "F": "dddd, dd MMMM yyyy HH:mm:ss",
    "g": "MM/dd/yyyy HH:mm",
    "G": "MM/dd/yyyy HH:mm:ss",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ssZ",
    "o": "yyyy-MM-ddTHH:mm:ss.fffffffZ",
    "O": "yyyy-MM-ddTHH:mm:ss.fffffffZ",
    "r": "ddd, dd MMM yyyy HH:mm:ss GMT",
    "R": "ddd, dd MMM yyyy HH:mm:ss GMT",
    "y": "yyyy MMMM",
    "Y": "yyyy MMMM",
    "m": "MMMM dd",
    "M": "MMMM dd",
}
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def composite_format(template: str, arguments: Sequence[Json]) -> str:
    """format(): `{0}`, `{0,10}`, `{0:N0}`. Raises ExpressionError for an index without argument or a broken item."""

    def replace(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        if match[1] is None:
            raise ExpressionError("Unable to evaluate the template language function 'format'. The format is invalid.")
        index = int(match[1])
        if index >= len(arguments):
            raise ExpressionError(
                "Unable to evaluate the template language function 'format'. The format is invalid: 'Index (zero based) "
                "must be greater than or equal to zero and less than the size of the argument list.'."
            )
        written = _one(arguments[index], match[3] or "")
        width = int(match[2] or 0)
        return written.rjust(width) if width >= 0 else written.ljust(-width)

    return _ITEM.sub(replace, template)


def _one(value: Json, form: str) -> str:
    if isinstance(value, bool):
        return "True" if value else "False"
    if value is None:
        return ""
    if isinstance(value, int):
        return _integer(value, form) if form else str(value)
    if isinstance(value, list | dict):
        # The service writes objects inside a text with single quotes.
        return compact(value).replace("'", "\\'").replace('"', "'")
    return str(value)


def _integer(value: int, form: str) -> str:
    kind, digits = form[0].upper(), form[1:]
    size = int(digits) if digits.isdigit() else None
    if not digits or size is not None:
        if kind == "N":
            return f"{value:,.{2 if size is None else size}f}"
        if kind == "F":
            return f"{value:.{2 if size is None else size}f}"
        if kind == "D":
            return f"{'-' if value < 0 else ''}{abs(value):0{size or 1}d}"
        if kind == "X":
            written = f"{value & (2**64 - 1) if value < 0 else value:0{size or 1}x}"
            return written if form[0] == "x" else written.upper()
        if kind == "P":
            return f"{value * 100:,.{2 if size is None else size}f} %"
        if kind == "G":
            return str(value)
    if re.fullmatch("0+", form):
        return f"{value:0{len(form)}d}"
    raise ExpressionError(f"The number format '{form}' is not part of this rehearsal.")


def format_date(moment: datetime, form: str) -> str:
    """A moment in UTC in a .NET date format, standard (one letter) or custom."""
    form = _STANDARD_DATES.get(form, form) if len(form) == 1 else form
    return _DATE.sub(lambda match: _date_part(match[0], moment), form)


def _date_part(part: str, moment: datetime) -> str:
    if part[0] == "\\":
        return part[1:]
    if part[0] in "'\"":
        return part[1:-1]
    if part[0] == "%":
        return _date_part(part[1], moment)
    if part[0] in "fF":
        digits = f"{moment.microsecond:06d}0"[: len(part)]
        return digits if part[0] == "f" else digits.rstrip("0")
    hour = moment.hour % 12 or 12
    month = _MONTHS[moment.month - 1]
    half = "AM" if moment.hour < 12 else "PM"
    parts = {
        "yyyy": f"{moment.year:04d}", "yyy": f"{moment.year:03d}", "yy": f"{moment.year % 100:02d}", "y": str(moment.year % 100),
        "MMMM": month, "MMM": month[:3], "MM": f"{moment.month:02d}", "M": str(moment.month),
        "dddd": _DAYS[moment.weekday()], "ddd": _DAYS[moment.weekday()][:3], "dd": f"{moment.day:02d}", "d": str(moment.day),
        "HH": f"{moment.hour:02d}", "H": str(moment.hour), "hh": f"{hour:02d}", "h": str(hour),
        "mm": f"{moment.minute:02d}", "m": str(moment.minute), "ss": f"{moment.second:02d}", "s": str(moment.second),
        "tt": half, "t": half[0], "zzz": "+00:00", "zz": "+00", "z": "+0", "K": "Z",
    }  # fmt: skip
    return parts[part]
