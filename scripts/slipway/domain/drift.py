"""Drift: what people changed by hand in what a release set. What the service adds by itself is not compared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# Arrays whose order means nothing, and what names their entries.
_KEYS = (
    ("task_key",),
    ("job_cluster_key",),
    ("environment_key",),
    ("name",),
    ("user_name", "group_name", "service_principal_name"),
)

# Names whose values are not for a log: people put keys into Spark settings and variables by hand.
_SECRET = re.compile(r"(?i)password|passwd|secret|token|credential|(api|access|account|storage)[._-]?key")

# The same by what they look like: connection strings, signed URLs, tokens, URLs with a password, private keys.
_SECRET_VALUE = re.compile(
    r"(?i)(account|access|shared|primary|secondary)[_ -]?(access[_ -]?)?(key|signature)\s*=|[?&;\s](sig|code|token)="
    r"|^sig=|--?token=|(password|passwd|pwd|secret)\s*=|bearer\s+\S|eyJ[\w-]{8,}\."
    r"|dapi[0-9a-f]{16,}|://[^/\s:@]+:[^/\s@]+@|-----BEGIN "
)

# Set, and never given back by jobs/get (databricks-sdk-py service/jobs.py, JobSettings.run_as).
_WRITE_ONLY = ("run_as",)


@dataclass(frozen=True)
class Difference:
    """One place where settings are not what was set; None stands for nothing."""

    path: str
    was: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.path}: was set to {_short(self.was, self.path)}, is {_short(self.now, self.path)}"


def drift(ours: Any, theirs: Any) -> Iterator[str]:
    """One line for each difference: where, what was set, what is there."""
    return (str(difference) for difference in differences(ours, theirs))


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[Difference]:
    """Where `theirs` is not what `ours` set; what only `theirs` has is not looked at, except entries of lists."""
    if isinstance(ours, Mapping):
        if not isinstance(theirs, Mapping):
            yield Difference(path, ours, theirs)
            return
        for key, value in ours.items():
            below = f"{path}.{key}" if path else key
            if below in _WRITE_ONLY and key not in theirs:
                continue
            if below in _WRITE_ONLY and _kinds(value) != _kinds(theirs[key]):
                yield Difference(below, value, theirs[key])  # a user in place of a service principal
            elif key in theirs:
                yield from differences(value, theirs[key], below)
            elif not is_empty(value):
                yield Difference(below, value, None)
    elif isinstance(ours, list):
        yield from _lists(ours, theirs, path)
    elif _plain(ours) != _plain(theirs):
        yield Difference(path, ours, theirs)


def _kinds(value: Any) -> set[str] | None:
    return set(value) if isinstance(value, Mapping) else None


def same(ours: Any, theirs: Any) -> bool:
    return next(differences(ours, theirs), None) is None


def by_name(*lists: Any) -> list[dict[str, Any]] | None:
    """Lists whose entries all have a name of one kind, as {name: entry}; None where their entries are known by place."""
    for keys in _KEYS:
        named = [_named(items, keys) for items in lists]
        if any(lists) and all(names is not None for names in named):
            return [names for names in named if names is not None]
    return None


def _named(items: Any, keys: tuple[str, ...]) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for item in items:
        name = next((item[key] for key in keys if key in item), None) if isinstance(item, Mapping) else None
        if name is None or str(name) in found:
            return None
        found[str(name)] = item
    return found


def _lists(ours: list[Any], theirs: Any, path: str) -> Iterator[Difference]:
    if not isinstance(theirs, list):
        if ours:
            yield Difference(path, ours, theirs)
        return
    named = by_name(ours, theirs) if ours else None
    if named is None:
        if len(ours) != len(theirs):
            yield Difference(path, ours, theirs)
            return
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(one, other, f"{path}[{index}]")
        return
    here, there = named
    for name, item in here.items():
        if name in there:
            yield from differences(item, there.pop(name), f"{path}[{name}]")
        else:
            yield Difference(f"{path}[{name}]", item, None)
    for name, item in there.items():
        yield Difference(f"{path}[{name}]", None, item)


def is_empty(value: Any) -> bool:
    """Empty things may come back as nothing at all."""
    return value in ({}, [], None, "", 0, False)


def _plain(value: Any) -> Any:
    """A scalar in one spelling: the service takes "2" for 2, and /Workspace/x is /x."""
    if isinstance(value, str | int | float | bool):
        return str(value).lower() if not isinstance(value, str) else _plain_text(value)
    return value


def _plain_text(text: str) -> str:
    if text.startswith("/Workspace/"):
        return text.removeprefix("/Workspace")
    return text.lower() if text.lower() in ("true", "false") else text


def _short(value: Any, name: str) -> str:
    if value is None:
        return "nothing"
    text = repr(_shown(value, name))
    return text if len(text) <= 80 else text[:77] + "…"


def _shown(value: Any, name: str) -> Any:
    """The value as a log may show it: what is a secret by its name, or looks like one, is left out."""
    if isinstance(value, Mapping):
        return {key: _shown(item, str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_shown(item, name) for item in value]
    if not isinstance(value, str):
        return value
    hidden = (not value.startswith("{{") and _SECRET.search(name)) or _SECRET_VALUE.search(value)
    return "(not shown)" if hidden else value
