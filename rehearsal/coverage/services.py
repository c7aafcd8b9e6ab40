"""Every operation of every stand-in, read from the tables by which the stand-ins answer."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from rehearsal.compose import Release, compose
from rehearsal.coverage.paths import matcher, segments, spelled
from rehearsal.coverage.sources import source
from rehearsal.databricks.call import Operation as WorkspaceOperation
from rehearsal.resource_manager.exchange import Rule
from rehearsal.resource_manager.providers.base import ResourceType
from rehearsal.setup import ROOT
from rehearsal.storage.operations import OPERATIONS as BLOB_OPERATIONS
from slipway.domain.environment import load_environment

Entry = Mapping[str, Any]
"""A line of the gateway's log."""

# Pattern of hostnames -> name of the service; a pattern that is missing here makes the page fail.
SERVICES = {
    "login.microsoftonline.com": "Microsoft Entra ID",
    "graph.microsoft.com": "Microsoft Graph",
    "management.azure.com": "Resource Manager",
    "*.vault.azure.net": "Key Vault",
    "*.blob.core.windows.net": "Blob storage",
    "*.dfs.core.windows.net": "Blob storage",
    "adb-*.azuredatabricks.net": "Databricks workspace",
    "dev.azure.com": "Azure DevOps",
    "vssps.dev.azure.com": "Azure DevOps",
}
_VERSIONED = re.compile(r"/api/(\d\.\d)(/.*)", re.DOTALL)
FACTORY = "/providers/Microsoft.DataFactory/factories/"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """done: whether it is answered as the service does; otherwise it is refused by name. note: API versions, for example."""

    service: str
    name: str
    source: str
    fits: Callable[[Entry], bool]
    done: bool = True
    note: str = ""


def all_operations() -> list[Operation]:
    """Composes the stand-ins in a folder of their own, without starting them, and looks at what they serve."""
    with tempfile.TemporaryDirectory() as folder:
        release = Release(environment=load_environment(ROOT, "dev"), service_connection="slipway-dev")
        azure = compose(Path(folder), [release], datasets=Path(folder), clock=time.time, role_delay_seconds=0.0)
        found: dict[tuple[str, str], Operation] = {}
        for host, app in azure.gateway.apps:
            for operation in _of_app(SERVICES[host], host, app):
                found.setdefault((operation.service, operation.name.lower()), operation)
        azure.gateway.log.close()
        azure.world.store.close()
    return list(found.values())


def _of_app(service: str, host: str, app: Starlette) -> Iterator[Operation]:
    if service == "Resource Manager":
        return _resource_manager(host, app.state.rules, app.state.types)
    if service == "Databricks workspace":
        return _workspace(service, host, app.state.operations)
    if service == "Blob storage":
        return _blobs(service)
    return _routes(service, host, app)


def _at(host: str, method: str, pattern: re.Pattern[str]) -> Callable[[Entry], bool]:
    def fits(entry: Entry) -> bool:
        path = "/" + str(entry["path"]).strip("/")
        return bool(entry["method"] == method and fnmatchcase(entry["host"], host) and pattern.fullmatch(path))

    return fits


def _routes(service: str, host: str, app: Starlette) -> Iterator[Operation]:
    for route in app.routes:
        if not isinstance(route, Route) or route.path == "/{path:path}":
            continue
        path = "/" + re.sub(r":\w+\}", "}", route.path).strip("/")
        methods = (route.methods or {"GET"}) - {"HEAD"}
        if path.endswith("/token"):  # the other methods are there to be refused in Entra's words
            methods = {"POST"}
        for method in sorted(methods):
            yield Operation(
                service=service,
                name=f"{method} {path}",
                source=source(service, path),
                fits=_at(host, method, matcher(path)),
            )


def _workspace(service: str, host: str, table: Sequence[WorkspaceOperation]) -> Iterator[Operation]:
    discovery = "/.well-known/databricks-config"
    fits = _at(host, "GET", matcher(discovery))
    yield Operation(service=service, name=f"GET {discovery}", source=source(service, discovery), fits=fits)
    for one in table:
        yield Operation(
            service=service,
            name=f"{one.method} {one.path}",
            source=source(service, one.path),
            fits=partial(_asks, host, one),
            done=one.done,
            note=", ".join(one.versions),
        )


