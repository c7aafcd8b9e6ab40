"""What the stand-ins remember, in one SQLite file, so that a second rehearsal finds the first one's work.

Everything is JSON in named collections. A write is durable when the call returns: a killed rehearsal loses nothing that a
client was told. Only the server's event loop may use a store; it is not safe to share between threads.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

Json = Any


class DamagedStore(Exception):
    """The file is there and is not a readable store."""


class Store:
    """A folder of collections kept in one SQLite file; in memory, and gone at the end, without a path.

    Raises DamagedStore when the file exists and cannot be read.
    """

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)  # keys and secrets of the stand-ins stand in it
        try:
            self._database = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS documents (collection TEXT, key TEXT, value TEXT, PRIMARY KEY (collection, key))"
            )
            if self._database.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                raise DamagedStore(f"{path} is damaged")
        except sqlite3.DatabaseError as error:
            raise DamagedStore(f"{path} is damaged: {error}") from error
        self._collections: dict[str, Collection] = {}

    def collection(self, name: str) -> Collection:
        """The collection of that name, made when it is not there; asking twice gives the same object."""
        if name not in self._collections:
            self._collections[name] = Collection(self._database, name)
        return self._collections[name]

    def next_id(self, sequence: str, first: int = 1) -> int:
        """The next number of a sequence; never the same one twice, also after a restart."""
        sequences = self.collection("store/sequences")
        number = int(sequences.get(sequence, first - 1)) + 1
        sequences[sequence] = number
        return number

    def close(self) -> None:
        self._database.close()


class Collection(MutableMapping[str, Json]):
    """JSON documents by key, in order of their first write. What is read is a copy: assign it back to change it."""

    def __init__(self, database: sqlite3.Connection, name: str) -> None:
        self._database = database
        self._name = name
        rows = database.execute("SELECT key, value FROM documents WHERE collection = ? ORDER BY rowid", (name,))
        self._documents: dict[str, str] = dict(rows.fetchall())

    def __getitem__(self, key: str) -> Json:
        return json.loads(self._documents[key])

    def __setitem__(self, key: str, value: Json) -> None:
        text = json.dumps(value)
        self._database.execute(
            "INSERT INTO documents VALUES (?, ?, ?) ON CONFLICT (collection, key) DO UPDATE SET value = excluded.value",
            (self._name, key, text),
        )
        self._documents[key] = text

    def __delitem__(self, key: str) -> None:
        del self._documents[key]
        self._database.execute("DELETE FROM documents WHERE collection = ? AND key = ?", (self._name, key))

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._documents))

    def __len__(self) -> int:
        return len(self._documents)
