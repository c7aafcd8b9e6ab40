"""DBFS: list, status, read, mkdirs, delete, move, and where new files go (`/api/2.0/dbfs/*`).

Files lie in a folder, as the notebooks see them. `/databricks-datasets` is read from the folder of data sets. Only admins and
members use it alike: DBFS has no access lists (product docs). Rules: DBFS API docs; databricks/cli `libs/filer/dbfs_client.go`.
Volumes are not served here: `No operations allowed on this path` (databricks-sdk-py issue 571).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.databricks import paths
from rehearsal.databricks.errors import ApiError, denied, exists, invalid, missing

BLOCK = 1024 * 1024
DEFAULT_READ = 512 * 1024
DATASETS = "/databricks-datasets"
VOLUMES = "/Volumes"


@dataclass(frozen=True)
class Dbfs:
    """folder: what is stored; datasets: what is shown under /databricks-datasets, read-only."""

    folder: Path
    datasets: Path

    def place(self, raw: object) -> tuple[str, Path]:
        """The path as answered (`/x`), and where it lies. Requests may say `dbfs:/x`."""
        path = paths.collapse(raw.removeprefix("dbfs:") if isinstance(raw, str) else raw)
        if path == VOLUMES or path.startswith(VOLUMES + "/"):
            raise denied("No operations allowed on this path")
        if path == DATASETS or path.startswith(DATASETS + "/"):
            return path, self.datasets / path.removeprefix(DATASETS).lstrip("/")
        return path, self.folder / path.lstrip("/")

    def writable(self, raw: object) -> tuple[str, Path]:
        path, place = self.place(raw)
        if path == DATASETS or path.startswith(DATASETS + "/"):
            raise denied(f"{path} can not be changed")
        return path, place

    def status(self, raw: object) -> dict[str, Any]:
        path, place = self.place(raw)
        return self._info(path, place)

    def _info(self, path: str, place: Path) -> dict[str, Any]:
        if not place.exists():
            raise missing(f"No file or directory exists on path {path}.")
        found = place.stat()
        size = 0 if place.is_dir() else found.st_size
        changed = int(found.st_mtime * 1000)
        return {"path": path, "is_dir": place.is_dir(), "file_size": size, "modification_time": changed}

    def list(self, raw: object) -> list[dict[str, Any]]:
        """What a folder holds; a file lists itself."""
        path, place = self.place(raw)
        own = self._info(path, place)
        if not own["is_dir"]:
            return [own]
        entries = {paths.join(path, child.name): child for child in place.iterdir()}
        if path == paths.ROOT and self.datasets.is_dir():
            entries[DATASETS] = self.datasets
        return [self._info(name, entries[name]) for name in sorted(entries)]

    def read(self, raw: object, offset: int, length: int) -> bytes:
        path, place = self.place(raw)
        if length > BLOCK:
            raise ApiError(400, "MAX_READ_SIZE_EXCEEDED", f"length must not be larger than {BLOCK}")
        if offset < 0 or length < 0 or self._info(path, place)["is_dir"]:
            raise invalid(f"Can not read {length} bytes at {offset} of {path}")
        with place.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def target(self, raw: object, overwrite: bool) -> Path:
        """Where a new file goes, its folders made. Raises ApiError 400 when something is there that may not be replaced."""
        path, place = self.writable(raw)
        if place.is_dir() or (place.exists() and not overwrite):
            raise exists(f"A file or directory already exists at the input path {path}.")
        self._make(path, place.parent)
        return place

    def mkdirs(self, raw: object) -> None:
        path, place = self.writable(raw)
        self._make(path, place)

    def _make(self, path: str, place: Path) -> None:
        try:
            place.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise exists(f"A file already exists on the way to {path}.") from None

    def move(self, raw_source: object, raw_destination: object) -> None:
        """Move a file, or a folder with all that it holds. What is there already is not replaced."""
        path, source = self.writable(raw_source)
        to, destination = self.writable(raw_destination)
        if not source.exists():
            raise missing(f"No file or directory exists on path {path}.")
        if path == paths.ROOT or to == path or to.startswith(path + "/"):
            raise invalid(f"Can not move {path} to {to}")  # text unverified
        if destination.exists():
            raise exists(f"A file or directory already exists at the input path {to}.")
        self._make(to, destination.parent)
        source.rename(destination)

    def delete(self, raw: object, recursive: bool) -> None:
        """A missing path is fine."""
        _, place = self.writable(raw)
        if place.is_dir():
            if any(place.iterdir()) and not recursive:
                text = "Directory is not empty. Use recursive delete or remove contents first."
                raise ApiError(400, "BAD_REQUEST", text)
            shutil.rmtree(place)
            self.folder.mkdir(parents=True, exist_ok=True)
        else:
            place.unlink(missing_ok=True)