def _asks(host: str, operation: WorkspaceOperation, entry: Entry) -> bool:
    if entry["method"] != operation.method or not fnmatchcase(entry["host"], host):
        return False
    found = _VERSIONED.fullmatch(entry["path"])
    version, path = (found[1], found[2]) if found else ("", entry["path"])
    return version in operation.versions and operation.match(path) is not None


def _blobs(service: str) -> Iterator[Operation]:
    for one in BLOB_OPERATIONS:

        def fits(entry: Entry, one: Any = one) -> bool:
            here = entry["host"].endswith((".blob.core.windows.net", ".dfs.core.windows.net"))
            return bool(here and one.fits(entry["method"], entry["path"], entry.get("operation", "")))

        name = f"{one.name}: {one.method} {one.address}"
        yield Operation(service=service, name=name, source=source(service, one.address), fits=fits)


def _resource_manager(host: str, rules: Sequence[Rule], types: Sequence[ResourceType]) -> Iterator[Operation]:
    yield Operation(
        service="Resource Manager",
        name="GET /metadata/endpoints",
        source="azure-cli cloud.py; azure-docs",
        fits=_at(host, "GET", matcher("/metadata/endpoints")),
    )
    for rule in rules:
        for path in _paths(rule):
            for method in sorted(rule.methods):
                yield _of_rule(host, method, path, done=rule.done)
    ruled = {"microsoft.resources/resourcegroups"}
    for kind in types:
        if kind.name.lower() not in ruled and not kind.name.startswith("Microsoft.DataFactory/"):
            yield from _of_type(host, kind)
    yield Operation(
        service="Resource Manager",
        name="HEAD {id of any resource}",
        source=source("Resource Manager", ""),
        fits=_at(host, "HEAD", matcher("{scope}/providers/{}/{scope}")),
    )


def _paths(rule: Rule) -> list[str]:
    """The paths of a rule; of the general rules, none: what they serve are the resource types."""
    found = [path for path in spelled(rule.pattern.pattern) if "{rest}" not in path]
    # Deployments have a shorter path beside, which is the same operation.
    longer = [path for path in found if "/providers/Microsoft.Resources/deployments" in path]
    return longer or found


def _of_rule(host: str, method: str, path: str, *, done: bool) -> Operation:
    service = "Data Factory" if FACTORY in path else "Resource Manager"
    shown = path[path.index("/providers/") + len("/providers/") :] if service == "Data Factory" else path
    short = path.replace("{scope}/providers/Microsoft.Resources/deployments", "{scope}/deployments")
    patterns = [matcher(each) for each in dict.fromkeys((path, short))]
    whole = re.compile("|".join(pattern.pattern for pattern in patterns), re.IGNORECASE)
    return Operation(
        service=service,
        name=f"{method} {shown}",
        source=source(service, shown),
        fits=_at(host, method, whole),
        done=done,
    )


def _of_type(host: str, kind: ResourceType) -> Iterator[Operation]:
    first, *others = segments(kind.name.split("/", 1)[1])
    names = f"{{scope}}/providers/{kind.name.split('/', 1)[0]}/{first}"
    for other in others:
        names += f"/{{}}/{other}"
    addresses = {"LIST": names, **dict.fromkeys(("GET", "PUT", "PATCH", "DELETE"), names + "/{}")}
    asked = [(verb, addresses[verb]) for verb in kind.requests]
    asked += [(f"POST {action}", f"{names}/{{}}/{action}") for action in kind.posts]
    for verb, address in asked:
        method = {"LIST": "GET"}.get(verb, verb.split(" ")[0])
        yield Operation(
            service="Resource Manager",
            name=f"{kind.name}: {verb}",
            source=source("Resource Manager", kind.name),
            fits=_at(host, method, matcher(address)),
        )
