"""Who may see, start and change a job: `access_control_list` in its definition, as jobs/create takes it.

It travels with the job's settings, though the service keeps it apart: jobs/reset does not know it (JobSettings in
databricks-sdk-py service/jobs.py), the Permissions API does. The owner, the release identity's own entry and what is
inherited are never part of it, and never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

FIELD = "access_control_list"
LEVELS = ("CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE")
PRINCIPALS = ("user_name", "group_name", "service_principal_name")

Entry = Mapping[str, str]


def rendered(entries: Any, readers: Sequence[str], complain: Callable[[str, str], None]) -> list[dict[str, str]]:
    """The definition's list in a fixed order, with the environment's readers; complains about what it can't be."""
    if not isinstance(entries, list):
        complain(FIELD, "must be a list")
        return []
    found: dict[tuple[str, str], str] = {}
    for index, entry in enumerate(entries):
        where, named = f"{FIELD}[{index}]", _principals(entry)
        if len(named) != 1 or not isinstance(entry, Mapping) or entry.keys() - {*PRINCIPALS, "permission_level"}:
            complain(where, f"needs exactly one of {', '.join(PRINCIPALS)}, a permission_level, and nothing else")
            continue
        level = entry.get("permission_level")
        if level not in LEVELS:
            hint = ": a job's owner is never changed" if level == "IS_OWNER" else ""
            complain(f"{where}.permission_level", f"{level!r} is not one of {', '.join(LEVELS)}{hint}")
        elif named[0] in found:
            complain(where, f"{named[0][1]!r} is named twice")
        else:
            found[named[0]] = str(level)
    for name in readers:
        found.setdefault(("group_name", name), "CAN_VIEW")
    return _in_order(found)


def direct(answer: Mapping[str, Any], identity: str) -> list[dict[str, str]]:
    """What is granted on the job itself, in an answer of the Permissions API; `identity`: the release's application id."""
    found = {
        principal: level
        for principal, level in _granted(answer).items()
        if level != "IS_OWNER" and principal != ("service_principal_name", identity)
    }
    return _in_order(found)


def to_put(answer: Mapping[str, Any], wanted: Sequence[Entry], identity: str) -> list[dict[str, str]]:
    """The whole list to replace the one in `answer` with: the wanted entries, the owner as it is, and the release identity's
    own entry, without which it could not manage the job any more."""
    kept = {
        principal: level
        for principal, level in _granted(answer).items()
        if level == "IS_OWNER" or principal == ("service_principal_name", identity)
    }
    entries = {_principals(entry)[0]: entry["permission_level"] for entry in wanted}
    return _in_order({**entries, **kept})


def without(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What jobs/reset takes."""
    return {key: value for key, value in settings.items() if key != FIELD}


def _granted(answer: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    return {
        principal: str(permission["permission_level"])
        for entry in answer.get(FIELD) or []
        for permission in entry.get("all_permissions") or []
        if not permission.get("inherited")
        for principal in _principals(entry)
    }


def _principals(entry: Any) -> list[tuple[str, str]]:
    return [(kind, str(entry[kind])) for kind in PRINCIPALS if isinstance(entry, Mapping) and entry.get(kind)]


def _in_order(entries: Mapping[tuple[str, str], str]) -> list[dict[str, str]]:
    return [{kind: name, "permission_level": level} for (kind, name), level in sorted(entries.items())]
