"""Templates put in, directives and expressions worked out: from azure-pipelines.yml to plain YAML without any of them.

Source of the rules: learn.microsoft.com/azure/devops/pipelines/process/templates and template-expressions.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from dataclasses import replace

from rehearsal.pipelines import normal_form, schema
from rehearsal.pipelines.expressions import Value
from rehearsal.pipelines.expressions.values import fold
from rehearsal.pipelines.files import Files
from rehearsal.pipelines.flattening import (
    Budget,
    Entry,
    Scope,
    expand,
    expand_scalar,
    flatten_mapping,
    flatten_sequence,
    lazy_entries,
    plain_values,
)
from rehearsal.pipelines.parameters import ROLES, TEMPLATE_TYPES, Parameter, bind, bind_old, declared
from rehearsal.pipelines.resources import expand_resources, merged, repositories
from rehearsal.pipelines.yaml_nodes import (
    TOO_DEEP,
    Mapping,
    Node,
    PipelineError,
    Position,
    Scalar,
    Sequence,
    from_value,
    parse_yaml,
)

# [learn] process/templates: 100 files, 100 levels.
MAX_FILES = 100
MAX_NESTING = 100

# What putting in a template costs of the memory, at least; so an expansion that doubles with each level ends.
_COST_OF_A_TEMPLATE = 2048
_HOOKS = ("preDeploy", "deploy", "routeTraffic", "postRouteTraffic")
_Part = Callable[[Node, Scope], Node]
_Given = MappingOf[str, tuple[Node, Scope]]


class Expander:
    """Expands one pipeline. `errors` gathers what is wrong in single stages, jobs and steps, so that one call finds all."""

    def __init__(self, files: Files, predefined: MappingOf[str, str]) -> None:
        self._files = files
        self._predefined = predefined
        self._included: set[str] = set()
        self._chain: list[str] = []
        self._budget = Budget()
        self.errors: list[PipelineError] = []
        self._lists: dict[str, _Part] = {
            "stages": self._list("stages", self._stage),
            "jobs": self._list("jobs", self._job),
            "steps": self._list("steps", self._generic),
        }

    def pipeline(self, name: str, parameters: MappingOf[str, Value]) -> Mapping:
        """A pipeline's file with everything put in. Raises PipelineError for what makes the whole file unreadable."""
        root = self._files.read(name)
        found = declared(root.get("parameters"))
        given = {key: (from_person(key, value, found), Scope(literal=True)) for key, value in parameters.items()}
        base = Scope(variables=dict(self._predefined), budget=self._budget)
        scope = self._bound(found, given, root.position, base, root.get("parameters") or Sequence((), root.position))
        self._declare_repositories(root)
        return self._document(root, scope)

    def _document(self, root: Mapping, scope: Scope) -> Mapping:
        """A file that is a whole pipeline, or what one extends."""
        entries = flatten_mapping(root, scope)
        parts: dict[str, _Part] = {
            **dict.fromkeys(("trigger", "pr", "schedules"), plain_values),
            "parameters": lambda node, _: node,
            "resources": expand_resources,
            "extends": self._extends,
            **self._lists,
        }
        expanded = self._object(entries, root.position, parts)
        extended = expanded.get("extends")
        return merged(expanded, extended) if isinstance(extended, Mapping) else expanded

    def _extends(self, node: Node, scope: Scope) -> Node:
        if not isinstance(node, Mapping):
            raise PipelineError(node.position, "Expected a mapping with 'template' and 'parameters'")
        return self._included_root(flatten_mapping(node, scope), node.position, self._document)

    def _declare_repositories(self, root: Mapping) -> None:
        for alias, name in repositories(root):
            self._files.declare(alias, name)

    # What the parts of a pipeline are made of.

    def _stage(self, entries: list[Entry], at: Position) -> Node:
        return self._object(entries, at, {"jobs": self._lists["jobs"]})

    def _job(self, entries: list[Entry], at: Position) -> Node:
        parts: dict[str, _Part] = {"steps": self._lists["steps"], "strategy": self._strategy}
        return self._object(entries, at, parts)

    def _strategy(self, node: Node, scope: Scope) -> Node:
        hook = self._nested({"steps": self._lists["steps"]})
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
                shown = f"Unexpected value '{node.text}': expected" if isinstance(node, Scalar) else "Expected"
                raise PipelineError(node.position, f"{shown} a sequence of {role}")
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
            shown = f"Unexpected value '{node.text}': expected" if isinstance(node, Scalar) else "Expected"
            raise PipelineError(node.position, f"{shown} a mapping in a sequence of {role}")
        entries = flatten_mapping(node, scope)
        if not any(entry.key.text == "template" for entry in entries):
            return (item(entries, node.position),)
        return self._include(role, entries, node.position, self._list(role, item))

    def _include(self, role: str, entries: list[Entry], at: Position, part: _Part) -> tuple[Node, ...]:
        """What a template's `role` key holds, expanded. Raises PipelineError."""

        def content(root: Mapping, scope: Scope) -> Node:
            found = [
                entry for entry in flatten_mapping(root, scope) if entry.key.text not in ("parameters", "resources")
            ]
            for entry in found:
                if entry.key.text != role:
                    text = f"Unexpected value '{entry.key.text}': this is a template of {role}"
                    raise PipelineError(entry.key.position, text)
            if not found:
                raise PipelineError(root.position, f"A template of {role} needs '{role}'")
            return part(found[0].value, found[0].scope)

        included = self._included_root(entries, at, content)
        return included.items if isinstance(included, Sequence) else (included,)

    def _included_root(self, entries: list[Entry], at: Position, content: Callable[[Mapping, Scope], Node]) -> Node:
        """A template's file read, its parameters bound, its content expanded. Raises PipelineError."""
        path, given = _template_and_parameters(entries, at)
        name = self._files.resolve(path, at.file, at)
        self._included.add(name)
        if len(self._included) > MAX_FILES:
            raise PipelineError(at, f"More than {MAX_FILES} files are included")
        if len(self._chain) >= MAX_NESTING:
            shown = " -> ".join(f"/{file}" for file in self._chain[-3:])
            raise PipelineError(at, f"{TOO_DEEP}: templates are nested deeper than {MAX_NESTING} levels: … {shown}")
        root = self._files.read(name, at)
        self._budget.spend(_COST_OF_A_TEMPLATE, at)
        self._declare_repositories(root)
        variables = entries[0].scope.variables
        self._chain.append(name)
        try:
            found = declared(root.get("parameters"), TEMPLATE_TYPES)
            base = Scope(variables=variables, budget=self._budget)
            return content(root, self._bound(found, given, at, base, root.get("parameters")))
        finally:
            self._chain.pop()

    # Parameters.

    def _bound(self, parameters: list[Parameter], given: _Given, at: Position, base: Scope, node: Node | None) -> Scope:
        """The scope of a file whose parameters have got their values. node: what declares them."""
        kinds = {parameter.name.lower(): parameter.type or "" for parameter in parameters}
        nodes = {name: self._argument(kinds.get(name.lower(), ""), *value) for name, value in given.items()}
        if node is None or isinstance(node, Mapping):
            return Scope(parameters=bind_old(parameters, nodes), variables=base.variables, budget=base.budget)
        missing = {name.lower() for name in nodes}
        for parameter in parameters:
            kind = parameter.type or ""
            if parameter.default is not None and parameter.name.lower() not in missing and kind in ROLES:
                nodes[parameter.name] = self._argument(kind, parameter.default, base)
        bound, errors = bind(parameters, nodes, at)
        self.errors += errors[1:]
        if errors:
            raise errors[0]
        return Scope(parameters=bound, variables=base.variables, budget=base.budget)

    def _argument(self, kind: str, node: Node, scope: Scope) -> Node:
        """A parameter's value. Steps, jobs and stages are worked out where they are given, their templates too."""
        if isinstance(node, Scalar):
            node, scope = expand_scalar(node, scope), scope.as_literal()
        role = ROLES.get(kind)
        single = not kind.endswith("List")
        if role is None or not isinstance(node, Mapping if single else Sequence):
            return expand(node, scope)
        listed = self._lists[role](Sequence((node,), node.position) if single else node, scope)
        if not isinstance(listed, Sequence):
            return listed
        self.errors += schema.check_list(role, listed)
        normal = normal_form.normal_list(role, listed)
        return normal.items[0] if single and len(normal.items) == 1 else normal

    # Variables.

    def _variables(self, node: Node, scope: Scope, known: dict[str, Value]) -> Node:
        """A sequence of variables, in either form; `known` gets those whose value is known before the run."""
        if isinstance(node, Scalar):
            node, scope = expand(node, scope), scope.as_literal()
        if isinstance(node, Mapping):
            return Sequence(tuple(self._named_variables(node, scope, known)), node.position)
        if not isinstance(node, Sequence):
            raise PipelineError(
                node.position, f"Unexpected value '{node.text}': expected a mapping or a sequence of variables"
            )
        live = {**scope.variables, **known}
        found: list[Node] = []
        for one, inner in flatten_sequence(node, replace(scope, variables=live)):
            found.extend(self._variable(one, inner, known))
            # What stands further down sees it, conditions too.
            live.update(known)
        return Sequence(tuple(found), node.position)

    def _variable(self, node: Node, scope: Scope, known: dict[str, Value]) -> tuple[Node, ...]:
        """One variable or group, or all that a template holds."""
        if not isinstance(node, Mapping):
            raise PipelineError(node.position, "Expected a mapping with 'name' and 'value', 'group' or 'template'")
        entries = flatten_mapping(node, scope.with_variables(known))
        if any(entry.key.text == "template" for entry in entries):
            return self._include(
                "variables", entries, node.position, lambda content, where: self._variables(content, where, known)
            )
        expanded = self._object(entries, node.position, {})
        name, value = expanded.get("name"), expanded.get("value")
        if isinstance(name, Scalar) and isinstance(value, Scalar):
            _remember(known, name.text, value)
        return (expanded,)

    def _named_variables(self, node: Mapping, scope: Scope, known: dict[str, Value]) -> list[Node]:
        variables: list[Node] = []
        live = {**scope.variables, **known}
        seen: set[str] = set()
        for entry in lazy_entries(node, replace(scope, variables=live)):
            if fold(entry.key.text) in seen:
                raise PipelineError(entry.key.position, f"'{entry.key.text}' is already defined")
            seen.add(fold(entry.key.text))
            value = expand(entry.value, entry.scope)
            if not isinstance(value, Scalar):
                what = "mapping" if isinstance(value, Mapping) else "sequence"
                raise PipelineError(
                    value.position, f"A {what} was not expected: the variable '{entry.key.text}' is text"
                )
            _remember(known, entry.key.text, value)
            live.update(known)
            name = Scalar(entry.key.text, entry.key.position, entry.key.style)
            pairs = ((Scalar("name", entry.key.position), name), (Scalar("value", entry.key.position), value))
            variables.append(Mapping(pairs, entry.key.position))
        return variables


