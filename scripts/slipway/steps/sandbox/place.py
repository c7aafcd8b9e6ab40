"""Where a sandbox lies, and what this checkout knows of its last sync with it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from slipway.command import Context
from slipway.domain.codec import Damaged
from slipway.domain.environment import load_all
from slipway.domain.sandbox import Record, read_record, write_record
from slipway.domain.sandbox_names import checked_folder, own_folder
from slipway.errors import NotPossible, UsageError
from slipway.log import Log
from slipway.services.databricks import ObjectInfo, Workspace

RECORDS = ".sandbox"
"""In the checkout, and not beside the workspace's folder: two machines of one developer have each seen another state of it."""
_UNTOUCHED = "Nothing was changed."


@dataclass(frozen=True, kw_only=True)
class Place:
    """A developer's folder. `exists`: it is there already; `ask` asks a person, None where there is none to ask."""

    context: Context
    workspace: Workspace
    folder: str
    who: str
    exists: bool
    record: Record
    ask: Callable[[str], bool] | None = field(default=None)

    @property
    def log(self) -> Log:
        return self.context.log

    @property
    def root(self) -> Path:
        return self.context.root


def find_place(context: Context, workspace: Workspace, ask: Callable[[str], bool] | None) -> Place:
    """The caller's folder, looked at (two requests). Raises NotPossible, UsageError."""
    if context.environment.production:
        raise UsageError(
            f"{context.environment.name} is a production environment; a sandbox works with the values of another one.",
            changed=_UNTOUCHED,
            next_step="Name it with --environment.",
        )
    asked = context.arguments.folder
    me = workspace.me()
    home = ""
    if asked:
        folder = checked_folder(asked, [one.databricks.root for one in load_all(context.root)])
    else:
        home, folder = own_folder(me, context.environment.app)
    status = workspace.get_status(folder)
    _check(status, workspace, folder, home)
    record = _load(context, workspace.host, folder)
    if status is None and record.objects:
        context.log.info(f"{folder} is gone: this begins afresh.")
        record = replace(record, objects={}, library="")
    return Place(
        context=context,
        workspace=workspace,
        folder=folder,
        who=_name(me),
        exists=status is not None,
        record=record,
        ask=ask,
    )


def _name(me: Mapping[str, Any]) -> str:
    return str(me.get("userName") or me.get("applicationId") or me.get("displayName") or "")


def _check(status: ObjectInfo | None, workspace: Workspace, folder: str, home: str) -> None:
    if status is not None and status.object_type != "DIRECTORY":
        raise NotPossible(
            f"{folder} is no folder but a {status.object_type}"
            + (" (a Git folder is kept in step by Git)." if status.object_type == "REPO" else "."),
            changed=_UNTOUCHED,
            next_step="Move it away in the workspace, or name another folder with --folder.",
        )
    if status is None and home and workspace.get_status(home) is None:
        raise NotPossible(
            f"The workspace has no folder {home}.",
            changed=_UNTOUCHED,
            next_step="It is made when a person opens the workspace for the first time: open "
            f"https://{workspace.host} in a browser once. Or name a folder that you may write to: --folder /Workspace/…",
        )


def record_file(root: Path, host: str, folder: str) -> Path:
    """One for each folder of each workspace: environments may lie in several."""
    return root / RECORDS / f"{hashlib.sha256(f'{host} {folder}'.encode()).hexdigest()[:16]}.json"


def _load(context: Context, host: str, folder: str) -> Record:
    fresh = Record(host=host, folder=folder)
    path = record_file(context.root, host, folder)
    try:
        record = read_record(path.read_bytes())
    except FileNotFoundError:
        return fresh
    except (Damaged, OSError) as error:
        context.log.warning(
            f"{path} can't be read ({error}): compared as if for the first time, so what differs is shown as a conflict."
        )
        return fresh
    return record if (record.host, record.folder) == (host, folder) else fresh


def save(place: Place, record: Record) -> None:
    """Written beside and exchanged, so that a record is whole or the former one."""
    path = record_file(place.root, record.host, record.folder)
    data = write_record(record)
    try:
        if path.is_file() and path.read_bytes() == data:
            return
        path.parent.mkdir(exist_ok=True)
        descriptor, beside = tempfile.mkstemp(prefix=".", dir=path.parent)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        Path(beside).replace(path)
    except OSError as error:
        raise NotPossible(
            f"{path}, the record of this sync, can't be written: {error.strerror}",
            changed="What was said above is done. The next sync finds equal content and takes it as in step.",
            next_step="Make the folder writable.",
        ) from error
