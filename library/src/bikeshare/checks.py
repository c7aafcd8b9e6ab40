"""What is wrong with hourly data, all at once and as data.

The same rules look at a pandas frame on one machine (`find_problems`) and at a Spark frame on many
(`find_problems_in_spark`). Values may be text, as a CSV file is read without a schema, or have types already. A text must
be written the way Spark's CAST takes it: whole numbers as digits, dates as 2011-01-31, no blanks around.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from bikeshare.schema import COLUMNS, FIRST_DAY, KEY, LEAKS, TARGET, Column

if TYPE_CHECKING:
    from pyspark.sql import DataFrame as SparkFrame

Values = NDArray[Any]

_PATTERNS = {
    "whole": re.compile(r"[+-]?[0-9]+"),
    "fraction": re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"),
    "date": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
}
_NAMES = {"whole": "a whole number", "fraction": "a number", "date": "a date such as 2011-01-31"}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    check: schema, null, type, range, consistency or duplicate. column: one column, or several with commas between.
    rows: how many rows have it; 0 when it is about the columns themselves. example: one of them, in words.
    """

    check: str
    column: str
    rows: int
    example: str

    def __str__(self) -> str:
        number = f"{self.rows} row{'s' * (self.rows != 1)}: " if self.rows else ""
        return f"{self.column} ({self.check}): {number}{self.example}"


_NO_ROWS = Finding("schema", "all", 0, "there are no rows")


class UnusableData(ValueError):
    """Hourly data that has findings; the text lists them all."""

    def __init__(self, findings: Sequence[Finding], source: str = "the hourly data") -> None:
        self.findings = tuple(findings)
        lines = "".join(f"\n- {finding}" for finding in self.findings)
        super().__init__(f"{source} can't be used, {len(self.findings)} finding{'s' * (len(findings) != 1)}:{lines}")


def find_problems(hours: pd.DataFrame) -> list[Finding]:
    """Everything that is wrong with a frame; an empty list when nothing is."""
    empty = [_NO_ROWS] if hours.empty else []
    return [*find_in_columns(hours.columns), *empty, *find_in_rows(hours), *_duplicates(hours)]


def find_problems_in_spark(hours: SparkFrame) -> list[Finding]:
    """The same for a Spark frame, looked at where its partitions lie; only findings come to the driver."""
    schema = "check string, column string, rows long, example string"
    known = [column.name for column in COLUMNS if column.name in hours.columns]
    findings = find_in_columns(hours.columns)
    if not hours.take(1):
        return [*findings, _NO_ROWS]
    if known:
        partial = hours.select(*known).mapInPandas(_rows_in_batches, schema)
        findings += merged(Finding(*row) for row in partial.collect())
    if set(KEY) <= set(known):
        findings += _duplicates_in_spark(hours)
    return findings


def find_in_columns(names: Iterable[str]) -> list[Finding]:
    """Columns that are missing or there twice. Columns that the data does not need are no finding: they are not read."""
    given = list(names)
    missing = [Finding("schema", c.name, 0, "there is no such column") for c in COLUMNS if c.name not in given]
    twice = [Finding("schema", c.name, 0, "there more than once") for c in COLUMNS if given.count(c.name) > 1]
    return missing + twice


def find_in_rows(hours: pd.DataFrame) -> list[Finding]:
    """What can be seen in each row by itself: nulls, types, ranges, and values that contradict each other."""
    hours = hours.loc[:, ~hours.columns.duplicated()]
    values: dict[str, Values] = {}
    findings: list[Finding] = []
    for column in COLUMNS:
        if column.name in hours:
            values[column.name], found = _look_at(column, hours)
            findings += found
    return findings + list(_contradictions(hours, values))


def _look_at(column: Column, hours: pd.DataFrame) -> tuple[Values, list[Finding]]:
    """A column's values, NaN or NaT where they are unusable, and what is wrong with them."""
    raw = hours[column.name]
    null = raw.isna().to_numpy() | np.array([value == "" for value in raw.tolist()], dtype=bool)
    low: Any = column.low
    high: Any = column.high
    unusable: Any = np.nan
    if column.kind == "date":
        values, low, high = _dates(raw), np.datetime64(FIRST_DAY), np.datetime64("9999-12-31")
        wanted, unusable = f"from {FIRST_DAY} on", np.datetime64("NaT", "D")
    else:
        values = _numbers(raw, column.kind)
        wanted = f"from {low:g} to {high:g}" if high < 10_000 else f"{low:g} or more"
    unreadable = pd.isna(values) & ~null
    outside = (values < low) | (values > high)
    findings = [
        _finding("null", column.name, null, hours, "no value"),
        _finding("type", column.name, unreadable, hours, f"is not {_NAMES[column.kind]}", raw),
        _finding("range", column.name, outside, hours, f"is not {wanted}", raw),
    ]
    values[outside] = unusable
    return values, [finding for finding in findings if finding is not None]


