"""Which values of an object become parameters of the template, by Studio's rules.

https://learn.microsoft.com/azure/data-factory/continuous-integration-delivery-resource-manager-custom-parameters says
what a definition looks like; what the page leaves open was measured on 3,571 parameters of real exports.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.domain.factory.default_definition import DEFAULT_DEFINITION
from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.domain.factory.references import Place, path_text
from slipway.domain.factory.secrets import ENCRYPTED, is_secure_string, is_vault_secret, with_secrets
from slipway.errors import Finding

FACTORY_TYPE = "Microsoft.DataFactory/factories"
# Their rules have a level for the connector, or *. One replaces the other: so in an export that has both.
_TYPED = (Kind.LINKED_SERVICES, Kind.DATASETS)
_ACTIONS = {"=", "-", "|"}
_DATABRICKS = ("AzureDatabricks", "AzureDatabricksDeltaLake")
_TYPES = {str: "string", bool: "bool", int: "int", dict: "object", list: "array"}
_LARGEST_INT = 2**53  # of a float whose digits are all known
_SECRET_IN_TEXT = re.compile(
    r"(?i)(password|pwd|accountkey|sharedaccesskey|sharedaccesssignature|clientsecret|[?&]sig)\s*=\s*(?!@\{)[^;\s]"
)
_ARM_TYPES = {
    "string": "string",
    "securestring": "secureString",
    "int": "int",
    "number": "int",
    "bool": "bool",
    "boolean": "bool",
    "object": "object",
    "secureobject": "secureObject",
    "array": "array",
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of the template. `default`: (value,), or () for none; `metadata` as Studio writes it.
    `source`: the object, and the place in it, that the value comes from."""

    name: str
    type: str
    default: tuple[Any, ...] = ()
    metadata: str = ""
    source: str = ""

    @property
    def secure(self) -> bool:
        return self.type.lower().startswith("secure")


@dataclass(frozen=True)
class ParameterReference:
    """In an object's JSON: the parameter that stands here. `is_json`: a text that holds the value as JSON, because a
    template has no parameters of its type."""

    name: str
    is_json: bool = False


class Definition:
    """A parameter definition, ready to be applied. `source` is the file's name for findings."""

    def __init__(
        self, rules: Mapping[str, Any] | None = None, *, source: str = "", parameterise_databricks: bool = False
    ) -> None:
        rules = DEFAULT_DEFINITION if rules is None else rules
        self._rules = {key.lower(): value for key, value in rules.items()}
        self._databricks = parameterise_databricks
        self.warnings = [Finding(source, path, text) for path, text in _odd_rules(rules)]

    def apply(self, item: FactoryObject) -> tuple[dict[str, Any], list[Parameter]]:
        """The object's properties with ParameterReference where a parameter stands, and the parameters: those that are
        a linked service's secrets first."""
        rules = self._rules_of(item)
        properties: Mapping[str, Any] = item.properties
        walk = _Walk(item.short_name, str(item), keeps_connection=not _encrypted(properties))
        if item.kind is Kind.LINKED_SERVICES:
            properties = with_secrets(properties)
            properties = _map(properties, walk.secure_string)
        if isinstance(rules, Mapping):
            properties = walk.members({"properties": properties}, rules, ())["properties"]
        if self._databricks and item.kind is Kind.PIPELINES:
            properties = walk.job_ids(properties, ("properties",))
        return dict(properties), walk.parameters

    def apply_to_factory(self, resource: Mapping[str, Any]) -> tuple[dict[str, Any], list[Parameter]]:
        """As `apply`, for the factory's own location, identity and properties."""
        walk = _Walk("dataFactory", "factory", keeps_connection=True)
        rules = self._rules.get(FACTORY_TYPE.lower())
        return (walk.members(resource, rules, ()) if isinstance(rules, Mapping) else dict(resource)), walk.parameters

    def _rules_of(self, item: FactoryObject) -> Any:
        rules = self._rules.get(item.kind.type_name.lower())
        if item.kind in _TYPED:
            connector = item.properties.get("type")
            levels = rules if isinstance(rules, Mapping) else {}
            rules = levels.get(connector, levels.get("*")) if isinstance(connector, str) else levels.get("*")
            if self._databricks and item.kind is Kind.LINKED_SERVICES and connector in _DATABRICKS:
                return _with_workspace(rules)
        return rules


