"""`/api/2.0/workspace/*` and `/api/2.0/workspace-files/*`."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, Response

from rehearsal.databricks import archives, formats, imports, paths
from rehearsal.databricks.call import Answer, Call, Operation, read_values
from rehearsal.databricks.errors import ApiError, invalid, malformed, missing, not_simulated
from rehearsal.databricks.multipart import BadFormError, TooLargeError, read_form
from rehearsal.databricks.tree import FILE, FOLDERS, NOTEBOOK, Node

# "Workspace files 500 MB", JSON content and notebooks 10 MB (Workspace API docs).
LARGEST_FILE = 500 * 1024 * 1024
LARGEST_EXPORT = 10 * 1024 * 1024
OCTETS = "application/octet-stream"


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
    node = call.workspace.tree.get(call.caller, path, echo)
    shown = show(node, echo)
    if call.flag("return_export_info") and node.kind == NOTEBOOK:
        # Undocumented; clients see by it which extension a notebook has as a file (databricks/cli `libs/filer`).
        shown["repos_export_format"] = "JUPYTER" if node.jupyter else "SOURCE"
    if call.flag("return_git_info") and (found := call.workspace.git_folders.info(path)):
        shown["git_info"] = found
    return shown


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
        asked = imports.Import(call.workspace.tree, call.caller, path, echo, options, place, size)
        return {"object_id": imports.run(asked).id}
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


async def import_file(call: Call) -> Answer:
    """The raw bytes of a request, classified as AUTO does (databricks/cli `libs/filer/workspace_files_client.go`)."""
    echo = paths.collapse(call.names["path"])
    path, tree = paths.key_of(echo), call.workspace.tree
    place = call.workspace.folder / "uploads" / uuid.uuid4().hex
    try:
        size = 0
        with place.open("wb") as file:
            async for piece in call.request.stream():
                size += len(piece)
                if size <= LARGEST_FILE:
                    file.write(piece)
        if size > LARGEST_FILE:
            raise imports.too_large(LARGEST_FILE)
        overwrite = call.request.query_params.get("overwrite", "").lower() == "true"
        options = imports.Options("AUTO", "", overwrite)
        asked = imports.Import(tree, call.caller, path, echo, options, place, size)
        return {"object_id": imports.run(asked).id}
    except ApiError as error:
        raise _as_import_file_says(error, echo) from None
    finally:
        place.unlink(missing_ok=True)


def _as_import_file_says(error: ApiError, echo: str) -> ApiError:
    """This door's own answers for what is there already: 409 for a file, 400 without a code for another type (same source)."""
    if error.code == "RESOURCE_ALREADY_EXISTS":
        text = f"Node with name {echo} already exists. Please pass overwrite=true to update it."
        return ApiError(409, "ALREADY_EXISTS", text)
    if error.details:
        return ApiError(400, "", f"Path ({echo}) already exists.")
    return error


async def read_file(call: Call) -> Answer:
    """The raw bytes of a file."""
    echo = paths.collapse(call.names["path"])
    node = call.workspace.tree.readable(call.caller, paths.key_of(echo), echo)
    if node.kind != FILE:
        raise missing(f"Path ({echo}) doesn't exist.")  # for notebooks and folders unverified
    return FileResponse(call.workspace.tree.bytes_of(node), media_type=OCTETS)


async def export(call: Call) -> Answer:
    path, echo = _path(call)
    wanted = call.text("format", "SOURCE").upper() or "SOURCE"
    if wanted not in formats.FORMATS:
        raise invalid(f"Unknown export format: {wanted}")
    node = call.workspace.tree.readable(call.caller, path, echo)
    if wanted in ("HTML", "R_MARKDOWN"):
        raise not_simulated(f"export format {wanted}")
    content, file_type = _exported(call, node, wanted)
    if call.flag("direct_download"):
        if isinstance(content, Path):
            return FileResponse(content, media_type=OCTETS)
        return Response(content, media_type=OCTETS)
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    if size > LARGEST_EXPORT:
        raise ApiError(400, "MAX_NOTEBOOK_SIZE_EXCEEDED", "Notebook size exceeds maximum allowed size")
    data = content.read_bytes() if isinstance(content, Path) else content
    return {"content": base64.b64encode(data).decode(), "file_type": file_type}


def _exported(call: Call, node: Node, wanted: str) -> tuple[bytes | Path, str]:
    """What an export gives, and its file type. A folder is a DBC archive whatever was asked for (databricks/cli `libs/filer`)."""
    tree = call.workspace.tree
    if node.kind in FOLDERS or (wanted == "DBC" and node.kind == NOTEBOOK):
        above = len(paths.parent_of(node.path).rstrip("/")) + 1
        found = [each for each in tree.walk(node.path) if each.kind == NOTEBOOK]
        found = [each for each in found if tree.may(call.caller, each.path, "CAN_READ")]
        return archives.to_dbc([(e.path[above:], e.language, tree.bytes_of(e).read_bytes()) for e in found]), "dbc"
    if wanted == "DBC":
        raise invalid(f"A file can not be exported as {wanted}")  # unverified
    source = tree.bytes_of(node)
    if node.kind != NOTEBOOK:
        return source, node.path.rpartition(".")[2] if "." in paths.name_of(node.path) else ""
    if wanted == "JUPYTER":
        return formats.to_jupyter(node.language, source.read_bytes()), "ipynb"
    return source, formats.EXTENSIONS[node.language]


OPERATIONS = [
    Operation("GET", "/workspace/get-status", get_status),
    Operation("GET", "/workspace/list", list_objects),
    Operation("GET", "/workspace/export", export),
    Operation("POST", "/workspace/mkdirs", mkdirs),
    Operation("POST", "/workspace/delete", delete),
    Operation("POST", "/workspace/import", import_object, raw_body=True),
    Operation("POST", "/workspace-files/import-file/{path*}", import_file, raw_body=True),
    Operation("GET", "/workspace-files/{path*}", read_file),
]
