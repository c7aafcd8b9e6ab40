"""The stand-ins' memory."""

from __future__ import annotations

import stat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.store import DamagedStore, Store

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
WRITES = st.lists(
    st.tuples(st.sampled_from("abc"), st.none() | JSON.filter(lambda value: value is not None)), max_size=12
)


@given(WRITES)
def test_what_was_written_is_there_after_a_restart(writes: list[tuple[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store.sqlite")
        documents, expected = store.collection("x"), dict[str, Any]()
        for key, value in writes:
            if value is None:
                documents.pop(key, None)
                expected.pop(key, None)
            else:
                documents[key] = expected[key] = value
        # Not closed: a killed rehearsal closes nothing.
        again = Store(Path(folder) / "store.sqlite")
        assert dict(again.collection("x")) == expected == dict(documents)
        assert dict(again.collection("y")) == {}
        again.close()
        store.close()


def test_a_read_document_is_a_copy(tmp_path: Path) -> None:
    documents = Store(tmp_path / "store.sqlite").collection("x")
    documents["a"] = {"n": 1}
    documents["a"]["n"] = 2
    assert documents["a"] == {"n": 1}


def test_numbers_of_a_sequence_never_come_twice(tmp_path: Path) -> None:
    first = Store(tmp_path / "store.sqlite")
    numbers = [first.next_id("runs"), first.next_id("runs"), first.next_id("jobs", first=100)]
    assert [*numbers, Store(tmp_path / "store.sqlite").next_id("runs")] == [1, 2, 100, 3]


def test_a_damaged_file_is_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(DamagedStore, match="is damaged"):
        Store(tmp_path / "store.sqlite")


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    Store(tmp_path / "store.sqlite").close()
    assert stat.S_IMODE((tmp_path / "store.sqlite").stat().st_mode) == 0o600
