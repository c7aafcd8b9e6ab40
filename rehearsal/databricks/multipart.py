"""Reading multipart/form-data as it arrives: files go to disk in pieces, memory does not grow with them (RFC 7578, RFC 2046)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

LONGEST_HEADERS = 16 * 1024
LONGEST_FIELD = 1024 * 1024
# Parts with these names are files, whether they name a file or not (databricks-sdk-py sends `content`, databricks-cli `file`).
FILE_PARTS = ("content", "file")


class BadFormError(Exception):
    """The body is not the form that its content type promises."""


class TooLargeError(Exception):
    """A file is larger than the limit. The body was read to its end, so that the sender gets to see the answer."""


@dataclass
class Form:
    """Text fields by name, and the first file with its size in bytes."""

    fields: dict[str, str] = field(default_factory=dict)
    file: Path | None = None
    size: int = 0


def boundary_of(content_type: str) -> bytes:
    """The boundary of a multipart/form-data content type. Raises BadFormError when there is none."""
    found = re.search(r'boundary=(?:"([^"]+)"|([^;\s]+))', content_type, re.IGNORECASE)
    if not found:
        raise BadFormError("no boundary in the content type")
    return (found[1] or found[2]).encode("latin-1", "replace")


async def read_form(stream: AsyncIterator[bytes], content_type: str, new_file: Callable[[], Path], limit: int) -> Form:
    """Read the whole body. `new_file` names the file that the upload is written to; limit in bytes.

    Raises BadFormError, or TooLargeError; no file is left behind then.
    """
    reader = _Reader(boundary_of(content_type), new_file, limit)
    try:
        async for chunk in stream:
            reader.feed(chunk)
        reader.finish()
    except BaseException:
        reader.discard()
        raise
    return reader.form


class _Reader:
    """A push parser: bytes in, parts out. States: preamble, headers, body, done."""

    def __init__(self, boundary: bytes, new_file: Callable[[], Path], limit: int) -> None:
        self.form = Form()
        self._delimiter = b"\r\n--" + boundary
        self._new_file = new_file
        self._limit = limit
        # The first delimiter has no line end before it when there is no preamble.
        self._buffer = b"\r\n"
        self._state = "preamble"
        self._name = ""
        self._text = bytearray()
        self._target: BinaryIO | None = None
        self._too_large = False

    def feed(self, chunk: bytes) -> None:
        self._buffer += chunk
        while self._step():
            pass

    def finish(self) -> None:
        if self._state != "done":
            raise BadFormError("the body ends in the middle of a part")
        if self._too_large:
            raise TooLargeError

    def discard(self) -> None:
        if self._target:
            self._target.close()
        if self.form.file:
            self.form.file.unlink(missing_ok=True)

    def _step(self) -> bool:
        """Use up some of the buffer; False when more bytes are needed."""
        if self._state in ("preamble", "body"):
            return self._until_delimiter()
        if self._state == "delimiter":
            return self._after_delimiter()
        if self._state == "headers":
            return self._headers()
        self._buffer = b""
        return False

    def _until_delimiter(self) -> bool:
        place = self._buffer.find(self._delimiter)
        if place < 0:
            keep = len(self._delimiter) - 1
            if len(self._buffer) > keep:
                self._write(self._buffer[:-keep])
                self._buffer = self._buffer[-keep:]
            return False
        self._write(self._buffer[:place])
        self._end_part()
        self._buffer = self._buffer[place + len(self._delimiter) :]
        self._state = "delimiter"
        return True

    def _after_delimiter(self) -> bool:
        rest = self._buffer.lstrip(b" \t")
        if len(rest) < 2:
            return False
        if rest.startswith(b"--"):
            self._state = "done"
        elif rest.startswith(b"\r\n"):
            self._buffer = rest[2:]
            self._state = "headers"
        else:
            raise BadFormError("a boundary is followed by other text")
        return True

    def _headers(self) -> bool:
        place = self._buffer.find(b"\r\n\r\n")
        if place < 0:
            if len(self._buffer) > LONGEST_HEADERS:
                raise BadFormError("the headers of a part are too long")
            return False
        self._begin_part(self._buffer[:place].decode("utf-8", "replace"))
        self._buffer = self._buffer[place + 4 :]
        self._state = "body"
        return True

    def _begin_part(self, headers: str) -> None:
        disposition = re.search(r"^content-disposition:(.*)$", headers, re.IGNORECASE | re.MULTILINE)
        name = re.search(r'[;\s]name="([^"]*)"', disposition[1]) if disposition else None
        if not name or not disposition:
            raise BadFormError("a part has no name")
        self._name = name[1]
        self._text = bytearray()
        if self._name in FILE_PARTS or "filename=" in disposition[1]:
            if self.form.file:
                raise BadFormError("there is more than one file")
            self.form.file = self._new_file()
            self._target = self.form.file.open("wb")

    def _write(self, data: bytes) -> None:
        if self._state != "body":
            return
        if self._target:
            self.form.size += len(data)
            if self.form.size > self._limit:
                self._too_large = True
            else:
                self._target.write(data)
        elif len(self._text) + len(data) > LONGEST_FIELD:
            raise BadFormError(f"the field {self._name} is too long")
        else:
            self._text += data

    def _end_part(self) -> None:
        if self._state != "body":
            return
        if self._target:
            self._target.close()
            self._target = None
        else:
            self.form.fields[self._name] = self._text.decode("utf-8", "replace")