def _encrypted(properties: Mapping[str, Any]) -> bool:
    settings = properties.get("typeProperties")
    return isinstance(settings, Mapping) and ENCRYPTED in settings


def _with_workspace(rules: Any) -> Mapping[str, Any]:
    """The rules of a Databricks linked service, and the workspace, which Studio's default leaves as it is."""
    outer = _mapping(rules)
    inner = _mapping(outer.get("properties"))
    settings = {"domain": "=", "workspaceResourceId": "=", **_mapping(inner.get("typeProperties"))}
    return {**outer, "properties": {**inner, "typeProperties": settings}}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


@dataclass
class _Walk:
    """One object's way through its rules. `prefix` is what its parameters' names begin with."""

    prefix: str
    where: str
    keeps_connection: bool
    parameters: list[Parameter] = field(default_factory=list)

    def members(self, value: Mapping[str, Any], rules: Mapping[str, Any], path: Place) -> dict[str, Any]:
        """A rule for a key goes before that for *."""
        return {
            key: member if (rule := rules.get(key, rules.get("*"))) is None else self.value(member, rule, (*path, key))
            for key, member in value.items()
        }

    def value(self, value: Any, rule: Any, path: Place) -> Any:
        if value is None or isinstance(value, ParameterReference):
            return value
        if isinstance(rule, str):
            return self.apply(value, rule, path)
        if isinstance(rule, Mapping) and isinstance(value, Mapping):
            return self.members(value, rule, path)
        if isinstance(rule, list) and rule and isinstance(value, list):
            label = rule[1] if len(rule) > 1 and isinstance(rule[1], str) else ""
            return [
                self.value(item, rule[0], (*path[:-1], _label(item, label, index))) for index, item in enumerate(value)
            ]
        return value

    def apply(self, value: Any, rule: str, path: Place) -> Any:
        """The value with a parameter in it, where the rule says so."""
        action, *rest = rule.split(":", 2)
        name, kind = (rest[0] if rest else None), (rest[1] if len(rest) > 1 else "")
        if action not in _ACTIONS or value is None or isinstance(value, ParameterReference):
            return value
        if isinstance(value, Mapping):
            if action == "|" and is_vault_secret(value) and "secretName" in value:
                return {**value, "secretName": self.apply(value.get("secretName"), "=", (*path, "secretName"))}
            if value.get("type") == "Expression" and "value" in value:
                return {**value, "value": self.apply(value["value"], rule, path)}
            if is_secure_string(value):
                return {**value, "value": self.apply(value.get("value"), rule, path)}
        keep = action == "=" or (action == "|" and self.keeps_connection and not _has_secret(value))
        if action == "|" and isinstance(value, str):
            kind = kind or "secureString"
        return self.add(value, self.name(path, name), kind, keep=keep, path=path)

    def name(self, path: Place, name: str | None) -> str:
        """The parameter's name: `-name` stands for the whole path, `name` for its last part. A name that is there and
        empty, as in -::int, leaves the last part out: so does an export of 2020 (..._3_typeProperties for the
        waitTimeInSeconds of a pipeline), and each for the `value` of a runtime's secret; the page says otherwise."""
        if name is not None and name.startswith("-"):
            return f"{self.prefix}_{name[1:]}"
        parts = path if name is None else [*path[:-1], name] if name else path[:-1]
        return "_".join([self.prefix, *map(str, parts)])

    def add(self, value: Any, name: str, kind: str, *, keep: bool, path: Place, metadata: str = "") -> Any:
        kind = _ARM_TYPES.get(kind.lower(), kind) if kind else _type_of(value)
        is_json = isinstance(value, float) and kind == "string"
        if isinstance(value, float):
            value = json.dumps(value) if is_json else int(value) if kind == "int" and value.is_integer() else value
        if kind == "secureString" and not metadata:
            metadata = f"Secure string for '{path[-1]}' of '{self.prefix}'"
        source = f"{self.where}: {path_text(path)}"
        self.parameters.append(Parameter(name, kind, (value,) if keep else (), metadata, source))
        return ParameterReference(name, is_json)

    def secure_string(self, value: Any, path: Place) -> Any:
        """A SecureString of a linked service is a parameter, whatever the definition says."""
        if not is_secure_string(value) or path[:1] != ("typeProperties",):
            return value
        return {**value, "value": self.add("", f"{self.prefix}_{path[-1]}", "secureString", keep=False, path=path)}

    def job_ids(self, value: Any, path: Place) -> Any:
        """The jobs that DatabricksJob activities run, wherever the activity stands. Studio has no rule that reaches
        activities inside others; the names are those that its rules would give, with activities' names for labels."""
        if isinstance(value, list):
            return [self.job_ids(item, (*path[:-1], _label(item, "name", index))) for index, item in enumerate(value)]
        if not isinstance(value, Mapping):
            return value
        changed = {key: self.job_ids(member, (*path, key)) for key, member in value.items()}
        settings = changed.get("typeProperties")
        if changed.get("type") == "DatabricksJob" and isinstance(settings, dict):
            job = settings.get("jobId")
            if isinstance(job, int) or (isinstance(job, str) and job and not job.startswith("@")):
                settings["jobId"] = self.apply(job, "=", (*path, "typeProperties", "jobId"))
        return changed


