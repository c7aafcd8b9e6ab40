"""Variable groups from files: in Azure DevOps they are kept in the Library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from rehearsal.pipelines.host import GroupVariable


def read_groups(given: Sequence[str]) -> dict[str, Mapping[str, GroupVariable]]:
    """Groups by name from NAME=FILE. Raises ValueError with what is wrong, never with a value."""
    groups: dict[str, Mapping[str, GroupVariable]] = {}
    for each in given:
        name, equals, file = each.partition("=")
        if not name or not equals:
            raise ValueError(f"{each}: write it as NAME=FILE")
        try:
            read = yaml.load(Path(file).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 - texts alone
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{each}: the file cannot be read") from error
        except yaml.YAMLError as error:
            raise ValueError(f"{each}: the file is no YAML") from error
        if not isinstance(read, dict):
            raise ValueError(f"{each}: the file holds no mapping of names and values")
        groups[name] = {key: _variable(each, key, value) for key, value in read.items()}
    return groups


def _variable(group: str, name: str, value: object) -> GroupVariable:
    match value:
        case str():
            return GroupVariable(value)
        case {"value": str(text), **rest} if set(rest) <= {"secret"} and rest.get("secret") in (None, "true", "false"):
            return GroupVariable(text, secret=rest.get("secret") == "true")
    raise ValueError(f"{group}: '{name}' is neither a text nor {{value: …, secret: true}}")
