"""Reading files, and the made data."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bikeshare.checks import UnusableData, find_problems
from bikeshare.hours import read_hours, typed
from bikeshare.sample import make_hours
from bikeshare.schema import COLUMNS

QUICK = settings(max_examples=20)  # each makes or reads whole frames


def test_the_real_data_can_be_read(real_file: Path) -> None:
    hours = read_hours(real_file)
    assert len(hours) == 17_379
    assert hours["cnt"].sum() == 3_292_679  # as the data's readme says


def test_a_file_gives_the_types_and_the_order_of_the_key(tmp_path: Path) -> None:
    made = make_hours(3, 5)
    made.sample(frac=1, random_state=1).assign(extra="x").to_csv(tmp_path / "hour.csv", index=False)
    hours = read_hours(tmp_path / "hour.csv")
    assert list(hours.columns) == [column.name for column in COLUMNS]
    assert hours["cnt"].tolist() == made["cnt"].tolist()
    assert {str(kind) for kind in hours.drop(columns="dteday").dtypes} == {"int32", "float64"}
    assert hours["dteday"].iloc[0] == date(2011, 1, 1)


def test_a_file_without_header_or_without_rows_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "hour.csv"
    make_hours(1, 5).to_csv(file, index=False, header=False)
    with pytest.raises(UnusableData, match=r"hour\.csv can't be used, 17 findings"):
        read_hours(file)
    make_hours(0, 5).to_csv(file, index=False)
    with pytest.raises(UnusableData, match="there are no rows"):
        read_hours(file)
    with pytest.raises(FileNotFoundError):
        read_hours(tmp_path / "none.csv")


def test_a_short_line_is_found_as_null(tmp_path: Path) -> None:
    file = tmp_path / "hour.csv"
    make_hours(1, 5).to_csv(file, index=False)
    file.write_text(file.read_text() + "25,2011-01-02,1,0\n")
    with pytest.raises(UnusableData) as refused:
        read_hours(file)
    assert "cnt" in {finding.column for finding in refused.value.findings if finding.check == "null"}


def test_typed_data_stays_as_it_is(hours: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(typed(hours), hours)


@QUICK
@given(st.integers(1, 6), st.integers(0, 2**32))
def test_made_data_is_sound_for_every_seed(days: int, seed: int) -> None:
    assert find_problems(make_hours(days, seed)) == []


@QUICK
@given(st.integers(0, 4), st.integers(1, 4), st.integers(0, 9))
def test_fewer_days_are_the_beginning_of_more_days(days: int, more: int, seed: int) -> None:
    less = make_hours(days, seed)
    beginning = make_hours(days + more, seed).head(len(less))
    pd.testing.assert_frame_equal(less, beginning, check_dtype=days > 0)


def test_made_data_has_the_shape_of_the_real_data() -> None:
    hours = make_hours(731, 2011)
    assert 17_300 < len(hours) < 17_544  # some hours are missing, as in the real data
    assert list(hours.columns) == [column.name for column in COLUMNS]
    assert {1, 2, 3, 4} == set(hours["season"])
    assert hours["dteday"].iloc[-1] == "2012-12-31"
    assert hours.groupby("yr")["cnt"].mean().is_monotonic_increasing
    working = hours[hours["workingday"] == 1].groupby("hr")["cnt"].mean()
    assert set(working.nlargest(3).index) == {8, 17, 18}


def test_other_seeds_make_other_data() -> None:
    assert not make_hours(3, 5).equals(make_hours(3, 6))
    with pytest.raises(ValueError, match="-1"):
        make_hours(-1, 1)
