"""Whether a document has the shape of a template at all, before anything in it is evaluated.

Source: learn.microsoft.com/azure/azure-resource-manager/templates/syntax.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rehearsal.resource_manager.template.errors import Path, TemplateError
from rehearsal.resource_manager.template.syntax import is_expression
from rehearsal.resource_manager.template.values import describe

Json = Any
# learn.microsoft.com/azure/azure-resource-manager/templates/best-practices#template-limits
_LIMITS = {"parameters": 256, "variables": 256, "outputs": 64}
_PARAMETER: Mapping[str, tuple[type, ...]] = {
    "allowedValues": (list,),
    "minLength": (int,),
    "maxLength": (int,),
    "minValue": (int,),
    "maxValue": (int,),
}


# …/templates/syntax, and …/templates/definitions for what only languageVersion 2.0 has.
_MEMBERS = {
    "Template": {
        "$schema", "contentversion", "apiprofile", "languageversion", "metadata", "parameters", "variables", "functions",
        "resources", "outputs", "definitions", "extensions", "imports",
    },
    "TemplateInputParameter": {
        "type", "defaultvalue", "allowedvalues", "minvalue", "maxvalue", "minlength", "maxlength", "metadata", "nullable",
        "$ref", "items", "prefixitems", "properties", "additionalproperties", "discriminator", "pattern",
    },
    "TemplateOutputParameter": {
        "type", "value", "condition", "copy", "metadata", "nullable", "$ref", "items", "prefixitems", "properties",
        "additionalproperties", "discriminator", "minvalue", "maxvalue", "minlength", "maxlength", "allowedvalues",
    },
}  # fmt: skip


def check_shape(template: Json, path: Path) -> None:
    """Raises TemplateError for the first part that is not what a template has there."""
    if not isinstance(template, dict):
        raise TemplateError("The template must be an object.", path=path)
    _members(template, "Template", path)
    for key in ("$schema", "contentVersion"):
        if not isinstance(template.get(key), str):
            raise TemplateError(f"Required property '{key}' not found in JSON. Path 'properties.template'.", path=path)
    if "resources" not in template:
        raise TemplateError("Required property 'resources' not found in JSON. Path 'properties.template'.", path=path)
    for key in ("parameters", "variables", "outputs", "definitions"):
        _section(template, key, path)
    _expect(template["resources"], (list, dict), (*path, "resources"))
    for name, parameter in (template.get("parameters") or {}).items():
        _parameter(parameter, (*path, "parameters", name))
        _members(parameter, "TemplateInputParameter", (*path, "parameters", name))
    for name, output in (template.get("outputs") or {}).items():
        _expect(output, (dict,), (*path, "outputs", name))
        _members(output, "TemplateOutputParameter", (*path, "outputs", name))
    _loops((template.get("variables") or {}).get("copy"), (*path, "variables", "copy"))
    for index, space in enumerate(_list(template, "functions", path)):
        _functions(space, (*path, "functions", index))


def check_resource(raw: Json, path: Path) -> None:
    """Raises TemplateError for a resource whose parts can't be looked at."""
    _expect(raw, (dict,), path)
    for key, kinds in (("copy", (dict,)), ("resources", (list,)), ("dependsOn", (list,)), ("properties", (dict,))):
        if raw.get(key) is not None and not (isinstance(raw[key], str) and is_expression(raw[key])):
            _expect(raw[key], kinds, (*path, key))


def _members(value: Mapping[str, Json], kind: str, path: Path) -> None:
    """Raises TemplateError for a key that the service's reader does not know."""
    for key in value:
        if key.lower() not in _MEMBERS[kind]:
            raise TemplateError(
                "The request content was invalid and could not be deserialized: 'Could not find member "
                f"'{key}' on object of type '{kind}'. Path '{{path}}', {{where}}.'.",
                path=(*path, key),
                code="InvalidRequestContent",
            )


def _section(template: Mapping[str, Json], key: str, path: Path) -> None:
    section = template.get(key)
    if section is None:
        return
    _expect(section, (dict,), (*path, key))
    limit = _LIMITS.get(key)
    if limit is not None and len(section) > limit:
        raise TemplateError(
            f"The number of template {key} limit exceeded. Limit: '{limit}' and actual: '{len(section)}'.",
            path=(*path, key),
        )


def _parameter(parameter: Json, path: Path) -> None:
    _expect(parameter, (dict,), path)
    for key, kinds in _PARAMETER.items():
        if parameter.get(key) is not None:
            _expect(parameter[key], kinds, (*path, key))


def _loops(loops: Json, path: Path) -> None:
    # A variable may be called copy; it is the loops' section when it is a list.
    for index, loop in enumerate(loops if isinstance(loops, list) else []):
        _expect(loop, (dict,), (*path, index))
        _expect(loop.get("name"), (str,), (*path, index, "name"))


def _functions(space: Json, path: Path) -> None:
    _expect(space, (dict,), path)
    _expect(space.get("namespace"), (str,), (*path, "namespace"))
    members = space.get("members") or {}
    _expect(members, (dict,), (*path, "members"))
    for name, member in members.items():
        here = (*path, "members", name)
        _expect(member, (dict,), here)
        _expect(member.get("output"), (dict,), (*here, "output"))
        for index, parameter in enumerate(_list(member, "parameters", here)):
            _expect(parameter, (dict,), (*here, "parameters", index))
            _expect(parameter.get("name"), (str,), (*here, "parameters", index, "name"))


def _list(holder: Mapping[str, Json], key: str, path: Path) -> Iterator[Json]:
    found = holder.get(key)
    if found is not None:
        _expect(found, (list,), (*path, key))
    return iter(found or [])


def _expect(value: Json, kinds: tuple[type, ...], path: Path) -> None:
    wrong_number = isinstance(value, bool) and int in kinds
    if not isinstance(value, kinds) or wrong_number:
        names = " or ".join(describe(kind()) for kind in kinds)
        what = f"{path[-1]}" if path else "template"
        raise TemplateError(
            f"The template section '{what}' {{position}} is not valid: expected '{names}', found '{describe(value)}'.",
            path=path,
        )
