"""Volumes of Unity Catalog, as far as files in them go: which there are, and what lies in them.

A volume `/Volumes/<catalog>/<schema>/<volume>` is a folder, the one that notebooks see. There is no Unity Catalog: catalogs and
schemas are names, and every member may use every volume. Rules: Files API docs; databricks/cli `libs/filer/files_client.go`;
texts of errors are unverified unless a source is named.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.databricks import paths
from rehearsal.databricks.errors import ApiError, invalid, not_simulated
from rehearsal.store import Collection

PREFIX = "/Volumes"
# Volumes in Unity Catalog's naming rules (product docs): no dots, spaces, slashes or control characters, at most 255 letters.
NAME = re.compile(r"[^\s./\x00-\x1f\x7f]{1,255}")
LARGEST_PAGE = 1000


def files_error(status: int, code: str, reason: str, message: str) -> ApiError:
    """An error of the Files API: the reason is what clients look at (databricks/cli `files_client.go`)."""
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}
    return ApiError(status, code, message, [detail | {"domain": "filesystem.databricks.com", "metadata": {}}])


def no_file() -> ApiError:
    return files_error(404, "NOT_FOUND", "FILES_API_FILE_NOT_FOUND", "The file being accessed is not found.")


def no_directory() -> ApiError:
    text = "The directory being accessed is not found."
    return files_error(404, "NOT_FOUND", "FILES_API_DIRECTORY_IS_NOT_FOUND", text)


def is_a_file() -> ApiError:
    # In the words that databricks/cli quotes.
    text = "The given path points to an existing file. This API does not support operations on files."
    return files_error(409, "ALREADY_EXISTS", "FILES_API_PATH_IS_A_FILE", text)


@dataclass(frozen=True)
class Place:
    """A path of a volume: `shown` to callers, `real` on this machine. `root`: it is the volume itself."""

    shown: str
    real: Path
    root: bool


class Volumes:
    """The volumes of one workspace; names of volumes are kept in small letters, as Unity Catalog keeps them."""

    def __init__(self, folder: Path, known: Collection, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._known = known
        self._clock = clock

    # -- volumes ---------------------------------------------------------------------------------------------------

    def create(self, owner: str, values: dict[str, Any]) -> dict[str, Any]:
        """Make a managed volume. Raises ApiError when it is there, or is of another kind."""
        names = [str(values.get(field) or "").lower() for field in ("catalog_name", "schema_name", "name")]
        if not all(NAME.fullmatch(name) for name in names):
            raise invalid("catalog_name, schema_name and name must be given, without dots, spaces and slashes")
        if values.get("volume_type") != "MANAGED":
            raise not_simulated(f"volume of type {values.get('volume_type')}; only MANAGED ones")
        full_name = ".".join(names)
        if self._real(full_name).is_dir():
            raise ApiError(400, "RESOURCE_ALREADY_EXISTS", f"Volume '{full_name}' already exists")
        self._real(full_name).mkdir(parents=True)
        now = int(self._clock() * 1000)
        self._known[full_name] = {
            "volume_id": str(uuid.uuid4()),
            "comment": str(values.get("comment") or ""),
            "owner": owner,
            "created_at": now,
            "updated_at": now,
        }
        return self.get(full_name)

    def get(self, full_name: str) -> dict[str, Any]:
        full_name = full_name.lower()
        names = full_name.split(".")
        if len(names) != 3 or not all(NAME.fullmatch(name) for name in names) or not self._real(full_name).is_dir():
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Volume '{full_name}' does not exist.")
        named = {"catalog_name": names[0], "schema_name": names[1], "name": names[2], "full_name": full_name}
        return named | {"volume_type": "MANAGED"} | dict(self._known.get(full_name, {}))

    def list(self, catalog: str, schema: str) -> list[dict[str, Any]]:
        """Volumes of one schema. A folder that a notebook made there counts too."""
        folder = self._folder / catalog.lower() / schema.lower()
        if not NAME.fullmatch(catalog) or not NAME.fullmatch(schema) or not folder.is_dir():
            return []
        names = sorted(child.name for child in folder.iterdir() if child.is_dir())
        return [self.get(f"{catalog}.{schema}.{name}") for name in names]

    def delete(self, full_name: str) -> None:
        found = self.get(full_name)
        shutil.rmtree(self._real(found["full_name"]))
        self._known.pop(found["full_name"], None)

    def _real(self, full_name: str) -> Path:
        return self._folder.joinpath(*full_name.split("."))

    # -- what lies in them -----------------------------------------------------------------------------------------

    def place(self, raw: str) -> Place:
        """What a path of the Files API leads to. Raises ApiError for another kind of path, and a volume that is not there."""
        path = paths.collapse(raw)
        parts = path.split("/")[1:]
        if parts[0] != PREFIX[1:]:
            # Text and reason as a client recorded them.
            text = f"Invalid path: unsupported first path component: {parts[0]}"
            raise files_error(400, "BAD_REQUEST", "FILES_API_INVALID_PATH", text)
        if len(parts) < 4:
            text = "Invalid path: the path must begin with /Volumes/<catalog>/<schema>/<volume>"
            raise files_error(400, "BAD_REQUEST", "FILES_API_INVALID_PATH", text)
        volume = [part.lower() for part in parts[1:4]]
        if not self._folder.joinpath(*volume).is_dir():
            text = f"Volume '{'.'.join(volume)}' does not exist."
            raise files_error(404, "NOT_FOUND", "FILES_API_VOLUME_NOT_FOUND", text)
        real = self._folder.joinpath(*volume, *parts[4:])
        return Place(paths.join(PREFIX, "/".join([*volume, *parts[4:]])), real, len(parts) == 4)

    def target(self, raw: str, overwrite: bool) -> Path:
        """Where an upload goes; its folders are made (databricks/cli issue 1408)."""
        place = self.place(raw)
        if place.real.is_dir():
            text = (
                "The given path points to an existing directory. This API does not support operations on directories."
            )
            raise files_error(409, "ALREADY_EXISTS", "FILES_API_PATH_IS_A_DIRECTORY", text)
        if place.real.exists() and not overwrite:
            # The text of databricks-sdk-py for the same refusal.
            text = "The file being created already exists."
            raise files_error(409, "ALREADY_EXISTS", "FILES_API_FILE_ALREADY_EXISTS", text)
        self.mkdirs(place.real.parent)
        return place.real

    def file(self, raw: str) -> Path:
        place = self.place(raw)
        if not place.real.is_file():
            raise no_file()
        return place.real

    def directory(self, raw: str) -> Place:
        """A folder that is there; a file is none (databricks/cli looks for a file after this 404)."""
        place = self.place(raw)
        if not place.real.is_dir():
            raise no_directory()
        return place

    def mkdirs(self, real: Path) -> None:
        try:
            real.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise is_a_file() from None

    def delete_directory(self, raw: str) -> None:
        place = self.directory(raw)
        if place.root:
            text = "The root of a volume can not be deleted."
            raise files_error(400, "INVALID_PARAMETER_VALUE", "FILES_API_INVALID_PATH", text)
        if any(place.real.iterdir()):
            text = "The directory being deleted is not empty."
            raise files_error(400, "INVALID_PARAMETER_VALUE", "FILES_API_DIRECTORY_IS_NOT_EMPTY", text)
        place.real.rmdir()

    def page(self, raw: str, size: int, token: str) -> dict[str, Any]:
        """A page of a folder's entries by name; sizes above the largest, or none, mean the largest (SDK docstring)."""
        place = self.directory(raw)
        after = _name_in(token)
        with os.scandir(place.real) as entries:
            names = sorted(entry.name for entry in entries if entry.name > after)
        size = size if 0 < size <= LARGEST_PAGE else LARGEST_PAGE
        answer: dict[str, Any] = {}
        if shown := list(_entries(place, names[:size])):
            answer["contents"] = shown
        if len(names) > size:
            answer["next_page_token"] = base64.urlsafe_b64encode(names[size - 1].encode()).decode()
        return answer


def _name_in(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError:
        raise invalid("Invalid page token") from None


def _entries(place: Place, names: list[str]) -> Iterator[dict[str, Any]]:
    for name in names:
        found = (place.real / name).stat()
        is_directory = (place.real / name).is_dir()
        entry: dict[str, Any] = {"path": paths.join(place.shown, name), "name": name, "is_directory": is_directory}
        if not is_directory:
            entry["file_size"] = found.st_size
        yield entry | {"last_modified": int(found.st_mtime * 1000)}
