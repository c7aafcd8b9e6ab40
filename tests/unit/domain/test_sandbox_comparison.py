"""The three-way comparison of a sandbox: nothing that only one side changed is lost, nothing that both changed is overwritten."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.codec import Damaged
from slipway.domain.sandbox import (
    Comparison,
    Item,
    Pair,
    Plan,
    Record,
    clashes,
    compare,
    item_of,
    local_path,
    plan,
    read_record,
    refreshed,
    write_record,
)

Side = Literal["here", "there"]
KEYS = [f"notebooks/{name}" for name in ("a", "b", "c")]


def notebook(text: str, language: str = "PYTHON") -> Item:
    return Item(kind="notebook", digest=text, size=len(text), language=language)


def file(text: str) -> Item:
    return Item(kind="file", digest=text, size=len(text))


@dataclass
class Model:
    """Two sides and a record, moved by what the domain plans. The service writes what it is sent in its own way: `text'`."""

    here: dict[str, Item] = field(default_factory=dict)
    there: dict[str, Item] = field(default_factory=dict)
    before: dict[str, Pair] = field(default_factory=dict)

    def compared(self) -> dict[str, Comparison]:
        return compare(self.here, self.there, self.before)

    def sync(self, source: Side, forced: tuple[str, ...] = (), *, delete: bool = True) -> Plan:
        comparisons = self.compared()
        work = plan(comparisons, source, forced=forced)
        self.before = refreshed(self.before, comparisons, {key: key for key in comparisons}, {})
        for key in work.write:
            if source == "here":
                self.there[key] = replace(self.here[key], digest=self.here[key].digest + "'")
            else:
                self.here[key] = self.there[key]
            self.before[key] = Pair(here=self.here[key], there=self.there[key], path=key)
        for key in work.delete if delete else ():
            (self.there if source == "here" else self.here).pop(key)
            self.before.pop(key, None)
        return work


items = st.one_of(st.sampled_from("xyz").map(notebook), st.sampled_from("xyz").map(file))
sides = st.dictionaries(st.sampled_from(KEYS), items)


@st.composite
def models(draw: st.DrawFn) -> Model:
    """Any two sides, synced once or not, then changed on either."""
    model = Model(draw(sides), draw(sides))
    if draw(st.booleans()):
        model.sync("here", tuple(KEYS))
        model.sync("there")
        for side in (model.here, model.there):
            for key in draw(st.lists(st.sampled_from(KEYS), unique=True)):
                side.pop(key, None)
            side |= draw(sides)
    return model


@given(models())
def test_push_then_pull_leaves_nothing_but_conflicts(model: Model) -> None:
    model.sync("here")
    model.sync("there")
    assert {one.outcome for one in model.compared().values()} <= {"same", "conflict"}
    before = (dict(model.here), dict(model.there), dict(model.before))
    for source in ("here", "there"):
        assert not model.sync(source).changes
    assert (model.here, model.there, model.before) == before


@given(models())
def test_what_one_side_changed_reaches_the_other(model: Model) -> None:
    found = model.compared()
    model.sync("here")
    model.sync("there")
    for key, one in found.items():
        if one.outcome in ("here", "there"):
            wanted = one.here if one.outcome == "here" else one.there
            for side in (model.here, model.there):
                now = side.get(key)
                assert (now is None) == (wanted is None)
                assert now is None or wanted is None or now.digest.rstrip("'") == wanted.digest.rstrip("'")


@given(models())
def test_what_both_changed_stays_until_it_is_forced(model: Model) -> None:
    conflicts = {key: one for key, one in model.compared().items() if one.outcome == "conflict"}
    for source in ("here", "there"):
        assert {*model.sync(source).conflicts} == {*conflicts}
        for key, one in conflicts.items():
            assert (model.here.get(key), model.there.get(key)) == (one.here, one.there)
    for key in conflicts:
        model.sync("there", (key,))
        assert model.compared().get(key) is None or model.compared()[key].outcome == "same"
        assert model.here.get(key) == conflicts[key].there


@given(models(), st.sampled_from(["here", "there"]))
def test_a_deletion_that_was_refused_is_asked_for_again(model: Model, source: Side) -> None:
    first = model.sync(source, delete=False)
    assert model.sync(source, delete=False).delete == first.delete


@given(models())
def test_a_record_can_be_kept(model: Model) -> None:
    model.sync("here")
    record = Record(host="h", folder="/Workspace/Users/ada", objects=model.before, library="d")
    assert read_record(write_record(record)) == record


def test_a_record_of_something_else_is_damaged() -> None:
    with pytest.raises(Damaged):
        read_record(b'{"host": "h"}')


def outcome(here: Item | None, there: Item | None, before: Item | None) -> str:
    pair = Pair(here=before, there=before, path="a.py") if before else None
    return Comparison(key="notebooks/a", here=here, there=there, before=pair).outcome


def test_the_outcomes() -> None:
    x, y, z = notebook("x"), notebook("y"), notebook("z")
    assert outcome(x, None, None) == "here"
    assert outcome(None, x, None) == "there"
    assert outcome(x, y, None) == "conflict"  # a second machine, or a lost record
    assert outcome(x, x, None) == "same"
    assert outcome(y, x, x) == "here"
    assert outcome(x, y, x) == "there"
    assert outcome(y, z, x) == "conflict"
    assert outcome(y, y, x) == "same"
    assert outcome(None, x, x) == "here"
    assert outcome(x, None, x) == "there"
    assert outcome(None, y, x) == "conflict"
    assert outcome(y, None, x) == "conflict"
    assert outcome(None, None, x) == "same"
    assert outcome(file("x"), x, x) == "here"
    assert outcome(notebook("x", "SQL"), x, x) == "here"


def comparison(key: str, here: Item | None, there: Item | None, before: Item | None = None) -> Comparison:
    pair = Pair(here=before, there=before, path=key) if before else None
    return Comparison(key=key, here=here, there=there, before=pair)


def clash(*found: Comparison, **paths: str) -> tuple[dict[str, str], dict[str, str]]:
    result = clashes({one.key: one for one in found}, {one.key: paths.get(one.key, one.key) for one in found})
    return dict(result.stuck), dict(result.replaces)


def test_a_notebook_that_became_a_file_replaces_it() -> None:
    x = notebook("x")
    gone, came = comparison("n", None, x, x), comparison("n.py", file("y"), None)
    assert clash(gone, came, n="n.py") == ({}, {"n.py": "n"})
    back = comparison("n", x, None, x), comparison("n.py", None, file("y"))
    assert clash(*back, n="n.py") == ({}, {"n.py": "n"})


def test_names_that_mean_the_same_stay_where_they_are() -> None:
    x = notebook("x")
    changed = comparison("n", None, notebook("z"), x), comparison("n.py", file("y"), None)
    assert clash(*changed, n="n.py")[0] == {"n": "n.py", "n.py": "n"}
    assert clash(comparison("Ä", x, None), comparison("ä", None, x))[0] == {"Ä": "ä", "ä": "Ä"}
    assert clash(comparison("a\u0308", x, None), comparison("ä", None, x))[0] == {"a\u0308": "ä", "ä": "a\u0308"}
    assert clash(comparison("d", x, None), comparison("d/e", None, x), d="d.py")[0] == {"d": "d/e", "d/e": "d"}
    assert clash(comparison("a", x, None), comparison("b", x, None)) == ({}, {})


@pytest.mark.parametrize(
    ("language", "known", "path"),
    [
        ("PYTHON", "", "n.py"),
        ("R", "", "n.r"),
        ("R", "n.R", "n.R"),
        ("SQL", "n.py", "n.sql"),
        ("SCALA", "m.scala", "n.scala"),
    ],
)
def test_the_file_of_a_notebook(language: str, known: str, path: str) -> None:
    assert local_path("n", notebook("x", language), known) == path


HEADER = "# Databricks notebook source\n"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a = 1\n", "a = 1", True),
        ("a = 1\n", "a = 1\r\n", True),
        ("a\n# COMMAND ----------\nb\n", "a\n\n# COMMAND ----------\n\nb", True),
        ("a\n", "a \n", False),
        ("if a:\n  b\n", "if a:\n    b\n", False),
        ("a\n# COMMAND ----------\n", "a\n", False),
        ("a\n\nb\n", "a\nb\n", False),
    ],
)
def test_what_counts_as_the_same_notebook(one: str, other: str, same: bool) -> None:
    with_header = item_of("notebook", "PYTHON", (HEADER + one).encode())
    assert with_header.same_as(item_of("notebook", "PYTHON", other.encode())) == same
    assert not item_of("file", None, one.encode()).same_as(item_of("file", None, (one + "\n").encode()))
