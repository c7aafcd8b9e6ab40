"""Names in a sandbox: which may be brought from one side to the other, and which folder is a developer's own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from slipway.errors import NotPossible, UsageError

# A service principal's userName in SCIM Me is its application id (databricks/cli issue 900).
_APPLICATION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_LONGEST = 240
_CONTROL = ("Cc", "Cs", "Zl", "Zp")
_LEFT_OUT = ("__pycache__", "node_modules")
_UNTOUCHED = "Nothing was changed."


def bad_part(part: str) -> str:
    """Why one name can't be brought over; "" where it can. Spaces, quotes and any language's letters can.

    What leads out of its folder on any system can't: `..`, a slash or backslash in a name. Nor what a terminal would not show
    as it is, and bytes that are no text.
    """
    if part in ("", ".", ".."):
        return f"the name {part!r} is not allowed"
    if "/" in part or "\\" in part:
        return f"the name {part!r} has a slash in it"
    if any(unicodedata.category(letter) in _CONTROL for letter in part):
        return f"the name {part!r} has characters that can't be shown"
    if len(part.encode()) > _LONGEST:
        return f"the name {part[:40]!r}… is longer than {_LONGEST} bytes"
    return ""


def is_left_out(part: str) -> bool:
    """Hidden files and caches, which are no part of a release either."""
    return part.startswith(".") or part in _LEFT_OUT


def folded(path: str) -> str:
    """Equal for paths that a workspace or some file system takes for the same."""
    return unicodedata.normalize("NFC", path).casefold()


def folders_of(path: str) -> list[str]:
    """The folders that a relative path lies in."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]


def below(path: str, folder: str) -> str | None:
    """The name of what the service lists directly in `folder`; None for anything else. It may say /x for /Workspace/x."""
    for start in (folder, folder.removeprefix("/Workspace")):
        if path.startswith(start + "/") and "/" not in path[len(start) + 1 :]:
            return path[len(start) + 1 :]
    return None


def own_folder(me: Mapping[str, Any], app: str) -> tuple[str, str]:
    """The caller's home folder, and in it the sandbox's. `me`: the answer of SCIM Me. Raises NotPossible."""
    name = str(me.get("userName") or "")
    if "applicationId" in me or _APPLICATION_ID.fullmatch(name):
        raise NotPossible(
            f"The workspace knows this identity as a service principal ({name or me.get('applicationId')}); a sandbox lies in "
            "the folder of a person.",
            changed=_UNTOUCHED,
            next_step="Sign in as yourself (az login, or DATABRICKS_TOKEN with your own token), or name a folder that this "
            "identity may write to: --folder /Workspace/…",
        )
    if bad_part(name) or not name.strip():
        raise NotPossible(
            f"The workspace calls this identity {name!r}, which can't be the name of a folder.",
            changed=_UNTOUCHED,
            next_step="Name a folder that you may write to: --folder /Workspace/…",
        )
    home = f"/Workspace/Users/{name}"
    return home, f"{home}/{app}"


def checked_folder(asked: str, roots: Iterable[str]) -> str:
    """A folder that was named, in the form /Workspace/…. Raises UsageError where it is not somebody's own: `roots` of
    environments, Git folders, a home as a whole, the top of the tree."""
    path = asked.rstrip("/")
    path = path if path.startswith("/Workspace/") else f"/Workspace{path}"
    parts = path.split("/")[1:]
    top = parts[1].casefold() if len(parts) > 1 else ""
    why = ""
    if not asked.startswith("/") or any(bad_part(part) for part in parts):
        why = "is not an absolute path in the workspace"
    elif len(parts) < (4 if top == "users" else 3):
        why = "is no folder of its own: everything in it would be the sandbox's"
    elif top == "repos":
        why = "lies among Git folders, which are kept in step by Git"
    else:
        mine = folded(path) + "/"
        for root in roots:
            theirs = folded(root) + "/"
            if mine.startswith(theirs) or theirs.startswith(mine):
                why = f"is where releases go ({root})"
    if why:
        raise UsageError(f"--folder {asked!r} {why}.", changed=_UNTOUCHED, next_step="Name a folder of your own.")
    return path


def prefix_of(who: str) -> str:
    """A name for the tables of one developer, of letters, digits, dots and dashes."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", who).strip("-.") or "developer"
