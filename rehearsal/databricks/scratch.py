"""The folder that each task run has for itself: emptied when it ends."""

from __future__ import annotations

import shutil
from pathlib import Path

# What the task printed; it goes with the run.
KEPT = ("log.txt", "executor.txt")


def tidy(scratch: Path) -> None:
    """Remove a run's folders and files, but not what it printed."""
    for path in scratch.iterdir() if scratch.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name not in KEPT:
            path.unlink(missing_ok=True)
