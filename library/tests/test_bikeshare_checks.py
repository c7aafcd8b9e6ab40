"""What is found in bad data, and that nothing is found in good data."""

from itertools import pairwise
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bikeshare.checks import Finding, UnusableData, find_in_rows, find_problems, merged
from bikeshare.hours import typed
from bikeshare.sample import make_hours
from bikeshare.schema import COLUMNS, KEY

QUICK = settings(max_examples=20)  # each looks at a whole frame
DAYS = make_hours(1, 1)
NAMES = [column.name for column in COLUMNS]
NUMBERS = [column for column in COLUMNS if column.kind != "date"]
CUTS = st.lists(st.integers(1, len(DAYS) - 1), max_size=3, unique=True)
BROKEN = st.lists(st.integers(0, len(DAYS) - 1), max_size=6, unique=True)
BOUNDED = [column for column in NUMBERS if column.high < 10_000]


def as_text(hours: pd.DataFrame) -> pd.DataFrame:
    """As a CSV file is read without a schema."""
    return hours.astype(str).astype(object)


def with_value(column: str, row: int, value: Any) -> pd.DataFrame:
    hours = as_text(DAYS)
    hours.loc[row, column] = value
    return hours


def about(findings: list[Finding]) -> set[tuple[str, str, int]]:
    return {(finding.check, finding.column, finding.rows) for finding in findings}


@pytest.mark.parametrize("prepare", [lambda hours: hours, as_text, typed], ids=["as pandas reads it", "text", "typed"])
def test_made_data_has_no_findings_in_any_form(prepare: Any) -> None:
    assert find_problems(prepare(make_hours(40, 1))) == []


def test_a_date_may_be_a_timestamp() -> None:
    assert find_problems(DAYS.assign(dteday=pd.to_datetime(DAYS["dteday"]))) == []
    late = DAYS.assign(dteday=pd.to_datetime(DAYS["dteday"]) + pd.Timedelta("1h"))
    assert ("type", "dteday", len(DAYS)) in about(find_problems(late))


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_column_is_named_and_the_others_are_still_checked(name: str) -> None:
    other = "temp" if name != "temp" else "hum"
    hours = with_value(other, 2, "2").drop(columns=name)
    assert about(find_problems(hours)) == {("schema", name, 0), ("range", other, 1)}


def test_columns_that_the_data_does_not_need_are_no_finding() -> None:
    assert find_problems(DAYS.assign(humidex=1.0)) == []


def test_a_column_that_is_there_twice_is_found() -> None:
    twice = pd.concat([DAYS, DAYS[["hr"]]], axis="columns")
    assert about(find_problems(twice)) == {("schema", "hr", 0)}


def test_no_rows_is_a_finding() -> None:
    assert [str(finding) for finding in find_problems(DAYS.iloc[:0])] == ["all (schema): there are no rows"]


@QUICK
@given(st.sampled_from(NAMES), st.integers(0, len(DAYS) - 1), st.sampled_from([None, "", float("nan")]))
def test_null_is_found(name: str, row: int, value: Any) -> None:
    assert about(find_problems(with_value(name, row, value))) == {("null", name, 1)}


@QUICK
@given(
    st.sampled_from(NAMES),
    st.integers(0, len(DAYS) - 1),
    st.sampled_from(
        ["many", " 1", "1 ", "1,5", "0x1", "nan", "inf", "1_0", "\u0661", "2011-02-30", "2011-1-1", "True"]
    ),
)
def test_what_spark_would_not_cast_is_found(name: str, row: int, value: str) -> None:
    assert about(find_problems(with_value(name, row, value))) == {("type", name, 1)}


@QUICK
@given(st.sampled_from([column.name for column in NUMBERS if column.kind == "whole"]), st.integers(0, len(DAYS) - 1))
def test_a_fraction_is_no_whole_number(name: str, row: int) -> None:
    assert ("type", name, 1) in about(find_problems(with_value(name, row, "0.5")))
    values = [value + 0.5 * (number == row) for number, value in enumerate(DAYS[name].tolist())]
    assert ("type", name, 1) in about(find_problems(DAYS.assign(**{name: values})))


