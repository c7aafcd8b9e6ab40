"""Train a model of the demand, measure it, and carry it from one notebook to the next."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import pandas as pd
import sklearn
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_squared_error, r2_score

from bikeshare.schema import FEATURES, TARGET

FORMAT = 1
MINIMUM_ROWS = 50


class ModelMismatch(Exception):  # noqa: N818
    """A stored model that this version of the library must not load."""


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """How well a model does: errors in rentals an hour, R2 without unit; `baseline_rmse` is that of always saying the mean."""

    rows: int
    rmse: float
    mae: float
    r2: float
    baseline_rmse: float

    def as_row(self) -> dict[str, float]:
        return {name: float(getattr(self, name)) for name in ("rows", "rmse", "mae", "r2", "baseline_rmse")}


@dataclass(frozen=True, kw_only=True)
class Model:
    """A fitted regressor and the mean of what it was trained on."""

    regressor: Any
    train_mean: float

    def predict(self, hours: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Rentals for each hour, never below zero. Needs the columns of FEATURES."""
        predicted = np.asarray(self.regressor.predict(hours[list(FEATURES)].astype(float)), dtype=np.float64)
        return predicted.clip(min=0.0)


def train(hours: pd.DataFrame, *, seed: int = 0, settings: Mapping[str, Any] | None = None) -> Model:
    """Fit a model. settings: for scikit-learn's HistGradientBoostingRegressor. Raises ValueError for too few rows."""
    if len(hours) < MINIMUM_ROWS:
        raise ValueError(f"{len(hours)} rows are too few to train on; at least {MINIMUM_ROWS} are needed")
    options = {"max_iter": 200, "learning_rate": 0.1, "random_state": seed, **(settings or {})}
    regressor = HistGradientBoostingRegressor(**options)
    regressor.fit(hours[list(FEATURES)].astype(float), hours[TARGET].astype(float))
    return Model(regressor=regressor, train_mean=float(hours[TARGET].mean()))


def measure(model: Model, hours: pd.DataFrame) -> Metrics:
    """The model's metrics on hours that it was not trained on. Raises ValueError for an empty table."""
    if hours.empty:
        raise ValueError("there are no rows to measure on")
    actual = hours[TARGET].to_numpy(dtype=float)
    predicted = model.predict(hours)
    baseline = np.full_like(actual, model.train_mean)
    return Metrics(
        rows=len(hours),
        rmse=float(np.sqrt(mean_squared_error(actual, predicted))),
        mae=float(np.abs(actual - predicted).mean()),
        r2=float(r2_score(actual, predicted)) if len(hours) > 1 else 0.0,
        baseline_rmse=float(np.sqrt(mean_squared_error(actual, baseline))),
    )


def dump(model: Model) -> str:
    """The model as text, to be kept in a table. Load it only from a place that you trust: it is a pickle."""
    buffer = io.BytesIO()
    content = {
        "format": FORMAT,
        "scikit_learn": sklearn.__version__,
        "regressor": model.regressor,
        "train_mean": model.train_mean,
    }
    joblib.dump(content, buffer, compress=3)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def load(text: str) -> Model:
    """The model that `dump` wrote. Raises ModelMismatch for another format or another scikit-learn (major and minor)."""
    content = joblib.load(io.BytesIO(base64.b64decode(text)))
    if content.get("format") != FORMAT:
        raise ModelMismatch(f"the model has format {content.get('format')} and this library reads format {FORMAT}")
    if content["scikit_learn"].split(".")[:2] != sklearn.__version__.split(".")[:2]:
        raise ModelMismatch(
            f"the model was written with scikit-learn {content['scikit_learn']} and this is {sklearn.__version__}; train it again"
        )
    return Model(regressor=content["regressor"], train_mean=content["train_mean"])
