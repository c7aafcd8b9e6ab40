"""In which order a template's resources are deployed.

Source: learn.microsoft.com/azure/azure-resource-manager/templates/resource-dependency.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from rehearsal.resource_manager.identifiers import fold
from rehearsal.resource_manager.template.context import Context
from rehearsal.resource_manager.template.errors import ExpressionError, TemplateError, UnresolvedError
from rehearsal.resource_manager.template.evaluate import Pending, evaluate, resolve
from rehearsal.resource_manager.template.program import Program, Resource
from rehearsal.resource_manager.template.syntax import Access, Literal, Node, is_expression, parse

Json = Any
_USAGE = "Please see https://aka.ms/arm-syntax-resources for usage details."


def dependencies(program: Program) -> dict[str, tuple[str, ...]]:
    """For each deployed resource's folded id the folded ids that come before it. Raises TemplateError."""
    index = _Index(program)
    return {fold(resource.id): tuple(sorted(set(_of(resource, index)))) for resource in program.deployed()}


def order(program: Program) -> list[Resource]:
    """The deployed resources, each after what it depends on, otherwise as the template has them.

    Raises TemplateError for an unknown dependency and for a circle.
    """
    waits = dependencies(program)
    resources = {fold(resource.id): resource for resource in program.deployed()}
    done: dict[str, Resource] = {}
    visiting: set[str] = set()

    def visit(start: str) -> None:
        stack: list[tuple[str, Iterator[str]]] = [(start, iter(waits[start]))]
        visiting.add(start)
        while stack:
            key, rest = stack[-1]
            following = next((one for one in rest if one not in done), None)
            if following is None:
                stack.pop()
                visiting.discard(key)
                done[key] = resources[key]
            elif following in visiting:
                raise TemplateError(
                    f"Circular dependency detected on resource: '{resources[following].id}'. {_USAGE}",
                    path=resources[following].path,
                )
            else:
                visiting.add(following)
                stack.append((following, iter(waits[following])))

    for key in resources:
        if key not in done:
            visit(key)
    return list(done.values())


class _Index:
    """The template's resources by everything that a dependency may call them."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.by_id = {fold(resource.id): resource for resource in program.resources}
        self._by_word: dict[str, list[Resource]] = {}
        for resource in program.resources:
            for word in {resource.name, resource.symbol or "", resource.loop or "", f"{resource.type}/{resource.name}"}:
                self._by_word.setdefault(word.lower(), []).append(resource)
        for resource in program.resources:
            # Children inside their parent may call each other by their own short name.
            self._by_word.setdefault(resource.name.rsplit("/", 1)[-1].lower(), [resource])
        # The same id may be there twice, under conditions that exclude each other: the deployed one counts.
        for resource in program.deployed():
            self.by_id[fold(resource.id)] = resource

    def find(self, word: str) -> list[Resource] | None:
        if word.startswith("/"):
            found = self.by_id.get(fold(word))
            return None if found is None else [found]
        if word.lower() in self._by_word:
            return self._by_word[word.lower()]
        return self._relative(word)

    def _relative(self, word: str) -> list[Resource] | None:
        """`Namespace/type/name`, also with the names between the types: A/b/x/c/y."""
        for scope in {self.program.scope, ""}:
            found = self.by_id.get(fold(f"{scope}/providers/{word}"))
            if found is not None:
                return [found]
        return None


def _of(resource: Resource, index: _Index) -> Iterator[str]:
    for word in _declared(resource):
        found = index.find(word)
        if found is None:
            raise TemplateError(
                f"The resource '{word}' is not defined in the template. {_USAGE}", path=(*resource.path, "dependsOn")
            )
        yield from _keys(found)
    context = replace(resource.context, runtime=None)
    for word in _referenced({key: value for key, value in resource.raw.items() if key != "resources"}, context):
        yield from _keys([one for one in index.find(word) or [] if fold(one.id) != fold(resource.id)])


def _keys(resources: list[Resource]) -> Iterator[str]:
    return (fold(one.id) for one in resources if one.deployed and not one.existing)


def _declared(resource: Resource) -> list[str]:
    try:
        words = resolve(resource.raw.get("dependsOn") or [], replace(resource.context, references_allowed=False))
    except ExpressionError as error:
        raise TemplateError(
            f"The template resource '{resource.name}' {{position}} is not valid: {str(error).rstrip('.')}. {_USAGE}",
            path=resource.path,
        ) from error
    if not isinstance(words, list):
        raise TemplateError(
            f"The template resource '{resource.name}' {{position}} is not valid: dependsOn must be an array. {_USAGE}",
            path=resource.path,
        )
    return [str(word) for word in words if not isinstance(word, Pending)]


def _referenced(value: Json, context: Context) -> Iterator[str]:
    """What reference() and list*() in a value name without an apiVersion, so that it is in this template."""
    if isinstance(value, str) and is_expression(value):
        try:
            yield from _calls(parse(value), context)
        except ExpressionError:
            return
    elif isinstance(value, list):
        for item in value:
            yield from _referenced(item, context)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _referenced(item, context)


def _calls(node: Node, context: Context) -> Iterator[str]:
    if isinstance(node, Literal):
        return
    if isinstance(node, Access):
        yield from _calls(node.target, context)
        yield from _calls(node.key, context)
        return
    name = node.name.lower()
    by_name = name in ("reference", "references") or name.startswith("list")
    if by_name and node.arguments:
        word = _text(node.arguments[0], context)
        if word is not None and (len(node.arguments) == 1 or not word.startswith("/")):
            yield word
    for argument in node.arguments:
        yield from _calls(argument, context)


def _text(node: Node, context: Context) -> str | None:
    try:
        value = evaluate(node, context)
    except (ExpressionError, UnresolvedError):
        return None
    return value if isinstance(value, str) else None


def summary(program: Program) -> list[Mapping[str, Json]]:
    """The dependencies as a deployment's record shows them."""
    waits = dependencies(program)
    by_id = {fold(resource.id): resource for resource in program.deployed()}

    def entry(resource: Resource) -> dict[str, Json]:
        return {"id": resource.id, "resourceType": resource.type, "resourceName": resource.name}

    return [
        {"dependsOn": [entry(by_id[one]) for one in before], **entry(by_id[key])}
        for key, before in waits.items()
        if before
    ]
