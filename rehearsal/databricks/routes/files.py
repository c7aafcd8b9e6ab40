"""`/api/2.0/fs/*`: files and folders of volumes; and `/api/2.1/unity-catalog/volumes`, so that there are volumes."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from starlette.responses import FileResponse, Response

from rehearsal.databricks.call import Answer, Call, Operation
from rehearsal.databricks.errors import ApiError, invalid
from rehearsal.databricks.volumes import files_error

LARGEST_FILE = 5 * 1024**3
OCTETS = "application/octet-stream"


async def upload(call: Call) -> Answer:
    """The body, whatever it is, becomes the file; it is replaced unless `overwrite=false` (SDK docstring)."""
    overwrite = call.request.query_params.get("overwrite", "true").lower() != "false"
    volumes, path = call.workspace.volumes, call.names["path"]
    volumes.target(path, overwrite)
    part = call.workspace.folder / "uploads" / uuid.uuid4().hex
    try:
        await _receive(call, part)
        part.replace(volumes.target(path, overwrite))
    finally:
        part.unlink(missing_ok=True)
    return Response(status_code=204)


async def _receive(call: Call, part: Path) -> None:
    size = 0
    with part.open("wb") as file:
        async for piece in call.request.stream():
            size += len(piece)
            if size <= LARGEST_FILE:
                file.write(piece)
    if size > LARGEST_FILE:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"The file is larger than {LARGEST_FILE} bytes")


async def download(call: Call) -> Answer:
    """The bytes, or the range that was asked for; a HEAD has the headers alone."""
    file = call.workspace.volumes.file(call.names["path"])
    changed = datetime.fromtimestamp(int(file.stat().st_mtime), UTC)
    if (limit := call.request.headers.get("If-Unmodified-Since")) and changed > _date(limit):
        text = "The file was modified after the given time."
        raise files_error(
            412, "FAILED_PRECONDITION", "FILES_API_PRECONDITION_FAILED", text
        )  # unverified but for the status
    return FileResponse(file, media_type=OCTETS)


def _date(text: str) -> datetime:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        raise invalid(f"Invalid date in If-Unmodified-Since: {text}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


async def delete(call: Call) -> Answer:
    call.workspace.volumes.file(call.names["path"]).unlink()
    return Response(status_code=204)


async def make_directory(call: Call) -> Answer:
    volumes = call.workspace.volumes
    volumes.mkdirs(volumes.place(call.names["path"]).real)
    return Response(status_code=204)


async def list_directory(call: Call) -> Answer:
    size, token = call.number("page_size", 0), call.text("page_token")
    return call.workspace.volumes.page(call.names["path"], size, token)


async def has_directory(call: Call) -> Answer:
    call.workspace.volumes.directory(call.names["path"])
    return Response(status_code=200)


async def delete_directory(call: Call) -> Answer:
    call.workspace.volumes.delete_directory(call.names["path"])
    return Response(status_code=204)


async def upload_in_parts(call: Call) -> Answer:
    """An upload in parts begins, and ends at the first part's link (see below): older SDKs fall back only there."""
    if call.request.query_params.get("action") != "initiate-upload":
        return await not_enabled(call)
    call.workspace.volumes.target(
        call.names["path"], call.request.query_params.get("overwrite", "true").lower() != "false"
    )
    return {"multipart_upload": {"session_token": uuid.uuid4().hex}}


async def not_enabled(_: Call) -> Answer:
    """Uploads and downloads by links into the storage are not there, as in workspaces where they are switched off: clients
    fall back to one request for the whole file (databricks-sdk-py `mixins/files.py`)."""
    raise files_error(403, "PERMISSION_DENIED", "FILES_API_API_IS_NOT_ENABLED", "Presigned URLs API is not enabled")


async def create_volume(call: Call) -> Answer:
    return call.workspace.volumes.create(call.caller.name, call.values)


async def list_volumes(call: Call) -> Answer:
    call.required("catalog_name", "schema_name")
    found = call.workspace.volumes.list(call.text("catalog_name"), call.text("schema_name"))
    return {"volumes": found} if found else {}


async def get_volume(call: Call) -> Answer:
    return call.workspace.volumes.get(call.names["name"])


async def delete_volume(call: Call) -> Answer:
    call.workspace.volumes.delete(call.names["name"])
    return {}


FILE, DIRECTORY, VOLUMES = "/fs/files/{path*}", "/fs/directories/{path*}", "/unity-catalog/volumes"
OPERATIONS = [
    Operation("PUT", FILE, upload, raw_body=True),
    Operation("GET", FILE, download),
    Operation("HEAD", FILE, download),
    Operation("DELETE", FILE, delete),
    Operation("POST", FILE, upload_in_parts, raw_body=True, done=False),
    Operation("PUT", DIRECTORY, make_directory),
    Operation("GET", DIRECTORY, list_directory),
    Operation("HEAD", DIRECTORY, has_directory),
    Operation("DELETE", DIRECTORY, delete_directory),
    Operation("POST", "/fs/create-download-url", not_enabled, done=False),
    Operation("POST", "/fs/create-upload-part-urls", not_enabled, done=False),
    Operation("POST", "/fs/create-resumable-upload-url", not_enabled, done=False),
    Operation("POST", "/fs/create-abort-upload-url", not_enabled, done=False),
    Operation("POST", VOLUMES, create_volume, ("2.1",)),
    Operation("GET", VOLUMES, list_volumes, ("2.1",)),
    Operation("GET", VOLUMES + "/{name}", get_volume, ("2.1",)),
    Operation("DELETE", VOLUMES + "/{name}", delete_volume, ("2.1",)),
]
