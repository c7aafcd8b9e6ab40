"""`python -m rehearsal template FILE`: what a template deploys, and in which order, without any service.

Exit codes: 0 it is well; 1 the template would not deploy; 2 the command could not begin (a file, an option).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rehearsal.resource_manager.deployments.request import DeploymentRequest
from rehearsal.resource_manager.links import Fetch, first_of, mapped
from rehearsal.resource_manager.offline import Finding, Refused, Where, evaluate
from rehearsal.resource_manager.template.json_reader import JsonError, locate, parse

Json = Any
WRONG, UNUSABLE = 1, 2
_NOWHERE = "00000000-0000-0000-0000-000000000000"
_HIDDEN = "***"
# The scopes that a template's schema can name (learn.microsoft.com/azure/azure-resource-manager/templates/syntax).
_SCHEMA = re.compile(r"/(subscription|managementGroup|tenant)?deploymentTemplate\.json", re.IGNORECASE)


class Unusable(Exception):
    """The command can't begin; the text says why and what to do."""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    try:
        found = _run(arguments)
    except Unusable as error:
        print(f"The template was not looked at: {error}", file=sys.stderr)
        return UNUSABLE
    except Refused as error:
        for finding in error.findings:
            print(_line(finding, arguments.file), file=sys.stderr)
        if any("resource type '" in finding.message for finding in error.findings):
            print("To take types that are not known here as they are: --accept-unknown-resources", file=sys.stderr)
        return WRONG
    print(json.dumps(found, indent=2, ensure_ascii=False))
    return 0


def _run(arguments: argparse.Namespace) -> dict[str, Json]:
    text = _text(arguments.file)
    template = _json(text, arguments.file)
    given = _given(arguments)
    _check_names(template, given, text, arguments.parameters)
    request = DeploymentRequest(
        name=arguments.name,
        mode="Incremental",
        template=template,
        parameters=given,
        location=arguments.location,
        text=text,
        root=(),
    )
    request.links.base = arguments.file.resolve().as_uri()
    where = Where(
        subscription=arguments.subscription,
        tenant=arguments.tenant,
        group="" if _kind(template) == "subscription" else arguments.resource_group,
        location=arguments.location,
    )
    found = asyncio.run(
        evaluate(request, where, _fetcher(arguments), accept_unknown=arguments.accept_unknown_resources)
    )
    hidden = set(_secrets(template, given))
    return {key: _without(value, hidden) for key, value in found.items()}


def _kind(template: Json) -> str:
    """Where the schema says that a template deploys to."""
    match = _SCHEMA.search(str(template.get("$schema", ""))) if isinstance(template, dict) else None
    kind = (match[1] or "").lower() if match else ""
    if kind in ("managementgroup", "tenant"):
        raise Unusable("templates for a management group or the tenant are not part of this rehearsal.")
    return kind


def _given(arguments: argparse.Namespace) -> dict[str, Json]:
    """Values from the parameter files, in order, then from the command line."""
    found: dict[str, Json] = {}
    for file in arguments.parameters:
        content = _json(_text(file), file)
        section = content.get("parameters", content) if isinstance(content, dict) else None
        if not isinstance(section, dict) or not all(isinstance(value, dict) for value in section.values()):
            raise Unusable(f'{file}: a parameter file holds an object per parameter, such as {{"value": 1}}.')
        found.update(section)
    for each in arguments.parameter:
        name, mark, value = each.partition("=")
        if not mark or not name:
            raise Unusable(f"--parameter {each}: write it as name=value")
        found[name] = {"value": _value(value)}
    return found


def _check_names(template: Json, given: Mapping[str, Json], text: str, files: Sequence[Path]) -> None:
    """All parameters at once that are missing, or that the template does not declare. Raises Refused."""
    declared = template.get("parameters") if isinstance(template, dict) else None
    if not isinstance(declared, dict):
        return
    names, known = {name.lower() for name in given}, {name.lower() for name in declared}
    findings = []
    for name, definition in declared.items():
        if name.lower() in names or not isinstance(definition, dict):
            continue
        # What a parameter refers to may have a default: the engine sees to those.
        if not {"defaultValue", "$ref"} & definition.keys() and definition.get("nullable") is not True:
            said = f"The value for the template parameter '{name}' is not provided."
            position = locate(text, ("parameters", name))
            findings.append(Finding(code="InvalidTemplate", message=said, position=position))
    for name in given:
        if name.lower() not in known:
            said = f"The template has no parameter '{name}'. It has: {', '.join(declared) or 'none'}."
            file, position = _where_given(name, files)
            findings.append(Finding(code="InvalidTemplate", message=said, position=position, file=file))
    if findings:
        raise Refused(findings)


