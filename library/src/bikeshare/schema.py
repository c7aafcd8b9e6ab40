"""The columns of the hourly data and what each may hold.

Source: the readme of the Bike Sharing Dataset (Fanaee-T and Gama, 2013).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["integer", "number", "date"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column. low and high are inclusive bounds; None: unbounded."""

    name: str
    kind: Kind
    low: float | None = None
    high: float | None = None

    @property
    def spark_type(self) -> str:
        """The type in a Spark DDL schema."""
        return {"integer": "int", "number": "double", "date": "date"}[self.kind]


COLUMNS = (
    Column(name="instant", kind="integer", low=1),
    Column(name="dteday", kind="date"),
    Column(name="season", kind="integer", low=1, high=4),
    Column(name="yr", kind="integer", low=0, high=1),
    Column(name="mnth", kind="integer", low=1, high=12),
    Column(name="hr", kind="integer", low=0, high=23),
    Column(name="holiday", kind="integer", low=0, high=1),
    Column(name="weekday", kind="integer", low=0, high=6),
    Column(name="workingday", kind="integer", low=0, high=1),
    Column(name="weathersit", kind="integer", low=1, high=4),
    Column(name="temp", kind="number", low=0, high=1),
    Column(name="atemp", kind="number", low=0, high=1),
    Column(name="hum", kind="number", low=0, high=1),
    Column(name="windspeed", kind="number", low=0, high=1),
    Column(name="casual", kind="integer", low=0),
    Column(name="registered", kind="integer", low=0),
    Column(name="cnt", kind="integer", low=0),
)
NAMES = tuple(column.name for column in COLUMNS)
KEY = ("dteday", "hr")
TARGET = "cnt"
# Not `casual` and `registered`: they add up to the target. Not `instant` and `dteday`: they only name the row.
FEATURES = (
    "season",
    "yr",
    "mnth",
    "hr",
    "holiday",
    "weekday",
    "workingday",
    "weathersit",
    "temp",
    "atemp",
    "hum",
    "windspeed",
)


def spark_schema() -> str:
    """The schema for `spark.read.schema(...)`."""
    return ", ".join(f"{column.name} {column.spark_type}" for column in COLUMNS)
