"""Hourly data of the real one's shape, made from a seed: for tests, and where the real data is not at hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bikeshare.schema import NAMES

FIRST_DAY = "2011-01-01"
# Rentals follow the hours of work on working days, and the afternoon on others.
_WORKDAY = (2, 1, 1, 1, 1, 3, 9, 25, 38, 18, 14, 16, 20, 20, 19, 22, 34, 50, 46, 32, 23, 17, 12, 7)
_WEEKEND = (9, 7, 6, 3, 1, 1, 2, 4, 10, 17, 25, 31, 36, 37, 36, 35, 33, 29, 24, 18, 14, 11, 8, 5)


def make_hours(days: int, seed: int) -> pd.DataFrame:
    """`days` whole days from 2011-01-01 on. The same arguments give the same table. Raises ValueError for days < 1."""
    if days < 1:
        raise ValueError(f"{days} days make no data")
    chance = np.random.default_rng(seed)
    moments = pd.date_range(FIRST_DAY, periods=days * 24, freq="h")
    hour, month = moments.hour.to_numpy(), moments.month.to_numpy()
    weekday = (moments.dayofweek.to_numpy() + 1) % 7
    working = ((weekday > 0) & (weekday < 6)).astype(int)
    season_wave = np.sin((moments.dayofyear.to_numpy() - 100) / 365 * 2 * np.pi)
    temperature = np.clip(
        0.5 + 0.3 * season_wave + 0.06 * np.sin((hour - 9) / 24 * 2 * np.pi) + chance.normal(0, 0.05, len(hour)),
        0.02,
        1,
    )
    weather = np.repeat(chance.choice([1, 2, 3], size=days, p=[0.66, 0.26, 0.08]), 24)
    year = np.minimum(moments.year.to_numpy() - 2011, 1)
    pattern = np.where(working == 1, np.array(_WORKDAY)[hour], np.array(_WEEKEND)[hour])
    expected = pattern * 8 * (0.35 + temperature) * (1 + 0.6 * year) * np.array([1.0, 0.85, 0.45])[weather - 1]
    count = chance.poisson(np.maximum(expected, 0.5))
    casual = np.minimum(count, (count * np.where(working == 1, 0.12, 0.35)).astype(int))
    table = pd.DataFrame(
        {
            "instant": np.arange(1, len(hour) + 1),
            "dteday": moments.strftime("%Y-%m-%d"),
            "season": (month % 12) // 3 + 1,
            "yr": year,
            "mnth": month,
            "hr": hour,
            "holiday": 0,
            "weekday": weekday,
            "workingday": working,
            "weathersit": weather,
            "temp": temperature.round(2),
            "atemp": np.clip(temperature * 0.95 + 0.01, 0, 1).round(4),
            "hum": np.clip(0.62 - 0.15 * season_wave + chance.normal(0, 0.12, len(hour)), 0, 1).round(2),
            "windspeed": np.clip(chance.gamma(2.2, 0.085, len(hour)), 0, 1).round(4),
            "casual": casual,
            "registered": count - casual,
            "cnt": count,
        }
    )
    return table[list(NAMES)]
