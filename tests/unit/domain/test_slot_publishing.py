"""What publishing must do to a slot, on a model of a folder."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.slot import MANIFEST, SlotFile, owner_of, plan_publish

names = st.sampled_from(["a", "b", "notebooks/a", "notebooks/b", "notebooks/deep/a", "library/x.whl", "config/e.json"])
contents = st.sampled_from([b"1", b"2", b"3"])


def file(path: str, data: bytes, notebook: bool) -> SlotFile:
    return SlotFile(
        path=path,
        kind="notebook" if notebook else "file",
        language="PYTHON" if notebook else None,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        data=data,
    )


def closed(paths: dict[str, tuple[bytes, bool]]) -> dict[str, tuple[bytes, bool]]:
    """Without files that lie where another file needs a folder."""
    return {path: value for path, value in paths.items() if not any(other.startswith(path + "/") for other in paths)}


trees = st.dictionaries(names, st.tuples(contents, st.booleans()), max_size=6).map(closed)


def objects(tree: dict[str, tuple[bytes, bool]]) -> dict[str, tuple[str, bytes]]:
    result: dict[str, tuple[str, bytes]] = {}
    for path, (data, notebook) in tree.items():
        for end in [i for i, c in enumerate(path) if c == "/"]:
            result[path[:end]] = ("DIRECTORY", b"")
        result[path] = ("NOTEBOOK" if notebook else "FILE", data)
    return result


@given(trees, trees, st.booleans(), st.booleans())
def test_after_the_plan_the_slot_holds_exactly_what_it_should(
    wanted: Any, there: Any, trusted: bool, manifest: bool
) -> None:
    slot = objects(there)
    if manifest:
        slot[MANIFEST] = ("FILE", b"{}")
    files = [file(path, data, notebook) for path, (data, notebook) in wanted.items()]
    known = {path: hashlib.sha256(data).hexdigest() for path, (data, _) in there.items()} if trusted else None
    plan = plan_publish(files, known=known, listed={path: kind for path, (kind, _) in slot.items()})
    slot.pop(MANIFEST, None)
    for path in plan.delete:
        for name in [n for n in slot if n == path or n.startswith(path + "/")]:
            del slot[name]
    for folder in plan.folders:
        assert slot.get(folder, ("DIRECTORY",))[0] == "DIRECTORY"
        slot[folder] = ("DIRECTORY", b"")
    for item in plan.upload:
        parent = item.path.rpartition("/")[0]
        assert not parent or slot[parent][0] == "DIRECTORY"
        kind = "NOTEBOOK" if item.kind == "notebook" else "FILE"
        assert slot.get(item.path, (kind,))[0] == kind
        slot[item.path] = (kind, item.data or b"")
    assert slot == objects(wanted)
    assert {item.path for item in plan.upload} | set(plan.keep) == set(wanted)
    if trusted:
        assert not {item.path for item in plan.upload} & {p for p in wanted if there.get(p) == wanted[p]}
    else:
        assert not plan.keep


def test_a_slot_that_is_not_there_yet() -> None:
    plan = plan_publish([file("notebooks/deep/a", b"1", True)], known=None, listed=None)
    assert plan.folders == ("notebooks", "notebooks/deep") and not plan.delete


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"app": "bikeshare", "environment": "dev", "slot": "blue"}', ("bikeshare", "dev")),
        (b'{"app": "bikeshare"}', None),
        (b'{"app": 1, "environment": "dev"}', None),
        (b"[]", None),
        (b"\xff", None),
    ],
)
def test_whose_a_slot_says_that_it_is(data: bytes, expected: tuple[str, str] | None) -> None:
    assert owner_of(data) == expected
