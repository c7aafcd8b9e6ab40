"""Templates put in, directives and expressions worked out: from azure-pipelines.yml to plain YAML without any of them.

Source of the rules: learn.microsoft.com/azure/devops/pipelines/process/templates and template-expressions.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as MappingOf

from rehearsal.pipelines.expressions import Value
from rehearsal.pipelines.files import Files
from rehearsal.pipelines.flattening import Entry, Scope, expand, flatten_mapping, flatten_sequence
from rehearsal.pipelines.parameters import bind, declared
from rehearsal.pipelines.yaml_nodes import Mapping, Node, PipelineError, Position, Scalar, Sequence, from_value

MAX_FILES = 100
MAX_NESTING = 20

_LITERAL_AT_ROOT = ("trigger", "pr", "schedules", "resources")
_HOOKS = ("preDeploy", "deploy", "routeTraffic", "postRouteTraffic")
_Part = Callable[[Node, Scope], Node]


class Expander:
    """Expands one pipeline. `errors` gathers what is wrong in single stages, jobs and steps, so that one call finds all."""

    def __init__(self, files: Files, predefined: MappingOf[str, str]) -> None:
        self._files = files
        self._predefined = predefined
        self._included = 0
        self._nesting = 0
        self.errors: list[PipelineError] = []

    def pipeline(self, name: str, parameters: MappingOf[str, Value]) -> Mapping:
        """A pipeline's file with everything put in. Raises PipelineError for what makes the whole file unreadable."""
        root = self._files.read(name)
        at = Position(name, 1, 1)
        given = {key: from_value(value, at) for key, value in parameters.items()}
        bound = bind(declared(root.get("parameters")), given, at)
        scope = Scope(name, bound, dict(self._predefined))
        entries = [entry for entry in flatten_mapping(root, scope) if entry.key.text != "parameters"]
        for entry in entries:
            if entry.key.text == "extends":
                raise PipelineError(entry.key.position, "This rehearsal has no 'extends'")
        parts: dict[str, _Part] = {
            **dict.fromkeys(_LITERAL_AT_ROOT, lambda node, _: node),
            "stages": self._list("stages", self._stage),
            "jobs": self._list("jobs", self._job),
            "steps": self._list("steps", self._generic),
        }
        return self._object(entries, root.position, parts)

    # What the parts of a pipeline are made of.

    def _stage(self, entries: list[Entry], at: Position) -> Node:
        return self._object(entries, at, {"jobs": self._list("jobs", self._job)})

    def _job(self, entries: list[Entry], at: Position) -> Node:
        parts: dict[str, _Part] = {"steps": self._list("steps", self._generic), "strategy": self._strategy}
        return self._object(entries, at, parts)

    def _strategy(self, node: Node, scope: Scope) -> Node:
        hook = self._nested({"steps": self._list("steps", self._generic)})
        hooks: dict[str, _Part] = {
            **dict.fromkeys(_HOOKS, hook),
            "on": self._nested({"success": hook, "failure": hook}),
        }
        return self._nested(dict.fromkeys(("runOnce", "rolling", "canary"), self._nested(hooks)))(node, scope)

    def _generic(self, entries: list[Entry], at: Position) -> Node:
        return self._object(entries, at, {})

    def _nested(self, parts: MappingOf[str, _Part]) -> _Part:
        def one(node: Node, scope: Scope) -> Node:
            if not isinstance(node, Mapping):
                return expand(node, scope)
            return self._object(flatten_mapping(node, scope), node.position, parts)

        return one

    def _object(self, entries: list[Entry], at: Position, parts: MappingOf[str, _Part]) -> Mapping:
        """A mapping's entries expanded; its `variables` first, because the rest sees them."""
        own: dict[str, Value] = {}
        expanded: dict[str, Node] = {}
        for entry in entries:
            if entry.key.text == "variables":
                expanded["variables"] = self._variables(entry.value, entry.scope, own)
        for entry in entries:
            if entry.key.text != "variables":
                part = parts.get(entry.key.text, expand)
                expanded[entry.key.text] = part(entry.value, entry.scope.with_variables(own))
        return Mapping(tuple((entry.key, expanded[entry.key.text]) for entry in entries), at)

    # Lists of stages, jobs and steps, whose items may be templates.

    def _list(self, role: str, item: Callable[[list[Entry], Position], Node]) -> _Part:
        def expand_list(node: Node, scope: Scope) -> Node:
            if isinstance(node, Scalar):
                node, scope = expand(node, scope), scope.as_literal()
            if not isinstance(node, Sequence):
                raise PipelineError(node.position, f"Expected a sequence of {role}")
            items: list[Node] = []
            for one, inner in flatten_sequence(node, scope):
                try:
                    items.extend(self._list_item(role, one, inner, item))
                except PipelineError as error:
                    self.errors.append(error)
            return Sequence(tuple(items), node.position)

        return expand_list

    def _list_item(
        self, role: str, node: Node, scope: Scope, item: Callable[[list[Entry], Position], Node]
    ) -> tuple[Node, ...]:
        if not isinstance(node, Mapping):
            raise PipelineError(node.position, f"Expected a mapping in a sequence of {role}")
        entries = flatten_mapping(node, scope)
        if not any(entry.key.text == "template" for entry in entries):
            return (item(entries, node.position),)
        return self._include_list(role, entries, node.position, self._list(role, item))

    def _include_list(self, role: str, entries: list[Entry], at: Position, part: _Part) -> tuple[Node, ...]:
        included = self._include(role, entries, at, part)
        return included.items if isinstance(included, Sequence) else (included,)

    def _include(self, role: str, entries: list[Entry], at: Position, part: _Part) -> Node:
        """What a template's `role` key holds, expanded. Raises PipelineError."""
        path, given = self._template_and_parameters(entries, at)
        name = self._files.resolve(path, entries[0].scope.file, at)
        self._included += 1
        if self._included > MAX_FILES:
            raise PipelineError(at, f"More than {MAX_FILES} files are included")
        if self._nesting >= MAX_NESTING:
            raise PipelineError(at, f"Templates are nested deeper than {MAX_NESTING} levels")
        root = self._files.read(name, at)
        bound = bind(declared(root.get("parameters")), given, at)
        scope = Scope(name, bound, entries[0].scope.variables)
        self._nesting += 1
        try:
            content = [entry for entry in flatten_mapping(root, scope) if entry.key.text != "parameters"]
            for entry in content:
                if entry.key.text != role:
                    raise PipelineError(
                        entry.key.position, f"Unexpected value '{entry.key.text}': this is a template of {role}"
                    )
            if not content:
                raise PipelineError(root.position, f"A template of {role} needs '{role}'")
            return part(content[0].value, content[0].scope)
        finally:
            self._nesting -= 1

    def _template_and_parameters(self, entries: list[Entry], at: Position) -> tuple[str, dict[str, Node]]:
        path, given = "", {}
        for entry in entries:
            value = expand(entry.value, entry.scope)
            match entry.key.text, value:
                case "template", Scalar(str(text)):
                    path = text
                case "parameters", Mapping(pairs):
                    given = {key.text: node for key, node in pairs}
                case "parameters", Scalar(None):
                    pass
                case "template" | "parameters", _:
                    raise PipelineError(value.position, f"Unexpected value for '{entry.key.text}'")
                case other, _:
                    raise PipelineError(entry.key.position, f"Unexpected value '{other}'")
        if not path:
            raise PipelineError(at, "'template' needs the path of a file")
        return path, given

    # Variables.

    def _variables(self, node: Node, scope: Scope, known: dict[str, Value]) -> Node:
        """A sequence of variables, in either form; `known` gets those whose value is known before the run."""
        if isinstance(node, Scalar):
            node, scope = expand(node, scope), scope.as_literal()
        if isinstance(node, Mapping):
            return Sequence(tuple(self._named_variables(node, scope, known)), node.position)
        if not isinstance(node, Sequence):
            raise PipelineError(node.position, "Expected a mapping or a sequence of variables")
        items = [self._variable(one, inner, known) for one, inner in flatten_sequence(node, scope)]
        return Sequence(tuple(variable for variables in items for variable in variables), node.position)

    def _variable(self, node: Node, scope: Scope, known: dict[str, Value]) -> tuple[Node, ...]:
        """One variable or group, or all that a template holds."""
        if not isinstance(node, Mapping):
            raise PipelineError(node.position, "Expected a mapping with 'name' and 'value', 'group' or 'template'")
        entries = flatten_mapping(node, scope.with_variables(known))
        if any(entry.key.text == "template" for entry in entries):
            return self._include_list(
                "variables", entries, node.position, lambda content, where: self._variables(content, where, known)
            )
        expanded = self._object(entries, node.position, {})
        name, value = expanded.get("name"), expanded.get("value")
        if isinstance(name, Scalar) and isinstance(value, Scalar):
            _remember(known, name.text, value)
        return (expanded,)

    def _named_variables(self, node: Mapping, scope: Scope, known: dict[str, Value]) -> list[Node]:
        variables: list[Node] = []
        for entry in flatten_mapping(node, scope):
            value = expand(entry.value, entry.scope.with_variables(known))
            if not isinstance(value, Scalar):
                raise PipelineError(value.position, f"The variable '{entry.key.text}' must be text")
            _remember(known, entry.key.text, value)
            name = Scalar(entry.key.text, entry.key.position)
            pairs = ((Scalar("name", entry.key.position), name), (Scalar("value", entry.key.position), value))
            variables.append(Mapping(pairs, entry.key.position))
        return variables


def _remember(known: dict[str, Value], name: str, value: Scalar) -> None:
    if not value.text.startswith("$["):
        known[name] = value.text
