"""A multipart/form-data body that is read from disk while it is sent, and can be sent again."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

_CHUNK = 1024 * 1024


class Multipart:
    """Form fields and one file part. Iterating gives the body in chunks of up to 1 MiB; each iteration starts anew.

    `source`: the bytes themselves, or a file, whose length is taken now.
    """

    def __init__(self, fields: Mapping[str, str], part: str, source: Path | bytes) -> None:
        boundary = secrets.token_hex(16)
        head = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        head.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{part}"; filename="{part}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        self._head = "".join(head).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._source = source
        self._length = len(source) if isinstance(source, bytes) else source.stat().st_size
        self.content_type = f"multipart/form-data; boundary={boundary}"

    def __len__(self) -> int:
        return len(self._head) + self._length + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        if isinstance(self._source, bytes):
            yield self._source
        else:
            with self._source.open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk
        yield self._tail
