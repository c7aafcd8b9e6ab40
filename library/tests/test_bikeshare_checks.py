"""What the checks let pass and what they find."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bikeshare.checks import BadData, find_problems, require_sound
from bikeshare.sample import make_hours
from bikeshare.schema import COLUMNS, NAMES

REAL = Path(__file__).resolve().parents[3] / "shared/data/bikeSharing/data-001/hour.csv"
BOUNDED = [column for column in COLUMNS if column.high is not None]


def test_made_data_is_sound() -> None:
    assert find_problems(make_hours(40, 1)) == []


@pytest.mark.skipif(not REAL.is_file(), reason="the real data is not on this machine")
def test_real_data_is_sound() -> None:
    assert find_problems(pd.read_csv(REAL)) == []


@given(st.sampled_from(NAMES))
def test_a_missing_column_is_named(name: str) -> None:
    assert [finding.column for finding in find_problems(make_hours(1, 1).drop(columns=name))] == [name]


@given(st.sampled_from(BOUNDED), st.integers(0, 23), st.booleans())
def test_a_value_outside_its_range_is_found(column: object, row: int, above: bool) -> None:
    hours = make_hours(1, 1).astype({column.name: float})
    hours.loc[row, column.name] = column.high + 1 if above else column.low - 1
    assert ("range", column.name, 1) in [(f.check, f.column, f.rows) for f in find_problems(hours)]


@given(st.sampled_from([name for name in NAMES if name != "dteday"]))
def test_text_where_a_number_belongs_is_found(name: str) -> None:
    hours = make_hours(1, 1).astype({name: object})
    hours.loc[3, name] = "many"
    assert any(f.column == name and f.check == "type" for f in find_problems(hours))


def test_all_problems_come_at_once() -> None:
    hours = make_hours(2, 1).astype({"hum": object})
    hours.loc[0, "hum"] = None
    hours.loc[1, "hr"] = 24
    hours.loc[2, "cnt"] += 1
    hours = pd.concat([hours, hours.iloc[[5]]], ignore_index=True)
    with pytest.raises(BadData) as refused:
        require_sound(hours)
    assert {f.check for f in refused.value.findings} == {"nulls", "range", "sum", "duplicates"}
    assert "hum is null in 1 rows" in str(refused.value)


def test_no_rows_is_a_problem() -> None:
    assert [f.check for f in find_problems(make_hours(1, 1).iloc[:0])] == ["rows"]
