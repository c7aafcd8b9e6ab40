"""Logging commands: `##vso[area.action name=value;…]data` and `##[kind]text` in what a step prints.

Source: microsoft/azure-pipelines-agent, Agent.Sdk/Util/CommandStringConvertor and Microsoft.VisualStudio.Services.Agent/Command.cs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast, get_args

from rehearsal.pipelines.events import LineKind

_PREFIX = "##vso["
_FORMAT = re.compile(r"##\[(\w+)\](.*)", re.DOTALL)
_ESCAPES = ((";", "%3B"), ("\r", "%0D"), ("\n", "%0A"), ("]", "%5D"))


@dataclass(frozen=True)
class Command:
    """area and action in lower case, the names of properties too."""

    area: str
    action: str
    properties: Mapping[str, str]
    data: str

    @property
    def name(self) -> str:
        return f"{self.area}.{self.action}"


def parse(line: str) -> Command | None:
    """The command in a line of output; other text may stand before it. None when there is none."""
    start = line.find(_PREFIX)
    if start < 0:
        return None
    end = line.find("]", start)
    if end < 0:
        return None
    head, data = line[start + len(_PREFIX) : end], line[end + 1 :]
    name, _, rest = head.partition(" ")
    area, dot, action = name.partition(".")
    if not dot or not area or not action:
        return None
    properties: dict[str, str] = {}
    for part in rest.split(";"):
        key, equals, value = part.strip().partition("=")
        if equals:
            properties[key.strip().lower()] = _unescape(value)
    return Command(area.lower(), action.lower(), properties, _unescape(data.rstrip("\r\n")))


def _unescape(text: str) -> str:
    for plain, escaped in _ESCAPES:
        text = text.replace(escaped, plain)
    return text.replace("%AZP25", "%")


def split_kind(line: str) -> tuple[LineKind, str]:
    """What `##[group]`, `##[error]`… at the start of a line makes of it, and the text without that mark."""
    match = _FORMAT.match(line)
    if match is not None and match.group(1) in get_args(LineKind) and match.group(1) != "plain":
        return cast(LineKind, match.group(1)), match.group(2)
    return "plain", line
