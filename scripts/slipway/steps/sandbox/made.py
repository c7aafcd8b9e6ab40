"""What a sandbox holds as a slot does and no file of the checkout is: the library's wheel, config/environment.json."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

from slipway.domain.codec import canonical
from slipway.domain.release import hash_file
from slipway.domain.slot import ENVIRONMENT
from slipway.steps.build_release import build_wheels
from slipway.steps.sandbox.place import Place
from slipway.steps.sandbox.reading import LIBRARY, Here, add_made, digest_of_tree

NAME = "sandbox"
"""What notebooks read as their slot and version here."""


def make(place: Place, here: Here, scratch: Path) -> str:
    """Adds them to `here`; the wheel is built in `scratch`, and only where the library's sources changed since the last sync.
    Returns the digest of these sources. Raises ReleaseError where the wheel can't be built."""
    environment = place.context.environment
    values = {**environment.notebooks, "app": environment.app, "environment": environment.name}
    data = canonical({**values, "version": NAME, "slot": NAME})
    add_made(here, ENVIRONMENT, lambda: data, hashlib.sha256(data).hexdigest(), len(data))
    return _add_wheels(place, here, scratch)


def _add_wheels(place: Place, here: Here, scratch: Path) -> str:
    library, folder = place.root / LIBRARY, place.context.arguments.wheel
    sources = digest_of_tree(library) if (library / "pyproject.toml").is_file() and folder is None else ""
    known = {key: pair.here for key, pair in place.record.objects.items() if key.startswith(f"{LIBRARY}/")}
    if sources and sources == place.record.library and known:
        for key, item in known.items():
            name = key.removeprefix(f"{LIBRARY}/")
            add_made(here, key, partial(_wheel, place, scratch, name), item.digest, item.size)
        return sources
    for name, path in _built(place, scratch).items():
        hashed = hash_file(path)
        add_made(here, f"{LIBRARY}/{name}", partial(Path, path), hashed.sha256, hashed.size)
    return sources


def _wheel(place: Place, scratch: Path, name: str) -> Path:
    return _built(place, scratch)[name]


def _built(place: Place, scratch: Path) -> dict[str, Path]:
    found = {path.name: path for path in scratch.glob("*.whl")}
    if not found:
        wheels = build_wheels(place.log, place.root, place.context.arguments.wheel, scratch)
        found = {path.name: path for path in wheels}
    return found
