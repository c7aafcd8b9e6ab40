"""A template made ready to run: parameters bound, loops written out, every resource with its id and its place in the order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from rehearsal.resource_manager.identifiers import build, fold, group_id, subscription_of
from rehearsal.resource_manager.template.context import Context, Runtime, Target
from rehearsal.resource_manager.template.errors import ExpressionError, Path, TemplateError
from rehearsal.resource_manager.template.evaluate import Pending, resolve
from rehearsal.resource_manager.template.loops import MOST, count
from rehearsal.resource_manager.template.parameters import Parameters, Variables
from rehearsal.resource_manager.template.shape import check_resource, check_shape

Json = Any
_USAGE = "Please see https://aka.ms/arm-syntax-resources for usage details."
_NOT_BODY = {
    "type",
    "name",
    "apiversion",
    "dependson",
    "condition",
    "copy",
    "resources",
    "scope",
    "comments",
    "metadata",
    "existing",
}


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource of a template, one item of its loop; its body is still unevaluated.

    scope: what the id hangs on; for a nested deployment, where it deploys to. raw and context: evaluated together by
    `body`. path: where in the template. unidentified: its id hangs on a value that only a running deployment knows; `id`
    is then the expression for it.
    """

    id: str
    type: str
    name: str
    api_version: str
    scope: str
    raw: Mapping[str, Json]
    context: Context
    path: Path
    symbol: str | None = None
    loop: str | None = None
    deployed: bool = True
    existing: bool = False
    unidentified: bool = False

    def body(self, runtime: Runtime | None = None) -> dict[str, Json]:
        """What is sent to the provider. Without a runtime, what must wait for the deployment stays as Pending.

        The template of a nested deployment is left as it is written. Raises TemplateError.
        """
        context = replace(self.context, runtime=runtime)
        found = {key: value for key, value in self.raw.items() if key.lower() not in _NOT_BODY}
        if self.type.lower() == "microsoft.resources/deployments":
            properties = dict(found["properties"]) if isinstance(found.get("properties"), dict) else {}
            template = {"template": properties.pop("template")} if "template" in properties else {}
            found["properties"] = properties
        else:
            template = {}
        try:
            body: dict[str, Json] = resolve(found, context)
        except ExpressionError as error:
            raise TemplateError(
                f"Unable to process template language expressions for resource '{self.id}' {{position}}. '{error}'",
                path=self.path,
            ) from error
        if template:
            body["properties"] |= template
        return body