def _numbers(raw: pd.Series[Any], kind: str) -> Values:
    numbers: Values
    if is_numeric_dtype(raw.dtype):
        numbers = raw.astype("float64").to_numpy(copy=True)
    else:
        fits = _PATTERNS[kind].fullmatch
        texts = (_text(value) for value in raw.tolist())
        numbers = np.array([float(text) if fits(text) else np.nan for text in texts], dtype="float64")
    if kind == "whole":
        with np.errstate(invalid="ignore"):  # infinity has no remainder
            numbers[numbers % 1 != 0] = np.nan
    return numbers


def _dates(raw: pd.Series[Any]) -> Values:
    return np.array([_day(_text(value)) for value in raw.tolist()], dtype="datetime64[D]")


def _day(text: str) -> date | None:
    if not _PATTERNS["date"].fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:  # such as 30 February
        return None


def _text(value: Any) -> str:
    """A value as the CSV file has it; a time at midnight is a day. Null becomes a text that no pattern matches."""
    if isinstance(value, date):
        return str(value).removesuffix(" 00:00:00")
    return str(value)


def _contradictions(hours: pd.DataFrame, values: dict[str, Values]) -> Iterator[Finding]:
    """Values that can't be right together; a row counts only where all of them are usable."""

    def both(wrong: Values, columns: Sequence[str], text: str) -> Iterator[Finding]:
        usable = np.logical_and.reduce([~pd.isna(values[name]) for name in columns])
        found = _finding("consistency", ", ".join(columns), wrong & usable, hours, text)
        if found is not None:
            yield found

    if values.keys() >= {*LEAKS, TARGET}:
        wrong = values["casual"] + values["registered"] != values[TARGET]
        yield from both(wrong, (*LEAKS, TARGET), "casual and registered do not add up to cnt")
    if "dteday" not in values:
        return
    days = values["dteday"]
    months = days.astype("datetime64[M]").astype("int64")  # from January 1970 on, as years and days are
    rules = {
        "yr": days.astype("datetime64[Y]").astype("int64") + 1970 - FIRST_DAY.year,
        "mnth": months % 12 + 1,
        "weekday": (days.astype("int64") + 4) % 7,  # 1 January 1970 was a Thursday
    }
    for name, expected in rules.items():
        if name in values:
            yield from both(values[name] != expected, ("dteday", name), f"{name} is not that of the day")


def _duplicates(hours: pd.DataFrame) -> list[Finding]:
    if not set(KEY) <= set(hours.columns):
        return []
    keys = hours.loc[:, ~hours.columns.duplicated()][list(KEY)].dropna()
    again = keys[keys.duplicated(keep="first")]
    if again.empty:
        return []
    day, hour = again.iloc[0]
    return [_duplicate(len(again), _text(day), hour)]


def _duplicates_in_spark(hours: SparkFrame) -> list[Finding]:
    again = hours.where("dteday IS NOT NULL AND hr IS NOT NULL").groupBy(*KEY).count().where("count > 1")
    row = again.selectExpr("sum(count - 1) AS rows", "min(struct(dteday, hr)) AS first").collect()[0]
    return [_duplicate(int(row["rows"]), row["first"]["dteday"], row["first"]["hr"])] if row["rows"] else []


def _duplicate(rows: int, day: Any, hour: Any) -> Finding:
    return Finding("duplicate", ", ".join(KEY), rows, f"there before, for example {day} hour {hour}")


def _finding(
    check: str, column: str, wrong: Values, hours: pd.DataFrame, text: str, raw: pd.Series[Any] | None = None
) -> Finding | None:
    rows = int(wrong.sum())
    if not rows:
        return None
    first = int(wrong.argmax())
    where = " ".join(f"{name} {_short(_text(hours[name].iloc[first]))}" for name in KEY if name in hours)
    value = "" if raw is None else f"{_quoted(raw.iloc[first])} "
    return Finding(check, column, rows, f"{value}{text}{', for example at ' + where if where else ''}")


def _quoted(value: Any) -> str:
    return _short(repr(value) if isinstance(value, str) else _text(value))


def _short(text: str) -> str:
    """A text for a message, never long."""
    return text if len(text) <= 40 else text[:37] + "..."


def _rows_in_batches(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    names = ["check", "column", "rows", "example"]
    for batch in batches:
        yield pd.DataFrame([asdict(finding) for finding in find_in_rows(batch)], columns=names).astype(
            {"rows": "int64"}
        )


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Findings of parts as findings of the whole: rows added up; the example does not depend on how it was cut."""
    together: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        known = together.setdefault((finding.check, finding.column), finding)
        if known is not finding:
            example = min(known.example, finding.example)
            together[finding.check, finding.column] = Finding(
                finding.check, finding.column, known.rows + finding.rows, example
            )
    return sorted(together.values(), key=lambda finding: (finding.check, finding.column))
