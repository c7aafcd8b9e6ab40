"""Paths, uploads and the tree over wide input: whatever is asked, the tree and the disk agree, and nothing leaves the folder."""

from __future__ import annotations

import asyncio
import base64
import itertools
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rehearsal.databricks import multipart, paths
from rehearsal.databricks.errors import ApiError
from tests.rehearsal.databricks.workbench import ADMIN, HOST, Site

names = st.sampled_from(["a", "b", "b.py", "d e", "ü"])
relative = st.lists(names, min_size=1, max_size=3).map("/".join)
steps = st.lists(
    st.tuples(st.sampled_from(["mkdirs", "file", "notebook", "delete"]), relative, st.booleans()),
    min_size=1,
    max_size=12,
)


segments = st.sampled_from(["..", ".", "", "a", "Workspace", "..."]) | st.text(max_size=6)


@given(st.lists(segments, max_size=6).map("/".join))
def test_no_path_leaves_the_tree(text: str) -> None:
    try:
        path = paths.collapse("/" + text)
    except ApiError as error:
        assert error.status == 400
        return
    inside = Path("/base", paths.key_of(path).lstrip("/")).resolve()
    assert inside == Path("/base") or Path("/base") in inside.parents
    assert paths.collapse(path) == path
    assert "//" not in path


@given(relative)
def test_both_forms_of_a_path_mean_one_object(path: str) -> None:
    assert (
        paths.key_of(paths.collapse(f"/Workspace/{path}/")) == paths.key_of(paths.collapse(f"//{path}")) == f"/{path}"
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_the_tree_and_the_disk_agree(site: Site, todo: list[tuple[str, str, bool]]) -> None:
    root = "/Shared/t"
    site.ok(ADMIN, "POST", "/workspace/mkdirs", {"path": root})
    for verb, path, flag in todo:
        values = {"path": f"{root}/{path}", "overwrite": flag, "recursive": flag}
        if verb == "file":
            values |= {"content": base64.b64encode(path.encode()).decode(), "format": "RAW"}
        elif verb == "notebook":
            values |= {"content": "", "language": "PYTHON"}
        verb = "import" if verb in ("file", "notebook") else verb
        status, _ = site.call(ADMIN, "POST", f"/workspace/{verb}", values)
        assert status in (200, 400, 404, 501)
    workspace = site.workspaces.get(HOST)
    assert workspace is not None
    known = {node.path: node for node in workspace.tree.walk(root)}
    assert {
        path for path in known if known[path].kind != "DIRECTORY" and not workspace.tree.bytes_of(known[path]).is_file()
    } == set()
    assert {paths.parent_of(path) for path in known} <= {*known, "/Shared"}
    base = workspace.folder / "workspace"
    on_disk = [
        file for kind in ("files", "notebooks") for file in (base / kind / "Shared" / "t").rglob("*") if file.is_file()
    ]
    assert len(on_disk) == sum(node.kind != "DIRECTORY" for node in known.values())
    listed = site.ok(ADMIN, "GET", "/workspace/list", {"path": root}).get("objects", [])
    assert [entry["path"] for entry in listed] == sorted(path for path in known if paths.parent_of(path) == root)
    site.ok(ADMIN, "POST", "/workspace/delete", {"path": root, "recursive": True})


def received(body: bytes, cuts: list[int], boundary: str, limit: int = 10_000) -> tuple[dict[str, str], bytes | None]:
    """The form read from a body that arrives in pieces: fields, and the file's bytes."""
    edges = sorted({0, len(body), *(min(cut, len(body)) for cut in cuts)})
    pieces = [body[a:b] for a, b in itertools.pairwise(edges)]

    async def stream() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "upload"
        content_type = f"multipart/form-data; boundary={boundary}"
        form = asyncio.run(multipart.read_form(stream(), content_type, lambda: target, limit))
        return form.fields, form.file.read_bytes() if form.file else None


def form_body(fields: dict[str, str], content: bytes, boundary: str) -> bytes:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode() for n, v in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="content"; filename="x"\r\n\r\n'.encode()
    return b"".join([*parts, head, content, f"\r\n--{boundary}--\r\n".encode()])


awkward = st.lists(
    st.sampled_from([b"\r", b"\n", b"-", b"--", b"\r\n--", b"bo", b"und", b"\x00", b"x"]), max_size=40
).map(b"".join)


@settings(max_examples=150, deadline=None)
@given(
    awkward,
    st.lists(st.integers(0, 400), max_size=30),
    st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=9),
)
def test_a_form_arrives_whole_however_it_is_cut(content: bytes, cuts: list[int], value: str) -> None:
    boundary = "bound-7f"
    if b"\r\n--bound-7f" in b"\r\n" + content:
        return
    body = form_body({"path": value, "overwrite": "true"}, content, boundary)
    assert received(body, cuts, boundary) == ({"path": value, "overwrite": "true"}, content)


@pytest.mark.parametrize("end", [0, 5, 60, 100, 150])
def test_a_form_that_breaks_off_is_refused(end: int) -> None:
    body = form_body({"path": "/x"}, b"content", "b")
    with pytest.raises(multipart.BadFormError):
        received(body[: min(end, len(body) - 5)], [], "b")


def test_a_form_that_is_none_is_refused() -> None:
    with pytest.raises(multipart.BadFormError, match="boundary"):
        multipart.boundary_of("multipart/form-data")
    with pytest.raises(multipart.BadFormError, match="no name"):
        received(b"--b\r\nX: y\r\n\r\nz\r\n--b--\r\n", [], "b")
    with pytest.raises(multipart.BadFormError, match="other text"):
        received(b"--bx\r\n\r\n", [], "b")
