"""`/api/2.0/workspace/*`."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, Response

from rehearsal.databricks import formats, imports, paths
from rehearsal.databricks.call import Answer, Call, Operation, read_values
from rehearsal.databricks.errors import ApiError, invalid, malformed, not_simulated
from rehearsal.databricks.multipart import BadFormError, TooLargeError, read_form
from rehearsal.databricks.tree import DIRECTORY, FILE, NOTEBOOK, Node

# "Workspace files 500 MB", JSON content and notebooks 10 MB (Workspace API docs).
LARGEST_FILE = 500 * 1024 * 1024
LARGEST_EXPORT = 10 * 1024 * 1024


def _path(call: Call) -> tuple[str, str]:
    """The kept form of the asked path, and the asked form for answers and messages."""
    echo = paths.collapse(call.values.get("path"))
    return paths.key_of(echo), echo


def show(node: Node, asked: str) -> dict[str, Any]:
    """ObjectInfo (SDK `service/workspace.py`)."""
    shown: dict[str, Any] = {
        "object_type": node.kind,
        "path": paths.echo_of(node.path, asked),
        "object_id": node.id,
        "resource_id": str(node.id),
        "created_at": node.created,
        "modified_at": node.modified,
    }
    if node.kind == NOTEBOOK:
        shown["language"] = node.language
    if node.kind == FILE:
        shown["size"] = node.size
    return shown


async def get_status(call: Call) -> Answer:
    path, echo = _path(call)
    return show(call.workspace.tree.get(call.caller, path, echo), echo)


async def list_objects(call: Call) -> Answer:
    path, echo = _path(call)
    since = call.number("notebooks_modified_after", 0)
    found = call.workspace.tree.children(call.caller, path, echo)
    shown = [show(node, echo) for node in found if node.kind != NOTEBOOK or node.modified >= since]
    return {"objects": shown} if shown else {}


async def mkdirs(call: Call) -> Answer:
    path, echo = _path(call)
    call.workspace.tree.mkdirs(call.caller, path, echo)
    return {}


async def delete(call: Call) -> Answer:
    path, echo = _path(call)
    call.workspace.tree.delete(call.caller, path, call.flag("recursive"), echo)
    return {}


async def import_object(call: Call) -> Answer:
    """JSON with base64 content, or multipart/form-data with the file in `content`."""
    content_type = call.request.headers.get("content-type", "")
    place = call.workspace.folder / "uploads" / uuid.uuid4().hex
    try:
        if content_type.lower().startswith("multipart/form-data"):
            size = await _receive_form(call, content_type, place)
            limit = LARGEST_FILE
        else:
            call.values = await read_values(call.request)
            content = call.decoded("content")
            size, limit = len(content), imports.LARGEST_NOTEBOOK
            if size <= limit:
                place.write_bytes(content)
        if size > limit:
            raise imports.too_large(limit)
        path, echo = _path(call)
        options = imports.Options(
            format=call.text("format", "SOURCE").upper() or "SOURCE",
            language=call.text("language").upper(),
            overwrite=call.flag("overwrite"),
        )
        node = imports.import_object(call.workspace.tree, call.caller, path, echo, options, place, size)
        return {"object_id": node.id}
    finally:
        place.unlink(missing_ok=True)


async def _receive_form(call: Call, content_type: str, place: Path) -> int:
    try:
        form = await read_form(call.request.stream(), content_type, lambda: place, LARGEST_FILE)
    except BadFormError as error:
        raise malformed(f"The multipart body can not be read: {error}") from None
    except TooLargeError:
        raise imports.too_large(LARGEST_FILE) from None
    if form.file is None:
        place.write_bytes(b"")
    call.values = dict(form.fields)
    return form.size


async def export(call: Call) -> Answer:
    path, echo = _path(call)
    wanted = call.text("format", "SOURCE").upper() or "SOURCE"
    if wanted not in formats.FORMATS:
        raise invalid(f"Unknown export format: {wanted}")
    node = call.workspace.tree.readable(call.caller, path, echo)
    if node.kind == DIRECTORY:
        raise not_simulated("export of folders: the real one answers with a DBC archive")
    if wanted not in ("SOURCE", "AUTO", "RAW", "JUPYTER"):
        raise not_simulated(f"export format {wanted}")
    source = call.workspace.tree.bytes_of(node)
    if call.flag("direct_download"):
        if wanted == "JUPYTER" and node.kind == NOTEBOOK:
            return Response(
                formats.to_jupyter(node.language, source.read_bytes()), media_type="application/octet-stream"
            )
        return FileResponse(source, media_type="application/octet-stream")
    if node.size > LARGEST_EXPORT:
        raise ApiError(400, "MAX_NOTEBOOK_SIZE_EXCEEDED", "Notebook size exceeds maximum allowed size")
    content = source.read_bytes()
    file_type = node.path.rpartition(".")[2] if "." in paths.name_of(node.path) else ""
    if node.kind == NOTEBOOK:
        file_type = "ipynb" if wanted == "JUPYTER" else formats.EXTENSIONS[node.language]
        content = formats.to_jupyter(node.language, content) if wanted == "JUPYTER" else content
    return {"content": base64.b64encode(content).decode(), "file_type": file_type}


OPERATIONS = [
    Operation("GET", "/workspace/get-status", get_status),
    Operation("GET", "/workspace/list", list_objects),
    Operation("GET", "/workspace/export", export),
    Operation("POST", "/workspace/mkdirs", mkdirs),
    Operation("POST", "/workspace/delete", delete),
    Operation("POST", "/workspace/import", import_object, raw_body=True),
]
