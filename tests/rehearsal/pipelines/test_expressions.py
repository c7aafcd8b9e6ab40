"""The expression language: our own vectors, and what must hold for any input."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.pipelines.expressions import (
    Context,
    ExpressionError,
    ExpressionSyntaxError,
    Version,
    evaluate,
    parse,
    to_text,
)
from rehearsal.pipelines.expressions.values import number_text, parse_number, parse_version

NAMES: dict[str, Any] = {
    "parameters": {
        "name": "dev",
        "Flag": True,
        "count": Decimal(3),
        "empty": "",
        "list": ["a", "B", "c"],
        "environments": [{"name": "dev", "waits": []}, {"name": "test", "waits": ["dev"]}],
        "nothing": None,
    },
    "variables": {"Build.Reason": "PullRequest", "Build.SourceBranch": "refs/heads/main"},
    "started": datetime(2026, 11, 21, 5, 6, 7, tzinfo=UTC),
}


def value(text: str) -> Any:
    return evaluate(parse(text), Context(NAMES))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("parameters.name", "dev"),
        ("parameters['name']", "dev"),
        ("PARAMETERS.NAME", "dev"),
        ("parameters.flag", True),
        ("parameters.list[1]", "B"),
        ("parameters.list['0']", "a"),
        ("parameters.list[3]", None),
        ("parameters.list[1.9]", "B"),
        ("parameters.list[-1]", None),
        ("parameters.list.first", None),
        ("parameters.missing.deeper['still']", None),
        ("parameters.environments[1].waits[0]", "dev"),
        ("parameters.environments.*.name", ["dev", "test"]),
        ("parameters.environments[*].waits", [[], ["dev"]]),
        ("parameters.nothing.*", []),
        ("variables['Build.Reason']", "PullRequest"),
        ("variables.nothing", None),
        ("true", True),
        ("variables.absent", None),
        ("'it''s'", "it's"),
        ("''", ""),
        ("-1.50", Decimal("-1.50")),
        (".5", Decimal("0.5")),
        ("1.2.3", Version(1, 2, 3)),
        ("and(true, 1, 'x', 0)", False),
        ("and(true, 1, 'false')", True),
        ("or(false, 0, '', variables.absent)", False),
        ("xor(true, 1)", False),
        ("not('false')", False),
        ("eq('ABC', 'abc')", True),
        ("eq('ß', 'SS')", False),
        ("eq('', variables.absent)", True),
        ("eq(variables.absent, '')", True),
        ("eq(variables.absent, false)", False),
        ("eq(false, variables.absent)", True),
        ("eq(parameters.list, parameters.list)", True),
        ("eq(parameters.list, 'a')", False),
        ("eq('a', parameters.list)", False),
        ("ne('dev', parameters.name)", False),
        ("eq('True', parameters.Flag)", True),
        ("eq(parameters.count, '3.0')", True),
        ("eq(1.0, 1)", True),
        ("lt('a', 'B')", True),
        ("ge(3, '2,000')", False),
        ("in('b', 'A', 'B')", True),
        ("contains('refs/heads/main', 'HEADS')", True),
        ("contains('', '')", True),
        ("containsValue(parameters.list, 'b')", True),
        ("containsValue(parameters.list, 'd')", False),
        ("containsValue(split('01,2', ','), 1)", True),
        ("containsValue('text', 'text')", False),
        ("containsValue(parameters.environments[0], 'DEV')", True),
        ("startsWith(variables['Build.SourceBranch'], 'refs/heads/')", True),
        ("endsWith('abc', '')", True),
        ("coalesce('', variables.absent, 'x')", "x"),
        ("coalesce(variables.absent, 0, 'x')", Decimal(0)),
        ("coalesce('', '')", None),
        ("coalesce('hit', lt(1, 'a'))", "hit"),
        ("format('{0}-{1}{0}', 'a', 2)", "a-2a"),
        ("format('{{{0}}}', 'a')", "{a}"),
        ("format('none')", "none"),
        ("format('{0:yyyyMMdd-HHmmss}', started)", "20261121-050607"),
        ("join(';', parameters.list)", "a;B;c"),
        ("join(';', parameters.environments)", ";"),
        ("join(';', 'text')", "text"),
        ("split('a,b;c', ',;')", ["a,b;c"]),
        ("split('a in b', ' in ')", ["a", "b"]),
        ("split(',a,', ',')", ["", "a", ""]),
        ("split('abc', '')", ["abc"]),
        ("length(parameters.list)", 3),
        ("length('four')", 4),
        ("length(parameters.environments[0])", 2),
        ("lower('AbC')", "abc"),
        ("upper(true)", "TRUE"),
        ("trim('  x ')", "x"),
        ("replace('a.b.c', '.', '\\1')", "a\\1b\\1c"),
        ("replace('AaA', 'a', 'x')", "AxA"),
        ("replace('abc', '', '-')", "abc"),
        ("substring('refs/heads/main', 11, 4)", "main"),
        ("iif(eq(1, 1), 'yes', 'no')", "yes"),
        ("convertToJson(parameters.list)", '[\n  "a",\n  "B",\n  "c"\n]'),
        ("convertToJson(parameters.count)", "3"),
        ("convertToJson(variables.absent)", "null"),
        (" eq ( 1 , 1 ) ", True),
        ("eq(1,\n  1)", True),
    ],
)
def test_value(text: str, expected: Any) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected) or not isinstance(expected, bool | None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "An expression was expected"),
        ("eq(1", "Unclosed function: 'eq'. Located at position 1 within expression: 'eq(1'"),
        ("eq(1,", "Unclosed function: 'eq'"),
        ("eq(1,)", "Unexpected symbol: ')'"),
        ("eq(,1)", "Unexpected symbol: ','"),
        ("eq(1 1)", "Unexpected symbol: '1'"),
        ("eq(1, 2))", "Unexpected symbol: ')'"),
        (
            "eq(1)",
            "Unexpected symbol: ')': too few parameters for 'eq'. Located at position 5 within expression: 'eq(1)'",
        ),
        ("eq(1, 2, 3)", "Unexpected symbol: ',': too many parameters for 'eq'. Located at position 8"),
        ("not()", "too few"),
        ("in('a')", "too few"),
        ("iif(true, 1)", "too few"),
        ("counter(1, 2, 3)", "too many"),
        ("always(1)", "Unexpected symbol: ')': too many"),
        ("startswith2('a', 'b')", "Unrecognized value: 'startswith2'"),
        ("a b", "Unexpected symbol: 'b'"),
        ("parameters.", "Expected a property name to follow the dereference operator '.': '.'. Located at position 11"),
        ("eq", "Expected '(' to follow a function: 'eq'"),
        ("parameters.'x'", "Unexpected symbol: ''x''"),
        ("parameters[0", "Unexpected end"),
        ("parameters[]", "Unexpected symbol: ']'"),
        ("'open", "Unrecognized value: ''open'"),
        ('"double"', "Unrecognized value"),
        ("1.2.3.4.5", "Unrecognized value: '1.2.3.4.5'"),
        ("a == b", "Unexpected symbol: '=='. Located at position 3 within expression: 'a == b'"),
        ("  1 == 1", "at position 3"),
        ("!true", "Unrecognized value: '!true'"),
        ("1e3", "Unrecognized value: '1e3'"),
        ("x.9num", "Unexpected symbol"),
        ("a && b", "Unexpected symbol: '&&'"),
        ("eech x in y", "Unexpected symbol: 'x'"),
        ("(1)", "Unexpected symbol: '('"),
        ("not(" * 60 + "true" + ")" * 60, "Exceeded max expression depth 50"),
        ("'" + "x" * 21_000 + "'", "Exceeded max expression length 21000"),
    ],
)
def test_form_that_is_wrong(text: str, says: str) -> None:
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("unknown.thing", "Unrecognized value: 'unknown'"),
        ("lt(1, 'abc')", "Unable to convert from String to Number. Value: 'abc'"),
        ("gt(1.2.3, 'x')", "Unable to convert from String to Version"),
        ("lt(parameters.list, 1)", "Unable to convert from Array"),
        ("lower(parameters.list)", "Unable to convert from Array to String"),
        ("format('{1}', 'a')", "references more arguments"),
        ("format('{', 'a')", "format string is invalid"),
        ("format('{0:yyyy}', 'a')", "for dates only"),
        ("substring('abc', 2, 2)", "reach outside"),
        ("counter('a', 1)", "Unrecognized value: 'counter'"),
        ("null", "Unrecognized value: 'null'"),
        ("succeeded()", "Unrecognized value: 'succeeded'. It can stand in a condition only"),
        ("iif(true, 'x', lt(1, 'a'))", "Unable to convert"),
    ],
)
def test_value_that_is_not_possible(text: str, says: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        value(text)
    assert says in str(caught.value)


def test_a_secret_looking_number_keeps_its_digits() -> None:
    assert to_text(value("7405612345678901234")) == "7405612345678901234"
    assert to_text(value("0.12345678")) == "0.1234568"
    assert to_text(value("-0.0")) == "0"


TEXT = st.text(max_size=30)
WORD = st.from_regex(r"[A-Za-z]{1,8}", fullmatch=True)
NUMBERS = st.decimals(min_value=-(10**9), max_value=10**9, allow_nan=False, allow_infinity=False, places=4)
VERSIONS = st.lists(st.integers(0, 10**6), min_size=3, max_size=4).map(lambda parts: Version(*parts))
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, VERSIONS, TEXT)


def literal(scalar: Any) -> str:
    if scalar is None:
        return "variables.absent"
    if isinstance(scalar, bool):
        return str(scalar).lower()
    if isinstance(scalar, str):
        return "'" + scalar.replace("'", "''") + "'"
    return number_text(scalar) if isinstance(scalar, Decimal) else str(scalar)


@given(SCALARS)
def test_a_literal_means_what_it_says(scalar: Any) -> None:
    assert value(literal(scalar)) == scalar


@given(SCALARS, SCALARS)
def test_ne_is_not_eq_and_equality_needs_no_exception(left: Any, right: Any) -> None:
    pair = f"{literal(left)}, {literal(right)}"
    assert value(f"ne({pair})") is (not value(f"eq({pair})"))
    assert value(f"in({pair})") is value(f"eq({pair})")
    assert value(f"notIn({pair})") is value(f"ne({pair})")


@given(SCALARS)
def test_everything_equals_itself(scalar: Any) -> None:
    assert value(f"eq({literal(scalar)}, {literal(scalar)})") is True


@given(st.one_of(NUMBERS, VERSIONS, TEXT), st.one_of(NUMBERS, VERSIONS, TEXT))
def test_an_order_is_an_order_or_an_error(left: Any, right: Any) -> None:
    pair = f"{literal(left)}, {literal(right)}"
    try:
        less, more, equal = value(f"lt({pair})"), value(f"gt({pair})"), value(f"eq({pair})")
    except ExpressionError:
        return
    assert [less, more, equal].count(True) == 1
    assert value(f"le({pair})") is (less or equal)
    assert value(f"ge({pair})") is (more or equal)


@given(NUMBERS)
def test_a_number_survives_as_text(number: Decimal) -> None:
    assert parse_number(number_text(number)) == number


@given(VERSIONS)
def test_a_version_survives_as_text(version: Version) -> None:
    assert parse_version(str(version)) == version


@given(TEXT, TEXT)
def test_text_comparisons_ignore_case(text: str, part: str) -> None:
    pair = f"{literal(text)}, {literal(part)}"
    if value(f"startsWith({pair})") or value(f"endsWith({pair})"):
        assert value(f"contains({pair})") is True
    assert value(f"contains({literal(text + part)}, {literal(part)})") is True


@given(st.lists(WORD, min_size=1, max_size=6))
def test_split_undoes_join(words: list[str]) -> None:
    names: dict[str, Any] = {"words": words}
    assert evaluate(parse("split(join(';', words), ';')"), Context(names)) == words


@given(st.text(alphabet="eqnotand()[],.'*-_ 01aX\n\t\"{}$", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        evaluate(parse(text), Context(NAMES))
    except ExpressionError:
        return
