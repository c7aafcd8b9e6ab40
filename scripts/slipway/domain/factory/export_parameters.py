"""Gives every parameter of an export its value for one environment.

A value comes from the environment (`data_factory.parameters`); without one, from the export's parameters file or the
template's default, as Resource Manager would take it. Secure parameters are the exception: they always come from the
environment, because an empty secure string overwrites a secret that works, and DEV's has no business elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from slipway.domain.factory.export_expressions import Evaluator, Unsupported
from slipway.errors import Finding

FACTORY_NAME = "factoryName"
CONFIGURED = "data_factory.parameters"


class Secret(str):
    """A secure value: text like any other, except that it shows as stars and stays secure when joined with text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __add__(self, other: str) -> Secret:
        return Secret(str.__add__(self, other))

    def __radd__(self, other: str) -> Secret:
        return Secret(other + str.__str__(self))


@dataclass(frozen=True)
class VaultSecret:
    """A value that is in the environment's Key Vault under `name`."""

    name: str


Override = Any
"""A plain JSON value, or VaultSecret."""


@dataclass(frozen=True)
class Declaration:
    """A parameter as the template (or the factory's template) declares it. `file` is for people."""

    name: str
    type: str
    default: Any
    has_default: bool
    file: str

    @property
    def secure(self) -> bool:
        return self.type.lower() in ("securestring", "secureobject")


@dataclass(frozen=True)
class Values:
    """Every parameter's value by its declared name. `vault`: names of the vault's secrets by parameter, whose values
    are placeholders until `with_secrets`. `kept`: those that have the export's own value."""

    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    vault: Mapping[str, str] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    plain_secrets: tuple[str, ...] = ()

    def with_secrets(self, secrets: Mapping[str, str]) -> Values:
        """The values with the vault's secrets (by their names there) filled in."""
        filled = {name: Secret(secrets[secret]) for name, secret in self.vault.items()}
        return Values({**self.values, **filled}, self.vault, self.kept, self.plain_secrets)


def override_of(value: Any) -> Override:
    """`{key_vault: name}` of the configuration becomes a VaultSecret; everything else is the value itself."""
    if isinstance(value, Mapping) and value.keys() == {"key_vault"} and isinstance(value["key_vault"], str):
        return VaultSecret(value["key_vault"])
    return value


def declarations(content: Mapping[str, Any], file: str, find: list[Finding]) -> list[Declaration]:
    """The parameters that a template declares."""
    found = content.get("parameters")
    if not isinstance(found, Mapping):
        find.append(Finding(file, "parameters", "are missing"))
        return []
    result = []
    for name, item in found.items():
        kind = item.get("type") if isinstance(item, Mapping) else None
        if not isinstance(item, Mapping) or not isinstance(kind, str):
            find.append(Finding(file, f"parameters.{name}", "has no type"))
            continue
        result.append(Declaration(name, kind, item.get("defaultValue"), "defaultValue" in item, file))
    return result


def file_values(content: Any, file: str, find: list[Finding]) -> dict[str, Any]:
    """The values of a parameters file, by name."""
    found = content.get("parameters") if isinstance(content, Mapping) else None
    if not isinstance(found, Mapping):
        find.append(Finding(file, "", "is not a parameters file: it has no parameters"))
        return {}
    result = {}
    for name, item in found.items():
        if isinstance(item, Mapping) and "value" in item:
            result[str(name)] = item["value"]
        elif isinstance(item, Mapping) and "reference" in item:
            find.append(
                Finding(
                    file,
                    f"parameters.{name}",
                    f"refers to a Key Vault of the exporting factory; set {CONFIGURED}.{name}: {{key_vault: …}}",
                )
            )
        else:
            find.append(Finding(file, f"parameters.{name}", "has no value"))
    return result


