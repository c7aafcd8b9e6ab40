"""Keeps a factory's template within what one deployment may have, in nested parts where one template can't.

https://learn.microsoft.com/azure/azure-resource-manager/templates/best-practices#template-limits: 256 parameters,
800 resources, 4 MB for a template with all that is nested in it, 1 MB for a resource's definition. A nested part is one
resource of the template around it, has limits of its own, and stands in it as text: no storage account, no SAS.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slipway.domain.factory.objects import Key
from slipway.domain.factory.parameterisation import Parameter
from slipway.domain.factory.template import (
    CONTENT_VERSION,
    PARAMETERS_SCHEMA,
    SCHEMA,
    FactoryTemplate,
    Resource,
    declared,
    quoted,
    rendered,
    template_of,
)
from slipway.errors import Finding, ReleaseError

_MB = 1024 * 1024
DEPLOYMENTS_API_VERSION = "2022-09-01"


@dataclass(frozen=True)
class Limits:
    """What the service takes; tests have smaller ones. Sizes in bytes."""

    parameters: int = 256
    resources: int = 800
    template: int = 4 * _MB
    resource: int = _MB

    @property
    def part(self) -> int:
        """How large the resources of a nested part may be: the rest is for its parameters and what is around it."""
        return self.resource * 3 // 4


@dataclass(frozen=True)
class Output:
    """What is written. `parts`: how many nested parts the template has, 0 = one flat template. `packed`: the parameters
    are members of two, `values` and `secrets`, because they are too many to be declared one by one."""

    template: Mapping[str, Any]
    parameters: Mapping[str, Any]
    parts: int = 0
    packed: bool = False


def within_limits(whole: FactoryTemplate, limits: Limits | None = None) -> Output:
    """The template, flat if it can be. Raises ReleaseError if the service would refuse it even in parts."""
    limits = limits or Limits()
    flat = whole.to_template()
    sizes = [size_of(one.body) for one in whole.resources]
    _refuse_large(whole, sizes, limits)
    fits = len(whole.parameters) <= limits.parameters and len(whole.resources) <= limits.resources
    if fits and size_of(flat) <= limits.template:
        return Output(flat, whole.to_parameters())
    parts = split(whole, limits, dict(zip((one.key for one in whole.resources), sizes, strict=True)))
    packed = len(whole.parameters) > limits.parameters
    template = _around(whole, parts, packed=packed)
    size = size_of(template)
    if size > limits.template:
        raise ReleaseError(
            f"The factory's template has {size / _MB:.1f} MB; a deployment takes {limits.template / _MB:.0f} MB,"
            " with everything that is nested in it.",
            _largest(whole, sizes),
            next_step="Make two factories of it, or take out what is no longer used.",
        )
    return Output(template, _packed_file(whole) if packed else whole.to_parameters(), len(parts), packed)


def size_of(data: Any) -> int:
    """Bytes as the vendor's client sends it."""
    return len(json.dumps(data))


def _refuse_large(whole: FactoryTemplate, sizes: Sequence[int], limits: Limits) -> None:
    findings = []
    for resource, size in zip(whole.resources, sizes, strict=True):
        if size > limits.resource:
            text = f"has {size / _MB:.2f} MB in the template; a resource may have {limits.resource / _MB:.2f} MB"
            findings.append(Finding(_name(resource), "", text))
        if len(resource.parameters) >= limits.parameters:
            text = f"has {len(resource.parameters)} parameters; a template may have {limits.parameters}"
            findings.append(Finding(_name(resource), "", text))
    if findings:
        raise ReleaseError("The factory has objects that no deployment takes.", findings)


def _name(resource: Resource) -> str:
    return "factory" if resource.key is None else "/".join(resource.key)


def _largest(whole: FactoryTemplate, sizes: Sequence[int]) -> list[Finding]:
    order = sorted(zip(sizes, map(_name, whole.resources), strict=True), reverse=True)
    return [Finding(name, "", f"one of the largest objects: {size / 1024:.0f} KB") for size, name in order[:5]]


