"""Parameters and variables of a template: what was given against what is declared.

Sources: learn.microsoft.com/azure/azure-resource-manager/templates/parameters and …/variables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.resource_manager.template.context import Context
from rehearsal.resource_manager.template.errors import ExpressionError, Path, TemplateError
from rehearsal.resource_manager.template.evaluate import Pending, resolve
from rehearsal.resource_manager.template.values import describe, is_integer, member, same

Json = Any
_USAGE = "Please see https://aka.ms/arm-create-parameter-file for usage details."
TYPES = {
    "string": "String",
    "securestring": "SecureString",
    "int": "Int",
    "bool": "Bool",
    "object": "Object",
    "secureobject": "SecureObject",
    "array": "Array",
}
_EXPECTED = {
    "string": "String, Uri",
    "securestring": "String, Uri",
    "int": "Integer",
    "bool": "Boolean",
    "object": "Object",
    "secureobject": "Object",
    "array": "Array",
}


@dataclass(frozen=True)
class Declared:
    """One parameter: its name as the template writes it, its type, and the rest of its definition."""

    name: str
    type: str
    definition: Mapping[str, Json]

    @property
    def secure(self) -> bool:
        return self.type.startswith("secure")


class Parameters:
    """Values by name; defaults are computed when first asked for."""

    def __init__(self, template: Mapping[str, Json], given: Mapping[str, Json], *, path: Path) -> None:
        """given: name -> {"value": …}. Raises TemplateError for wrong definitions and for names that are not declared."""
        self._path = path
        self._definitions = template.get("definitions") or {}
        self.declared = {
            name.lower(): self._declare(name, definition)
            for name, definition in (template.get("parameters") or {}).items()
        }
        self._given = {name.lower(): value for name, value in given.items()}
        self._values: dict[str, Json] = {}
        self._busy: list[str] = []
        unknown = [name for name in given if name.lower() not in self.declared]
        if unknown:
            raise TemplateError(
                f"The template parameters '{', '.join(unknown)}' in the parameters file are not valid; they are not present "
                "in the original template and can therefore not be provided at deployment time. The only supported "
                f"parameters for this template are '{', '.join(one.name for one in self.declared.values())}'. "
                "Please see https://aka.ms/arm-deploy/#parameter-file for usage details."
            )

    def bind(self, context: Callable[[], Context]) -> None:
        """Compute and check every value. context: the surroundings for defaults. Raises TemplateError."""
        self._context = context
        for declared in self.declared.values():
            self._value(declared)

    def lookup(self, name: str) -> Json:
        """The value behind parameters('name'). Raises ExpressionError."""
        declared = self.declared.get(name.lower())
        if declared is None:
            raise ExpressionError(
                f"The template parameter '{name}' is not found. "
                "Please see https://aka.ms/arm-syntax-parameters for usage details."
            )
        return self._value(declared)

    def secrets(self) -> Iterator[str]:
        """Every text in the value of a secure parameter."""
        for declared in self.declared.values():
            if declared.secure:
                yield from _texts(self._value(declared))

    def reference_of(self, declared: Declared) -> Json:
        """The secret that a parameter's value was read from, or None."""
        entry = self._given.get(declared.name.lower())
        return entry.get("reference") if isinstance(entry, dict) else None

    def _declare(self, name: str, definition: Json) -> Declared:
        where = (*self._path, "parameters", name)
        if not isinstance(definition, dict):
            raise TemplateError(f"The template parameter '{name}' {{position}} is not valid.", path=where)
        while "$ref" in definition:
            target = self._definitions.get(str(definition["$ref"]).rsplit("/", 1)[-1])
            if not isinstance(target, dict):
                raise TemplateError(
                    f"The template parameter '{name}' {{position}} refers to no definition.", path=where
                )
            definition = {**target, **{key: value for key, value in definition.items() if key != "$ref"}}
        kind = str(definition.get("type", "")).lower()
        if kind not in TYPES:
            raise TemplateError(
                f"The template parameter '{name}' {{position}} is not valid. The type '{definition.get('type')}' is not "
                f"supported. The supported types are '{', '.join(TYPES.values())}'.",
                path=where,
            )
        return Declared(name, kind, definition)

    def _value(self, declared: Declared) -> Json:
        key = declared.name.lower()
        if key not in self._values:
            if key in self._busy:
                raise ExpressionError(f"The template parameter '{declared.name}' refers to itself.")
            self._busy.append(key)
            try:
                self._values[key] = self._checked(declared, self._compute(declared))
            finally:
                self._busy.remove(key)
        return self._values[key]

    def _compute(self, declared: Declared) -> Json:
        entry = self._given.get(declared.name.lower())
        if isinstance(entry, dict) and "value" in entry:
            return entry["value"]
        where = (*self._path, "parameters", declared.name)
        if "defaultValue" in declared.definition:
            try:
                return resolve(declared.definition["defaultValue"], self._context())
            except ExpressionError as error:
                raise TemplateError(
                    f"The template parameter '{declared.name}' {{position}} is not valid: {str(error).rstrip('.')}.",
                    path=where,
                ) from error
        if declared.definition.get("nullable") is True:
            return None
        raise TemplateError(
            f"The value for the template parameter '{declared.name}' {{position}} is not provided. {_USAGE}", path=where
        )

    def _checked(self, declared: Declared, value: Json) -> Json:
        if isinstance(value, Pending) or (value is None and declared.definition.get("nullable") is True):
            return value
        found = describe(value)
        expected = _EXPECTED[declared.type]
        if found not in expected.split(", "):
            raise self._refused(
                declared, f"Expected a value of type '{expected}', but received a value of type '{found}'. {_USAGE}"
            )
        self._check_limits(declared, value)
        return value

    def _check_limits(self, declared: Declared, value: Json) -> None:
        limits = declared.definition
        allowed = limits.get("allowedValues")
        if allowed is not None:
            chosen = value if isinstance(value, list) else [value]
            if not all(any(same(one, other) for other in allowed) for one in chosen):
                values = ",".join(str(one) for one in allowed)
                raise self._refused(declared, f"The parameter value is not part of the allowed value(s): '{values}'.")
        size = len(value) if isinstance(value, str | list) else None
        for key, number, low, what in (
            ("minLength", size, True, "Length of the value"),
            ("maxLength", size, False, "Length of the value"),
            ("minValue", value if is_integer(value) else None, True, "The value"),
            ("maxValue", value if is_integer(value) else None, False, "The value"),
        ):
            bound = limits.get(key)
            if bound is None or number is None:
                continue
            if (number < bound) if low else (number > bound):
                side = "greater" if low else "less"
                raise self._refused(
                    declared, f"{what} should be {side} than or equal to '{bound}'. The provided value is '{number}'."
                )

    def _refused(self, declared: Declared, why: str) -> TemplateError:
        return TemplateError(
            f"The provided value for the template parameter '{declared.name}' {{position}} is not valid. {why}",
            path=(*self._path, "parameters", declared.name),
        )


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        if value and not isinstance(value, Pending):
            yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