@QUICK
@given(st.sampled_from(BOUNDED), st.integers(0, len(DAYS) - 1), st.booleans())
def test_a_value_outside_its_range_is_found(column: Any, row: int, above: bool) -> None:
    value = column.high + 1 if above else column.low - 1
    text = f"{value:g}"
    findings = find_problems(with_value(column.name, row, text))
    assert about(findings) == {("range", column.name, 1)}
    assert f"'{text}' is not from {column.low:g} to {column.high:g}" in findings[0].example


@pytest.mark.parametrize("value", ["99999999999999999999999", "1e999"])
def test_a_number_that_no_type_holds_is_found(value: str) -> None:
    name = "cnt" if value.isdigit() else "temp"
    assert about(find_problems(with_value(name, 0, value))) == {("range", name, 1)}


def test_a_day_before_the_first_is_out_of_range() -> None:
    assert about(find_problems(with_value("dteday", 0, "2010-12-31"))) == {("range", "dteday", 1)}


@pytest.mark.parametrize(
    ("column", "columns"),
    [
        ("cnt", "casual, registered, cnt"),
        ("casual", "casual, registered, cnt"),
        ("yr", "dteday, yr"),
        ("mnth", "dteday, mnth"),
        ("weekday", "dteday, weekday"),
    ],
)
def test_values_that_contradict_each_other_are_found(column: str, columns: str) -> None:
    value = int(DAYS[column].tolist()[4]) + (-1 if column == "weekday" else 1)
    assert about(find_problems(with_value(column, 4, str(value)))) == {("consistency", columns, 1)}


@QUICK
@given(st.lists(st.integers(0, len(DAYS) - 1), min_size=1, max_size=10))
def test_rows_that_are_there_before_are_counted(rows: list[int]) -> None:
    again = pd.concat([DAYS, DAYS.iloc[rows]], ignore_index=True)
    findings = find_problems(again)
    assert about(findings) == {("duplicate", ", ".join(KEY), len(rows))}
    assert f"{DAYS['dteday'].tolist()[rows[0]]} hour {DAYS['hr'].tolist()[rows[0]]}" in findings[0].example


def test_everything_comes_at_once_and_says_where() -> None:
    hours = as_text(DAYS)
    hours.loc[0, "hum"] = None
    hours.loc[1, "hr"] = "24"
    hours.loc[[2, 3], "temp"] = "warm"
    hours = pd.concat([hours, hours.iloc[[5]]], ignore_index=True)
    with pytest.raises(UnusableData) as refused:
        typed(hours, "hour.csv")
    lines = str(refused.value).splitlines()
    assert lines[0] == "hour.csv can't be used, 4 findings:"
    assert lines[1] == "- hr (range): 1 row: '24' is not from 0 to 23, for example at dteday 2011-01-01 hr 24"
    assert lines[2] == "- temp (type): 2 rows: 'warm' is not a number, for example at dteday 2011-01-01 hr 2"
    assert [finding.check for finding in refused.value.findings] == ["range", "type", "null", "duplicate"]


def test_a_long_value_is_shown_short() -> None:
    (finding,) = find_problems(with_value("hr", 0, "x" * 5000))
    assert len(str(finding)) < 400


@QUICK
@given(CUTS, BROKEN)
def test_findings_of_parts_are_those_of_the_whole(cuts: list[int], broken: list[int]) -> None:
    hours = as_text(DAYS)
    hours.loc[broken, "hum"] = "wet"
    hours.loc[broken[:2], "casual"] = "100000"
    edges = [0, *sorted(cuts), len(hours)]
    pieces = [hours.iloc[start:end] for start, end in pairwise(edges)]
    cut = merged(finding for piece in pieces for finding in find_in_rows(piece))
    assert about(cut) == about(find_in_rows(hours))
