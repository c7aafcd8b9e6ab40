"""What a release may not hold; each rule finds all its cases, with file and line."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from slipway.domain.environment import Environment
from slipway.domain.job import KEY, Target, parse_definition, reads_from, render_job
from slipway.domain.notebook import find_slot_paths, slot_paths
from slipway.domain.release import FILE_LIMIT, NOTEBOOK_LIMIT, is_job, read_language
from slipway.domain.slot import SLOTS, Slot, other, slot_path
from slipway.errors import Finding

# A wheel's name: https://packaging.python.org/specifications/binary-distribution-format/
_WHEEL = re.compile(r"(?P<name>[A-Za-z0-9_.]+)-(?P<version>[A-Za-z0-9_.!+]+)(-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl")
_MEGABYTE = 1024 * 1024


def check_release(files: Mapping[str, Path], environments: Sequence[Environment]) -> list[Finding]:
    """Everything that is wrong with the files of a release (path in the release -> file)."""
    roots = [environment.databricks.root for environment in environments]
    return [
        *_notebooks(files),
        *_sizes(files),
        *_same_names(files),
        *_wheels(files),
        *_closed(files, roots),
        *_jobs(files, environments),
        *_tests(files, environments),
    ]


def languages(files: Mapping[str, Path]) -> dict[str, str]:
    """The notebooks among the files, with their language."""
    found = {name: read_language(path) for name, path in files.items() if name.startswith("notebooks/")}
    return {name: language for name, language in found.items() if language is not None}


def _notebooks(files: Mapping[str, Path]) -> Iterator[Finding]:
    if not languages(files):
        yield Finding("notebooks", "", "there is no notebook (first line: # Databricks notebook source)")
    for name in files:
        if name.startswith("notebooks/") and name.endswith((".ipynb", ".dbc", ".html")):
            yield Finding(name, "", "is not in source format; export the notebook as source (.py, .sql, .scala, .r)")


def _sizes(files: Mapping[str, Path]) -> Iterator[Finding]:
    notebooks = languages(files)
    for name, path in files.items():
        size = path.stat().st_size
        if name in notebooks and size > NOTEBOOK_LIMIT:
            text = (
                f"has {size / _MEGABYTE:.1f} MB; a workspace takes notebooks of up to {NOTEBOOK_LIMIT // _MEGABYTE} MB"
            )
            yield Finding(name, "", text)
        elif size > FILE_LIMIT:
            text = f"has {size / _MEGABYTE:.0f} MB; a workspace takes files of up to {FILE_LIMIT // _MEGABYTE} MB"
            yield Finding(name, "", text)


def _same_names(files: Mapping[str, Path]) -> Iterator[Finding]:
    """Names that a workspace or another file system takes for the same: by case, or, in notebooks/, by extension (a
    workspace folder can't hold a notebook and another object of the same name, whatever the extension)."""
    by_case: dict[str, str] = {}
    by_stem: dict[str, str] = {}
    for name in sorted(files):
        other = by_case.setdefault(name.casefold(), name)
        if other != name:
            yield Finding(name, "", f"differs from {other} only by upper and lower case")
        if name.startswith("notebooks/"):
            stem = str(PurePosixPath(name).with_suffix("")).casefold()
            other = by_stem.setdefault(stem, name)
            if other != name and other.casefold() != name.casefold():
                yield Finding(name, "", f"differs from {other} only by its extension; in a workspace they collide")


def _wheels(files: Mapping[str, Path]) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for name, path in files.items():
        if not name.startswith("library/"):
            continue
        match = _WHEEL.fullmatch(PurePosixPath(name).name)
        if match is None:
            yield Finding(name, "", "is not a wheel's name (distribution-version-python-abi-platform.whl)")
            continue
        if not zipfile.is_zipfile(path):
            yield Finding(name, "", "is not a wheel: it can't be opened as a ZIP")
        project = re.sub(r"[-_.]+", "-", match["name"]).lower()
        if project in seen:
            yield Finding(
                name, "", f"is another wheel of {project}, beside {seen[project]}; empty the folder of wheels"
            )
        seen.setdefault(project, name)


def _closed(files: Mapping[str, Path], roots: Sequence[str]) -> Iterator[Finding]:
    """No absolute path into a slot: what was tested in one slot must not read from the other."""
    pattern = slot_paths(roots)
    for name, path in files.items():
        if not (name.startswith("notebooks/") or is_job(name)) or path.stat().st_size > NOTEBOOK_LIMIT:
            continue
        relative = "./notebooks/…" if is_job(name) else "a path relative to the notebook"
        for line, found in find_slot_paths(path.read_bytes().decode("utf-8", "replace"), pattern):
            text = f"{found} is a path into a slot that stays when the slot changes, so the slot is not closed; use {relative}"
            yield Finding(name, "", text, line)


def _jobs(files: Mapping[str, Path], environments: Sequence[Environment]) -> Iterator[Finding]:
    """Every job can be rendered for every environment."""
    for name, path in files.items():
        if not is_job(name):
            continue
        key = PurePosixPath(name).stem
        if not re.fullmatch(KEY, key):
            yield Finding(name, "", f"{key!r} is not a job's key (lower-case letters, digits, - and _; a letter first)")
        text = path.read_bytes().decode("utf-8", "replace")
        definition, findings = parse_definition(text, name)
        yield from findings
        if definition is None:
            continue
        problems = _rendering_problems(key, definition, files, environments)
        for (where, problem), names in problems.items():
            which = "" if len(names) == len(environments) else f" (in {', '.join(names)})"
            yield Finding(name, where, problem + which, _line_of(text, where))


def _rendering_problems(
    key: str, definition: Mapping[str, Any], files: Mapping[str, Path], environments: Sequence[Environment]
) -> dict[tuple[str, str], list[str]]:
    """(key path, problem) -> the environments that have it."""
    problems: dict[tuple[str, str], list[str]] = {}
    for environment in environments:
        found: dict[tuple[str, str], None] = {}
        for slot in SLOTS:
            target = _target(files, environment, slot)
            settings = render_job(key, definition, target, lambda *problem, found=found: found.setdefault(problem))
            if environment.name not in str(settings.get("name", "")):
                found["name", "must hold {{ environment }}: environments may share a workspace"] = None
            if reads_from(settings, slot_path(environment.databricks.root, other(slot))):
                found["", f"reads from {other(slot)} when it is in {slot}: a slot must be closed"] = None
        for problem in found:
            problems.setdefault(problem, []).append(environment.name)
    return problems


def _tests(files: Mapping[str, Path], environments: Sequence[Environment]) -> Iterator[Finding]:
    for environment in environments:
        notebook = environment.integration_test.notebook.removeprefix("./")
        if notebook not in _target(files, environment).notebooks:
            where = f"config (environment {environment.name})"
            yield Finding(where, "integration_test.notebook", f"the release has no notebook ./{notebook}")
        for key, value in environment.notebooks.items():
            if any(reads_from(value, slot_path(environment.databricks.root, slot)) for slot in SLOTS):
                where = f"config (environment {environment.name})"
                yield Finding(where, f"notebooks.{key}", f"{value} lies in a slot: a slot must be closed")


def _target(files: Mapping[str, Path], environment: Environment, slot: Slot = "blue") -> Target:
    return Target(
        environment=environment,
        slot=slot,
        version="0",
        wheels=tuple(sorted(PurePosixPath(name).name for name in files if name.startswith("library/"))),
        notebooks=frozenset(name.rpartition(".")[0] for name in languages(files)),
    )


def _line_of(text: str, path: str) -> int | None:
    """The line of the last key of a key path in JSON text, where it can be told."""
    keys = re.findall(r"[A-Za-z_][A-Za-z0-9_]*|\[\d+\]", path)
    position = 0
    for key in keys:
        if key.startswith("["):
            continue
        match = re.compile(rf'"{re.escape(key)}"\s*:').search(text, position)
        if match is None:
            break
        position = match.end()
    return text.count("\n", 0, position) + 1 if position else None
