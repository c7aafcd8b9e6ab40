"""The columns of the hourly data and what may be in them.

Names and meanings are those of the UCI bike-sharing set, file hour.csv (doi:10.1007/s13748-013-0040-3).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

FIRST_DAY = date(2011, 1, 1)
_MOST = 2**31 - 1  # of a 32-bit integer, which is what whole numbers become


@dataclass(frozen=True)
class Column:
    """low and high: the smallest and the largest allowed value; of a date they are not used."""

    name: str
    kind: Literal["date", "whole", "fraction"]
    meaning: str
    low: float = 0
    high: float = 1

    @property
    def spark_type(self) -> str:
        return {"date": "DATE", "whole": "INT", "fraction": "DOUBLE"}[self.kind]


COLUMNS = (
    Column("instant", "whole", "number of the row", 1, _MOST),
    Column("dteday", "date", "day"),
    Column("season", "whole", "1 winter, 2 spring, 3 summer, 4 autumn", 1, 4),
    Column("yr", "whole", "years since 2011", 0, 9999 - FIRST_DAY.year),
    Column("mnth", "whole", "month", 1, 12),
    Column("hr", "whole", "hour of the day", 0, 23),
    Column("holiday", "whole", "1 on a holiday"),
    Column("weekday", "whole", "0 on Sunday", 0, 6),
    Column("workingday", "whole", "1 on a day that is neither weekend nor holiday"),
    Column("weathersit", "whole", "1 clear, 2 mist, 3 light rain or snow, 4 heavy", 1, 4),
    Column("temp", "fraction", "temperature, normalised"),
    Column("atemp", "fraction", "temperature as felt, normalised"),
    Column("hum", "fraction", "humidity, normalised"),
    Column("windspeed", "fraction", "wind speed, normalised"),
    Column("casual", "whole", "rentals by casual users", 0, _MOST),
    Column("registered", "whole", "rentals by registered users", 0, _MOST),
    Column("cnt", "whole", "all rentals of the hour", 0, _MOST),
)

# What tells one row from every other.
KEY = ("dteday", "hr")
TARGET = "cnt"
# They add up to the target, so a model that saw them would know the answer.
LEAKS = ("casual", "registered")
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
