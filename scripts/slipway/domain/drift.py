"""Drift: what people changed by hand in what a release set. What the service adds by itself is not compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# Arrays whose order means nothing, and what names their entries.
_KEYS = ("task_key", "job_cluster_key", "environment_key", "name")

# Set, and never given back by jobs/get (databricks-sdk-py service/jobs.py, JobSettings.run_as).
_WRITE_ONLY = ("run_as",)


def drift(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """One line for each difference: where, what was set, what is there."""
    if isinstance(ours, Mapping):
        if not isinstance(theirs, Mapping):
            yield _line(path, ours, theirs)
            return
        for key, value in ours.items():
            below = f"{path}.{key}" if path else key
            if below in _WRITE_ONLY and key not in theirs:
                continue
            if key in theirs:
                yield from drift(value, theirs[key], below)
            elif not _is_empty(value):
                yield _line(below, value, None)
    elif isinstance(ours, list):
        yield from _lists(ours, theirs, path)
    elif _plain(ours) != _plain(theirs):
        yield _line(path, ours, theirs)


def same(ours: Any, theirs: Any) -> bool:
    return next(drift(ours, theirs), None) is None


def _lists(ours: list[Any], theirs: Any, path: str) -> Iterator[str]:
    if not isinstance(theirs, list):
        if ours:
            yield _line(path, ours, theirs)
        return
    key = next((k for k in _KEYS if ours and all(isinstance(i, Mapping) and k in i for i in [*ours, *theirs])), None)
    if key is None:
        if len(ours) != len(theirs):
            yield _line(path, ours, theirs)
            return
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from drift(one, other, f"{path}[{index}]")
        return
    there = {str(item[key]): item for item in theirs}
    for item in ours:
        name = str(item[key])
        if name in there:
            yield from drift(item, there.pop(name), f"{path}[{name}]")
        else:
            yield _line(f"{path}[{name}]", item, None)
    for name, item in there.items():
        yield _line(f"{path}[{name}]", None, item)


def _is_empty(value: Any) -> bool:
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


def _line(path: str, ours: Any, theirs: Any) -> str:
    return f"{path}: was set to {_short(ours)}, is {_short(theirs)}"


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
