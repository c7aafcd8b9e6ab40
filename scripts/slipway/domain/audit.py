"""The audit: a row for each thing that happened to an environment, and the rows that wait in its state (the spool).

A row is put into the state by the same compare-and-swap that makes the change it tells of, so none of them is without the
other. The end of a step writes what waits to the table and takes it out of the state. A step that is killed in between
leaves rows to the next one, which may write a row a second time: readers take each id once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields, replace

from slipway.domain.codec import Instant, instant_to_text

CONTAINER = "audit"
"""Of the state account: no environment may have its state there."""
TABLE = "releases"
ACTIONS = (
    "claim",
    "publish",
    "candidate",
    "test",
    "switch",
    "revert",
    "rollback",
    "import",
    "adopt",
    "freeze",
    "watch",
    "rebuild",
)
SPOOL = 300
"""Rows that wait in the state at most; the oldest make room, with a warning that holds them."""
_DETAIL = 500
"""Characters of a row's detail at most."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One thing that happened. `seconds`: how long it took; `link`: the run's page, or where it was done by hand."""

    id: str
    time: Instant
    app: str
    environment: str
    release: str = ""
    commit: str = ""
    link: str = ""
    who: str = ""
    action: str
    from_slot: str = ""
    to_slot: str = ""
    manifest: str = ""
    result: str
    seconds: float | None = None
    detail: str = ""


COLUMNS: dict[str, str] = {
    field.name: {"time": "timestamp", "seconds": "double"}.get(field.name, "string") for field in fields(Row)
}
"""The table's columns, in order, with their Delta types."""
REQUIRED = ("id", "time", "app", "environment", "action", "result")
"""Columns that are never null."""


def shortened(detail: str) -> str:
    """One line, as long as a row's detail may be."""
    line = " ".join(detail.split())
    return line if len(line) <= _DETAIL else line[: _DETAIL - 1] + "…"


def spool(waiting: tuple[Row, ...], row: Row) -> tuple[Row, ...]:
    """What waits, with `row` behind it, also in time: the storage's clock ticks in seconds. The oldest are left out where
    they are too many."""
    if waiting and row.time <= waiting[-1].time:
        row = replace(row, time=round(waiting[-1].time + 0.001, 3))
    return (*waiting, row)[-SPOOL:]


def crowded_out(waiting: tuple[Row, ...]) -> tuple[Row, ...]:
    """The rows that go when one more is spooled."""
    return waiting[: max(0, len(waiting) + 1 - SPOOL)]


def without(waiting: tuple[Row, ...], ids: Collection[str]) -> tuple[Row, ...]:
    return tuple(row for row in waiting if row.id not in ids)


def each_once(rows: Iterable[Row]) -> list[Row]:
    """Oldest first, every id once."""
    return sorted({row.id: row for row in rows}.values(), key=lambda row: (row.time, row.id))


def as_line(row: Row) -> str:
    """A row for a log."""
    return "; ".join(
        f"{name}={instant_to_text(value) if name == 'time' else value}"
        for name in COLUMNS
        if (value := getattr(row, name)) not in ("", None)
    )
