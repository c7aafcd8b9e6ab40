"""Reads a factory's Git folder as Data Factory Studio writes it, and finds every mistake in it at once.

One JSON file per object, in a folder per kind; managed private endpoints lie under their network. Beside them
publish_config.json (what Studio exports) and arm-template-parameters-definition.json (what becomes a parameter):
https://learn.microsoft.com/azure/data-factory/continuous-integration-delivery-resource-manager-custom-parameters
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slipway.domain.factory.expressions import unparsable
from slipway.domain.factory.json_file import Unreadable, locate, parse
from slipway.domain.factory.objects import Factory, FactoryObject, Key, Kind
from slipway.domain.factory.references import CycleError, Edge, Graph, Place, graph, levels, path_text
from slipway.errors import Finding, ReleaseError

DEFINITION = "arm-template-parameters-definition.json"
PUBLISH_CONFIG = "publish_config.json"

FOLDERS = {
    "pipeline": Kind.PIPELINES,
    "dataset": Kind.DATASETS,
    "linkedservice": Kind.LINKED_SERVICES,
    "trigger": Kind.TRIGGERS,
    "integrationruntime": Kind.INTEGRATION_RUNTIMES,
    "dataflow": Kind.DATAFLOWS,
    "managedvirtualnetwork": Kind.MANAGED_VIRTUAL_NETWORKS,
    "credential": Kind.CREDENTIALS,
    "adfcdc": Kind.CHANGE_DATA_CAPTURES,
    "changedatacapture": Kind.CHANGE_DATA_CAPTURES,  # unverified which of the two Studio writes
}
_NOUNS = {
    Kind.PIPELINES: ("pipeline", "pipeline"),
    Kind.DATASETS: ("dataset", "dataset"),
    Kind.LINKED_SERVICES: ("linked service", "linkedService"),
    Kind.TRIGGERS: ("trigger", "trigger"),
    Kind.INTEGRATION_RUNTIMES: ("integration runtime", "integrationRuntime"),
    Kind.DATAFLOWS: ("data flow", "dataflow"),
    Kind.MANAGED_VIRTUAL_NETWORKS: ("managed virtual network", "managedVirtualNetwork"),
    Kind.CREDENTIALS: ("credential", "credential"),
}
_READ_ONLY_IDENTITY = ("principalId", "tenantId")  # the service's answer, not a setting
_NAME_LIMIT = 260  # https://learn.microsoft.com/azure/data-factory/naming-rules


@dataclass(frozen=True)
class GitFolder:
    """A Git folder without mistakes. `definition`: the custom parameter definition, None = Studio's default.
    `include_*`: what publish_config.json says that an export has. `warnings`: what is odd, but not wrong."""

    root: Path
    objects: tuple[FactoryObject, ...]
    graph: Graph
    factories: tuple[Factory, ...] = ()
    definition: Mapping[str, Any] | None = None
    include_factory: bool = False
    include_global_parameters: bool = False
    warnings: tuple[Finding, ...] = ()


def read_git_folder(root: Path) -> GitFolder:
    """Raises ReleaseError with every mistake: JSON, names, duplicates, missing references, rings, expressions."""
    reader = _Reader(root)
    objects = reader.objects()
    factories = reader.factories()
    config = reader.settings(PUBLISH_CONFIG) or {}
    definition = reader.settings(DEFINITION)
    objects.sort(key=lambda item: (list(Kind).index(item.kind), item.name.lower(), item.name))
    reader.check_duplicates(objects)
    relations = graph(objects)
    reader.check_references(relations)
    reader.check_expressions(objects)
    if not objects and not reader.mistakes:
        text = "no object of a data factory is here: no pipeline/, linkedService/, dataset/ … with a JSON file"
        reader.mistakes.append(Finding(str(root), "", text))
    if reader.mistakes:
        count = "one mistake" if len(reader.mistakes) == 1 else f"{len(reader.mistakes)} mistakes"
        reader.mistakes.sort(key=lambda finding: (finding.file, finding.line or 0))
        raise ReleaseError(f"The factory's Git folder {root} has {count}.", reader.mistakes)
    return GitFolder(
        root=root,
        objects=tuple(objects),
        graph=relations,
        factories=tuple(factories),
        definition=definition,
        include_factory=config.get("includeFactoryTemplate") is True,
        include_global_parameters=config.get("includeGlobalParamsTemplate") is True,
        warnings=tuple(reader.warnings),
    )


@dataclass
class _Reader:
    root: Path
    mistakes: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    unread: set[Key] = field(default_factory=set)  # files with mistakes: there, though nobody knows what is in them

    def objects(self) -> list[FactoryObject]:
        found = []
        for path, kind, prefix in self._files():
            data = self._read(path)
            item = None if data is None else self._object(path, kind, prefix, data)
            if item is None:
                self.unread.add((kind, f"{prefix}{path.stem}".lower()))
            else:
                found.append(item)
        return found

    def _files(self) -> Iterator[tuple[Path, Kind, str]]:
        """Each object's file, its kind, and what goes before its name."""
        if not self.root.is_dir():
            raise ReleaseError(f"There is no folder {self.root}.", next_step="Say where the factory's Git folder is.")
        for folder in sorted(self.root.iterdir()):
            kind = FOLDERS.get(folder.name.lower())
            if kind is None or not folder.is_dir():
                continue
            yield from ((path, kind, "") for path in _json_files(folder))
            for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
                if kind is Kind.MANAGED_VIRTUAL_NETWORKS:
                    for endpoints in (
                        path for path in inner.iterdir() if path.name.lower() == "managedprivateendpoint"
                    ):
                        for path in _json_files(endpoints):
                            yield path, Kind.MANAGED_PRIVATE_ENDPOINTS, f"{inner.name}/"
                elif _json_files(inner):
                    self._warn(inner, "is left out: Studio keeps a kind's objects in one folder, without folders in it")

    def factories(self) -> list[Factory]:
        found = []
        for folder in sorted(self.root.iterdir()):
            if folder.name.lower() != "factory" or not folder.is_dir():
                continue
            for path in _json_files(folder):
                data = self._read(path)
                name = None if data is None else self._name(path, data)
                if data is not None and name is not None:
                    found.append(_factory(name, data, path.as_posix()))
        return found

    def settings(self, name: str) -> Mapping[str, Any] | None:
        path = self.root / name
        return self._read(path) if path.is_file() else None

    def _read(self, path: Path) -> dict[str, Any] | None:
        """The file's object; None after noting why there is none."""
        try:
            data, _, twice = parse(path.read_bytes())
        except Unreadable as error:
            self._refuse(path, "", f"column {error.column}: {error}", error.line)
            return None
        except OSError as error:
            self._refuse(path, "", f"can't be read: {error.strerror}")
            return None
        for one in twice:
            text = f"column {one.column}: has the key {one.key!r} twice in one object; the last one counts"
            self.warnings.append(Finding(path.as_posix(), "", text, one.line))
        if not isinstance(data, dict):
            self._refuse(path, "", "column 1: not a JSON object", 1)
            return None
        return data

    def _object(self, path: Path, kind: Kind, prefix: str, data: Mapping[str, Any]) -> FactoryObject | None:
        name = self._name(path, data)
        properties = data.get("properties", {} if kind is Kind.MANAGED_VIRTUAL_NETWORKS else None)
        if not isinstance(properties, dict):
            self._at(path, ("properties",), "must be an object; Studio writes what defines an object under this key")
            return None
        return None if name is None else FactoryObject(kind, prefix + name, properties, path.as_posix())

    def _name(self, path: Path, data: Mapping[str, Any]) -> str | None:
        name = data.get("name")
        problem = name_problem(name)
        if problem is not None or not isinstance(name, str):
            self._at(path, ("name",), problem or "must be a text")
            return None
        if name != path.stem:
            self._warn(
                path, f"has the name {name!r}: Studio gives file and object one name; the name in the file counts"
            )
        return name

    def check_duplicates(self, objects: list[FactoryObject]) -> None:
        first: dict[Key, FactoryObject] = {}
        for item in objects:
            other = first.setdefault(item.key, item)
            if other is not item:
                text = (
                    f"{item.name!r} is also the name in {other.source}; names differ by more than upper and lower case"
                )
                self._at(Path(item.source), ("name",), text)

    def check_expressions(self, objects: list[FactoryObject]) -> None:
        for item in objects:
            for found in unparsable(item):
                if found.certain:
                    self._at(Path(item.source), found.place, str(found))
                else:
                    line, column = self._position(Path(item.source), found.place)
                    text = f"column {column}: {found}"
                    self.warnings.append(Finding(item.source, path_text(found.place), text, line))

    def check_references(self, of: Graph) -> None:
        for missing in of.missing:
            target = missing.reference
            if target.key in self.unread:
                continue
            noun, folder = _NOUNS[target.kind]
            path = self.root / folder / f"{target.name}.json"
            text = f"refers to the {noun} {target.name!r}, and there is no {path.as_posix()}"
            self._at(Path(missing.source.source), target.path, text)
        try:
            levels(of)
        except CycleError as error:
            for ring in error.rings:
                self._at(Path(ring[0].source.source), ring[0].reference.path, self._ring(ring))

    def _ring(self, ring: tuple[Edge, ...]) -> str:
        ends = []
        for edge in ring[1:]:
            line, column = self._position(Path(edge.source.source), edge.reference.path)
            place = path_text(edge.reference.path)
            ends.append(f"{edge.source.source}:{line}: column {column}: {place} needs {edge.target.name!r}")
        names = " -> ".join([*(edge.source.name for edge in ring), ring[0].source.name])
        return f"a ring, which can't be deployed: {names}" + "".join(f"; {end}" for end in ends)

    def _position(self, path: Path, place: Place) -> tuple[int, int]:
        return locate(path.read_bytes().decode("utf-8-sig"), place)

    def _at(self, path: Path, place: Place, text: str) -> None:
        line, column = self._position(path, place)
        self._refuse(path, path_text(place), f"column {column}: {text}", line)

    def _refuse(self, path: Path, place: str, text: str, line: int | None = None) -> None:
        self.mistakes.append(Finding(path.as_posix(), place, text, line))

    def _warn(self, path: Path, text: str) -> None:
        self.warnings.append(Finding(path.as_posix(), "", text))


