"""Typed access to the keys of one YAML mapping; what is wrong is gathered, so that one look finds everything."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from rehearsal.pipelines.expressions.values import parse_number
from rehearsal.pipelines.schema_kinds import BOOLEANS
from rehearsal.pipelines.yaml_nodes import Mapping, Node, PipelineError, Position, Scalar, Sequence


class Fields:
    """The keys of a mapping. Every wrong one goes to `errors`, and a default is returned in its place."""

    def __init__(self, node: Mapping, errors: list[PipelineError]) -> None:
        self.node = node
        self._errors = errors

    @property
    def position(self) -> Position:
        return self.node.position

    def allow(self, known: Collection[str]) -> None:
        """Report keys that are not `known`: the schema let them through, so they exist in Azure Pipelines, and not here."""
        for key, _ in self.node.pairs:
            if key.text not in known:
                self.wrong(key.position, f"This rehearsal has no '{key.text}'")

    def wrong(self, position: Position, message: str) -> None:
        self._errors.append(PipelineError(position, message))

    def names(self) -> list[str]:
        return self.node.keys()

    def has(self, key: str) -> bool:
        return self.node.get(key) is not None

    def at(self, key: str) -> Position:
        """Where a key's value stands; where the mapping stands when the key is not there."""
        value = self.node.get(key)
        return value.position if value is not None else self.position

    def text(self, key: str, default: str = "") -> str:
        value = self.node.get(key)
        if value is None:
            return default
        if not isinstance(value, Scalar):
            self.wrong(value.position, f"'{key}' must be text")
            return default
        return value.text

    def boolean(self, key: str, default: bool) -> bool:
        text = self.text(key).strip().lower()
        if text and text not in BOOLEANS:
            self._known_later(key, text)
        return default if text not in BOOLEANS else text in BOOLEANS[: len(BOOLEANS) // 2]

    def number(self, key: str, default: float) -> float:
        text = self.text(key).strip()
        if not text:
            return default
        number = parse_number(text)
        if number is None or number < 0:
            self._known_later(key, text)
            return default
        return float(number)

    def _known_later(self, key: str, text: str) -> None:
        """The schema lets nothing else through but what becomes known while a run goes on."""
        self.wrong(self.at(key), f"This rehearsal has no '{text}' for '{key}': the value must be known before the run")

    def texts(self, key: str) -> tuple[str, ...] | None:
        """One text or a sequence of them; None when the key is not there."""
        match self.node.get(key):
            case None:
                return None
            case Scalar() as one:
                return (one.text,) if one.text else ()
            case Sequence(items):
                for item in items:
                    if not isinstance(item, Scalar):
                        self.wrong(item.position, f"'{key}' holds texts only")
                return tuple(item.text for item in items if isinstance(item, Scalar))
            case other:
                self.wrong(other.position, f"'{key}' must be text or a sequence of texts")
                return ()

    def named_texts(self, key: str) -> dict[str, str]:
        """A mapping of texts."""
        texts: dict[str, str] = {}
        for name, value in self._pairs(key):
            if isinstance(value, Scalar):
                texts[name.text] = value.text
            else:
                self.wrong(value.position, f"'{name.text}' must be text")
        return texts

    def _pairs(self, key: str) -> tuple[tuple[Scalar, Node], ...]:
        match self.node.get(key):
            case None | Scalar(None | ""):
                return ()
            case Mapping(pairs):
                return pairs
            case other:
                self.wrong(other.position, f"'{key}' must be a mapping")
                return ()

    def fields(self, key: str) -> Fields | None:
        """A mapping inside this one; None when it is not there or is no mapping."""
        match self.node.get(key):
            case None:
                return None
            case Mapping() as inner:
                return Fields(inner, self._errors)
            case other:
                self.wrong(other.position, f"'{key}' must be a mapping")
                return None

    def each(self, key: str) -> Iterator[Fields]:
        """The mappings of a sequence."""
        match self.node.get(key):
            case None:
                return
            case Sequence(items):
                for item in items:
                    if isinstance(item, Mapping):
                        yield Fields(item, self._errors)
                    else:
                        self.wrong(item.position, f"'{key}' holds mappings only")
            case other:
                self.wrong(other.position, f"'{key}' must be a sequence")
