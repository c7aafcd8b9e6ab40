"""The model factory, fitting and metrics."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, r2_score

from bikeshare.model import KINDS, Model, evaluate, fit, make_estimator, measure, predict
from bikeshare.schema import FEATURES, LEAKS, TARGET
from bikeshare.split import fingerprint

NUMBERS = st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 1000)), min_size=2, max_size=30)


@pytest.mark.parametrize("name", [*LEAKS, TARGET])
def test_what_gives_the_target_away_is_no_feature(name: str, hours: pd.DataFrame) -> None:
    assert name not in FEATURES
    for kind in KINDS:
        with pytest.raises(ValueError, match=f"{name} would tell the model the answer"):
            fit(hours, kind, features=[*FEATURES, name])


def test_features_do_not_name_the_row() -> None:
    assert {"instant", "dteday"}.isdisjoint(FEATURES)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mean"])
def test_every_kind_beats_the_mean_on_hours_it_has_not_seen(
    kind: str, hours: pd.DataFrame, part: "pd.Series[str]"
) -> None:
    train, holdout = hours[part == "train"], hours[part == "holdout"]
    found, mean = evaluate(fit(train, kind), holdout), evaluate(fit(train, "mean"), holdout)
    assert found.hours == len(holdout)
    assert found.rmse < 0.7 * mean.rmse
    assert found.mae < found.rmse
    assert found.r2 > 0.5 > 0.1 > mean.r2


def test_the_order_of_the_hours_does_not_change_the_model(
    hours: pd.DataFrame, model: Model, part: "pd.Series[str]"
) -> None:
    again = fit(hours[part == "train"].sample(frac=1, random_state=3))
    assert predict(again, hours).tolist() == predict(model, hours).tolist()
    assert again.fitted_fingerprint == model.fitted_fingerprint == fingerprint(hours[part == "train"])
    assert again.fitted_hours == int((part == "train").sum())


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_are_never_negative(kind: str, hours: pd.DataFrame) -> None:
    fitted = fit(hours.head(200), kind)
    odd = hours.assign(temp=-50.0, windspeed=90.0, hum=-3.0)
    predicted = predict(fitted, odd)
    assert predicted.min() >= 0
    assert np.isfinite(predicted).all()
    assert predict(fitted, hours.iloc[:0]).size == 0


def test_unknown_kinds_and_nothing_to_fit_are_refused(hours: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="'magic'; there are boosted_trees, linear, mean"):
        make_estimator("magic")
    with pytest.raises(ValueError, match="at least one feature"):
        make_estimator("linear", [])
    with pytest.raises(ValueError, match="no hours"):
        fit(hours.iloc[:0])


@given(NUMBERS)
def test_metrics_are_those_of_scikit_learn(pairs: list[tuple[float, float]]) -> None:
    actual, predicted = np.array(pairs).T
    found = measure(actual, predicted)
    assert found.mae == pytest.approx(mean_absolute_error(actual, predicted), abs=1e-9)
    assert found.rmse >= found.mae - 1e-9
    spread = float(np.ptp(actual))
    if spread == 0 or spread > 1e-3:
        assert found.r2 == pytest.approx(r2_score(actual, predicted), rel=1e-6, abs=1e-6)


@given(NUMBERS)
def test_perfect_predictions(pairs: list[tuple[float, float]]) -> None:
    actual = np.array(pairs)[:, 0]
    found = measure(actual, actual)
    assert (found.rmse, found.mae, found.r2) == (0, 0, 1)


@pytest.mark.parametrize(
    ("actual", "predicted", "text"),
    [([], [], "0 actual values"), ([1.0], [1.0, 2.0], "can't be compared"), ([1.0], [float("nan")], "finite")],
)
def test_what_can_not_be_measured_is_refused(actual: list[float], predicted: list[float], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        measure(np.array(actual), np.array(predicted))
