"""Copies of what a release changes in a factory, to be put beside the live objects and tested there.

A factory has one set of definitions, which its triggers run. So what changes is put there a second time, under names of
its own, in a folder of its own, without triggers: copies call copies where something differs, and live objects where
nothing does. Linked services and what they need are shared: a copy would need its secrets again, and a self-hosted
runtime or a private endpoint can't be had twice. New ones are made under their own names, since nothing live knows
them; of changed ones the candidate uses the live definition, and the plan says that the change is not tested.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from slipway.domain.factory.candidate_expressions import Unclear, substitute
from slipway.domain.factory.comparison import differences
from slipway.domain.factory.export_notebooks import RELEASE_FOLDER
from slipway.domain.factory.export_parameters import Secret
from slipway.domain.factory.objects import FactoryObject, Key, Kind
from slipway.domain.factory.references import BUILT_IN, CycleError, Graph, Place, graph, levels, path_text, references
from slipway.errors import Finding

COPIED = (Kind.PIPELINES, Kind.DATAFLOWS, Kind.DATASETS)
SHARED = (Kind.LINKED_SERVICES, Kind.INTEGRATION_RUNTIMES, Kind.CREDENTIALS, Kind.MANAGED_VIRTUAL_NETWORKS)
ANNOTATION = "slipway candidate "
"""With the candidate's id behind it, among a copy's annotations."""
_FOLDER = "candidate"
_SUFFIX = "__candidate_"
_OURS = re.compile(rf"{_SUFFIX}([0-9a-f]{{8}})$", re.I)
# 260: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules. That Studio takes no
# longer pipeline name than 140 is unverified; shorter is safe.
_LONGEST = {Kind.PIPELINES: 140}
_LONGEST_OTHERS = 260
_NOT_EVALUATED = frozenset({"description", "annotations", "folder"})


def candidate_id(manifest: str) -> str:
    """What tells a candidate's copies from others: the first 8 characters of its slot's manifest hash."""
    return manifest[:8].lower()


def candidate_name(kind: Kind, name: str, identity: str) -> str:
    """A copy's name. Too long names are cut, with a hash of the whole so that they stay different."""
    suffix = _SUFFIX + identity
    room = _LONGEST.get(kind, _LONGEST_OTHERS) - len(suffix)
    if len(name) > room:
        mark = hashlib.sha256(name.lower().encode()).hexdigest()[:8]
        name = f"{name[: room - len(mark) - 1]}_{mark}"
    return name + suffix


def is_candidate_name(name: str) -> bool:
    """Whether a name is one that copies have: of a run's pipeline nothing else may be left."""
    return _OURS.search(name) is not None


def is_candidate(item: FactoryObject) -> bool:
    """Whether an object is a copy that was made here: by name, folder and annotation, all three."""
    found = _OURS.search(item.name)
    if item.kind not in COPIED or found is None:
        return False
    identity = found[1].lower()
    annotations = item.properties.get("annotations")
    marked = isinstance(annotations, list) and ANNOTATION + identity in annotations
    return marked and f"{item.folder}/".startswith(f"{_FOLDER}/{identity}/")


@dataclass(frozen=True)
class Source:
    """What a release wants of a factory. `objects`: as they will go live, literal notebook paths leading to the slot
    that is live now; `mapped`: the same with those paths leading to the candidate's slot (None: there are none).
    `folder`: the candidate's slot; `global_changes`: values of global parameters that this release makes or changes."""

    objects: Sequence[FactoryObject]
    folder: str
    mapped: Sequence[FactoryObject] | None = None
    global_changes: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Copy:
    """`original` as the source has it, `item` as it is put; `there`: the factory has it already."""

    original: FactoryObject = field(repr=False)
    item: FactoryObject = field(repr=False)
    why: str
    there: bool = False


