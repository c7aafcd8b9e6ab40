"""Writes single values into the configuration, comments kept: whole files, or none of them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from slipway.domain.configuration import look_up, parse
from slipway.domain.environment import DEFAULTS, FOLDER, Environment, load_all
from slipway.domain.yaml_edit import set_value
from slipway.errors import ConfigurationError, NotPossible


def file_of(root: Path, environment: str, path: str) -> str:
    """Which file says the value at a key path: the environment's own where it says anything of it, else the defaults."""
    own = f"{FOLDER}/{environment}.yml"
    found, _, _ = parse((root / own).read_text(encoding="utf-8"), own)
    return own if look_up(found, path)[0] else DEFAULTS


def configure_command(environment: str, key: str, value: str) -> str:
    """The command that gives a key another value: of this environment alone, or, of the state, of all that share it. What
    begins with < is for a person to fill in."""
    where = "" if key.startswith("azure.state.") else f" --environment {environment}"
    return f"python scripts/configure.py{where} --set {key}={value if value.startswith('<') else shlex.quote(value)}"


def file_for(root: Path, environment: Environment, path: str, thing: Callable[[Environment], object]) -> str:
    """Where to write the value at a key path that belongs to `thing`, a workspace or an identity: as `file_of`; but the
    environment's own file where another environment that takes the value from the defaults has another such thing."""
    file = file_of(root, environment.name, path)
    if file != DEFAULTS:
        return file
    own = f"{FOLDER}/{environment.name}.yml"
    try:
        others = [one for one in load_all(root) if one.name != environment.name]
    except ConfigurationError:  # of another environment: what it takes from the defaults is not known
        return own
    wrong = any(thing(one) != thing(environment) and file_of(root, one.name, path) == DEFAULTS for one in others)
    return own if wrong else DEFAULTS


def write_values(root: Path, file: str, values: Mapping[str, Any]) -> None:
    """Sets values by key path in one file, which is replaced at once. Raises NotPossible, and then nothing is written."""
    if (root / "release.json").exists():
        raise NotPossible(
            f"{file} is part of a built release here, and a release is not changed.",
            changed="The file was not changed.",
            next_step="Run this in the repository.",
        )
    path = root / file
    text = path.read_text(encoding="utf-8")
    for key, value in values.items():
        text = set_value(text, key.split("."), value)
    write_text(path, text)


def write_text(path: Path, text: str) -> None:
    """The file's whole text, in one step. Raises NotPossible where it can't be written."""
    beside = path.with_name(path.name + ".new")
    try:
        beside.write_text(text, encoding="utf-8")
        if path.exists():
            beside.chmod(path.stat().st_mode)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise NotPossible(f"{path} can't be written: {error}", changed="The file was not changed.") from error