def _map(value: Any, change: Callable[[Any, Place], Any], path: Place = ()) -> Any:
    """`value` with each object in it changed, from the inside out."""
    if isinstance(value, Mapping):
        return change({key: _map(member, change, (*path, key)) for key, member in value.items()}, path)
    if isinstance(value, list):
        return [_map(item, change, (*path, index)) for index, item in enumerate(value)]
    return value


def _label(item: Any, label: str, index: int) -> str:
    """What stands for an element of a list in a parameter's name."""
    for key in label.split(".") if label else ():
        item = item.get(key) if isinstance(item, Mapping) else None
    return item if label and isinstance(item, str) else str(index)


def _type_of(value: Any) -> str:
    if isinstance(value, float):
        return "int" if value.is_integer() and abs(value) < _LARGEST_INT else "string"  # a template has no others
    return _TYPES.get(type(value), "object")


def _has_secret(value: Any) -> bool:
    """A connection string with the secret in it: never a default, whatever Studio does."""
    return isinstance(value, str) and _SECRET_IN_TEXT.search(value) is not None


def _odd_rules(rules: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What in a definition has no effect, though somebody may expect it to."""
    known = {FACTORY_TYPE.lower(), *(kind.type_name.lower() for kind in Kind)}
    typed = {kind.type_name.lower() for kind in _TYPED}
    odd = []
    for key, value in rules.items():
        if key.lower() not in known:
            odd.append((key, "is no type of resource of a factory; these rules have no effect"))
        if key.lower() in typed and isinstance(value, Mapping) and "properties" in value:
            odd.append(
                (f"{key}.properties", "has no effect, as in Studio: here comes the connector's type first, or *")
            )
        odd += _odd_actions(value, (key,))
    return odd


def _odd_actions(rule: Any, path: Place) -> list[tuple[str, str]]:
    if isinstance(rule, str):
        if rule.split(":")[0] in _ACTIONS:
            return []
        return [(path_text(path), f"{rule!r} begins with none of = - |, and has no effect")]
    if isinstance(rule, Mapping):
        return [found for key, member in rule.items() for found in _odd_actions(member, (*path, key))]
    if isinstance(rule, list) and rule:
        return _odd_actions(rule[0], (*path, 0))
    return []
