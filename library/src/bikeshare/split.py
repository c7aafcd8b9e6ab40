"""Which part an hour belongs to: train, test or holdout.

The part follows from the hour's key alone, by a hash: it does not depend on the order of rows, on how Spark cuts them, on
which other rows are there, or on the versions of any library. More data leaves every hour in the part where it was.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from bikeshare.schema import KEY

if TYPE_CHECKING:
    from pyspark.sql import DataFrame as SparkFrame

PARTS = ("train", "test", "holdout")
PART = "part"


@dataclass(frozen=True)
class Shares:
    """What part of the hours is for training and for testing; what is left is the holdout, which training never sees.

    Raises ValueError when a share is negative, or both together are more than 1.
    """

    train: float = 0.7
    test: float = 0.15

    def __post_init__(self) -> None:
        whole = self.train + self.test
        if not (math.isfinite(whole) and self.train >= 0 and self.test >= 0 and whole <= 1):
            raise ValueError(f"shares must not be negative, and at most 1 together: {self.train}, {self.test}")


def part_of(day: date | str, hour: int, shares: Shares = Shares(), salt: str = "") -> str:
    """The part of one hour. day: a date, or its text such as 2011-01-31. salt: another text gives another split."""
    digest = hashlib.blake2b(f"{salt}|{key_text(day, hour)}".encode(), digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64
    if place < shares.train:
        return "train"
    return "test" if place < shares.train + shares.test else "holdout"


def key_text(day: date | str, hour: int) -> str:
    """An hour's key as one text. Raises ValueError when `day` is no date."""
    if isinstance(day, str):
        day = date.fromisoformat(day)
    if isinstance(day, datetime):
        day = day.date()
    return f"{day.isoformat()}T{int(hour):02d}"


def parts(hours: pd.DataFrame, shares: Shares = Shares(), salt: str = "") -> pd.Series[Any]:
    """The part of each row, with the frame's own index."""
    found = [part_of(day, hour, shares, salt) for day, hour in zip(*_keys(hours), strict=True)]
    return pd.Series(found, index=hours.index, dtype=object, name=PART)


def fingerprint(hours: pd.DataFrame) -> str:
    """A hash of which hours are in a frame, whatever their order: two frames with the same hours have the same one."""
    texts = sorted(key_text(day, hour) for day, hour in zip(*_keys(hours), strict=True))
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def with_parts(hours: SparkFrame, shares: Shares = Shares(), salt: str = "") -> SparkFrame:
    """A Spark frame with one more column, `part`, computed where its partitions lie."""

    def add(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            yield batch.assign(**{PART: parts(batch, shares, salt)})

    types = ", ".join(f"`{field.name}` {field.dataType.simpleString()}" for field in hours.schema.fields)
    return hours.mapInPandas(add, f"{types}, {PART} string")


def _keys(hours: pd.DataFrame) -> tuple[list[Any], list[Any]]:
    return hours[KEY[0]].tolist(), hours[KEY[1]].tolist()
