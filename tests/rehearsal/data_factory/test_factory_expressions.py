"""The expression language: a table of documented cases, and properties over many inputs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.data_factory.expressions.errors import ExpressionError, FunctionNotHere, SyntaxMistake
from rehearsal.data_factory.expressions.evaluation import Evaluator, check_functions, written
from rehearsal.data_factory.expressions.syntax import Interpolation, read

NOW = datetime(2026, 3, 2, 3, 4, 5, tzinfo=UTC)
ITEM = {"name": "a", "list": [1, {"deep": None}], "odd key": True, "text": "x"}


def value(given: Any) -> Any:
    roots = {"item": lambda: ITEM, "pipeline": lambda: {"parameters": {"day": "monday"}, "RunId": "r"}}
    return Evaluator(roots, NOW.timestamp).value(given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # The strings section of the reference page
        ("parameters", "parameters"),
        ("parameters[1]", "parameters[1]"),
        ("@@", "@"),
        ("@@concat('a')", "@concat('a')"),
        (" @", " @"),
        ("Answer is: @{add(40, 2)}", "Answer is: 42"),
        ("@concat('Answer is: ', string(42))", "Answer is: 42"),
        ("Answer is: @@{pipeline().parameters.day}", "Answer is: @{pipeline().parameters.day}"),
        ("@{pipeline().parameters.day}", "monday"),
        ("@{item().list}", '[1,{"deep":null}]'),
        ("a@b.c", "a@b.c"),
        ("@ concat ( 'it''s' , ' ', 'ok' ) ", "it's ok"),
        # Properties
        ("@pipeline().runid", "r"),
        ("@item()['odd key']", True),
        ("@item().list[1].deep", None),
        ("@item().list[1]?.deep?.more", None),
        ("@item()?['nobody']", None),
        # Logic
        ("@if(equals(item().name, 'a'), 'yes', item().nobody)", "yes"),
        ("@and(true, not(false), or(false, true))", True),
        ("@equals(1, 1.0)", True),
        ("@equals(true, 1)", False),
        ("@equals('a', 'A')", False),
        ("@equals(createArray(1, 'a'), json('[1, \"a\"]'))", True),
        ("@greaterOrEquals('b', 'a')", True),
        ("@less(2, 1)", False),
        ("@coalesce(null, item()?.nobody, 'last')", "last"),
        # Texts
        ("@replace('the old string', 'old', 'new')", "the new string"),
        ("@substring('hello world', 6, 5)", "world"),
        ("@split('a|b|c', '|')", ["a", "b", "c"]),
        ("@startsWith('hello world', 'HELLO')", True),
        ("@indexOf('hello world', 'World')", 6),
        ("@lastIndexOf('foofoo', 'foo')", 3),
        ("@trim('  a b ')", "a b"),
        ("@toUpper('ü')", "Ü"),
        ("@concat(createArray(1), createArray(2))", [1, 2]),
        # Collections
        ("@contains('abc', 'b')", True),
        ("@contains(createArray('a', 'b'), 'a')", True),
        ("@contains(item(), 'name')", True),
        ("@empty('')", True),
        ("@empty(null)", True),
        ("@length(range(3, 4))", 4),
        ("@first(skip(createArray(0, 1, 2), 1))", 1),
        ("@last('abc')", "c"),
        ("@union(createArray(1, 2), createArray(2, 3))", [1, 2, 3]),
        ("@intersection(createArray(1, 2, 3), createArray(3, 2))", [2, 3]),
        ("@join(createArray('a', 'b'), '.')", "a.b"),
        # Conversions
        ("@int('10')", 10),
        ("@int(2.9)", 2),
        ("@float('10.5')", 10.5),
        ("@bool('true')", True),
        ("@string(true)", "True"),
        ("@string(json('{\"a\": [1]}'))", '{"a":[1]}'),
        ("@array('a')", ["a"]),
        ("@base64('hello')", "aGVsbG8="),
        ("@base64ToString('aGVsbG8=')", "hello"),
        ("@uriComponent('https://contoso.com')", "https%3A%2F%2Fcontoso.com"),
        ("@decodeUriComponent('https%3A%2F%2Fcontoso.com')", "https://contoso.com"),
        # Numbers
        ("@div(10, 5)", 2),
        ("@div(11, 5)", 2),
        ("@div(-11, 5)", -2),
        ("@div(11.0, 5)", 2.2),
        ("@mod(-3, 2)", -1),
        ("@max(createArray(1, 3, 2))", 3),
        ("@min(1, -2.5)", -2.5),
        ("@sub(mul(3, 4), add(1, 1))", 10),
        # Dates
        ("@utcNow()", "2026-03-02T03:04:05.0000000Z"),
        ("@utcnow('yyyy/MM/dd HH:mm')", "2026/03/02 03:04"),
        ("@formatDateTime('03/15/2018 12:00:00', 'yyyy-MM-ddTHH:mm:ss')", "2018-03-15T12:00:00"),
        ("@addDays('2018-03-15T13:00:00Z', -10, 'yyyy-MM-dd')", "2018-03-05"),
        ("@addToTime('2018-01-31T00:00:00Z', 1, 'Month', 'd')", "02/28/2018"),
        ("@subtractFromTime('2018-01-02T00:00:00Z', 1, 'Day')", "2018-01-01T00:00:00.0000000Z"),
        ("@startOfDay('2018-03-15T13:30:30Z')", "2018-03-15T00:00:00.0000000Z"),
        ("@startOfMonth('2018-03-15T13:30:30Z')", "2018-03-01T00:00:00.0000000Z"),
        ("@convertFromUtc('2018-01-01T08:00:00.0000000Z', 'Pacific Standard Time')", "2018-01-01T00:00:00.0000000"),
        ("@convertToUtc('01/01/2018 00:00:00', 'Pacific Standard Time')", "2018-01-01T08:00:00.0000000Z"),
        ("@convertTimeZone('2018-07-01T00:00:00', 'UTC', 'W. Europe Standard Time', 'HH:mm')", "02:00"),
        ("@dayOfWeek('2018-03-15T13:27:36Z')", 4),
        ("@dayOfYear('2018-03-15T13:27:36Z')", 74),
        ("@ticks('0001-01-01T00:00:01Z')", 10_000_000),
        ("@getPastTime(1, 'Week', 'yyyyMMdd')", "20260223"),
        # Parts of definitions
        ({"value": "@add(1, 2)", "type": "Expression"}, 3),
        ({"a": ["@item().name", 1, {"b": "@@"}]}, {"a": ["a", 1, {"b": "@"}]}),
    ],
)
def test_documented_cases(given: Any, expected: Any) -> None:
    found = value(given)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("given", "column"),
    [
        ("@", 2),
        ("@concat('a'", 12),
        ("@concat('a' 'b')", 13),
        ("@concat('a", 9),
        ("@pipeline().", 13),
        ("@a.b", 2),
        ("@concat('a'))", 13),
        ("x @{add(1, 2)", 14),
        ("x @{}", 5),
        ("@item()[1", 10),
        ("@1 + 1", 4),
    ],
)
def test_mistakes_have_a_column(given: str, column: int) -> None:
    with pytest.raises(SyntaxMistake) as found:
        read(given)
    assert found.value.column == column


@pytest.mark.parametrize(
    "given",
    [
        "@nonsense()", "@if(1, 2, 3)", "@if(true, 1)", "@concat()", "@substring('abc', 2, 5)", "@int('1.5')", "@int(null)",
        "@div(1, 0)", "@mod(1, 0)", "@json('{')", "@add('1', 2)", "@item().nobody", "@item().list[7]", "@item().name.x",
        "@item().list['a']", "@utcNow().x", "@addDays('nonsense', 1)", "@addDays('9999-12-31', 10)", "@rand(2, 1)",
        "@range(1, -1)", "@split('a', 1)", "@convertFromUtc(utcNow(), 'Mars')", "@base64ToString('?')", "@not('true')",
        "@addToTime(utcNow(), 1, 'fortnight')", "@item(1, 2)", "@replace('a', '', 'b')", "@bool('maybe')", "@range(1, 999999)",
        "@addToTime('9000-01-01', 9999, 'Year')", "@linkedService().x",
    ],
)  # fmt: skip
def test_evaluations_that_can_not_be(given: str) -> None:
    with pytest.raises(ExpressionError):
        value(given)


def test_functions_that_are_not_here() -> None:
    with pytest.raises(FunctionNotHere):
        check_functions({"a": ["@concat(xPath('a', 'b'))"]})
    check_functions({"a": "@nonsense()", "b": "@broken("})


def test_depth_has_a_limit() -> None:
    with pytest.raises(ExpressionError):
        value("@" + "not(" * 5_000 + "true" + ")" * 5_000)


TEXTS = st.text(max_size=30)
LITERALS = st.one_of(
    st.integers(-(10**12), 10**12),
    st.booleans(),
    st.none(),
    TEXTS,
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=10,
)


def literal(given: Any) -> str:
    if given is None:
        return "null"
    if isinstance(given, bool):
        return str(given).lower()
    return "'" + given.replace("'", "''") + "'" if isinstance(given, str) else str(given)


@given(TEXTS)
def test_every_text_can_be_escaped(given: str) -> None:
    assert value("@" + literal(given)) == given
    escaped = "@" + given if given.startswith("@") else given
    assert value(escaped.replace("@{", "@@{") if not escaped.startswith("@") else "@" + literal(given)) == given


@given(st.text(alphabet="@{}('),.[]?abc 12", max_size=25))
def test_any_text_is_read_or_refused(given: str) -> None:
    try:
        found = read(given)
    except SyntaxMistake as mistake:
        assert 1 <= mistake.column <= len(given) + 1
    else:
        if not isinstance(found, str | Interpolation):
            assert read("@" + written(found)) == found


@given(JSON)
def test_json_and_string_are_each_other_s_way_back(given: Any) -> None:
    evaluator = Evaluator({"item": lambda: given}, NOW.timestamp)
    if isinstance(given, list | dict):
        assert evaluator.value("@json(string(item()))") == given
    assert evaluator.value("@equals(item(), item())") is True
    assert evaluator.value(f"@json({literal(json.dumps(given))})") == given


@given(st.lists(LITERALS, min_size=1, max_size=6), st.integers(0, 7))
def test_take_and_skip_make_the_whole(given: list[Any], count: int) -> None:
    items = f"createArray({', '.join(literal(one) for one in given)})"
    assert value(f"@concat(take({items}, {count}), skip({items}, {count}))") == given


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9).filter(bool))
def test_division_and_remainder_belong_together(left: int, right: int) -> None:
    assert value(f"@add(mul(div({left}, {right}), {right}), mod({left}, {right}))") == left


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),
    st.integers(-20_000, 20_000),
)
def test_days_go_and_come_back(moment: datetime, days: int) -> None:
    text = moment.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    there = value(f"@addDays('{text}', {days})")
    assert value(f"@addDays('{there}', {-days})") == text
    assert datetime.fromisoformat(there[:26]) == moment + timedelta(days=days)


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)),
    st.sampled_from(["India Standard Time", "Tokyo Standard Time"]),
)
def test_zones_go_and_come_back(moment: datetime, zone: str) -> None:
    text = moment.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    assert value(f"@convertToUtc(convertFromUtc('{text}', '{zone}'), '{zone}')") == text
