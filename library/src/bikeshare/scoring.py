"""Scoring: predictions for any number of hours, each partition where it lies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pandas as pd

from bikeshare.model import Model, predict
from bikeshare.model_file import describe, dumps, loads
from bikeshare.schema import KEY

if TYPE_CHECKING:
    from pyspark.sql import DataFrame as SparkFrame

PREDICTION = "prediction"
SCHEMA = f"dteday date, hr int, {PREDICTION} double"


def score(hours: SparkFrame, model: Model | bytes) -> SparkFrame:
    """One prediction, in rentals, for each hour: columns `dteday`, `hr`, `prediction`.

    The work is spread over the frame's partitions, so a bigger cluster scores more with no change; nothing comes to
    the driver. model: fitted, or the bytes of `model_file.dumps`. Raises UnusableModel when the bytes are no model,
    ValueError when a column is missing.
    """
    data = dumps(model) if isinstance(model, Model) else model
    needed = [*dict.fromkeys((*KEY, *describe(data)["features"]))]
    missing = [name for name in needed if name not in hours.columns]
    if missing:
        raise ValueError(f"the hours to score have no column {', '.join(missing)}")

    def of_partition(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        return score_batches(batches, data)

    return hours.select(*needed).mapInPandas(of_partition, SCHEMA)


def score_batches(batches: Iterable[pd.DataFrame], model: Model | bytes) -> Iterator[pd.DataFrame]:
    """What runs on each partition: one frame of predictions for each frame of hours; the model is loaded once."""
    fitted = loads(model) if isinstance(model, bytes) else model
    for batch in batches:
        yield batch[list(KEY)].assign(**{PREDICTION: predict(fitted, batch)})
