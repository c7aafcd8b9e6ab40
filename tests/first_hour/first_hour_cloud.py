"""A local Azure in which nothing of an environment is there yet, and which goes back to that, whole."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import requests

from slipway.domain.state import STATE_BLOB
from tests.faults.agents import Agent
from tests.faults.cloud import Cloud, Outcome

NOWHERE = "00000000-0000-0000-0000-000000000000"
_KEPT = ("databricks/", "data_factory/", "resource_manager/", "entra/", "key_vault/", "storage/", "store/")
_AZURITES = "storage/deployed_containers"  # what Azurite has, which stays as it is
_READING = ("/oauth2/", "/whatIf", "/checkNameAvailability", "/validate", "/listKeys")
# What says when or by which request something came to be.
_VOLATILE = ("created", "effective", "updated", "time", "etag", "version", "changed", "modified", "deleted", "purge")


@dataclass(frozen=True)
class Place:
    """Everything that there is, to be put back later."""

    documents: Mapping[str, Mapping[str, Any]]
    files: Path
    config: Path
    state: bytes | None


class FirstHourCloud(Cloud):
    """The configuration does not know the identity's ids yet: it has zeros in their place."""

    def __enter__(self) -> Self:
        self._server.start()
        self.agent, self.other = Agent(self.folder / "agent"), Agent(self.folder / "other agent")
        self._pipeline = self._sign_in()
        self._admin = next(iter(self._server.azure.admins.values())).variables()
        defaults = self.root / "config" / "defaults.yml"
        identity = self.environment.azure.release_identity
        text = defaults.read_text(encoding="utf-8")
        for known in (identity.client_id, identity.object_id):
            text = text.replace(known, NOWHERE)
        defaults.write_text(text, encoding="utf-8")
        return self

    def as_admin(self, name: str, *arguments: str) -> Outcome:
        """A step, by the platform's admin."""
        self._server.call(self._server.azure.gateway.log.recent.clear)
        return self.run(name, *arguments, variables=self._admin)

    def forget_workspace(self) -> None:
        """There is no workspace any more, and its address answers nobody."""
        resource = self.environment.databricks.workspace_resource_id
        assert resource is not None
        azure = self._server.azure
        self._server.call(partial(azure.world.resources.delete, resource))
        self._server.call(partial(azure.workspaces.remove, self._host))

    def writes(self) -> list[str]:
        """What the last step sent that may change something: method and path."""
        log = self._server.azure.gateway.log
        recent = self._server.call(lambda: list(log.recent))
        return [
            f"{one['method']} {one['path']}"
            for one in recent
            if one["method"] not in ("GET", "HEAD") and not any(word in one["path"] for word in _READING)
        ]

    # -- going back ------------------------------------------------------------------------------------------------

    def keep(self) -> Place:
        kept = self.folder / "places" / str(time.monotonic_ns())
        if self._files.exists():
            shutil.copytree(self._files, kept / "files")
        shutil.copytree(self.root / "config", kept / "config")
        state = None
        with suppress(requests.HTTPError):  # there is no state before the first release
            state = self.blob(STATE_BLOB)
        return Place(self._server.call(self._documents), kept / "files", kept / "config", state)

    def go_back(self, place: Place) -> None:
        self.mend()

        def put_back() -> None:
            store, workspaces = self._server.azure.world.store, self._server.azure.workspaces
            for name in self._documents():
                wanted, collection = place.documents.get(name, {}), store.collection(name)
                for key in [key for key in collection if key not in wanted]:
                    del collection[key]
                for key, value in wanted.items():
                    collection[key] = value
            shutil.rmtree(self._files, ignore_errors=True)
            if place.files.exists():
                shutil.copytree(place.files, self._files)
            workspaces._open.clear()
            roles, resources = self._server.azure.world.roles, self._server.azure.world.resources
            for cached, kept in ((roles._assignments, roles._records), (roles._ghosts, roles._removed)):
                cached.clear()
                cached.update({key: kept[key] for key in kept})
            resources._by_name.clear()
            for key in resources._resources:
                resources._index(resources._resources[key])

        self._server.call(put_back)
        shutil.rmtree(self.root / "config")
        shutil.copytree(place.config, self.root / "config")
        if place.state is not None:
            self.blob(STATE_BLOB, place.state)

    def _documents(self) -> dict[str, dict[str, Any]]:
        collections = self._server.azure.world.store._collections
        return {name: dict(kept) for name, kept in collections.items() if name.startswith(_KEPT) and name != _AZURITES}

    # -- looking ---------------------------------------------------------------------------------------------------

    def picture(self) -> dict[str, Any]:
        """What there is, without when it came to be and the histories: equal for two ways that lead to the same."""
        documents = self._server.call(self._documents)
        left_out = ("resource_manager/deployment", "resource_manager/later", "entra/keys", "entra/issuers", "store/")
        shown = {name: _still(kept) for name, kept in documents.items() if not name.startswith(left_out) and kept}
        config = (self.root / "config" / "defaults.yml").read_text(encoding="utf-8")
        tree = sorted(str(path.relative_to(self._files)) for path in self._files.rglob("*") if path.is_dir())
        return {**shown, "config": config, "folders": tree}


def _still(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _still(one) for key, one in value.items() if not any(word in key.lower() for word in _VOLATILE)}
    return [_still(one) for one in value] if isinstance(value, list) else value
