"""The release that a step works with, checked, and its jobs rendered for an environment."""

from __future__ import annotations

import json
from typing import Any

from slipway.command import Context
from slipway.domain.environment import Environment
from slipway.domain.job import Target, parse_definition, render_job
from slipway.domain.release import Release, hash_file, load_release
from slipway.domain.slot import Slot
from slipway.errors import Finding, ReleaseError


def release_of(context: Context) -> Release:
    """The release, every file as it was built, and the configuration that was read the same as the release's own.

    Raises ReleaseError.
    """
    release = load_release(context.release)
    names = ["config/defaults.yml", f"config/environments/{context.environment.name}.yml"]
    findings = []
    for name in names:
        built = release.files.get(name)
        if built is None:
            findings.append(Finding(name, "", "is not in the release"))
        elif hash_file(context.root / name) != built:
            findings.append(Finding(name, "", "is not what the release was built with"))
    if findings:
        raise ReleaseError(
            f"The configuration here is not that of release {release.version}.",
            findings,
            next_step="Build the release again (scripts/build_release.py), or run the scripts that are in it.",
        )
    return release


def version_of(context: Context, otherwise: str) -> str:
    """The version of the release that lies where this runs, unchecked; `otherwise` where none does."""
    try:
        found = json.loads((context.release / "release.json").read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return otherwise
    return str(found or otherwise)


def target_of(release: Release, environment: Environment, slot: Slot) -> Target:
    return Target(
        environment=environment,
        slot=slot,
        version=release.version,
        wheels=tuple(release.wheels),
        notebooks=frozenset(path.rpartition(".")[0] for path in release.notebooks),
    )


def render_jobs(release: Release, environment: Environment, slot: Slot) -> dict[str, dict[str, Any]]:
    """The settings of every job of the release in `slot`. Raises ReleaseError with all that can't be rendered."""
    findings: list[Finding] = []
    target = target_of(release, environment, slot)
    jobs: dict[str, dict[str, Any]] = {}
    for key in release.job_keys:
        file = f"config/jobs/{key}.json"
        definition, found = parse_definition((release.folder / file).read_text(encoding="utf-8"), file)
        findings += found
        if definition is not None:
            jobs[key], found = _rendered(key, file, definition, target)
            findings += found
    if findings:
        raise ReleaseError(f"Jobs of release {release.version} can't be rendered.", findings)
    return jobs


def _rendered(key: str, file: str, definition: dict[str, Any], target: Target) -> tuple[dict[str, Any], list[Finding]]:
    findings: list[Finding] = []
    settings = render_job(key, definition, target, lambda path, text: findings.append(Finding(file, path, text)))
    return settings, findings