@dataclass(frozen=True, kw_only=True)
class Program:
    """A template with its values. resources: in order of the template. outputs: as they are written."""

    target: Target
    scope: str
    context: Context
    parameters: Parameters
    resources: tuple[Resource, ...]
    outputs: Mapping[str, Json]
    path: Path
    symbolic: bool = False

    def deployed(self) -> Iterator[Resource]:
        return (resource for resource in self.resources if resource.deployed and not resource.existing)


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a deployment brings beside its template. new_guid and now: for defaults of parameters."""

    target: Target
    parameters: Mapping[str, Json] = field(default_factory=dict)
    now: datetime
    new_guid: Callable[[], str]
    path: Path = ()


def load(template: Json, given: Given) -> Program:
    """Make a template ready. Raises TemplateError for the first thing that is wrong with it."""
    check_shape(template, given.path)
    parameters = Parameters(template, given.parameters, path=given.path)
    variables = Variables(template, path=given.path)
    context = Context(
        target=given.target,
        parameters=parameters.lookup,
        variables=variables.lookup,
        functions=_own_functions(template),
    )
    early = replace(context, references_allowed=False)
    parameters.bind(lambda: replace(early, variables=_no_variables, now=given.now, new_guid=given.new_guid))
    variables.bind(lambda: early)
    variables.check()
    return _assemble(template, context, parameters, scope=given.target.scope, path=given.path)


def _no_variables(_name: str) -> Json:
    # learn.microsoft.com/azure/azure-resource-manager/templates/parameters#default-value: other parameters, no variables.
    raise ExpressionError(
        "The template function 'variables' is not expected at this location. "
        "Please see https://aka.ms/arm-template-expressions for usage details."
    )


def load_outer(template: Json, parent: Program, resource: Resource, *, scope: str, path: Path) -> Program:
    """A nested template whose expressions belong to the template around it (expressionEvaluationOptions: outer)."""
    check_shape(template, path)
    context = replace(resource.context, names=parent.context.names)
    return _assemble(template, context, parent.parameters, scope=scope, path=path)


def _assemble(template: Json, context: Context, parameters: Parameters, *, scope: str, path: Path) -> Program:
    declared = template.get("resources") or []
    found = list(_expand(declared, context, scope, path))
    if len(found) > MOST:
        raise TemplateError(
            f"The number of template resources limit exceeded. Limit: '{MOST}' and actual: '{len(found)}'."
        )
    _refuse_twice(found)
    context = replace(context, names={**context.names, **_names(found)})
    resources = tuple(replace(one, context=replace(one.context, names=context.names)) for one in found)
    return Program(
        target=context.target,
        scope=scope,
        context=context,
        parameters=parameters,
        resources=resources,
        outputs=template.get("outputs") or {},
        path=path,
        symbolic=isinstance(declared, dict),
    )


def _own_functions(template: Mapping[str, Json]) -> dict[str, Json]:
    return {
        f"{space['namespace']}.{name}".lower(): definition
        for space in template.get("functions") or []
        for name, definition in (space.get("members") or {}).items()
    }


def _expand(declared: Json, context: Context, scope: str, path: Path) -> Iterator[Resource]:
    here = (*path, "resources")
    entries: list[tuple[str | int, Json]] = list(
        declared.items() if isinstance(declared, dict) else enumerate(declared)
    )
    for key, raw in entries:
        symbol = key if isinstance(key, str) else None
        yield from _expand_one(raw, replace(context, references_allowed=True), scope, (*here, key), symbol, None)


def _expand_one(
    raw: Json, context: Context, scope: str, path: Path, symbol: str | None, parent: Resource | None
) -> Iterator[Resource]:
    check_resource(raw, path)
    loop = raw.get("copy")
    if not isinstance(loop, dict):
        yield from _with_children(raw, context, scope, path, symbol, parent, None)
        return
    name = str(loop.get("name", symbol or ""))
    early = replace(context, references_allowed=False)
    try:
        if isinstance(resolve(loop.get("count"), early), Pending):
            # How many there will be is not known yet: one stands for all of them.
            inner = context.with_loop("", 0).with_loop(name, 0)
            first = _one(raw, inner, scope, path, symbol, parent, name)
            yield replace(first, unidentified=True)
            return
        number = count(loop, early)
    except ExpressionError as error:
        raise TemplateError(
            f"The template resource {{position}} is not valid: {str(error).rstrip('.')}. {_USAGE}", path=path
        ) from error
    for index in range(number):
        inner = context.with_loop("", index).with_loop(name, index)
        yield from _with_children(raw, inner, scope, path, symbol, parent, name)


def _with_children(
    raw: Mapping[str, Json],
    context: Context,
    scope: str,
    path: Path,
    symbol: str | None,
    parent: Resource | None,
    loop: str | None,
) -> Iterator[Resource]:
    resource = _one(raw, context, scope, path, symbol, parent, loop)
    yield resource
    for index, child in enumerate(raw.get("resources") or []):
        yield from _expand_one(child, context, scope, (*path, "resources", index), None, resource)


def _one(
    raw: Mapping[str, Json],
    context: Context,
    scope: str,
    path: Path,
    symbol: str | None,
    parent: Resource | None,
    loop: str | None,
) -> Resource:
    head = _Head(raw, replace(context, references_allowed=False), path)
    kind, name = head.text("type"), head.text("name")
    api_version, condition = head.text("apiVersion"), head.value("condition", True)
    pending = (kind, name, api_version, condition, head.value("scope"))
    unidentified = any(isinstance(one, Pending) for one in pending) or (parent is not None and parent.unidentified)
    if parent is not None and not kind.lower().startswith(parent.type.lower() + "/"):
        kind, name = f"{parent.type}/{kind}", f"{parent.name}/{name}"
    place = _unknown_place if unidentified else _place
    resource_id, hangs_on = place(head, kind, name, scope)
    if isinstance(condition, Pending):
        condition = True
    if not isinstance(condition, bool):
        raise head.wrong(name, "The condition must be a boolean.")
    return Resource(
        id=resource_id,
        type=kind,
        name=name,
        api_version=api_version,
        scope=hangs_on,
        raw=raw,
        context=context,
        path=path,
        symbol=symbol,
        loop=loop,
        deployed=condition and (parent is None or parent.deployed),
        existing=raw.get("existing") is True,
        unidentified=unidentified,
    )


@dataclass(frozen=True)
class _Head:
    """The parts of a resource that are needed before anything runs."""

    raw: Mapping[str, Json]
    context: Context
    path: Path

    def value(self, key: str, default: Json = None) -> Json:
        found = next((known for known in self.raw if known.lower() == key.lower()), None)
        if found is None:
            return default
        try:
            return resolve(self.raw[found], self.context)
        except ExpressionError as error:
            raise self.wrong(str(self.raw.get("name", "")), f"{error}") from error

    def text(self, key: str) -> str:
        found = self.value(key)
        if not isinstance(found, str) or not found:
            raise self.wrong(
                "" if key == "name" else str(self.raw.get("name", "")), f"The {key} property cannot be null or empty."
            )
        return found

    def wrong(self, name: str, why: str) -> TemplateError:
        return TemplateError(
            f"The template resource '{name}' {{position}} is not valid: {why.rstrip('.')}. {_USAGE}", path=self.path
        )


def _place(head: _Head, kind: str, name: str, scope: str) -> tuple[str, str]:
    """The resource's id and what it hangs on."""
    segments, names = kind.split("/"), name.split("/")
    lowered = [segment.lower() for segment in segments]
    if "providers" in lowered[1:]:
        # An extension resource in the older form: type A/b/providers/c, name x/Namespace/y.
        cut = lowered.index("providers", 1)
        base = _id(head, scope, "/".join(segments[:cut]), names[: cut - 1], name)
        inner = "/".join([*names[cut - 1 : cut], *segments[cut + 1 :]])
        return _id(head, base, inner, names[cut:], name), base
    if kind.lower() == "microsoft.resources/deployments":
        base = _nested_scope(head, scope)
        return _id(head, base, kind, names, name), base
    own = head.value("scope")
    base = scope
    if isinstance(own, str) and own:
        base = own.rstrip("/") if own.startswith("/") else f"{scope}/providers/{own}"
    if kind.lower() == "microsoft.resources/resourcegroups":
        base = "/".join(scope.split("/")[:3])
    return _id(head, base, kind, names, name), base