class Variables:
    """Variables by name, computed when first asked for; loops included."""

    def __init__(self, template: Mapping[str, Json], *, path: Path) -> None:
        raw = template.get("variables") or {}
        loops = raw.get("copy")
        self._loops = {str(loop["name"]).lower(): loop for loop in loops} if isinstance(loops, list) else {}
        self._raw = {name: value for name, value in raw.items() if not (name == "copy" and self._loops)}
        self._values: dict[str, Json] = {}
        self._busy: list[str] = []
        self._path = path

    def bind(self, context: Callable[[], Context]) -> None:
        self._context = context

    def check(self) -> None:
        """Compute every variable. Raises TemplateError for the first that is wrong."""
        for name in (*self._raw, *(str(loop["name"]) for loop in self._loops.values())):
            try:
                self.lookup(name)
            except ExpressionError as error:
                raise TemplateError(
                    f"The template variable '{name}' is not valid: {str(error).rstrip('.')}. "
                    "Please see https://aka.ms/arm-template-expressions for usage details.",
                    path=(*self._path, "variables", name),
                ) from error

    def lookup(self, name: str) -> Json:
        """The value behind variables('name'). Raises ExpressionError."""
        from rehearsal.resource_manager.template.loops import items

        key = name.lower()
        if key in self._values:
            return self._values[key]
        known = member(self._raw, name)
        if known is None and key not in self._loops:
            raise ExpressionError(
                f"The template variable '{name}' is not found. "
                "Please see https://aka.ms/arm-syntax-variables for usage details."
            )
        if key in self._busy:
            raise ExpressionError(f"The template variable '{name}' refers to itself.")
        self._busy.append(key)
        try:
            if known is not None:
                self._values[key] = resolve(self._raw[known], self._context())
            else:
                self._values[key] = items(self._loops[key], self._context(), name=key)
        finally:
            self._busy.remove(key)
        return self._values[key]