def _where_given(name: str, files: Sequence[Path]) -> tuple[str, tuple[int, int] | None]:
    """The parameter file that gives a value, and where; the command line, if none."""
    for file in reversed(files):
        for path in (("parameters", name), (name,)):
            position = locate(_text(file), path)
            if position is not None:
                return str(file), position
    return "--parameter", None


def _value(text: str) -> Json:
    """As `az` reads it: JSON where it is JSON, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _fetcher(arguments: argparse.Namespace) -> Fetch:
    mappings = []
    for each in arguments.map:
        beginning, mark, folder = each.partition("=")
        if not mark or not Path(folder).is_dir():
            raise Unusable(f"--map {each}: write it as ADDRESS=FOLDER, with a folder that is there")
        mappings.append((beginning, Path(folder)))
    # A relativePath starts at the template's own folder; it may lead out of it, as it may on the command line.
    return first_of(mapped(mappings), mapped([("file://", Path("/"))]))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{file}: {getattr(error, 'strerror', None) or error}") from error


def _json(text: str, file: Path) -> Json:
    try:
        return parse(text)
    except JsonError as error:
        place = re.search(r": line (\d+), position (\d+)", str(error))
        position = (int(place[1]), int(place[2])) if place else None
        raise Refused([Finding(code="InvalidJson", message=str(error), position=position, file=str(file))]) from error


def _line(finding: Finding, file: Path) -> str:
    """FILE:line:column: code: message, as editors and compilers have it."""
    place = f":{finding.position[0]}:{finding.position[1]}" if finding.position else ""
    name = (finding.file or str(file)).removeprefix("file://")
    return f"{name}{place}: {finding.code}: {finding.message}"


def _secrets(template: Json, given: Mapping[str, Json]) -> Iterator[str]:
    """Every text in a secure parameter's value: none of them is printed."""
    kinds = {name.lower(): str(one.get("type", "")) for name, one in (template.get("parameters") or {}).items()}
    for name, entry in given.items():
        if kinds.get(name.lower(), "").lower().startswith("secure"):
            yield from _texts(entry.get("value"))


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str) and value:
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _without(value: Json, hidden: set[str]) -> Json:
    if isinstance(value, str):
        for secret in hidden:
            value = value.replace(secret, _HIDDEN)
        return value
    if isinstance(value, dict):
        return {key: _without(item, hidden) for key, item in value.items()}
    return [_without(item, hidden) for item in value] if isinstance(value, list) else value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rehearsal template", description=__doc__, allow_abbrev=False)
    parser.add_argument("file", type=Path, metavar="FILE", help="an ARM template (JSON, comments allowed)")
    parser.add_argument(
        "--parameters", type=Path, action="append", default=[], metavar="FILE", help="a parameter file; can be repeated"
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one parameter; JSON or text; can be repeated",
    )
    parser.add_argument("--resource-group", default="rg-template", metavar="NAME", help="default: rg-template")
    parser.add_argument(
        "--location", default="westeurope", help="of the group, or of the deployment; default: westeurope"
    )
    parser.add_argument("--subscription", default=_NOWHERE, type=_guid, metavar="GUID", help="default: all zeros")
    parser.add_argument("--tenant", default=_NOWHERE, type=_guid, metavar="GUID", help="default: all zeros")
    parser.add_argument("--name", default="main", help="the deployment's name; default: main")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="ADDRESS=FOLDER",
        help="where linked templates lie; can be repeated",
    )
    parser.add_argument(
        "--accept-unknown-resources",
        action="store_true",
        help="take resource types that are not known here as they are",
    )
    return parser


def _guid(text: str) -> str:
    return str(uuid.UUID(text))