def _unknown_place(head: _Head, kind: str, name: str, scope: str) -> tuple[str, str]:
    """What stands for the id of a resource whose name waits for the deployment, as the service writes it."""
    own = head.value("scope")
    base = own.rstrip("/") if isinstance(own, str) and own.startswith("/") else scope
    written = name[1:-1] if isinstance(name, Pending) else f"'{name}'"
    return f"[extensionResourceId('{base}', '{kind}', {written})]", base


def _nested_scope(head: _Head, scope: str) -> str:
    """Where a nested deployment goes, which is also where its record is kept."""
    own, subscription, group = (head.value(key) for key in ("scope", "subscriptionId", "resourceGroup"))
    if own:
        return str(own).rstrip("/")
    target = str(subscription or subscription_of(scope) or "")
    if group:
        return group_id(target, str(group))
    if subscription:
        return f"/subscriptions/{target}"
    return scope


def _id(head: _Head, scope: str, kind: str, names: list[str], name: str) -> str:
    try:
        return build(scope, kind, *names)
    except ValueError as error:
        raise TemplateError(
            f"The template resource '{name}' for type '{kind}' {{position}} has incorrect segment lengths. A nested "
            "resource type must have identical number of segments as its resource name. A root resource type must have "
            f"segment length one greater than its resource name. {_USAGE}",
            path=head.path,
        ) from error


def _refuse_twice(resources: list[Resource]) -> None:
    seen: set[str] = set()
    for resource in resources:
        if not resource.deployed or resource.existing or resource.unidentified:
            continue
        if fold(resource.id) in seen:
            raise TemplateError(
                f"The resource '{resource.id}' {{position}} is defined multiple times in a template. {_USAGE}",
                path=resource.path,
            )
        seen.add(fold(resource.id))


def _names(resources: list[Resource]) -> dict[str, str | list[str]]:
    """What reference() may call a resource by: its name, its symbol; a loop's name stands for all of its items."""
    found: dict[str, str | list[str]] = {}
    for resource in resources:
        if resource.deployed:
            found[resource.name.lower()] = resource.id
    for resource in resources:
        key = (resource.loop or resource.symbol or "").lower()
        if key and resource.loop:
            items = found.get(key)
            found[key] = [*items, resource.id] if isinstance(items, list) else [resource.id]
        elif key:
            found[key] = resource.id
    return found
