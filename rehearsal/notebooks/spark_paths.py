"""Paths in what a notebook asks of Spark: mapped to where they lie, and missing ones refused as on Databricks.

Sail reads a missing path as no rows, and knows none of Databricks' roots; so every path is looked at before Sail sees
it.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Callable
from pathlib import Path

from pyspark.errors import AnalysisException

from rehearsal.notebooks.errors import NotInRehearsal
from rehearsal.notebooks.paths import WILDCARD, AzurePlace, Folders, LocalPlace, Place

FILE_FORMATS = ("avro", "binaryfile", "csv", "delta", "json", "orc", "parquet", "text")
_FORMAT_PATH = re.compile(rf"\b({'|'.join(FILE_FORMATS)})\s*\.\s*`([^`]+)`", re.IGNORECASE)
_LOCATION = re.compile(r"""\bLOCATION\s+(['"])(.+?)\1""", re.IGNORECASE)
_PATH_OPTION = re.compile(r"""([(,]\s*['"`]?path['"`]?\s*=?\s*)(['"])(.+?)\2""", re.IGNORECASE)
_CREATES = re.compile(r"\b(?:CREATE|REPLACE)\s+(?:OR\s+REPLACE\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?$", re.IGNORECASE)
_COMMENTS = re.compile(r"^(?:\s*(?:--[^\n]*\n|/\*.*?\*/))*\s*", re.DOTALL)
# Statements that would change something that outlives the run on Databricks and can't here, or that Sail does not know.
_REFUSED = re.compile(
    r"(?:CREATE\s+(?:OR\s+REPLACE\s+)?(?:EXTERNAL\s+|LIVE\s+|STREAMING\s+)?"
    r"(?:TABLE(?!\s+(?:IF\s+NOT\s+EXISTS\s+)?\w+\s*\.\s*`)|SCHEMA|DATABASE|CATALOG|VOLUME|CONNECTION|MATERIALIZED|VIEW)"
    r"|CREATE\s+(?:OR\s+REPLACE\s+)?FUNCTION|COPY\s+INTO|DESCRIBE\s+HISTORY|DESC\s+HISTORY|OPTIMIZE|VACUUM|RESTORE"
    r"|GRANT|REVOKE|MSCK|CONVERT\s+TO\s+DELTA|USE\s+CATALOG)\b",
    re.IGNORECASE,
)


class SparkPaths:
    """Translates paths for Sail.

    open_container: makes an Azure container usable for Sail, or raises the service's error when no credential is set;
    kind: what an Azure path is, "file" or "folder", or None when nothing is there.
    """

    def __init__(
        self, folders: Folders, open_container: Callable[[AzurePlace], None], kind: Callable[[AzurePlace], str | None]
    ) -> None:
        self._folders = folders
        self._open_container = open_container
        self._kind = kind

    def to_read(self, path: str, kind: str) -> str:
        """Where a path that is read leads. kind: the format.

        Raises AnalysisException as Databricks does when nothing is there.
        """
        place = self._folders.place(path)
        if isinstance(place, AzurePlace):
            self._open_container(place)
            found = self._kind(place)
            if found is None:
                raise _missing(place, kind)
            # With the slash, Sail does not take the blob that marks a folder for a file.
            return place.shown + "/" * (found == "folder" and not WILDCARD.search(place.path))
        if not self._is_there(place):
            raise _missing(place, kind)
        return str(place.real)

    def to_write(self, path: str) -> str:
        """Where a path that is written leads. Raises NotInRehearsal when runs may not write there."""
        place = self._folders.place(path)
        if isinstance(place, AzurePlace):
            self._open_container(place)
        elif not place.writable:
            raise NotInRehearsal(f"writing to {place.shown}", "it is read-only in runs")
        return place.shown if isinstance(place, AzurePlace) else str(place.real)

    def in_sql(self, text: str) -> str:
        """A statement with its paths translated. Raises NotInRehearsal for a statement that has no counterpart here."""
        statement = text[_COMMENTS.match(text).end() :]  # type: ignore[union-attr] # matches the empty text too
        refused = _REFUSED.match(statement)
        if refused:
            name = " ".join(refused[0].upper().split())
            raise NotInRehearsal(
                f"the SQL statement {name}", "there is no metastore: write Delta to a path, use temporary views"
            )

        def format_path(match: re.Match[str]) -> str:
            created = _CREATES.search(text[: match.start()])
            place = self.to_write(match[2]) if created else self.to_read(match[2], match[1])
            return f"{match[1]}.`{place}`"

        text = _FORMAT_PATH.sub(format_path, text)
        text = _LOCATION.sub(lambda match: f"LOCATION '{self.to_write(match[2])}'", text)
        return _PATH_OPTION.sub(lambda match: f"{match[1]}'{self.to_read(match[3], 'path')}'", text)

    @staticmethod
    def _is_there(place: LocalPlace) -> bool:
        if not WILDCARD.search(place.shown):
            return place.real.exists()
        return any(next(glob.iglob(each), None) for each in _braces(str(place.real)))  # noqa: PTH207 - absolute patterns


def _braces(pattern: str) -> list[str]:
    """`a{b,c}` as `ab` and `ac`: Python's glob has no such alternatives."""
    match = re.search(r"\{([^{}]*)\}", pattern)
    if match is None:
        return [pattern]
    return [
        each
        for choice in match[1].split(",")
        for each in _braces(pattern[: match.start()] + choice + pattern[match.end() :])
    ]


def _missing(place: Place, kind: str) -> AnalysisException:
    if kind.lower() == "delta":
        name, text = "DELTA_PATH_DOES_NOT_EXIST", f"{place.shown} doesn't exist, or is not a Delta table."
    else:
        name, text = "PATH_NOT_FOUND", f"Path does not exist: {place.shown}."
    # Texts and SQLSTATE: docs "Error conditions in Databricks".
    error = AnalysisException(f"{text} SQLSTATE: 42K03")
    error._errorClass = name  # shown in front of the text
    return error


def real_folders(folders: Folders) -> dict[str, str]:
    """This machine's folders with the roots they stand for, for texts that Sail writes."""
    pairs: list[tuple[Path | None, str]] = [
        (folders.files, "/Workspace"),
        (folders.spare, "/Workspace"),
        (folders.dbfs, "/dbfs"),
        (folders.volumes, "/Volumes"),
        (folders.datasets, "/dbfs/databricks-datasets"),
    ]
    return {str(folder): root for folder, root in pairs if folder is not None}
