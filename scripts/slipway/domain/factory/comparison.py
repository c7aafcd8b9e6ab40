"""What differs between a definition and a live factory: a local comparison, object by object.

Resource Manager's what-if says nothing dependable about factory objects, so the plan is made here, from lists of what
is live. Objects that are the same are not deployed again. Nothing here holds or shows a value: differences are places.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from slipway.domain.factory.export_parameters import Secret
from slipway.domain.factory.objects import FactoryObject, Key, Kind
from slipway.domain.factory.references import graph, levels, path_text

Path = tuple[str | int, ...]

# What the service adds when it is asked, by kind: no part of a definition (azure-mgmt-datafactory 10.0.0, read-only
# fields; lastPublishTime also stands in exports).
_FILLED_IN: Mapping[Kind, frozenset[str]] = {
    Kind.PIPELINES: frozenset({"lastPublishTime"}),
    Kind.TRIGGERS: frozenset({"runtimeState"}),
    Kind.INTEGRATION_RUNTIMES: frozenset({"state"}),
    Kind.MANAGED_VIRTUAL_NETWORKS: frozenset({"vNetId", "alias"}),
    Kind.MANAGED_PRIVATE_ENDPOINTS: frozenset({"provisioningState", "connectionState", "isReserved"}),
}
# Empty, these mean the same as absent: Studio adds them to an export or leaves them out (measured).
_EMPTY_IS_ABSENT = frozenset(
    {"annotations", "parameters", "headers", "typeProperties", "datasetParameters", "staging", "policy", "variables"}
    | {"elapsedTimeMetric", "cancelAfter", "dependsOn", "userProperties", "additionalProperties"}
)
_SECRET_PLACES = frozenset({"encryptedCredential"})


def body(item: FactoryObject) -> dict[str, Any]:
    """The properties to send: without what the service itself fills in (a trigger starts by its own request)."""
    return {key: value for key, value in item.properties.items() if key not in _FILLED_IN.get(item.kind, frozenset())}


def holds_secret(value: Any) -> bool:
    """Whether a rendered value has a secure parameter's value in it, or a secure string that is written out."""
    if isinstance(value, Mapping):
        return _secure(value) or any(holds_secret(item) for item in value.values())
    if isinstance(value, list):
        return any(holds_secret(item) for item in value)
    return isinstance(value, Secret)


def digest(item: FactoryObject) -> str:
    """A fingerprint of what is sent, secrets left out (nothing derived from a secret is kept anywhere)."""

    def shown(value: Any) -> Any:
        if isinstance(value, Mapping):
            return "***" if _secure(value) else {key: shown(part) for key, part in value.items()}
        if isinstance(value, list):
            return [shown(part) for part in value]
        return "***" if isinstance(value, Secret) else value

    return hashlib.sha256(json.dumps(shown(body(item)), sort_keys=True).encode()).hexdigest()


def differences(wanted: FactoryObject, live: FactoryObject) -> list[str]:
    """The places in which the definitions differ, secrets apart: those can't be read back."""
    filled = _FILLED_IN.get(wanted.kind, frozenset())
    there = {key: value for key, value in live.properties.items() if key not in filled}
    return [
        path_text(path) for path in _differences(body(wanted), there, ("properties",), holds_secret(wanted.properties))
    ]


def _differences(wanted: Any, live: Any, path: Path, lenient: bool) -> Iterator[Path]:
    if isinstance(wanted, Secret) or (isinstance(wanted, Mapping) and _secure(wanted)):
        return
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        for key in [*wanted, *(key for key in live if key not in wanted)]:
            if lenient and key in _SECRET_PLACES:
                continue
            a, b = wanted.get(key), live.get(key)
            if key in _EMPTY_IS_ABSENT and _empty(a) and _empty(b):
                continue
            if a is None and b is None:
                continue
            yield from _differences(a, b, (*path, key), lenient)
    elif isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        for index, (a, b) in enumerate(zip(wanted, live, strict=True)):
            yield from _differences(a, b, (*path, index), lenient)
    elif isinstance(wanted, bool) != isinstance(live, bool) or wanted != live:
        yield path


def _secure(value: Mapping[str, Any]) -> bool:
    """{"type": "SecureString", "value": …}: is taken in and never given out (an encryptedCredential stands for it)."""
    return value.get("type") == "SecureString" and "value" in value


def _empty(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_empty(item) for item in value.values())
    return value is None or value == []


@dataclass(frozen=True)
class Deployed:
    """What Slipway itself put there last: the service's ETag then, and the fingerprint of what was sent."""

    etag: str
    digest: str


@dataclass(frozen=True)
class Change:
    """One object. `item` is what is wanted; for "remove" and "leave", what is live and not in the source."""

    action: Literal["create", "update", "unchanged", "remove", "leave"]
    item: FactoryObject = field(repr=False)
    why: str = ""

    @property
    def key(self) -> Key:
        return self.item.key


def compare(
    wanted: Iterable[FactoryObject],
    live: Iterable[FactoryObject],
    deployed: Mapping[Key, Deployed],
    written: Collection[Key] = (),
) -> list[Change]:
    """A change for each wanted object, in dependency order, then "leave" for each live one that is not wanted.

    `written`: objects that this very run has put; their secrets need not be put again.
    """
    there = {item.key: item for item in live}
    changes = []
    for level in levels(graph(wanted)):
        for item in level:
            changes.append(_change(item, there.get(item.key), deployed.get(item.key), again=item.key in written))
    known = {change.key for change in changes}
    return changes + [Change("leave", item) for key, item in there.items() if key not in known]


def _change(item: FactoryObject, live: FactoryObject | None, deployed: Deployed | None, *, again: bool) -> Change:
    if live is None:
        return Change("create", item)
    secret = holds_secret(item.properties)
    ours = deployed is not None and deployed.etag == live.extra.get("etag") and deployed.digest == digest(item)
    found = [] if ours else differences(item, live)
    if found:
        more = f" and {len(found) - 3} more places" if len(found) > 3 else ""
        return Change("update", item, ", ".join(found[:3]) + more)
    if secret and not again:
        return Change("update", item, "holds a secret, which can't be read back and compared")
    return Change("unchanged", item)


def merge_global_parameters(
    wanted: Mapping[str, Any], live: Mapping[str, Any], without: Collection[str] = ()
) -> tuple[Mapping[str, Any] | None, list[str]]:
    """The whole map to write (None: it is right already) and what changes in it. Those made by hand stay; those in
    `without` go.

    Names are compared as they are, types without regard to case.
    """
    going = [name for name in without if name in live and name not in wanted]
    lines = [f"- {name}" for name in going]
    for name, item in wanted.items():
        now = live.get(name)
        if now is None:
            lines.append(f"+ {name}")
        elif not _same_parameter(item, now):
            lines.append(f"~ {name}")
    merged = {name: item for name, item in {**live, **wanted}.items() if name not in going}
    return (merged if lines else None), lines


def _same_parameter(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    same_type = str(wanted.get("type")).lower() == str(live.get("type")).lower()
    return same_type and not list(_differences(wanted.get("value"), live.get("value"), (), False))
