"""The template of a factory, as Studio's export makes it: same resources, same dependencies, same parameter names.

What Studio fills in beside these when it publishes (empty lists, defaults of activities) is not made up here: no
deployment needs it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.domain.factory.git_folder import GitFolder
from slipway.domain.factory.objects import Factory, FactoryObject, Key, Kind
from slipway.domain.factory.parameterisation import FACTORY_TYPE, Definition, Parameter, ParameterReference
from slipway.domain.factory.references import levels
from slipway.errors import Finding, ReleaseError

API_VERSION = "2018-06-01"
SCHEMA = "http://schema.management.azure.com/schemas/2015-01-01/deploymentTemplate.json#"
PARAMETERS_SCHEMA = "https://schema.management.azure.com/schemas/2015-01-01/deploymentParameters.json#"
CONTENT_VERSION = "1.0.0.0"
FACTORY_ID = "[concat('Microsoft.DataFactory/factories/', parameters('factoryName'))]"
_FACTORY_NEEDED = "[variables('factoryId')]"


@dataclass(frozen=True)
class Resource:
    """One resource of the template. `key` None is the factory itself. `parameters`: the names of those that it uses;
    `needs`: what must be there before, each as dependsOn says it."""

    key: Key | None
    body: Mapping[str, Any]
    parameters: tuple[str, ...]
    needs: Mapping[Key | None, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FactoryTemplate:
    """A factory's template before limits are looked at. `parameters` has factoryName first. `levels`: the resources
    again, in an order in which each needs only those of the levels before."""

    parameters: Mapping[str, Parameter]
    resources: tuple[Resource, ...]
    levels: tuple[tuple[Resource, ...], ...]
    warnings: tuple[Finding, ...] = field(default=())

    def to_template(self) -> dict[str, Any]:
        """As one flat template."""
        return template_of(self.parameters.values(), self.resources)

    def to_parameters(self) -> dict[str, Any]:
        """The parameters file, with the values in Git; secure ones are empty, for somebody to fill in."""
        values = {name: {"value": file_value(one)} for name, one in self.parameters.items() if _has_file_value(one)}
        return {"$schema": PARAMETERS_SCHEMA, "contentVersion": CONTENT_VERSION, "parameters": values}


def generate(
    folder: GitFolder, *, factory_name: str | None = None, parameterise_databricks: bool = False
) -> FactoryTemplate:
    """The template of everything in the folder. `factory_name`: which of several factories in it, and factoryName's
    default. Raises ReleaseError: several factories and no name, or two values that want one parameter."""
    factory = choose_factory(folder, factory_name)
    rules = Definition(
        folder.definition,
        source=(folder.root / "arm-template-parameters-definition.json").as_posix(),
        parameterise_databricks=parameterise_databricks,
    )
    builder = _Builder(rules, with_factory=folder.include_factory and bool(factory.source))
    for item in folder.objects:
        builder.add(item, folder.graph.needs(item))
    if folder.include_global_parameters and factory.global_parameters:
        builder.add(FactoryObject(Kind.GLOBAL_PARAMETERS, "default", factory.global_parameters, factory.source), [])
    if builder.with_factory:
        builder.add_factory(factory)
    if builder.refused:
        raise ReleaseError(f"No template can be made of {folder.root}.", builder.refused)
    default = (factory.name,) if factory.name else ()
    first = Parameter("factoryName", "string", default, "Data Factory name")
    ordered = {one.name: one for one in [first, *builder.secrets, *builder.others]}
    warnings = [*folder.warnings, *(rules.warnings if folder.definition is not None else ())]
    by_key = {one.key: one for one in builder.resources}
    alone = [one for one in reversed(builder.resources) if one.key not in folder.graph.objects]  # the factory first
    ordered_resources = [alone, *([by_key[item.key] for item in level] for level in levels(folder.graph))]
    return FactoryTemplate(
        parameters=ordered,
        resources=tuple(builder.resources),
        levels=tuple(tuple(level) for level in ordered_resources if level),
        warnings=tuple(warnings),
    )


def choose_factory(folder: GitFolder, name: str | None) -> Factory:
    """The factory of this name, or the only one; without a file for it one of that name, or of no name. A Git folder
    may have other factories' files: those of branches that were linked to them."""
    if name is None:
        if len(folder.factories) > 1:
            names = ", ".join(one.name for one in folder.factories)
            raise ReleaseError(
                f"{folder.root}/factory has several factories: {names}.", next_step="Say which one with --factory."
            )
        return folder.factories[0] if folder.factories else Factory("")
    return next((one for one in folder.factories if one.name.lower() == name.lower()), Factory(name))


