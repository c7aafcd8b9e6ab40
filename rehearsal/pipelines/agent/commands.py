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


def parse(line: str, *, percents: bool = True) -> Command | None:
    """The command in a line of output; other text may stand before it. None when there is none.

    percents: %AZP25 is a percent sign; the variable DECODE_PERCENTS of a job turns that off.
    """
    start = line.find(_PREFIX)
    if start < 0:
        return None
    end = line.find("]", start)
    if end < 0:
        return None
    head, data = line[start + len(_PREFIX) : end], line[end + 1 :]
    name, _, rest = head.partition(" ")
    parts = [part for part in name.split(".") if part]
    if len(parts) != 2:
        return None
    area, action = parts
    properties: dict[str, str] = {}
    for part in rest.split(";"):
        key, equals, value = part.strip().partition("=")
        if equals and value:
            properties[key.strip().lower()] = _unescape(value, percents=percents)
    return Command(area.lower(), action.lower(), properties, _unescape(data.rstrip("\r\n"), percents=percents))


def _unescape(text: str, *, percents: bool) -> str:
    for plain, escaped in _ESCAPES:
        text = text.replace(escaped, plain)
    return text.replace("%AZP25", "%") if percents else text


def split_kind(line: str) -> tuple[LineKind, str]:
    """What `##[group]`, `##[error]`… at the start of a line makes of it, and the text without that mark."""
    match = _FORMAT.match(line)
    if match is not None and match.group(1) in get_args(LineKind) and match.group(1) != "plain":
        return cast(LineKind, match.group(1)), match.group(2)
    return "plain", line
