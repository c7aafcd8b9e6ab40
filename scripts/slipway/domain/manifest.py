"""The manifest of a slot: what it holds, exactly. Written last, taken away first; its own hash names the candidate."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from slipway.domain.codec import from_bytes, to_bytes
from slipway.domain.slot import Kind, Slot, SlotFile


@dataclass(frozen=True, kw_only=True)
class ManifestFile:
    sha256: str
    size: int
    kind: Kind
    language: str | None = None


@dataclass(frozen=True, kw_only=True)
class Manifest:
    app: str
    environment: str
    slot: Slot
    version: str
    commit: str
    files: Mapping[str, ManifestFile]
    format: Literal[1] = 1


def make_manifest(
    *, app: str, environment: str, slot: Slot, version: str, commit: str, files: list[SlotFile]
) -> tuple[bytes, str]:
    """The manifest's bytes and the manifest hash (SHA-256 of the bytes, hexadecimal)."""
    manifest = Manifest(
        app=app,
        environment=environment,
        slot=slot,
        version=version,
        commit=commit,
        files={
            file.path: ManifestFile(sha256=file.sha256, size=file.size, kind=file.kind, language=file.language)
            for file in files
        },
    )
    data = to_bytes(manifest)
    return data, sha256(data)


def candidate_prefix(manifest: str) -> str:
    """Below which the test of a candidate writes: its own, by the manifest hash."""
    return f"candidate/{manifest[:16]}"


def read_manifest(data: bytes) -> Manifest:
    """Raises codec.Damaged."""
    return from_bytes(Manifest, data)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