class _Builder:
    def __init__(self, rules: Definition, *, with_factory: bool) -> None:
        self.rules = rules
        self.with_factory = with_factory
        self.resources: list[Resource] = []
        self.secrets: list[Parameter] = []
        self.others: list[Parameter] = []
        self.refused: list[Finding] = []
        self._by_name: dict[str, Parameter] = {"factoryname": Parameter("factoryName", "string")}

    def add(self, item: FactoryObject, needs: list[FactoryObject]) -> None:
        try:
            properties, parameters = self.rules.apply(item)
            body = rendered(properties)
        except RecursionError:
            self.refused.append(Finding(item.source, "properties", "is nested too deeply"))
            return
        depends_on: dict[Key | None, str] = {None: _FACTORY_NEEDED} if self.with_factory else {}
        for target in needs:
            depends_on[target.key] = f"[concat(variables('factoryId'), {quoted('/' + _path(target))})]"
        resource = {
            "name": f"[concat(parameters('factoryName'), {quoted('/' + item.name)})]",
            "type": item.kind.type_name,
            "apiVersion": API_VERSION,
            "properties": body,
            "dependsOn": list(depends_on.values()),
        }
        used = self._take(parameters, item.source, secrets=item.kind is Kind.LINKED_SERVICES)
        self.resources.append(Resource(item.key, resource, used, depends_on))

    def add_factory(self, factory: Factory) -> None:
        own: dict[str, Any] = {"properties": factory.properties, "location": factory.location}
        if factory.identity:
            own["identity"] = factory.identity
        own, parameters = self.rules.apply_to_factory(own)
        body = {
            "name": "[parameters('factoryName')]",
            "type": FACTORY_TYPE,
            "apiVersion": API_VERSION,
            "properties": rendered(own.pop("properties")),
            "dependsOn": [],
            **rendered(own),
        }
        self.resources.append(Resource(None, body, self._take(parameters, factory.source, secrets=False)))

    def _take(self, parameters: list[Parameter], source: str, *, secrets: bool) -> tuple[str, ...]:
        for one in parameters:
            other = self._by_name.setdefault(one.name.lower(), one)
            if other is one:
                (self.secrets if secrets and one.secure else self.others).append(one)
            elif (other.name, other.type, other.default) != (one.name, one.type, one.default) or one.secure:
                text = f"{one.source} would be the parameter {one.name!r}, which is already that of {other.source}"
                self.refused.append(Finding(source, "", text + "; names in a template know no upper and lower case"))
        return tuple(one.name for one in parameters)


def _path(item: FactoryObject) -> str:
    """An object below its factory, as dependsOn says it."""
    if item.kind is Kind.MANAGED_PRIVATE_ENDPOINTS:
        network, _, name = item.name.partition("/")
        return f"managedVirtualNetworks/{network}/managedPrivateEndpoints/{name}"
    return f"{item.kind}/{item.name}"


def quoted(text: str) -> str:
    """A text in an expression of a template: quotes are doubled
    (https://learn.microsoft.com/azure/azure-resource-manager/templates/template-expressions)."""
    return "'" + text.replace("'", "''") + "'"


def rendered(value: Any) -> Any:
    """JSON for a template: parameters as expressions, and a text that begins with [ with one more, as Studio does (in
    1,700 strings of real exports; for keys, which Resource Manager evaluates too, unverified)."""
    if isinstance(value, str):
        return f"[{value}" if value.startswith("[") else value
    if isinstance(value, Mapping):
        return {f"[{key}" if key.startswith("[") else key: rendered(member) for key, member in value.items()}
    if isinstance(value, list):
        return [rendered(item) for item in value]
    if isinstance(value, ParameterReference):
        expression = f"parameters({quoted(value.name)})"
        return f"[json({expression})]" if value.is_json else f"[{expression}]"
    return value


def declared(one: Parameter) -> dict[str, Any]:
    """A parameter as the template declares it."""
    body: dict[str, Any] = {"type": one.type}
    if one.metadata:
        body["metadata"] = {"description": one.metadata}  # Studio writes a bare text, where the schema has an object
    if one.default:
        body["defaultValue"] = rendered(one.default[0])
    return body


def file_value(one: Parameter) -> Any:
    """A parameter's value in the parameters file, where [ has no meaning."""
    return one.default[0] if one.default and not one.secure else ""


def _has_file_value(one: Parameter) -> bool:
    return bool(one.default) or one.type in ("string", "secureString")


def template_of(parameters: Iterable[Parameter], resources: Iterable[Resource]) -> dict[str, Any]:
    return {
        "$schema": SCHEMA,
        "contentVersion": CONTENT_VERSION,
        "parameters": {one.name: declared(one) for one in parameters},
        "variables": {"factoryId": FACTORY_ID},
        "resources": [one.body for one in resources],
    }


def to_bytes(data: Mapping[str, Any], *, compact: bool = False) -> bytes:
    """As a file: UTF-8, indented by tabs as Studio does; the same data gives the same bytes."""
    layout: dict[str, Any] = {"separators": (",", ":")} if compact else {"indent": "\t"}
    text = json.dumps(data, ensure_ascii=False, **layout)
    try:
        return (text + "\n").encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON may hold and UTF-8 may not
        return (json.dumps(data, **layout) + "\n").encode()
