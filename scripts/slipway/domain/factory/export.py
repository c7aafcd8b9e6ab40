"""What a Data Factory export says: its parameters, its objects, its global parameters. Checked whole, then rendered.

Nothing is asked of a service here, so every mistake is found before the first request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from slipway.domain.factory.export_expressions import Evaluator, Unsupported
from slipway.domain.factory.export_files import Document, ExportFiles
from slipway.domain.factory.export_nested import HOLDERS, NESTED_TYPE, nested_template, packed_declarations, unpacked
from slipway.domain.factory.export_parameters import (
    FACTORY_NAME,
    Declaration,
    Override,
    Values,
    declarations,
    file_values,
    resolve,
)
from slipway.domain.factory.expressions import unparsable
from slipway.domain.factory.git_folder import name_problem
from slipway.domain.factory.objects import FactoryObject, Key, Kind
from slipway.domain.factory.references import CycleError, Place, graph, levels, path_text
from slipway.errors import Finding

FACTORY_TYPE = "microsoft.datafactory/factories"
_ADDED_BY_HAND = frozenset({"condition", "copy"})
_LINKED_ONLY = ("containeruri", "containersastoken")


@dataclass(frozen=True)
class Resource:
    """One resource as the template has it, with its expressions. `place` is "resources[3]"."""

    kind: Kind
    content: Mapping[str, Any]
    file: str
    place: str


@dataclass(frozen=True)
class Export:
    """An export that was read. `factory` is the one it was made from; `global_parameters` still has expressions."""

    where: str
    factory: str = ""
    declared: tuple[Declaration, ...] = ()
    from_file: Mapping[str, Any] = field(default_factory=dict, repr=False)
    resources: tuple[Resource, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    global_parameters: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Definition:
    """What a factory must hold: the objects, rendered, and its global parameters ({"type", "value"} by name).
    `warnings`: what is odd, but not wrong."""

    objects: tuple[FactoryObject, ...] = field(default=(), repr=False)
    global_parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    warnings: tuple[Finding, ...] = ()


def read_export(files: ExportFiles, *, target: str) -> tuple[Export, list[Finding]]:
    """The export in `files`, which is meant for the factory `target`, and every mistake in its form."""
    reader = _Reader(files, target)
    export = reader.read()
    return export, reader.findings


class _Reader:
    def __init__(self, files: ExportFiles, target: str) -> None:
        self.files, self.target = files, target
        self.findings: list[Finding] = []
        self.declared: dict[str, Declaration] = {}
        self.resources: list[Resource] = []
        self.variables: dict[str, Any] = {}
        self.own_factory: Mapping[str, Any] = {}
        self.global_parameters: Mapping[str, Any] = {}
        self.from_file: dict[str, Any] = {}
        self.notes: list[str] = []
        self.packed = False  # the parameters are members of two

    def find(self, file: str, path: str, text: str) -> None:
        self.findings.append(Finding(file, path, text))

    def read(self) -> Export:
        documents = [self.files.template] if self.files.template else list(self.files.chunks)
        for document in documents:
            self._template(document)
        if not self.resources and not self.findings:
            self.find(documents[0].file if documents else self.files.where, "resources", "there is no factory object")
        self._factory_part()
        factory = self._exported_from()
        self._parameters(self.files.parameters, factory)
        self._parameters(self.files.factory_parameters, factory)
        self._global_parameters_file()
        return Export(
            self.files.where,
            factory,
            tuple(self.declared.values()),
            self.from_file,
            tuple(self.resources),
            self.variables,
            self.global_parameters,
            tuple(self.notes),
        )

    def _template(self, document: Document) -> None:
        file, content = document.file, document.content
        schema = content.get("$schema") if isinstance(content, Mapping) else None
        if not isinstance(content, Mapping) or "deploymentTemplate.json" not in str(schema):
            self.find(file, "", "is no ARM template (its $schema is not a deploymentTemplate.json)")
            return
        resources = content.get("resources")
        if not isinstance(resources, list):
            self.find(file, "resources", "must be a list, as Studio writes it")
            return
        found = declarations(content, file, self.findings)
        if FACTORY_NAME.lower() not in (item.name.lower() for item in found):
            self.find(file, f"parameters.{FACTORY_NAME}", "is missing: this is no export of a data factory")
            return
        self._declare(item for item in found if item.name.lower() not in _LINKED_ONLY)
        self.variables |= _mapping(content.get("variables"))
        if content.get("functions"):
            self.find(
                file, "functions", "are no part of an export: Studio writes none, and Slipway can't evaluate them"
            )
        if resources and all(_type(item) == NESTED_TYPE and nested_template(item) is None for item in resources):
            text = "is the master of linked templates and defines no object itself; name the export's folder or ZIP"
            self.find(file, "resources", text)
            return
        for index, item in enumerate(resources):
            if _type(item) == NESTED_TYPE and nested_template(item) is not None:
                self._nested(document, f"resources[{index}].properties", item)
            else:
                self._resource(file, f"resources[{index}]", item)

    def _nested(self, document: Document, place: str, item: Mapping[str, Any]) -> None:
        """One of the parts of a template that is too large for a flat one."""
        inner = item["properties"]["template"]
        found = packed_declarations(item, document.content, document.file, place, self.findings)
        if found and not self.packed:
            self.packed = True
            for name in HOLDERS:
                self.declared.pop(name, None)
        self._declare(found)
        self.variables |= _mapping(inner.get("variables"))
        resources = inner.get("resources")
        for index, one in enumerate(resources if isinstance(resources, list) else []):
            self._resource(document.file, f"{place}.template.resources[{index}]", one)

    def _declare(self, found: Any) -> None:
        for item in found:
            self.declared.setdefault(item.name.lower(), item)

    def _resource(self, file: str, place: str, item: Any) -> None:
        kind = Kind.of_type(_type(item))
        if _type(item) == FACTORY_TYPE:
            self.own_factory = item
            self.notes.append("The factory resource in the export is not deployed; only its global parameters are set.")
        elif kind is None:
            self.find(file, place, f"is of type {_type(item) or 'nothing'!r}, which is no factory object")
        elif not isinstance(item.get("name"), str) or not isinstance(item.get("properties"), Mapping):
            self.find(file, place, f"has no name or no properties ({kind})")
        elif loops := sorted({key.lower() for key in item} & _ADDED_BY_HAND):
            text = f"has {' and '.join(loops)}, which Studio never writes and Slipway can't evaluate; write the objects out"
            self.find(file, place, text)
        elif kind is Kind.GLOBAL_PARAMETERS:
            self.global_parameters = item["properties"]
        else:
            self.resources.append(Resource(kind, item, file, place))

    def _factory_part(self) -> None:
        """The factory resource, in the template or in factory/, counts only for its global parameters."""
        part = self.files.factory
        found = self.own_factory
        if not found and part is not None and isinstance(part.content, Mapping):
            items = part.content.get("resources")
            found = next((item for item in items or [] if _type(item) == FACTORY_TYPE), {})
            if _mapping(_mapping(found).get("properties")).get("globalParameters"):
                self._declare(declarations(part.content, part.file, self.findings))
        globals_ = _mapping(_mapping(found).get("properties")).get("globalParameters")
        if not self.global_parameters and isinstance(globals_, Mapping):
            self.global_parameters = globals_

    def _global_parameters_file(self) -> None:
        """globalParameters/<factory>_GlobalParameters.json: where they are when no template has them. Its values are
        plain; each can be set like a parameter, under the name that Studio gives it in newer exports."""
        part = self.files.global_parameters
        if part is None or self.global_parameters:
            return
        found: dict[str, Any] = {}
        for name, item in _mapping(part.content).items():
            if not isinstance(item, Mapping) or "value" not in item or not isinstance(item.get("type"), str):
                self.find(part.file, name, "is no global parameter (type and value)")
                continue
            parameter = f"default_properties_{name}_value"
            self._declare([Declaration(parameter, "any", None, False, part.file)])
            self.from_file[parameter] = item["value"]
            found[name] = {"type": item["type"], "value": f"[parameters('{parameter.replace(chr(39), chr(39) * 2)}')]"}
        self.global_parameters = found

    def _exported_from(self) -> str:
        own = self.declared.get(FACTORY_NAME.lower())
        return own.default if own is not None and isinstance(own.default, str) else ""

    def _parameters(self, document: Document | None, factory: str) -> None:
        if document is None:
            return
        values = file_values(document.content, document.file, self.findings)
        values = unpacked(values) if self.packed else values
        name = next((value for key, value in values.items() if key.lower() == FACTORY_NAME.lower()), None)
        if factory and name is not None and str(name).lower() not in (factory.lower(), self.target.lower()):
            text = f"belongs to factory {name}, but the template was exported from {factory}"
            self.find(document.file, f"parameters.{FACTORY_NAME}", text)
            return
        is_part = document is self.files.factory_parameters
        for key, value in values.items():
            if key.lower() in self.declared:
                self.from_file[self.declared[key.lower()].name] = value
            elif not is_part and key.lower() not in _LINKED_ONLY:
                self.find(
                    document.file, f"parameters.{key}", "is no parameter of the template: are they of one export?"
                )


def _type(item: Any) -> str:
    found = item.get("type") if isinstance(item, Mapping) else None
    return found.lower() if isinstance(found, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def parameter_values(
    export: Export, overrides: Mapping[str, Override], *, factory: str, configuration: str
) -> tuple[Values, list[Finding]]:
    """Every parameter's value for the factory `factory`; see `resolve`."""
    findings: list[Finding] = []
    values = resolve(
        export.declared, export.from_file, overrides, factory=factory, configuration=configuration, find=findings
    )
    return values, findings


