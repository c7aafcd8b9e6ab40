"""Merging, places and expressions of configuration."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.configuration import Resolver, look_up, merge, parse, show

keys = st.text("abc_", min_size=1, max_size=3)
scalars = st.one_of(st.integers(), st.booleans(), st.text("xyz {}", max_size=5))
trees = st.recursive(
    st.dictionaries(keys, scalars, max_size=3),
    lambda inner: st.dictionaries(keys, st.one_of(scalars, inner), max_size=3),
)


@given(trees)
def test_merging_nothing_changes_nothing(tree: dict[str, Any]) -> None:
    assert merge(tree, {}) == tree
    assert merge({}, tree) == tree
    assert merge(tree, tree) == tree


@given(trees, trees, trees)
def test_merging_is_associative(a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]) -> None:
    def without_clashes(x: Any, y: Any) -> bool:
        """A scalar over a mapping takes the mapping away, which is the one thing that order matters for."""
        if isinstance(x, dict) != isinstance(y, dict):
            return False
        return not isinstance(x, dict) or all(without_clashes(x[k], y[k]) for k in x.keys() & y.keys())

    if without_clashes(a, b) and without_clashes(b, c) and without_clashes(a, c):
        assert merge(merge(a, b), c) == merge(a, merge(b, c))


@given(trees, trees)
def test_what_is_above_wins_everywhere(base: dict[str, Any], over: dict[str, Any]) -> None:
    result = merge(base, over)

    def check(above: Any, found: Any) -> None:
        if isinstance(above, dict):
            for key, value in above.items():
                check(value, found[key])
        else:
            assert found == above

    check(over, result)
    assert result.keys() == base.keys() | over.keys()


def test_null_takes_a_key_away_and_lists_are_replaced() -> None:
    assert merge({"a": {"b": 1, "c": 2}, "l": [1, 2]}, {"a": {"b": None}, "l": [3]}) == {"a": {"c": 2}, "l": [3]}


def resolve(text: str, **constants: str) -> tuple[dict[str, Any], list[str]]:
    values, places, findings = parse(text, "x.yml")
    resolver = Resolver(values, constants, places)
    result = resolver.resolve()
    return result, [str(finding) for finding in [*findings, *resolver.findings]]


def test_expressions_keep_types_and_reach_through_each_other() -> None:
    result, findings = resolve(
        "a: 3\nb: '{{ a }}'\nc: 'x{{ b }}-{{ environment }}'\nd: ['{{ c }}']\n", environment="dev"
    )
    assert not findings
    assert result == {"a": 3, "b": 3, "c": "x3-dev", "d": ["x3-dev"]}


def test_unknown_names_and_circles_are_found_with_their_place() -> None:
    _, findings = resolve("a: '{{ nope }}'\nb: '{{ c }}'\nc: '{{ b }}'\nd: 'x {{ e }}'\ne: {f: 1}\ng: '{{ open'\n")
    text = "\n".join(findings)
    assert "x.yml:1: a: {{ nope }} is not defined" in text
    assert "goes in a circle: b -> c -> b" in text
    assert "x.yml:4: d: {{ e }} is not a single value" in text
    assert "x.yml:6: g: `{{` without its `}}`" in text
    assert len(findings) == 4


def test_files_that_can_not_be_read() -> None:
    for text, expected in {
        "a: [1": "not valid YAML",
        "- a": "must be a mapping",
        "a: 1\na: 2": "x.yml:2: a: this key is here twice",
        "1: a": "a key must be text",
        "a: !!python/object:os.system x": "can't be read",
        "a: &x [*x]": "an alias refers to what it is part of",
        "\t- a": "not valid YAML",
        "a: 2026-99-99": "can't be read",
    }.items():
        assert any(expected in str(finding) for finding in parse(text, "x.yml")[2]), text


def test_aliases_to_aliases_do_not_eat_the_machine() -> None:
    lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1]"] + [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert "more than" in str(parse("\n".join(lines), "x.yml")[2][0])


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    values, places, findings = parse(text, "x.yml")
    assert isinstance(values, dict)
    for path in places:
        assert show(path) or path == ()
    if not findings:
        assert all(look_up(values, key)[0] for key in values if key and "." not in key)