def from_person(name: str, value: Value, parameters: list[Parameter]) -> Node:
    """What a person gives when the run is queued: text, which is YAML or JSON where the parameter holds more than text."""
    at = Position(f"--parameter {name}", 1, 1)
    wanted = next((parameter for parameter in parameters if parameter.name.lower() == name.lower()), None)
    if isinstance(value, str) and value.strip() and wanted is not None and wanted.takes_yaml:
        return parse_yaml(value, at.file)
    return from_value(value, at)


def _template_and_parameters(entries: list[Entry], at: Position) -> tuple[str, dict[str, tuple[Node, Scope]]]:
    path, given = "", dict[str, tuple[Node, Scope]]()
    for entry in entries:
        value, scope = entry.value, entry.scope
        if isinstance(value, Scalar):
            value, scope = expand_scalar(value, scope), scope.as_literal()
        match entry.key.text, value:
            case "template", Scalar(str(text)):
                path = text
            case "parameters", Mapping():
                given = {inner.key.text: (inner.value, inner.scope) for inner in flatten_mapping(value, scope)}
            case "parameters", Scalar(None | ""):
                pass
            case "template" | "parameters", _:
                raise PipelineError(value.position, f"Unexpected value for '{entry.key.text}'")
            case other, _:
                raise PipelineError(entry.key.position, f"Unexpected value '{other}'")
    if not path:
        raise PipelineError(at, "'template' needs the path of a file")
    return path, given


def _remember(known: dict[str, Value], name: str, value: Scalar) -> None:
    if not value.text.startswith("$["):
        known[name] = value.text