def render(export: Export, values: Values, *, factory: str) -> tuple[Definition, list[Finding]]:
    """The objects with every template expression evaluated; findings for what can't be, twins, missing references,
    rings, expressions of the factory that do not parse."""
    findings: list[Finding] = []
    # A parameter that has no value is a finding already: it must not make a second one in every object that uses it.
    known = {**{item.name: "" for item in export.declared}, **values.values}
    evaluator = Evaluator(known, export.variables)
    objects: dict[Key, FactoryObject] = {}
    for resource in export.resources:
        item = _object(resource, evaluator, factory, findings)
        if item is None:
            continue
        twin = objects.get(item.key)
        if twin is not None:
            text = f"{item} is here twice: also at {twin.source} (names do not differ by case)"
            findings.append(Finding(resource.file, resource.place, text))
        objects[item.key] = item
    globals_: Any = {}
    try:
        globals_ = evaluator.value(export.global_parameters)
    except Unsupported as error:
        findings.append(Finding(export.where, "global parameters", str(error)))
    _check_references(export, list(objects.values()), findings)
    warnings: list[Finding] = []
    for item in objects.values():
        for found in unparsable(item):
            finding = Finding(item.source, f"({item}) {path_text(found.place)}", str(found))
            (findings if found.certain else warnings).append(finding)
    return Definition(tuple(objects.values()), globals_, tuple(warnings)), findings


