"""Parameters of pipelines and templates: what a file declares, and what an includer gives.

Source: learn.microsoft.com/azure/devops/pipelines/yaml-schema/parameters-parameter, and where that is silent or wrong what the
service's preview did, as PGielniak/azdo-pipeline-emulator measured it (research/E03-template-engine.md).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass

from rehearsal.pipelines.expressions import ExpressionError, Parameters, Value, to_text
from rehearsal.pipelines.expressions.parser import Literal
from rehearsal.pipelines.expressions.values import fold, parse_number
from rehearsal.pipelines.template_text import Expression, split
from rehearsal.pipelines.yaml_nodes import (
    Mapping,
    MappingValue,
    Node,
    PipelineError,
    Position,
    Scalar,
    Sequence,
    SequenceValue,
    to_typed_value,
)

_LISTS = ("stepList", "jobList", "deploymentList", "stageList", "containerList")
_MAPPINGS = ("step", "job", "deployment", "stage", "container")
_ANYWHERE = ("string", "stringList", "number", "boolean", "object", *_MAPPINGS, *_LISTS)
TEMPLATE_TYPES = (*_ANYWHERE, "legacyObject")
PIPELINE_TYPES = (*_ANYWHERE, "environment", "filePath", "pool", "secureFile", "serviceConnection")
# What a value of a type is made of: these are read as that part of a pipeline where they are given.
ROLES: MappingOf[str, str] = {
    "step": "steps",
    "stepList": "steps",
    "job": "jobs",
    "jobList": "jobs",
    "deployment": "jobs",
    "deploymentList": "jobs",
    "stage": "stages",
    "stageList": "stages",
}
_KEYS = ("name", "displayName", "type", "default", "values")
_NOT_HERE = "A template expression is not allowed in this context"


@dataclass(frozen=True)
class Parameter:
    """One declared parameter. `default` is None where the includer must give a value; `type` is None in the old mapping form."""

    name: str
    type: str | None
    default: Node | None
    values: tuple[Scalar, ...]
    position: Position

    @property
    def takes_yaml(self) -> bool:
        """Whether text that a person gives for it is read as YAML or JSON."""
        return self.type in ("object", "stringList", *_LISTS, *_MAPPINGS)


def declared(node: Node | None, types: Collection[str] = PIPELINE_TYPES) -> list[Parameter]:
    """What `parameters:` declares. Raises PipelineError."""
    match node:
        case None | Scalar(None):
            return []
        case Mapping(pairs):
            return [Parameter(key.text, None, value, (), key.position) for key, value in pairs]
        case Sequence(items):
            parameters = [_parameter(item, types) for item in items]
            for number, parameter in enumerate(parameters):
                if any(fold(parameter.name) == fold(other.name) for other in parameters[:number]):
                    text = f"The '{parameter.name}' parameter is declared more than once in the parameter list."
                    raise PipelineError(parameter.position, text)
            return parameters
    raise PipelineError(node.position, "Expected a sequence of parameters")


def _parameter(node: Node, types: Collection[str]) -> Parameter:
    if not isinstance(node, Mapping):
        raise PipelineError(node.position, "Expected a mapping with 'name' and 'type'")
    name = node.get("name")
    if name is None:
        first = node.pairs[0][0].text if node.pairs else ""
        raise PipelineError(node.position, f"Unexpected value '{first}': a parameter begins with 'name'")
    for key, _ in node.pairs:
        if key.text not in _KEYS:
            raise PipelineError(key.position, f"Unexpected value '{key.text}'")
    if not isinstance(name, Scalar) or not name.text:
        raise PipelineError(name.position, "A parameter needs a 'name'")
    kind = node.get("type")
    kind_text = kind.text if isinstance(kind, Scalar) and kind.text else "string"
    if kind_text not in types:
        at = kind.position if kind is not None else node.position
        raise PipelineError(at, f"Unexpected value '{kind_text}': a parameter's type is one of {', '.join(types)}")
    values = node.get("values")
    allowed = tuple(item for item in values.items if isinstance(item, Scalar)) if isinstance(values, Sequence) else ()
    default = node.get("default")
    parameter = Parameter(name.text, kind_text, None if default is None else _literal(default), allowed, name.position)
    if parameter.default is not None and kind_text not in ROLES:
        convert(parameter, parameter.default)
    return parameter


def _literal(node: Node) -> Node:
    """A default without expressions: the service lets one text in quotes stand there, and nothing else."""
    match node:
        case Scalar(str(text)) if "${{" in text:
            try:
                parts = split(text)
            except ExpressionError as error:
                raise PipelineError(node.position, str(error)) from error
            match parts:
                case (Expression(_, Literal(str(quoted))),):
                    return Scalar(quoted, node.position, "'")
            raise PipelineError(node.position, _NOT_HERE)
        case Sequence(items):
            return Sequence(tuple(_literal(item) for item in items), node.position)
        case Mapping(pairs):
            for key, _ in pairs:
                if "${{" in key.text:
                    raise PipelineError(key.position, _NOT_HERE)
            return Mapping(tuple((key, _literal(value)) for key, value in pairs), node.position)
    return node


def bind(
    parameters: list[Parameter], given: MappingOf[str, Node], at: Position
) -> tuple[Parameters, list[PipelineError]]:
    """The value of every declared parameter, and what is wrong: unexpected, missing, of another type, not allowed."""
    errors: list[PipelineError] = []
    by_name = {fold(parameter.name): parameter for parameter in parameters}
    for name, node in given.items():
        if fold(name) not in by_name:
            errors.append(PipelineError(node.position, f"Unexpected parameter '{name}'"))
    folded = {fold(name): node for name, node in given.items()}
    bound = Parameters()
    for parameter in parameters:
        value = folded.get(fold(parameter.name), parameter.default)
        try:
            if value is None:
                raise PipelineError(at, f"A value for the '{parameter.name}' parameter must be provided.")
            bound[parameter.name] = convert(parameter, value)
        except PipelineError as error:
            errors.append(error)
    return bound, errors


def bind_old(parameters: list[Parameter], given: MappingOf[str, Node]) -> dict[str, Value]:
    """The old mapping form, or none: defaults and whatever is given, declared or not; what is neither is null.

    Templates of dotnet/arcade depend on that (eng/common/core-templates/job/job.yml, eng/common/templates/job/job.yml).
    """
    names = {fold(name): name for name in given}
    bound = {parameter.name: _texts(parameter.default) for parameter in parameters if parameter.default is not None}
    bound = {name: value for name, value in bound.items() if fold(name) not in names}
    return bound | {name: _texts(node) for name, node in given.items()}


def convert(parameter: Parameter, node: Node) -> Value:
    """A node as the type of a parameter. Raises PipelineError."""
    value = _CONVERSIONS.get(parameter.type or "legacyObject", _string)(parameter, node)
    if parameter.values and parameter.type not in ("object", *ROLES):
        pairs = zip(value, node.items, strict=True) if isinstance(node, Sequence) else [(value, node)]
        for one, item in pairs:
            _check_allowed(parameter, one, item)
    return value


def _check_allowed(parameter: Parameter, value: Value, node: Node) -> None:
    allowed = [to_text(_same_kind(parameter, item)) for item in parameter.values]
    if to_text(value) not in allowed:
        raise PipelineError(
            node.position,
            f"The '{parameter.name}' parameter value '{to_text(value)}' is not a valid value. "
            f"Valid values: {', '.join(allowed)}",
        )


def _same_kind(parameter: Parameter, item: Scalar) -> Value:
    kind = "string" if parameter.type == "stringList" else parameter.type or "string"
    return _CONVERSIONS.get(kind, _string)(parameter, item)


def _object(_: Parameter, node: Node) -> Value:
    return to_typed_value(node)


def _legacy(_: Parameter, node: Node) -> Value:
    return _texts(node)


def _texts(node: Node) -> Value:
    """A value whose scalars are all text, as the file writes them."""
    match node:
        case Sequence(items):
            return SequenceValue([(_texts(item), item.position) for item in items], node.position)
        case Mapping(pairs):
            return MappingValue([(key.text, _texts(item), item.position) for key, item in pairs], node.position)
    return node.text


def _string(parameter: Parameter, node: Node) -> Value:
    return _scalar(parameter, node, "String").text


def _number(parameter: Parameter, node: Node) -> Value:
    text = _scalar(parameter, node, "Number").text
    number = parse_number(text) if text else None
    if number is None:
        raise _wrong(parameter, node, "Number")
    return number


def _boolean(parameter: Parameter, node: Node) -> Value:
    text = _scalar(parameter, node, "Boolean").text.lower()
    if text not in ("true", "false"):
        raise _wrong(parameter, node, "Boolean")
    return text == "true"


def _string_list(parameter: Parameter, node: Node) -> Value:
    if not isinstance(node, Sequence) or not all(isinstance(item, Scalar) for item in node.items):
        raise _wrong(parameter, node, "StringList")
    return _texts(node)


def _list(parameter: Parameter, node: Node) -> Value:
    if isinstance(node, Scalar) and node.value in (None, ""):
        return []
    if not isinstance(node, Sequence):
        raise _misshapen(parameter, node)
    return to_typed_value(node) if parameter.type == "containerList" else _keeping_text(node)


def _mapping(parameter: Parameter, node: Node) -> Value:
    if not isinstance(node, Mapping):
        raise _misshapen(parameter, node)
    return _keeping_text(node)


def _keeping_text(node: Node) -> Value:
    """Steps, jobs and stages as values: `fetchDepth: 1` stays the text 1."""
    match node:
        case Sequence(items):
            return SequenceValue([(_keeping_text(item), item.position) for item in items], node.position)
        case Mapping(pairs):
            return MappingValue([(key.text, _keeping_text(item), item.position) for key, item in pairs], node.position)
    return "" if node.value is None else node.value


def _scalar(parameter: Parameter, node: Node, kind: str) -> Scalar:
    if not isinstance(node, Scalar):
        raise PipelineError(node.position, f"The '{parameter.name}' parameter is not a valid {kind}.")
    return node


def _misshapen(parameter: Parameter, node: Node) -> PipelineError:
    kind = parameter.type or "object"
    return PipelineError(node.position, f"The '{parameter.name}' parameter is not a valid {kind[0].upper()}{kind[1:]}.")


def _wrong(parameter: Parameter, node: Node, kind: str) -> PipelineError:
    shown = f" value '{node.text}'" if isinstance(node, Scalar) else ""
    return PipelineError(node.position, f"The '{parameter.name}' parameter{shown} is not a valid {kind}.")


_CONVERSIONS: MappingOf[str, Callable[[Parameter, Node], Value]] = {
    "string": _string,
    "number": _number,
    "boolean": _boolean,
    "stringList": _string_list,
    "object": _object,
    "legacyObject": _legacy,
    **dict.fromkeys(_LISTS, _list),
    **dict.fromkeys(_MAPPINGS, _mapping),
}