def resolve(
    declared: Iterable[Declaration],
    from_file: Mapping[str, Any],
    overrides: Mapping[str, Override],
    *,
    factory: str,
    configuration: str,
    find: list[Finding],
) -> Values:
    """The value of each declared parameter; every mistake goes to `find`. `configuration` is the environment's file."""
    known = {item.name.lower(): item for item in declared}
    given = {name.lower(): value for name, value in from_file.items()}
    wanted: dict[str, Override] = {}
    for name, value in overrides.items():
        if name.lower() in wanted:
            find.append(Finding(configuration, f"{CONFIGURED}.{name}", "is there twice, in two spellings"))
        if name.lower() == FACTORY_NAME.lower():
            text = "is resources.data_factory; take this line away"
            find.append(Finding(configuration, f"{CONFIGURED}.{name}", text))
        elif name.lower() not in known:
            close = get_close_matches(name, [item.name for item in known.values()], n=1)
            text = "names no parameter of the export" + (f"; did you mean {close[0]}?" if close else "")
            find.append(Finding(configuration, f"{CONFIGURED}.{name}", text))
        wanted[name.lower()] = value
    values: dict[str, Any] = {}
    vault: dict[str, str] = {}
    kept: list[str] = []
    plain: list[str] = []
    for key, item in known.items():
        if key == FACTORY_NAME.lower():
            values[item.name] = factory
        elif key in wanted:
            override = wanted[key]
            if isinstance(override, VaultSecret):
                vault[item.name] = override.name
                values[item.name] = Secret("(from Key Vault)")
                override = ""
            elif item.secure:
                plain.append(item.name)
                values[item.name] = Secret(override) if isinstance(override, str) else override
            else:
                values[item.name] = override
            _check(item, override, item.name in vault, configuration, find)
        elif item.secure:
            text = f"is secure and has no value; set {CONFIGURED}.{item.name}: {{key_vault: …}} in {configuration}"
            find.append(Finding(item.file, f"parameters.{item.name}", text))
        elif key in given:
            kept.append(item.name)
            values[item.name] = given[key]
            _check_type(item, given[key], item.file, f"parameters.{item.name}", find)
        elif item.has_default:
            kept.append(item.name)
            try:
                values[item.name] = Evaluator({FACTORY_NAME: factory}).value(item.default)
            except Unsupported as error:
                find.append(Finding(item.file, f"parameters.{item.name}.defaultValue", str(error)))
        else:
            text = f"has no value: neither the export nor {CONFIGURED} of {configuration} gives one"
            find.append(Finding(item.file, f"parameters.{item.name}", text))
    return Values(values, vault, tuple(kept), tuple(plain))


def _check(item: Declaration, value: Override, from_vault: bool, configuration: str, find: list[Finding]) -> None:
    place = f"{CONFIGURED}.{item.name}"
    if from_vault:
        if item.type.lower() not in ("string", "securestring"):
            find.append(Finding(configuration, place, f"a secret is text, but this parameter is {item.type}"))
    elif item.secure and value in ("", {}):
        find.append(Finding(configuration, place, "is secure and empty: that would overwrite a secret that works"))
    else:
        _check_type(item, value, configuration, place, find)


_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "text; quote it"),
    "securestring": ((str,), "text; quote it"),
    "int": ((int,), "a whole number"),
    "bool": ((bool,), "true or false"),
    "object": ((Mapping,), "a mapping"),
    "secureobject": ((Mapping,), "a mapping"),
    "array": ((list,), "a list"),
}  # Studio also writes "number" and "float" for what ARM has no type for: anything goes there


def _check_type(item: Declaration, value: Any, file: str, place: str, find: list[Finding]) -> None:
    rule = _TYPES.get(item.type.lower())
    if rule is None:
        return
    fits = isinstance(value, rule[0]) and not (isinstance(value, bool) and rule[0] == (int,))
    if not fits:
        find.append(Finding(file, place, f"must be {rule[1]} (the parameter is of type {item.type})"))
