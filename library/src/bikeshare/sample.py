"""Made data of the same shape as the real one, for tests and for machines that do not have the real data.

The shape is that of the UCI bike-sharing set (doi:10.1007/s13748-013-0040-3): two peaks on working days, one broad hill on
others, more in summer and in good weather, growth from year to year, now and then an hour that is missing. The numbers
are invented.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from bikeshare.schema import COLUMNS, FIRST_DAY

# Mean rentals per hour of the day, from midnight on.
_WORKING = np.array(
    [37, 17, 9, 5, 5, 25, 102, 291, 477, 242, 135, 158, 201, 198, 184, 201, 293, 525, 492, 348, 250, 186, 138, 89]
)
_FREE = np.array(
    [91, 70, 53, 26, 8, 9, 19, 43, 106, 172, 256, 315, 366, 373, 365, 359, 353, 324, 281, 232, 175, 142, 116, 86]
)
_WEATHER = np.array([1.0, 0.9, 0.6, 0.4])  # what is left of the rentals, by weathersit
_WEATHER_SHARE = [0.657, 0.261, 0.0815, 0.0005]


def make_hours(days: int, seed: int) -> pd.DataFrame:
    """Hourly rows for `days` days from 1 January 2011 on, with the columns and types that pandas gives the real file.

    The same `seed` gives the same rows, and fewer days are the beginning of more days. Raises ValueError when `days`
    is negative.
    """
    if days < 0:
        raise ValueError(f"days must not be negative: {days}")
    made = [
        _make_day(FIRST_DAY + timedelta(days=number), np.random.default_rng([seed, number])) for number in range(days)
    ]
    names = [column.name for column in COLUMNS]
    if not made:
        return pd.DataFrame({name: pd.Series(dtype="float64") for name in names})
    hours = pd.concat([pd.DataFrame(day) for day in made], ignore_index=True)
    hours.insert(0, "instant", np.arange(1, len(hours) + 1))
    return hours[names]


def _make_day(day: date, random: np.random.Generator) -> dict[str, Any]:
    weekday = day.isoweekday() % 7
    holiday = int((day.month, day.day) in _HOLIDAYS)
    working = int(0 < weekday < 6 and not holiday)
    hour = np.arange(24)
    summer = 0.5 - 0.5 * np.cos(2 * np.pi * (day.timetuple().tm_yday - 20) / 365)
    warmth = summer + random.normal(0, 0.12) + 0.1 * np.sin(2 * np.pi * (hour - 9) / 24)
    temperature = np.clip(0.24 + 0.5 * warmth, 0.02, 1).round(2)
    weather = random.choice(4, p=_WEATHER_SHARE)
    weathersit = np.clip(weather + random.choice([-1, 0, 0, 0, 1], 24), 0, 2 if weather < 3 else 3) + 1
    growth = 0.75 * 1.6 ** ((day - FIRST_DAY).days / 365)
    mean = np.where(working, _WORKING, _FREE) * growth * (0.35 + 0.8 * temperature) * _WEATHER[weathersit - 1]
    count = np.maximum(1, random.poisson(mean * random.normal(1, 0.1, 24).clip(0.5, 1.5)))
    casual = random.binomial(count, 0.13 if working else 0.32)
    kept = np.sort(random.choice(24, 24 - random.choice([0, 0, 0, 0, 1]), replace=False))
    rows: dict[str, Any] = {
        "season": _season(day),
        "yr": day.year - FIRST_DAY.year,
        "mnth": day.month,
        "hr": hour,
        "holiday": holiday,
        "weekday": weekday,
        "workingday": working,
        "weathersit": weathersit,
        "temp": temperature,
        "atemp": np.clip(temperature * 0.93 + 0.015, 0, 1).round(4),
        "hum": np.clip(0.55 + 0.1 * weathersit + random.normal(-0.03, 0.1, 24), 0, 1).round(2),
        "windspeed": np.clip(random.gamma(2.4, 0.08, 24), 0, 1).round(4),
        "casual": casual,
        "registered": count - casual,
        "cnt": count,
    }
    rows = {name: np.broadcast_to(np.asarray(value), (24,))[kept] for name, value in rows.items()}
    return {"dteday": day.isoformat(), **rows}


# Holidays with a fixed date are enough for the shape.
_HOLIDAYS = {(1, 17), (2, 21), (4, 15), (5, 30), (7, 4), (9, 5), (10, 10), (11, 11), (11, 24), (12, 26)}


def _season(day: date) -> int:
    """1 winter, 2 spring, 3 summer, 4 autumn, by the day on which each begins."""
    begins = [(3, 21), (6, 21), (9, 23), (12, 21)]
    return sum((day.month, day.day) >= start for start in begins) % 4 + 1
