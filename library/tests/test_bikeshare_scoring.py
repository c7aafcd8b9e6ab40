"""A model as bytes, and scoring batch by batch."""

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st

from bikeshare.model import Model, predict
from bikeshare.model_file import FORMAT, UnusableModel, describe, dumps, loads
from bikeshare.schema import KEY
from bikeshare.scoring import PREDICTION, score, score_batches

QUICK = settings(max_examples=10)  # each loads a model


def changed(data: bytes, **changes: Any) -> bytes:
    """The same model with another description."""
    line, _, estimator = data[len(FORMAT) :].partition(b"\n")
    about = {**json.loads(line), **changes}
    return FORMAT + json.dumps({k: v for k, v in about.items() if v is not None}).encode() + b"\n" + estimator


def test_a_model_comes_back_the_same(model: Model, hours: pd.DataFrame) -> None:
    data = dumps(model)
    again = loads(data)
    assert predict(again, hours).tolist() == predict(model, hours).tolist()
    assert (again.kind, again.features, again.fitted_hours, again.fitted_fingerprint) == (
        model.kind,
        model.features,
        model.fitted_hours,
        model.fitted_fingerprint,
    )
    assert describe(data)["scikit_learn"] == sklearn.__version__


def test_a_model_of_another_scikit_learn_is_refused_before_it_is_unpickled(model: Model) -> None:
    damaged = changed(dumps(model), scikit_learn="0.24.2")[:-50]
    with pytest.raises(UnusableModel, match=r"made with scikit-learn 0\.24\.2, here is .*: train it again"):
        loads(damaged)
    patch = ".".join([*sklearn.__version__.split(".")[:2], "99"])
    assert loads(changed(dumps(model), scikit_learn=patch)).kind == model.kind


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "no model"),
        (b"\x80\x04K\x01.", "no model"),
        (b"bikeshare model 2\n{}\n", "no model"),
        (FORMAT, "description"),
        (FORMAT + b"[1]\n", "description"),
        (FORMAT + b"{\xff}\n", "description"),
    ],
)
def test_other_bytes_are_refused(data: bytes, text: str) -> None:
    for read in (loads, describe):
        with pytest.raises(UnusableModel, match=text):
            read(data)


@QUICK
@given(st.data())
def test_damage_anywhere_in_the_estimator_is_found(model: Model, data: st.DataObject) -> None:
    good = dumps(model)
    start = len(FORMAT) + good[len(FORMAT) :].index(b"\n") + 1
    place = data.draw(st.integers(start, len(good) - 1))
    bad = good[:place] + bytes([good[place] ^ 0x10]) + good[place + 1 :]
    with pytest.raises(UnusableModel, match="damaged"):
        loads(bad)


def test_a_model_that_does_not_say_its_features_is_refused(model: Model) -> None:
    with pytest.raises(UnusableModel, match="does not say its features"):
        loads(changed(dumps(model), features=None))


@QUICK
@given(cuts=st.lists(st.integers(0, 1400), max_size=3))
def test_scoring_in_batches_is_scoring_at_once(model: Model, hours: pd.DataFrame, cuts: list[int]) -> None:
    edges = sorted([0, len(hours), *cuts])
    batches = [hours.iloc[start:end] for start, end in pairwise(edges)]
    scored = list(score_batches(iter(batches), dumps(model)))
    assert len(scored) == len(batches)
    together = pd.concat(scored)
    assert list(together.columns) == [*KEY, PREDICTION]
    assert together[list(KEY)].equals(hours.loc[together.index, list(KEY)])
    assert together[PREDICTION].to_numpy() == pytest.approx(predict(model, hours.loc[together.index]))


class OnePartition:
    """Stands for a Spark frame: has columns, can select, and runs what mapInPandas gets on its only partition."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.columns = list(frame.columns)

    def select(self, *names: str) -> "OnePartition":
        return OnePartition(self.frame[list(names)])

    def mapInPandas(self, function: Any, schema: str) -> Any:  # noqa: N802 - Spark's name
        assert schema == "dteday date, hr int, prediction double"
        return pd.concat(function(iter([self.frame])))


def test_score_sends_only_what_the_model_needs(model: Model, hours: pd.DataFrame) -> None:
    frame: Any = OnePartition(hours)
    result: Any = score(frame, model)
    assert np.array_equal(result[PREDICTION], predict(model, hours))
    without: Any = OnePartition(hours.drop(columns=["casual", "registered", "cnt", "instant"]))
    again: Any = score(without, dumps(model))
    assert again.equals(result)


def test_score_refuses_before_any_work_starts(model: Model, hours: pd.DataFrame) -> None:
    frame: Any = OnePartition(hours.drop(columns=["temp", "hr"]))
    with pytest.raises(ValueError, match="no column hr, temp"):
        score(frame, model)
    with pytest.raises(UnusableModel):
        score(frame, b"nothing")
