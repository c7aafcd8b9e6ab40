"""A developer's own folder in a workspace, and the checkout that it is kept in step with: the three-way comparison.

A key is an object's path in the workspace, relative to the folder (`notebooks/score`, `library/x.whl`). For each key there is what
lies here, what lies there, and what both were at the last sync, as far as this checkout took part in it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from slipway.domain.codec import from_bytes, to_bytes
from slipway.domain.notebook import COMMENTS, HEADERS, notebook_language
from slipway.domain.sandbox_names import folded, folders_of
from slipway.domain.slot import Kind

Outcome = Literal["same", "here", "there", "conflict"]

_MADE = ("library/", "config/")


@dataclass(frozen=True, kw_only=True)
class Item:
    """One object on one side. `digest` is of its comparable content; a notebook has a language."""

    kind: Kind
    digest: str
    size: int
    language: str | None = None

    def same_as(self, other: Item | None) -> bool:
        return other is not None and self._compared == other._compared

    @property
    def _compared(self) -> tuple[str, str, str | None]:
        return self.kind, self.digest, self.language


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Both sides as they were when they were last brought into step. They may differ in what the service makes of white space.

    `path`: the file here, relative to the checkout; "" for what is made. `modified_at`: what the service said of it before it was
    read (milliseconds)."""

    here: Item
    there: Item
    path: str
    modified_at: int | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """What one checkout knows of its last sync with one folder. `library`: digest of the sources that the wheel was built from."""

    host: str
    folder: str
    objects: Mapping[str, Pair] = field(default_factory=dict)
    library: str = ""
    format: Literal[1] = 1


def write_record(record: Record) -> bytes:
    return to_bytes(record)


def read_record(data: bytes) -> Record:
    """Raises codec.Damaged."""
    return from_bytes(Record, data)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One key: what is here, what is there, what both were."""

    key: str
    here: Item | None
    there: Item | None
    before: Pair | None

    @property
    def outcome(self) -> Outcome:
        """Who changed it since the last sync. Never synced is: it was nowhere."""
        if self.here is None and self.there is None:
            return "same"
        if self.here is not None and self.here.same_as(self.there):
            return "same"
        changed_here = not _unchanged(self.here, self.before.here if self.before else None)
        changed_there = not _unchanged(self.there, self.before.there if self.before else None)
        if changed_here and changed_there:
            return "conflict"
        if changed_here or changed_there:
            return "here" if changed_here else "there"
        return "same"


def _unchanged(now: Item | None, before: Item | None) -> bool:
    return now is None if before is None else before.same_as(now)


def compare(
    here: Mapping[str, Item], there: Mapping[str, Item], before: Mapping[str, Pair], without: Iterable[str] = ()
) -> dict[str, Comparison]:
    """Every key of either side or of the record, but those `without`."""
    keys = {*here, *there, *before} - {*without}
    return {
        key: Comparison(key=key, here=here.get(key), there=there.get(key), before=before.get(key))
        for key in sorted(keys)
    }


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one direction does. `write` and `delete` change the target side; `replaces` maps a key that is written to one whose
    deletion must come before. `waiting`: only the target side changed, which is the other direction's work."""

    write: tuple[str, ...]
    delete: tuple[str, ...]
    conflicts: tuple[str, ...]
    waiting: tuple[str, ...]
    same: tuple[str, ...]
    replaces: Mapping[str, str] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        return bool(self.write or self.delete)


def plan(
    comparisons: Mapping[str, Comparison],
    source: Literal["here", "there"],
    *,
    forced: Iterable[str] = (),
    replaces: Mapping[str, str] | None = None,
) -> Plan:
    """What brings the changes of `source` to the other side. Of keys that both changed, only those `forced` are overwritten."""
    forced = {*forced}
    sorted_out: dict[str, list[str]] = {name: [] for name in ("write", "delete", "conflicts", "waiting", "same")}
    for key, one in sorted(comparisons.items()):
        if one.outcome == "same":
            sorted_out["same"].append(key)
        elif one.outcome == source or (one.outcome == "conflict" and key in forced):
            there_is = one.here if source == "here" else one.there
            sorted_out["delete" if there_is is None else "write"].append(key)
        else:
            sorted_out["conflicts" if one.outcome == "conflict" else "waiting"].append(key)
    lists = {name: tuple(keys) for name, keys in sorted_out.items()}
    kept = {new: old for new, old in (replaces or {}).items() if new in lists["write"] and old in lists["delete"]}
    return Plan(**lists, replaces=kept)


