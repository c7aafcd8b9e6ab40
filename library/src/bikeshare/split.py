"""Split hours into train, test and holdout, the same way every time: by a hash of the hour, not by chance or by order."""

from __future__ import annotations

from hashlib import sha256

import pandas as pd

TRAIN, TEST, HOLDOUT = "train", "test", "holdout"
# Per mille of all hours.
TRAIN_SHARE, TEST_SHARE = 700, 200


def part_of(day: str, hour: int) -> str:
    """The part that an hour belongs to. day: ISO date. The same hour is always in the same part, whatever else is there."""
    bucket = int.from_bytes(sha256(f"{day}T{hour:02d}".encode()).digest()[:4], "big") % 1000
    if bucket < TRAIN_SHARE:
        return TRAIN
    return TEST if bucket < TRAIN_SHARE + TEST_SHARE else HOLDOUT


def with_part(hours: pd.DataFrame) -> pd.DataFrame:
    """A copy with a column `part`. Needs `dteday` and `hr`."""
    days = pd.to_datetime(hours["dteday"]).dt.strftime("%Y-%m-%d")
    parts = [part_of(day, int(hour)) for day, hour in zip(days, hours["hr"], strict=True)]
    return hours.assign(part=parts)