@dataclass
class Part:
    """Resources that are deployed together, after those of the parts before."""

    resources: list[Resource] = field(default_factory=list)
    parameters: dict[str, None] = field(default_factory=dict)
    size: int = 0

    def has_room(self, resource: Resource, size: int, limits: Limits) -> bool:
        new = sum(name not in self.parameters for name in resource.parameters)
        return not self.resources or (
            len(self.resources) < limits.resources
            and len(self.parameters) + new < limits.parameters  # one is factoryName
            and self.size + size <= limits.part
        )

    def add(self, resource: Resource, size: int) -> None:
        self.resources.append(resource)
        self.parameters.update(dict.fromkeys(resource.parameters))
        self.size += size

    def to_template(self, parameters: Mapping[str, Parameter]) -> dict[str, Any]:
        """As a template of its own, for a deployment that comes after those of the parts before."""
        here: set[Key | None] = {one.key for one in self.resources}
        return template_of(
            (parameters[name] for name in self.names()), [_without_others(one, here) for one in self.resources]
        )

    def names(self) -> Iterable[str]:
        return ["factoryName", *self.parameters]


def split(whole: FactoryTemplate, limits: Limits, sizes: Mapping[Key | None, int]) -> list[Part]:
    """The resources in as few parts as going through the levels once gives."""
    parts = [Part()]
    for level in whole.levels:
        for resource in level:
            size = sizes[resource.key]
            if not parts[-1].has_room(resource, size, limits):
                parts.append(Part())
            parts[-1].add(resource, size)
    return parts


def _without_others(resource: Resource, here: set[Key | None]) -> Resource:
    """dependsOn may only name what is in the same template; the parts' own order does the rest."""
    needs = {key: text for key, text in resource.needs.items() if key in here}
    return Resource(resource.key, {**resource.body, "dependsOn": list(needs.values())}, resource.parameters, needs)


def _around(whole: FactoryTemplate, parts: Sequence[Part], *, packed: bool) -> dict[str, Any]:
    """The template that has the parts nested in it, one after the other."""
    resources = []
    for number, part in enumerate(parts, 1):
        before = [f"[resourceId('Microsoft.Resources/deployments', {_part_name(number - 1)})]"] if number > 1 else []
        inner = part.to_template(whole.parameters)
        for one in inner["parameters"].values():
            one.pop("defaultValue", None)  # the template around it has the values
        resources.append(
            {
                "name": f"[{_part_name(number)}]",
                "type": "Microsoft.Resources/deployments",
                "apiVersion": DEPLOYMENTS_API_VERSION,
                "properties": {
                    "mode": "Incremental",
                    "expressionEvaluationOptions": {"scope": "inner"},
                    "parameters": {name: {"value": _value(whole, name, packed=packed)} for name in part.names()},
                    "template": inner,
                },
                "dependsOn": before,
            }
        )
    declarations = _packed(whole) if packed else {name: declared(one) for name, one in whole.parameters.items()}
    return {
        "$schema": SCHEMA,
        "contentVersion": CONTENT_VERSION,
        "parameters": declarations,
        "resources": resources,
    }


def _part_name(number: int) -> str:
    """A deployment's name has at most 64 characters, a factory's 63."""
    return f"concat(take(parameters('factoryName'), 50), '-part-{number}')"


def _value(whole: FactoryTemplate, name: str, *, packed: bool) -> str:
    if not packed or name == "factoryName":
        return f"[parameters({quoted(name)})]"
    return f"[parameters('{_holder(whole.parameters[name])}')[{quoted(name)}]]"


def _holder(one: Parameter) -> str:
    return "secrets" if one.secure else "values"


def _packed(whole: FactoryTemplate) -> dict[str, Any]:
    """Two parameters for all: their members have the names of the factory's parameters."""
    rest = [one for one in whole.parameters.values() if one.name != "factoryName"]
    values = {one.name: rendered(one.default[0]) for one in rest if one.default and not one.secure}
    declarations: dict[str, Any] = {"factoryName": declared(whole.parameters["factoryName"])}
    declarations["values"] = {"type": "object", "defaultValue": values}
    if any(one.secure for one in rest):
        declarations["secrets"] = {"type": "secureObject"}
    return declarations


def _packed_file(whole: FactoryTemplate) -> dict[str, Any]:
    """The parameters file for `values` and `secrets`."""
    flat = whole.to_parameters()["parameters"]
    packed: dict[str, Any] = {}
    for name, entry in flat.items():
        if name == "factoryName":
            packed[name] = entry
        else:
            packed.setdefault(_holder(whole.parameters[name]), {"value": {}})["value"][name] = entry["value"]
    return {"$schema": PARAMETERS_SCHEMA, "contentVersion": CONTENT_VERSION, "parameters": packed}
