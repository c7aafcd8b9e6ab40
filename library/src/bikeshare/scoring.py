"""Score hours on a cluster: each partition on its own, so that more workers score more data with no change here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import pandas as pd

from bikeshare.model import load

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

RESULT_SCHEMA = "dteday date, hr int, predicted double"


def scorer(model_text: str) -> Callable[[Iterable[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The function for `mapInPandas`. Each worker loads the model once for all of its batches."""

    def score_batches(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        model = load(model_text)
        for batch in batches:
            if not batch.empty:
                yield batch[["dteday", "hr"]].assign(predicted=model.predict(batch))

    return score_batches


def score(hours: DataFrame, model_text: str) -> DataFrame:
    """Predictions for every row of a Spark table of hours: day, hour, rentals."""
    return hours.mapInPandas(scorer(model_text), schema=RESULT_SCHEMA)