def name_problem(name: object) -> str | None:
    """Why this can't be an object's name; None if it can. Only what can't be written into a template is refused; the
    service has narrower rules (https://learn.microsoft.com/azure/data-factory/naming-rules), not the same everywhere."""
    if not isinstance(name, str) or not name.strip():
        return "must be a text that is not empty"
    if len(name) > _NAME_LIMIT:
        return f"has {len(name)} characters; at most {_NAME_LIMIT}"
    bad = re.search(r"[/\\\x00-\x1f\x7f\ud800-\udfff]", name)
    return None if bad is None else f"{name!r} has the character {bad.group()!r}, which no name may have"


def _json_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".json" and path.is_file())


def _factory(name: str, data: Mapping[str, Any], source: str) -> Factory:
    identity = data.get("identity")
    identity = dict(identity) if isinstance(identity, Mapping) else {}
    for key in _READ_ONLY_IDENTITY:
        identity.pop(key, None)
    if isinstance(identity.get("userAssignedIdentities"), Mapping):
        identity["userAssignedIdentities"] = {resource: {} for resource in identity["userAssignedIdentities"]}
    location, properties = data.get("location"), data.get("properties")
    return Factory(
        name=name,
        location=location if isinstance(location, str) else "",
        identity=identity,
        properties=properties if isinstance(properties, Mapping) else {},
        source=source,
    )
