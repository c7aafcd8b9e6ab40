"""Parameters of pipelines and templates: what a file declares, and what an includer gives."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass

from rehearsal.pipelines.expressions import Value
from rehearsal.pipelines.expressions.values import fold, parse_number
from rehearsal.pipelines.yaml_nodes import Mapping, Node, PipelineError, Position, Scalar, Sequence, to_value

# learn.microsoft.com/azure/devops/pipelines/yaml-schema/parameters-parameter
_LISTS = ("stepList", "jobList", "deploymentList", "stageList")
_MAPPINGS = ("step", "job", "deployment", "stage")
TYPES = ("string", "stringList", "number", "boolean", "object", *_MAPPINGS, *_LISTS)
_KEYS = ("name", "displayName", "type", "default", "values")


@dataclass(frozen=True)
class Parameter:
    """One declared parameter. `default` is None where the includer must give a value; `type` is None in the old mapping form."""

    name: str
    type: str | None
    default: Node | None
    values: tuple[str, ...]
    position: Position


def declared(node: Node | None) -> list[Parameter]:
    """What `parameters:` declares. Raises PipelineError."""
    match node:
        case None | Scalar(None):
            return []
        case Mapping(pairs):
            return [Parameter(key.text, None, value, (), key.position) for key, value in pairs]
        case Sequence(items):
            parameters = [_parameter(item) for item in items]
            for number, parameter in enumerate(parameters):
                if any(fold(parameter.name) == fold(other.name) for other in parameters[:number]):
                    raise PipelineError(parameter.position, f"The parameter '{parameter.name}' is declared twice")
            return parameters
    raise PipelineError(node.position, "Expected a sequence of parameters")


def _parameter(node: Node) -> Parameter:
    if not isinstance(node, Mapping):
        raise PipelineError(node.position, "Expected a mapping with 'name' and 'type'")
    for key, _ in node.pairs:
        if key.text not in _KEYS:
            raise PipelineError(key.position, f"Unexpected value '{key.text}'")
    name = node.get("name")
    if not isinstance(name, Scalar) or not name.text:
        raise PipelineError(node.position, "A parameter needs a 'name'")
    kind = node.get("type")
    kind_text = kind.text if isinstance(kind, Scalar) else "string"
    if kind_text not in TYPES:
        at = kind.position if kind is not None else node.position
        raise PipelineError(at, f"Unexpected value '{kind_text}': a parameter's type is one of {', '.join(TYPES)}")
    values = node.get("values")
    allowed = (
        tuple(item.text for item in values.items if isinstance(item, Scalar)) if isinstance(values, Sequence) else ()
    )
    parameter = Parameter(name.text, kind_text, node.get("default"), allowed, name.position)
    if parameter.default is not None:
        _refuse_expressions(parameter.default)
        convert(parameter, parameter.default)
    return parameter


def _refuse_expressions(node: Node) -> None:
    match node:
        case Scalar(str(text)) if "${{" in text:
            raise PipelineError(node.position, "A template expression is not allowed in this context")
        case Sequence(items):
            for item in items:
                _refuse_expressions(item)
        case Mapping(pairs):
            for _, value in pairs:
                _refuse_expressions(value)


def bind(parameters: list[Parameter], given: MappingOf[str, Node], at: Position) -> dict[str, Value]:
    """The value of every declared parameter. Raises PipelineError: unexpected, missing, of another type, not allowed."""
    by_name = {fold(parameter.name): parameter for parameter in parameters}
    for name, node in given.items():
        if fold(name) not in by_name:
            raise PipelineError(node.position, f"Unexpected parameter '{name}'")
    folded = {fold(name): node for name, node in given.items()}
    bound: dict[str, Value] = {}
    for parameter in parameters:
        value = folded.get(fold(parameter.name), parameter.default)
        if value is None:
            raise PipelineError(at, f"A value for the '{parameter.name}' parameter must be provided.")
        bound[parameter.name] = convert(parameter, value)
    return bound


def convert(parameter: Parameter, node: Node) -> Value:
    """A node as the type of a parameter. Raises PipelineError."""
    value = _CONVERSIONS.get(parameter.type or "object", _object)(parameter, node)
    if parameter.values and str(to_value(node)) not in parameter.values:
        raise PipelineError(
            node.position,
            f"The '{parameter.name}' parameter value '{to_value(node)}' is not allowed. "
            f"Allowed values: {', '.join(parameter.values)}",
        )
    return value


def _object(_: Parameter, node: Node) -> Value:
    return to_value(node)


def _string(parameter: Parameter, node: Node) -> Value:
    return _scalar(parameter, node, "string").text


def _number(parameter: Parameter, node: Node) -> Value:
    text = _scalar(parameter, node, "number").text
    number = parse_number(text) if text else None
    if number is None:
        raise _wrong(parameter, node, "number")
    return number


def _boolean(parameter: Parameter, node: Node) -> Value:
    text = _scalar(parameter, node, "boolean").text.lower()
    if text not in ("true", "false"):
        raise _wrong(parameter, node, "boolean")
    return text == "true"


def _string_list(parameter: Parameter, node: Node) -> Value:
    if not isinstance(node, Sequence) or not all(isinstance(item, Scalar) for item in node.items):
        raise _wrong(parameter, node, "stringList")
    return to_value(node)


def _list(parameter: Parameter, node: Node) -> Value:
    if isinstance(node, Scalar) and node.value is None:
        return []
    if not isinstance(node, Sequence):
        raise _wrong(parameter, node, parameter.type or "object")
    return to_value(node)


def _mapping(parameter: Parameter, node: Node) -> Value:
    if not isinstance(node, Mapping):
        raise _wrong(parameter, node, parameter.type or "object")
    return to_value(node)


def _scalar(parameter: Parameter, node: Node, kind: str) -> Scalar:
    if not isinstance(node, Scalar):
        raise _wrong(parameter, node, kind)
    return node


def _wrong(parameter: Parameter, node: Node, kind: str) -> PipelineError:
    shown = f" '{node.text}'" if isinstance(node, Scalar) else ""
    return PipelineError(node.position, f"The '{parameter.name}' parameter value{shown} is not a valid {kind}.")


_CONVERSIONS: MappingOf[str, Callable[[Parameter, Node], Value]] = {
    "string": _string,
    "number": _number,
    "boolean": _boolean,
    "stringList": _string_list,
    **dict.fromkeys(_LISTS, _list),
    **dict.fromkeys(_MAPPINGS, _mapping),
}
