"""Paths of workspace objects, as requests name them and as they are kept."""

from __future__ import annotations

import re

from rehearsal.databricks.errors import invalid

ROOT = "/"
PREFIX = "/Workspace"
# A notebook's name and its extension have to fit into one name of the file system (255 bytes on Linux).
LONGEST_NAME = 240
# What an operating system takes as a path (4096 bytes on Linux) has to have room for the folder that the workspace lies in.
LONGEST_PATH = 3000
DEEPEST = 200


def collapse(raw: object) -> str:
    """The path as asked for, without repeated and trailing slashes: what answers and messages echo.

    Raises ApiError 400 for a path that is no text, is relative, or could leave the workspace's folder.
    """
    if not isinstance(raw, str) or not raw:
        raise invalid("Missing required field: path")
    if not raw.startswith("/"):
        raise invalid(f"Path ({raw}) doesn't start with '/'")
    path = re.sub("/+", "/", raw).rstrip("/") or ROOT
    for part in path.split("/")[1:]:
        _check_name(part, path)
    if len(path.encode()) > LONGEST_PATH or path.count("/") > DEEPEST:
        raise invalid(f"Path is too long: {path[:40]}…")  # the service's own limits are not known (unverified)
    return path


def _check_name(part: str, path: str) -> None:
    # The service's own texts for these are not known (unverified): the rule is what matters, nothing may lie outside the tree.
    if part in (".", "..") or any(ord(letter) < 32 for letter in part):
        raise invalid(f"Path ({path!r}) contains a name that is not allowed")
    try:
        length = len(part.encode())
    except UnicodeEncodeError:
        raise invalid("Path contains characters that are not allowed") from None
    if length > LONGEST_NAME:
        raise invalid(f"Path contains a name that is too long: {part[:40]}…")


def key_of(path: str) -> str:
    """The kept form of a collapsed path: `/Workspace/x` and `/x` are the same object (databricks/cli)."""
    if path == PREFIX:
        return ROOT
    return path.removeprefix(PREFIX) if path.startswith(PREFIX + "/") else path


def echo_of(key: str, asked: str) -> str:
    """How an object is shown to a caller who asked in the form `asked`: with the prefix if that had it."""
    if asked == PREFIX or asked.startswith(PREFIX + "/"):
        return PREFIX if key == ROOT else PREFIX + key
    return key


def parent_of(key: str) -> str:
    return key.rpartition("/")[0] or ROOT


def name_of(key: str) -> str:
    return key.rpartition("/")[2]


def join(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}"


def ancestors(key: str) -> list[str]:
    """Every folder above, from the parent up to the root."""
    found = []
    while key != ROOT:
        key = parent_of(key)
        found.append(key)
    return found
