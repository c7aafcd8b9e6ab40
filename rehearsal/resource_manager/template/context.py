"""What an expression can see while it is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

Json = Any
Lookup = Callable[[str], Json]
"""A parameter or variable by name; raises ExpressionError when there is none of that name."""


class Runtime(Protocol):
    """What only a running deployment can answer."""

    def reference(self, resource_id: str, api_version: str | None, *, full: bool) -> Json:
        """The `properties` of a resource, or all of it. Raises ExpressionError."""

    def invoke(self, function: str, resource_id: str, _api_version: str, body: Json) -> Json:
        """A list* action. Raises ExpressionError."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a deployment goes, and who runs it.

    providers: by namespace, what providers() gives; raises ExpressionError for one that is not here. zones: of a region.
    scope: "" for the tenant, "/subscriptions/…", or a resource group's id. group and subscription: as their functions
    return them, None where the scope has none.
    """

    scope: str
    tenant_id: str
    subscription: Json = None
    group: Json = None
    deployment: Json = None
    deployer: Json = None
    environment: Json = None
    providers: Lookup | None = None
    zones: Callable[[str], tuple[str, ...]] = lambda _location: ()


@dataclass(frozen=True, kw_only=True)
class Context:
    """One evaluation's surroundings; `with_…` methods give a changed copy.

    names: full ids of the template's own resources, by name and symbolic name in lower case (a list for a loop).
    loops: index by loop name in lower case, "" for the resource's own loop. now: set only where utcNow() and newGuid() are
    allowed, in defaults of parameters. new_guid: beside it.
    """

    target: Target
    parameters: Lookup
    variables: Lookup
    functions: Mapping[str, Json] = field(default_factory=dict)
    names: Mapping[str, str | list[str]] = field(default_factory=dict)
    loops: Mapping[str, int] = field(default_factory=dict)
    lambdas: Mapping[str, Json] = field(default_factory=dict)
    runtime: Runtime | None = None
    references_allowed: bool = True
    now: datetime | None = None
    new_guid: Callable[[], str] | None = None

    def with_loop(self, name: str, index: int) -> Context:
        return replace(self, loops={**self.loops, name.lower(): index})

    def with_lambda(self, values: Mapping[str, Json]) -> Context:
        return replace(self, lambdas={**self.lambdas, **{name.lower(): value for name, value in values.items()}})
