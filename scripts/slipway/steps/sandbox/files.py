"""Writes and removes files of the checkout, never anything outside its notebooks/."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path, PurePath

from slipway.domain.sandbox_names import bad_part
from slipway.steps.sandbox.reading import NOTEBOOKS


class Refused(Exception):
    """A file that is not written; the text says why."""


def write_file(root: Path, relative: str, data: bytes) -> None:
    """Puts a file in place as a whole, its folders made. Raises Refused."""
    target = _place(root, relative)
    if target.is_dir():
        raise Refused("a folder is there")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".sandbox-", dir=target.parent)
        beside = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
            if target.exists():
                shutil.copymode(target, beside)
            else:
                beside.chmod(0o644)
            beside.replace(target)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Refused(f"can't be written: {error.strerror}") from error


def remove_file(root: Path, relative: str) -> None:
    """Raises Refused. A missing file is fine; folders that it leaves empty go too, but notebooks/ itself."""
    target = _place(root, relative)
    try:
        target.unlink(missing_ok=True)
        for folder in target.parents:
            if folder == root / NOTEBOOKS or any(folder.iterdir()):
                return
            folder.rmdir()
    except OSError as error:
        raise Refused(f"can't be removed: {error.strerror}") from error


def _place(root: Path, relative: str) -> Path:
    """Where a file lies, after each part of its path was looked at: a link on the way could lead anywhere."""
    parts = relative.split("/")
    if parts[0] != NOTEBOOKS or len(parts) < 2:
        raise Refused(f"it does not lie in {NOTEBOOKS}/")
    place = root
    for part in parts:
        # A drive or a stream of Windows (C:x) is one part to us, and more than that to its file system.
        if bad_part(part) or PurePath(part).parts != (part,):
            raise Refused(bad_part(part) or f"the name {part!r} means something else to this system")
        place = place / part
        if place.is_symlink():
            raise Refused(f"{place.relative_to(root).as_posix()} is a symbolic link")
        if place != root.joinpath(*parts) and place.exists() and not place.is_dir():
            raise Refused(f"{place.relative_to(root).as_posix()} is a file")
    return place
