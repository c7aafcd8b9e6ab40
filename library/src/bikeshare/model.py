"""The model: what kinds there are, how one is fitted, and how good it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from bikeshare.schema import FEATURES, LEAKS, TARGET
from bikeshare.split import fingerprint

_CATEGORIES = ("season", "mnth", "hr", "weekday", "weathersit")


def _boosted_trees(_features: Sequence[str], seed: int) -> Any:
    # Rentals are counts: with Poisson's loss the prediction is never negative.
    return HistGradientBoostingRegressor(
        loss="poisson", learning_rate=0.15, max_iter=100, early_stopping=False, random_state=seed
    )


def _linear(features: Sequence[str], seed: int) -> Any:
    categories = [name for name in features if name in _CATEGORIES]
    encode = ColumnTransformer(
        [("categories", OneHotEncoder(handle_unknown="ignore"), categories)], remainder="passthrough"
    )
    return make_pipeline(encode, Ridge(random_state=seed))


def _mean(_features: Sequence[str], _seed: int) -> Any:
    return DummyRegressor(strategy="mean")


KINDS: Mapping[str, Callable[[Sequence[str], int], Any]] = {
    "boosted_trees": _boosted_trees,
    "linear": _linear,
    "mean": _mean,  # what any other kind must beat
}


def make_estimator(kind: str, features: Sequence[str] = FEATURES, seed: int = 0) -> Any:
    """A scikit-learn estimator that is not fitted yet.

    Raises ValueError for a kind that is not in KINDS, no features, or a feature that gives the target away.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no model {kind!r}; there are {', '.join(KINDS)}")
    leaks = [name for name in features if name in (TARGET, *LEAKS)]
    if leaks:
        raise ValueError(f"{', '.join(leaks)} would tell the model the answer: {TARGET} is made of it")
    if not features:
        raise ValueError("a model needs at least one feature")
    return KINDS[kind](features, seed)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A fitted model. fitted_hours: how many hours it was fitted on; fitted_fingerprint: which (`split.fingerprint`)."""

    estimator: Any
    kind: str
    features: tuple[str, ...]
    fitted_hours: int
    fitted_fingerprint: str


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """How good predictions are. rmse, mae: in rentals per hour; r2: 1 is perfect, 0 is no better than the mean.

    Where the target does not vary, r2 is 1 for perfect predictions and 0 for others, as scikit-learn has it.
    """

    hours: int
    rmse: float
    mae: float
    r2: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def fit(hours: pd.DataFrame, kind: str = "boosted_trees", features: Sequence[str] = FEATURES, seed: int = 0) -> Model:
    """A model fitted on these hours; the same hours in any order, and the same seed, give the same model.

    Raises ValueError when there are no hours, or what `make_estimator` and scikit-learn raise.
    """
    estimator = make_estimator(kind, features, seed)
    if hours.empty:
        raise ValueError("there are no hours to fit a model on")
    hours = hours.sort_values(["dteday", "hr"], kind="stable")
    estimator.fit(hours[list(features)], hours[TARGET].astype("float64"))
    return Model(
        estimator=estimator,
        kind=kind,
        features=tuple(features),
        fitted_hours=len(hours),
        fitted_fingerprint=fingerprint(hours),
    )


def predict(model: Model, hours: pd.DataFrame) -> NDArray[np.float64]:
    """Rentals for each row, never below 0. Raises KeyError when a feature is not there."""
    if hours.empty:
        return np.empty(0)
    predicted = np.asarray(model.estimator.predict(hours[list(model.features)]), dtype="float64")
    return predicted.clip(min=0.0)


def evaluate(model: Model, hours: pd.DataFrame) -> Metrics:
    """How well a model predicts these hours. Raises ValueError when there are none."""
    return measure(hours[TARGET].to_numpy(), predict(model, hours))


def measure(actual: NDArray[Any], predicted: NDArray[Any]) -> Metrics:
    """The metrics of predictions. Raises ValueError when there are none, they are not as many, or one is not finite."""
    actual, predicted = np.asarray(actual, dtype="float64"), np.asarray(predicted, dtype="float64")
    if actual.shape != predicted.shape or not actual.size:
        raise ValueError(f"{actual.size} actual values and {predicted.size} predictions can't be compared")
    if not (np.isfinite(actual).all() and np.isfinite(predicted).all()):
        raise ValueError("a value is not a finite number")
    errors = predicted - actual
    lost = float((errors**2).sum())
    spread = float(((actual - actual.mean()) ** 2).sum())
    r2 = 1 - lost / spread if spread else float(lost == 0)
    return Metrics(
        hours=int(actual.size), rmse=float(np.sqrt((errors**2).mean())), mae=float(np.abs(errors).mean()), r2=r2
    )
