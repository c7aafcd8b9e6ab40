"""Check hourly data: what is wrong with it, all at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from bikeshare.schema import COLUMNS, KEY, NAMES, TARGET, Column


@dataclass(frozen=True)
class Finding:
    """Something wrong: the check, the column ("" for the table), how many rows, a sentence."""

    check: str
    column: str
    rows: int
    message: str

    def __str__(self) -> str:
        return self.message


class BadData(Exception):  # noqa: N818 - reads as what it is
    """Data that must not be used; `findings` says why."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(["The hourly data was refused:", *(f"- {finding}" for finding in findings)]))
        self.findings = findings


def find_problems(hours: pd.DataFrame) -> list[Finding]:
    """Everything that is wrong with a table of hours; an empty list when it is fit for use."""
    missing = [name for name in NAMES if name not in hours.columns]
    if missing:
        return [Finding("schema", name, len(hours), f"the column {name} is missing") for name in missing]
    if hours.empty:
        return [Finding("rows", "", 0, "there are no rows")]
    findings: list[Finding] = []
    for column in COLUMNS:
        findings += _column_problems(hours[column.name], column)
    return findings + list(_table_problems(hours))


def require_sound(hours: pd.DataFrame) -> pd.DataFrame:
    """The same table. Raises BadData when something is wrong with it."""
    findings = find_problems(hours)
    if findings:
        raise BadData(findings)
    return hours


def _column_problems(values: pd.Series, column: Column) -> Iterator[Finding]:
    nulls = int(values.isna().sum())
    if nulls:
        yield Finding("nulls", column.name, nulls, f"{column.name} is null in {nulls} rows")
    present = values.dropna()
    if column.kind == "date":
        bad = int(pd.to_datetime(present, errors="coerce").isna().sum())
        if bad:
            yield Finding("type", column.name, bad, f"{column.name} is no date in {bad} rows")
        return
    numbers = pd.to_numeric(present, errors="coerce")
    bad = int(numbers.isna().sum())
    if column.kind == "integer":
        bad += int((numbers.dropna() % 1 != 0).sum())
    if bad:
        yield Finding("type", column.name, bad, f"{column.name} is no {column.kind} in {bad} rows")
    low = float("-inf") if column.low is None else column.low
    high = float("inf") if column.high is None else column.high
    outside = int((~numbers.dropna().between(low, high)).sum())
    if outside:
        yield Finding("range", column.name, outside, f"{column.name} is outside {low:g} to {high:g} in {outside} rows")


def _table_problems(hours: pd.DataFrame) -> Iterator[Finding]:
    repeated = int(hours.duplicated(list(KEY)).sum())
    if repeated:
        yield Finding("duplicates", "", repeated, f"{repeated} rows repeat an hour that is there already")
    parts = [pd.to_numeric(hours[name], errors="coerce") for name in ("casual", "registered", TARGET)]
    wrong = int((parts[0] + parts[1] != parts[2]).sum())
    if wrong:
        yield Finding("sum", TARGET, wrong, f"casual and registered do not add up to {TARGET} in {wrong} rows")
