"""The split depends on an hour's key and on nothing else."""

from datetime import date, datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bikeshare.sample import make_hours
from bikeshare.split import PARTS, Shares, fingerprint, key_text, part_of, parts

DAYS = make_hours(2, 3)
WHOLE = parts(DAYS)
KEYS = st.tuples(st.dates(), st.integers(0, 23))


def test_the_split_is_the_one_it_always_was() -> None:
    # Another result means that hours would move between training and holdout of models that are in use.
    days = [part_of(date(2011, 1, 1), hour) for hour in range(24)]
    assert "".join(part[1] for part in days) == "rerroeorrrrrrreoroorrrer"


@given(KEYS, st.text(max_size=5))
def test_text_date_and_timestamp_of_a_day_are_the_same(key: tuple[date, int], salt: str) -> None:
    day, hour = key
    found = part_of(day, hour, salt=salt)
    assert found in PARTS
    assert found == part_of(day.isoformat(), hour, salt=salt)
    assert found == part_of(datetime(day.year, day.month, day.day, 5), hour, salt=salt)


@settings(max_examples=20)
@given(st.permutations(range(len(DAYS))), st.integers(0, len(DAYS)))
def test_order_and_cuts_do_not_matter(order: list[int], cut: int) -> None:
    shuffled = DAYS.iloc[order]
    pieces = pd.concat([parts(shuffled.iloc[:cut]), parts(shuffled.iloc[cut:])])
    assert pieces.sort_index().tolist() == WHOLE.tolist()
    assert fingerprint(shuffled) == fingerprint(DAYS)


@given(KEYS, st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_takes_nothing_away(key: tuple[date, int], one: float, other: float) -> None:
    less, more = sorted((one, other))
    if part_of(*key, Shares(less, 0)) == "train":
        assert part_of(*key, Shares(more, 0)) == "train"


@given(KEYS)
def test_shares_of_nothing_and_of_everything(key: tuple[date, int]) -> None:
    assert part_of(*key, Shares(1, 0)) == "train"
    assert part_of(*key, Shares(0, 1)) == "test"
    assert part_of(*key, Shares(0, 0)) == "holdout"


def test_parts_are_about_as_large_as_asked_for() -> None:
    hours = make_hours(300, 1)
    found = parts(hours, Shares(0.5, 0.3)).value_counts(normalize=True)
    assert found["train"] == pytest.approx(0.5, abs=0.03)
    assert found["test"] == pytest.approx(0.3, abs=0.03)
    salted = parts(hours, salt="again")
    assert (salted != parts(hours)).mean() > 0.3


@pytest.mark.parametrize("shares", [(-0.1, 0.5), (0.7, 0.4), (float("nan"), 0.1), (0.5, -0.1)])
def test_impossible_shares_are_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="shares"):
        Shares(*shares)


@given(KEYS, KEYS)
def test_two_hours_have_one_text_only_when_they_are_the_same(one: tuple[date, int], other: tuple[date, int]) -> None:
    assert (key_text(*one) == key_text(*other)) == (one == other)


def test_a_fingerprint_is_of_the_hours_and_not_of_their_values() -> None:
    assert fingerprint(DAYS.assign(cnt=0)) == fingerprint(DAYS)
    assert fingerprint(DAYS.iloc[1:]) != fingerprint(DAYS)
    assert fingerprint(DAYS.iloc[:0]) != fingerprint(DAYS.iloc[:1])
    with pytest.raises(ValueError, match="isoformat"):
        part_of("yesterday", 1)
