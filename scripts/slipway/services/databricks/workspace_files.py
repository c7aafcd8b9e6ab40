"""Files, notebooks and folders of a workspace (/api/2.0/workspace)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from databricks_cli.sdk.service import WorkspaceService  # type: ignore[import-untyped]

from slipway.services.databricks.client import Client
from slipway.services.databricks.errors import AlreadyExists, NotFound
from slipway.services.databricks.multipart import Multipart


@dataclass(frozen=True)
class ObjectInfo:
    """An object of the workspace tree: object_type NOTEBOOK, FILE, DIRECTORY, REPO, …; language of a notebook."""

    path: str
    object_type: str
    object_id: int
    language: str | None = None
    size: int | None = None
    modified_at: int | None = None


class WorkspaceFiles:
    """One verb, one request. Parents are never made by an import: that is mkdirs."""

    client: Client

    @property
    def _tree(self) -> Any:
        return WorkspaceService(self.client)

    def get_status(self, path: str) -> ObjectInfo | None:
        """The object, or None."""
        try:
            return _info(self._tree.get_status(path))
        except NotFound:
            return None

    def list(self, path: str) -> Sequence[ObjectInfo]:
        """What lies in a folder, not deeper; empty when the folder is not there. A file lists itself."""
        try:
            return [_info(item) for item in self._tree.list(path).get("objects", [])]
        except NotFound:
            return []

    def mkdirs(self, path: str) -> None:
        """Makes the folder and its parents; existing ones are fine."""
        self._tree.mkdirs(path)

    def import_notebook(self, path: str, language: str, source: bytes) -> None:
        """Puts a notebook at exactly this path (no extension is taken off), replacing one. Source up to 10 MB."""
        content = base64.standard_b64encode(source).decode()

        def send() -> None:
            self._tree.import_workspace(path, format="SOURCE", language=language, content=content, overwrite=True)

        _despite_races(send)

    def import_file(self, path: str, source: Path | bytes) -> None:
        """Puts a file as it is (format RAW), replacing one; up to 500 MB, read from disk while it is sent."""
        fields = {"path": path, "format": "RAW", "overwrite": "true"}

        def send() -> None:
            self.client.perform_query(
                "POST", "/workspace/import", data={"path": path}, files=Multipart(fields, "content", source)
            )

        _despite_races(send)

    def export_file(self, path: str) -> bytes | None:
        """The bytes of a file, or the source of a notebook; None when there is none."""
        try:
            return self.client.download(
                "/workspace/export", {"path": path, "format": "SOURCE", "direct_download": True}
            )
        except NotFound:
            return None

    def delete(self, path: str, recursive: bool = False) -> None:
        """Removes an object; a missing one is fine."""
        try:
            self._tree.delete(path, recursive)
        except NotFound:
            return


def _despite_races(send: Any) -> None:
    """Sends; and again after `already exists`, which imports that replace may still meet while another import of that
    name is under way (databricks/cli issue 3386)."""
    try:
        send()
    except AlreadyExists:
        send()


def _info(item: dict[str, Any]) -> ObjectInfo:
    return ObjectInfo(
        path=str(item["path"]),
        object_type=str(item["object_type"]),
        object_id=int(item.get("object_id", 0)),
        language=item.get("language"),
        size=item.get("size"),
        modified_at=item.get("modified_at"),
    )
