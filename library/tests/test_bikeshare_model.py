"""The split, the model and the scoring."""

import base64
import io
from itertools import pairwise

import joblib
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bikeshare.model import ModelMismatch, dump, load, measure, train
from bikeshare.sample import make_hours
from bikeshare.schema import FEATURES, TARGET
from bikeshare.scoring import scorer
from bikeshare.split import HOLDOUT, TEST, TRAIN, part_of, with_part

HOURS = with_part(make_hours(60, 7))
MODEL = train(HOURS[HOURS["part"] == TRAIN], settings={"max_iter": 40})


@given(st.dates(), st.integers(0, 23))
def test_an_hour_is_always_in_the_same_part(day: object, hour: int) -> None:
    assert part_of(str(day), hour) == part_of(str(day), hour) in (TRAIN, TEST, HOLDOUT)


@settings(max_examples=20)
@given(st.lists(st.integers(0, len(HOURS) - 1), min_size=1, max_size=60))
def test_order_and_neighbours_do_not_change_a_part(rows: list[int]) -> None:
    some = HOURS.iloc[rows]
    assert with_part(some.drop(columns="part"))["part"].tolist() == some["part"].tolist()


def test_shares_are_about_what_they_should_be() -> None:
    shares = with_part(make_hours(400, 1))["part"].value_counts(normalize=True)
    assert shares[TRAIN] == pytest.approx(0.7, abs=0.02)
    assert shares[HOLDOUT] == pytest.approx(0.1, abs=0.02)


def test_features_hold_nothing_that_gives_the_target_away() -> None:
    assert {"casual", "registered", TARGET, "instant"}.isdisjoint(FEATURES)


def test_the_model_beats_the_mean_on_hours_it_has_not_seen() -> None:
    metrics = measure(MODEL, HOURS[HOURS["part"] == TEST])
    assert metrics.rmse < 0.6 * metrics.baseline_rmse
    assert metrics.r2 > 0.6
    assert metrics.rows == int((HOURS["part"] == TEST).sum())


def test_training_again_gives_the_same_model() -> None:
    again = train(HOURS[HOURS["part"] == TRAIN], settings={"max_iter": 40})
    assert again.predict(HOURS).tolist() == MODEL.predict(HOURS).tolist()


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        train(HOURS.head(10))
    with pytest.raises(ValueError, match="no rows"):
        measure(MODEL, HOURS.iloc[:0])


@settings(max_examples=15)
@given(st.lists(st.integers(0, 500), min_size=1, max_size=6))
def test_scoring_in_batches_is_scoring_at_once(cuts: list[int]) -> None:
    edges = sorted({0, len(HOURS), *cuts})
    batches = (HOURS.iloc[start:end] for start, end in pairwise(edges))
    scored = pd.concat(scorer(dump(MODEL))(batches))
    assert scored["predicted"].tolist() == MODEL.predict(HOURS).tolist()
    assert (scored["predicted"] >= 0).all()


def test_a_model_of_another_scikit_learn_is_refused() -> None:
    content = joblib.load(io.BytesIO(base64.b64decode(dump(MODEL))))
    for change, text in (({"scikit_learn": "0.1.0"}, "scikit-learn 0.1.0"), ({"format": 99}, "format 99")):
        buffer = io.BytesIO()
        joblib.dump(content | change, buffer)
        with pytest.raises(ModelMismatch, match=text):
            load(base64.b64encode(buffer.getvalue()).decode())


def test_made_data_is_the_same_for_the_same_seed() -> None:
    assert make_hours(3, 5).equals(make_hours(3, 5))
    assert not make_hours(3, 5).equals(make_hours(3, 6))
    with pytest.raises(ValueError, match="0 days"):
        make_hours(0, 1)
