"""`/api/2.0/dbfs/*`."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path

from rehearsal.databricks.call import Answer, Call, Operation, read_values
from rehearsal.databricks.dbfs import BLOCK, DEFAULT_READ, Dbfs
from rehearsal.databricks.errors import ApiError, malformed
from rehearsal.databricks.multipart import BadFormError, TooLargeError, read_form

LARGEST_PUT = 2 * 1024 * 1024 * 1024


def operations(datasets: Path) -> list[Operation]:
    """The operations; `datasets` shows as /databricks-datasets."""

    def dbfs(call: Call) -> Dbfs:
        return Dbfs(call.workspace.folder / "dbfs", datasets)

    async def get_status(call: Call) -> Answer:
        return dbfs(call).status(call.values.get("path"))

    async def list_files(call: Call) -> Answer:
        found = dbfs(call).list(call.values.get("path"))
        return {"files": found} if found else {}

    async def read(call: Call) -> Answer:
        data = dbfs(call).read(call.values.get("path"), call.number("offset", 0), call.number("length", DEFAULT_READ))
        return {"bytes_read": len(data), "data": base64.b64encode(data).decode()}

    async def mkdirs(call: Call) -> Answer:
        dbfs(call).mkdirs(call.values.get("path"))
        return {}

    async def delete(call: Call) -> Answer:
        dbfs(call).delete(call.values.get("path"), call.flag("recursive"))
        return {}

    async def put(call: Call) -> Answer:
        """JSON with up to 1 MB, or multipart with the file in `file` or `contents`."""
        upload = call.workspace.folder / "uploads" / uuid.uuid4().hex
        content_type = call.request.headers.get("content-type", "")
        try:
            if content_type.lower().startswith("multipart/form-data"):
                form = await read_form(call.request.stream(), content_type, lambda: upload, LARGEST_PUT)
                call.values = dict(form.fields)
            else:
                call.values = await read_values(call.request)
                contents = call.decoded("contents")
                if len(contents) > BLOCK:
                    raise ApiError(400, "MAX_BLOCK_SIZE_EXCEEDED", f"contents must not be larger than {BLOCK} bytes")
                upload.write_bytes(contents)
            target = dbfs(call).target(call.values.get("path"), call.flag("overwrite"))
            if upload.exists():
                upload.replace(target)
        except (BadFormError, TooLargeError) as error:
            raise malformed(f"The multipart body can not be read: {error}") from None
        finally:
            upload.unlink(missing_ok=True)
        return {}

    async def create(call: Call) -> Answer:
        target = dbfs(call).target(call.values.get("path"), call.flag("overwrite"))
        return {"handle": call.workspace.streams.open(call.caller.key, target)}

    async def add_block(call: Call) -> Answer:
        call.workspace.streams.add(call.caller.key, call.number("handle"), call.decoded("data"))
        return {}

    async def close(call: Call) -> Answer:
        call.workspace.streams.close(call.caller.key, call.number("handle"))
        return {}

    async def move(call: Call) -> Answer:
        call.required("source_path", "destination_path")
        dbfs(call).move(call.values["source_path"], call.values["destination_path"])
        return {}

    return [
        Operation("GET", "/dbfs/get-status", get_status),
        Operation("GET", "/dbfs/list", list_files),
        Operation("GET", "/dbfs/read", read),
        Operation("POST", "/dbfs/mkdirs", mkdirs),
        Operation("POST", "/dbfs/delete", delete),
        Operation("POST", "/dbfs/put", put, raw_body=True),
        Operation("POST", "/dbfs/create", create),
        Operation("POST", "/dbfs/add-block", add_block),
        Operation("POST", "/dbfs/close", close),
        Operation("POST", "/dbfs/move", move),
    ]