def refreshed(
    objects: Mapping[str, Pair],
    comparisons: Mapping[str, Comparison],
    paths: Mapping[str, str],
    times: Mapping[str, int | None],
) -> dict[str, Pair]:
    """A record's objects, with what is in step now, and with the times of what was read again and had not changed. What was
    changed on a side stays as it was recorded, until it is brought over."""
    kept = dict(objects)
    for key, one in comparisons.items():
        if one.outcome == "same":
            kept.pop(key, None)
            if one.here is not None and one.there is not None:
                path = "" if is_made(key) else paths[key]
                kept[key] = Pair(here=one.here, there=one.there, path=path, modified_at=times.get(key))
        elif one.before is not None and one.before.there.same_as(one.there):
            kept[key] = replace(one.before, modified_at=times.get(key))
    return kept


def is_made(key: str) -> bool:
    """Whether the object is made from the checkout, and is no file of it: the wheel, the environment's values."""
    return key.startswith(_MADE)


def local_path(key: str, item: Item, known: str = "") -> str:
    """The file that an object of the workspace is here. `known`: the file that it has been, which keeps its own extension."""
    if item.kind == "file":
        return key
    endings = [ending for ending, (language, _) in HEADERS.items() if language == item.language]
    stem, dot, extension = known.rpartition(".")
    if stem == key and f"{dot}{extension}".lower() in endings:
        return known
    return key + endings[0]


@dataclass(frozen=True, kw_only=True)
class Clashes:
    """Keys that can't both be there: `stuck` -> the other; `replaces`: one that takes the other's place, on the side named."""

    stuck: Mapping[str, str]
    replaces: Mapping[str, str]


def clashes(comparisons: Mapping[str, Comparison], paths: Mapping[str, str]) -> Clashes:
    """Keys that are one name, here or in the workspace, but for their case, or where one is a folder of the other's path.

    `paths`: each key's file here. A key that only one side has yet, and one that this side has removed and the other has left as
    it was, are a replacement: a notebook that became a file, a name in another case.
    """
    by_name: dict[str, list[str]] = {}
    for key in comparisons:
        if key in paths:
            for name in dict.fromkeys((folded(paths[key]), folded(key))):
                by_name.setdefault(name, []).append(key)
    stuck: dict[str, str] = {}
    replaces: dict[str, str] = {}
    for keys in by_name.values():
        if len(keys) == 2 and (pair := _replacement(comparisons, keys[0], keys[1])):
            replaces[pair[0]] = pair[1]
        elif len(keys) > 1:
            stuck |= {key: keys[1 if key == keys[0] else 0] for key in keys}
    for name, keys in by_name.items():
        for above in folders_of(name):
            for other in by_name.get(above, ()):
                stuck |= dict.fromkeys(keys, other) | {other: keys[0]}
    return Clashes(stuck=stuck, replaces=replaces)


def _replacement(comparisons: Mapping[str, Comparison], one: str, other: str) -> tuple[str, str] | None:
    for new, old in ((comparisons[one], comparisons[other]), (comparisons[other], comparisons[one])):
        for side in ("here", "there"):
            came, gone = (new.here, old.here) if side == "here" else (new.there, old.there)
            if came is not None and gone is None and new.outcome == side and old.outcome == side:
                return new.key, old.key
    return None


def comparable(kind: Kind, language: str | None, data: bytes) -> bytes:
    """A file's bytes; a notebook's without what the service may write otherwise: line ends, blank lines around cells.

    The service keeps a notebook as cells, and writes a blank line before and after each line that parts them. White space
    inside a cell counts: in Python it means something.
    """
    if kind == "file":
        return data
    mark = COMMENTS[language or "PYTHON"].encode()
    text = data.replace(b"\r\n", b"\n")
    first, _, rest = text.partition(b"\n")
    if first.rstrip() == mark + b" Databricks notebook source":
        text = rest
    cells = re.split(rb"^" + re.escape(mark) + rb" COMMAND ----------[ \t]*$", text, flags=re.MULTILINE)
    return (b"\n" + mark + b" COMMAND ----------\n").join(cell.strip(b"\n") for cell in cells)


def item_of(kind: Kind, language: str | None, data: bytes) -> Item:
    digest = hashlib.sha256(comparable(kind, language, data)).hexdigest()
    return Item(kind=kind, digest=digest, size=len(data), language=language)


def as_local(language: str, data: bytes) -> bytes:
    """An exported notebook as a file here: with the header by which it is known as one, and one line end at its end."""
    header = f"{COMMENTS[language]} Databricks notebook source".encode()
    if data.split(b"\n", 1)[0].rstrip(b"\r") != header:
        data = header + b"\n" + data
    return data.rstrip(b"\r\n") + b"\n"


def reads_as_notebook(key: str, data: bytes) -> bool:
    """Whether a workspace *file* would be taken for a notebook, once it lies here."""
    return notebook_language(key, data[:64]) is not None