@dataclass(frozen=True)
class CandidatePlan:
    """`copies` and `shared` in levels: each needs only what is live, or in a level before. `shared` are new objects that
    copies need, under their own names. `left_overs` in the order of deletion. `notes`: what the test won't reach."""

    identity: str
    copies: tuple[tuple[Copy, ...], ...] = ()
    shared: tuple[tuple[FactoryObject, ...], ...] = ()
    left_overs: tuple[FactoryObject, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def puts(self) -> list[list[FactoryObject]]:
        """What is to be put, level by level."""
        copies = [[copy.item for copy in level if not copy.there] for level in self.copies]
        return [list(level) for level in [*self.shared, *copies] if level]


def plan_candidate(
    source: Source, live: Iterable[FactoryObject], *, manifest: str, tested: Collection[str] = ()
) -> tuple[CandidatePlan, list[Finding]]:
    """The copies that test `source` beside what is `live` (of all kinds that the source has, and of COPIED), and every
    reason why they can't be made.

    Copied is what is new or differs, what reads a global parameter that changes, whatever uses one of these, the
    pipelines named in `tested`, and of what these use all that would not be the same otherwise: what reads the release
    folder. Pipelines that only read the release folder and that nothing else concerns are left alone. Raises CycleError
    where the source has a ring.
    """
    planner = _Planner(source, list(live), candidate_id(manifest))
    chosen = planner.choose(tested)
    copies = planner.copies(chosen)
    shared = planner.shared(copies)
    plan = CandidatePlan(
        identity=planner.identity,
        copies=planner.in_levels(copies),
        shared=tuple(tuple(level) for level in levels(graph(shared))),
        left_overs=removals(planner.ours.values(), kept={copy.item.key for copy in copies}),
        notes=tuple(planner.notes()),
    )
    return plan, planner.findings


def removals(live: Iterable[FactoryObject], *, kept: Collection[Key] = ()) -> tuple[FactoryObject, ...]:
    """The candidates' copies among `live`, those of candidates before too, users before what they use."""
    going = [item for item in live if is_candidate(item) and item.key not in kept]
    try:
        ordered = [item for level in reversed(levels(graph(going))) for item in level]
    except CycleError:  # the service takes no rings, and refuses the deletion itself if it has one
        ordered = going
    return tuple(ordered)


class _Planner:
    def __init__(self, source: Source, live: Sequence[FactoryObject], identity: str) -> None:
        self.identity = identity
        self.findings: list[Finding] = []
        self.ours = {item.key: item for item in live if is_candidate(item)}
        self.live = {item.key: item for item in live if item.key not in self.ours}
        # A copy that found its way into an export is nobody's source.
        self.wanted = {item.key: item for item in source.objects if not is_candidate(item)}
        self.graph: Graph = graph(self.wanted.values())
        mapped = {item.key: item for item in (source.objects if source.mapped is None else source.mapped)}
        values = {**source.global_changes, RELEASE_FOLDER: source.folder}
        self.steered: dict[Key, Mapping[str, Any]] = {}
        self.unclear: dict[Key, list[Finding]] = {}
        self.changed: dict[Key, str] = {}
        self.moved: set[Key] = set()
        for key, item in self.wanted.items():
            if item.kind in COPIED:
                self._look_at(item, mapped[key], source.global_changes, values)

    def _look_at(
        self, item: FactoryObject, mapped: FactoryObject, changes: Mapping[str, Any], values: Mapping[str, Any]
    ) -> None:
        key = item.key
        self.steered[key], problems = steer(mapped, values)
        if problems:
            self.unclear[key] = [
                Finding(item.source or str(item), f"{item} {path_text(path)}", text) for path, text in problems
            ]
        found = self.live.get(key)
        if found is None:
            self.changed[key] = "is new"
        elif places := differences(item, found):
            more = f" and {len(places) - 1} more places" if len(places) > 1 else ""
            self.changed[key] = f"changes ({places[0]}{more})"
        elif steer(item, changes)[0] != item.properties:
            self.changed[key] = "reads a global parameter that changes"
        if problems or self.steered[key] != item.properties:
            self.moved.add(key)

    def choose(self, tested: Collection[str]) -> dict[Key, str]:
        """Why each object that is copied is."""
        chosen = dict(self.changed)
        self._spread_to_users(chosen)
        for name in tested:
            key = (Kind.PIPELINES, name.lower())
            if key in self.wanted:
                chosen.setdefault(key, "is to be tested")
            else:
                self.findings.append(Finding("the source", name, "is to be tested, and there is no such pipeline"))
        differing = dict.fromkeys([*self.changed, *self.moved], "")
        self._spread_to_users(differing)
        pending = list(chosen)
        while pending:
            for edge in self.graph.edges[pending.pop()]:
                target = edge.target.key
                if target in differing and target not in chosen:
                    reads = "leads to the release folder" if target in self.moved else "leads to what is copied"
                    chosen[target] = f"{reads}, and {edge.source.name} uses it"
                    pending.append(target)
        for key in chosen:
            self.findings += self.unclear.get(key, ())
        return chosen

    def _spread_to_users(self, chosen: dict[Key, str]) -> None:
        users: dict[Key, list[Key]] = {}
        for key, edges in self.graph.edges.items():
            if key[0] in COPIED:
                for edge in edges:
                    users.setdefault(edge.target.key, []).append(key)
        pending = list(chosen)
        while pending:
            key = pending.pop()
            for user in users.get(key, ()):
                if user not in chosen:
                    chosen[user] = f"uses {self.wanted[key].name}"
                    pending.append(user)

    def copies(self, chosen: Mapping[Key, str]) -> list[Copy]:
        names = {key: candidate_name(key[0], self.wanted[key].name, self.identity) for key in chosen}
        self._check_names(names)
        result = []
        for key, why in chosen.items():
            original = self.wanted[key]
            properties = rename(replace(original, properties=self.steered[key]), names)
            item = FactoryObject(original.kind, names[key], self._marked(original, properties), original.source)
            there = self.ours.get(item.key)
            result.append(Copy(original, item, why, there is not None and not differences(item, there)))
        return result

    def _check_names(self, names: Mapping[Key, str]) -> None:
        taken = {**self.live, **self.wanted}
        for key, name in names.items():
            clash = taken.get((key[0], name.lower()))
            if clash is not None:
                where = clash.source or "the factory"
                text = f"its copy would have the name {name}, which an object has already that is no copy ({where})"
                self.findings.append(Finding(self.wanted[key].source, str(self.wanted[key]), text))

    def _marked(self, original: FactoryObject, properties: Mapping[str, Any]) -> dict[str, Any]:
        folder = "/".join(part for part in (_FOLDER, self.identity, original.folder) if part)
        annotations = properties.get("annotations")
        kept = annotations if isinstance(annotations, list) else []
        return {**properties, "annotations": [*kept, ANNOTATION + self.identity], "folder": {"name": folder}}

    def shared(self, copies: Iterable[Copy]) -> list[FactoryObject]:
        """New objects of the shared kinds that copies need, and that these need."""
        copied = {copy.item.key for copy in copies}
        found: dict[Key, FactoryObject] = {}
        pending = [copy.item for copy in copies]
        while pending:
            item = pending.pop()
            for reference in references(item):
                key = reference.key
                if key in copied or key in self.live or key in found or key in BUILT_IN:
                    continue
                target = self.wanted.get(key)
                if target is None or target.kind not in SHARED:
                    text = f"needs {reference}, which is neither in the source nor in the factory"
                    self.findings.append(Finding(item.source, f"{item} {path_text(reference.path)}", text))
                    continue
                found[key] = target
                pending.append(target)
        return list(found.values())

    def in_levels(self, copies: Sequence[Copy]) -> tuple[tuple[Copy, ...], ...]:
        by_key = {copy.item.key: copy for copy in copies}
        ordered = levels(graph(copy.item for copy in copies))
        return tuple(tuple(by_key[item.key] for item in level) for level in ordered)

    def notes(self) -> list[str]:
        lines = []
        for key, item in self.wanted.items():
            found = self.live.get(key)
            if item.kind in SHARED and found is not None and (places := differences(item, found)):
                lines.append(f"{item} changes ({places[0]}); the candidate uses it as it is live")
        return lines


def steer(item: FactoryObject, values: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[tuple[Place, str]]]:
    """An object's properties with `values` in the place of global parameters, and what could not be followed."""
    if item.kind not in (Kind.PIPELINES, Kind.DATASETS) or not values:
        return item.properties, []
    problems: list[tuple[Place, str]] = []

    def walk(value: Any, place: Place) -> Any:
        if isinstance(value, Mapping):
            skipped = _NOT_EVALUATED if place == ("properties",) else _activity_texts(value)
            return {
                key: part if key in skipped else walk(part, (*place, key))  # keys are never evaluated
                for key, part in value.items()
            }
        if isinstance(value, list):
            return [walk(part, (*place, index)) for index, part in enumerate(value)]
        if not isinstance(value, str) or isinstance(value, Secret):
            return value
        try:
            return substitute(value, values)
        except Unclear as error:
            problems.append((place, str(error)))
            return value

    return walk(item.properties, ("properties",)), problems


def _activity_texts(value: Mapping[str, Any]) -> Collection[str]:
    """An activity's name and description are texts for people; a parameter of those names is none."""
    named = isinstance(value.get("name"), str) and isinstance(value.get("type"), str)
    is_activity = named and ("typeProperties" in value or "dependsOn" in value)
    return ("name", "description") if is_activity else ()


def rename(item: FactoryObject, names: Mapping[Key, str]) -> dict[str, Any]:
    """An object's properties with every reference to an object in `names` (new names by key) led to that name."""
    changed: Any = {"properties": item.properties}
    for reference in references(replace(item, name="")):  # without its name, references to itself count too
        if reference.path and reference.key in names:
            changed = _with(changed, reference.path, names[reference.key])
    found: dict[str, Any] = dict(changed["properties"])
    return found


def _with(value: Any, path: Place, new: Any) -> Any:
    if not path:
        return new
    first, rest = path[0], path[1:]
    if isinstance(value, list):
        return [_with(part, rest, new) if index == first else part for index, part in enumerate(value)]
    return {key: _with(part, rest, new) if key == first else part for key, part in value.items()}