def _object(resource: Resource, evaluator: Evaluator, factory: str, findings: list[Finding]) -> FactoryObject | None:
    try:
        name = evaluator.value(resource.content["name"])
    except Unsupported as error:
        findings.append(Finding(resource.file, f"{resource.place}.name", str(error)))
        return None
    owner, slash, rest = str(name).partition("/")
    parts = 2 if resource.kind is Kind.MANAGED_PRIVATE_ENDPOINTS else 1
    if owner.lower() != factory.lower() or not slash or len([part for part in rest.split("/") if part]) != parts:
        text = f"{resource.content['name']} can't be read as the name of one of {resource.kind} of the factory"
        findings.append(Finding(resource.file, f"{resource.place}.name", text))
        return None
    problem = next(filter(None, map(name_problem, rest.split("/"))), None)
    if problem is not None:
        findings.append(Finding(resource.file, f"{resource.place}.name", problem))
        return None
    problems: list[tuple[Place, str]] = []
    try:
        properties = evaluator.value(resource.content["properties"], problems)
    except Unsupported as error:
        problems, properties = [((), str(error))], {}
    for place, text in problems:
        at = f"{resource.place} ({resource.kind}/{rest}) {path_text(('properties', *place))}"
        findings.append(Finding(resource.file, at, text))
    return FactoryObject(resource.kind, rest, properties, f"{resource.file}: {resource.place}")


def _check_references(export: Export, objects: Sequence[FactoryObject], findings: list[Finding]) -> None:
    found = graph(objects)
    for missing in found.missing:
        text = f"{missing.source} needs {missing.reference}, which is not in the export"
        findings.append(Finding(missing.source.source, path_text(missing.reference.path), text))
    try:
        levels(found)
    except CycleError as error:
        findings.extend(
            Finding(export.where, "", f"objects need each other in a ring: {ring}") for ring in str(error).split("; ")
        )


def only(definition: Definition, objects: Sequence[FactoryObject]) -> Definition:
    """The definition with other objects (mapped notebooks, say)."""
    return replace(definition, objects=tuple(objects))
