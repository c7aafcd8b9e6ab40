"""A released environment, and what other people can do beside it before it is removed."""

from __future__ import annotations

import base64
import copy
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from rehearsal.databricks.authentication import DATABRICKS_APPLICATION
from slipway.domain.claim import Claim
from slipway.domain.state import STATE_BLOB, write_state
from tests.faults.project import write_job
from tests.first_hour.first_hour_cloud import FirstHourCloud

THEIRS = 900_003


class RemovalCloud(FirstHourCloud):
    def names(self) -> set[str]:
        """The last names of all groups, resources and locks."""
        kept = self.picture()["resource_manager/resources"].values()
        return {resource["name"].rpartition("/")[2] for resource in kept}

    def of_workspace(self, what: str) -> Any:
        """A collection of the workspace; {} where nothing is in it."""
        return self.picture().get(f"databricks/{self._host}/{what}", {})

    def workspace(self, path: str, body: dict[str, Any]) -> None:
        """A request of the workspace's admin."""
        url = f"https://{self._host}/api/2.0/{path}"
        self._as_admin(DATABRICKS_APPLICATION, "POST", url, json=body)

    def put_resource(self, kind: str, name: str, *, properties: dict[str, Any] | None = None) -> None:
        """Somebody makes a resource in the environment's group."""
        resource = {
            "id": f"{self._group}/providers/{kind}/{name}",
            "type": kind,
            "name": name,
            "location": "westeurope",
            "properties": properties or {"principalId": "nobody", "clientId": "nobody"},
        }
        self._server.call(partial(self._server.azure.world.resources.put, resource))

    def purge_vault(self, name: str) -> None:
        """Somebody purges a vault that was deleted."""
        azure = self.environment.azure
        url = f"https://management.azure.com/subscriptions/{azure.subscription_id}/providers/Microsoft.KeyVault/locations/"
        url += f"{azure.location}/deletedVaults/{name}/purge?api-version=2023-07-01"
        self._as_admin("https://management.azure.com", "POST", url)

    def change_group(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        resources = self._server.azure.world.resources
        found = self._server.call(lambda: resources.get(self._group))
        assert found is not None
        self._server.call(partial(resources.put, change(found)))

    def configure(self, old: str, new: str) -> None:
        """Changes the environment's own file."""
        file = self.root / "config" / "environments" / "dev.yml"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    def add_environment(self, name: str) -> None:
        """Another environment of the same app is in the configuration."""
        folder = self.root / "config" / "environments"
        shutil.copy(folder / "dev.yml", folder / f"{name}.yml")

    def take_out_environment(self, name: str) -> None:
        (self.root / "config" / "environments" / f"{name}.yml").unlink()

    def tag_workspace(self, tags: dict[str, str]) -> None:
        """The workspace and its group have these tags, as if bootstrap had made them."""
        resources = self._server.azure.world.resources
        workspace = str(self.environment.databricks.workspace_resource_id)
        for resource_id in (workspace, workspace.partition("/providers/")[0]):
            found = self._server.call(partial(resources.get, resource_id))
            assert found is not None, resource_id
            self._server.call(partial(resources.put, {**found, "tags": tags}))

    def upload(self, path: str, content: bytes) -> None:
        """Somebody puts a file into the workspace."""
        body = {"path": path, "format": "AUTO", "content": base64.b64encode(content).decode(), "overwrite": True}
        self.workspace("workspace/import", body)

    def hold_claim(self) -> None:
        """Somebody is releasing."""
        now = time.time()
        claim = Claim(
            holder="other", release="9.9", run="run 9", who="Ann", since=now, heartbeat=now, expires=now + 600, number=9
        )
        self.blob(STATE_BLOB, write_state(replace(self.state, claim=claim, fence=9)))

    def adopted_job(self) -> dict[str, Any]:
        """A job of people is adopted; what it was before."""
        write_job(self.root, "nightly")
        identity = f"sp:{self.environment.azure.release_identity.client_id}"

        def theirs(job: dict[str, Any]) -> None:
            job |= {"job_id": THEIRS, "acl": {"user:eve@example.org": "IS_OWNER", identity: "CAN_MANAGE"}}
            job["settings"] |= {"name": "Eve's nightly", "tags": {"team": "eve"}, "timeout_seconds": 77}
            job["settings"]["tasks"][0]["notebook_task"]["notebook_path"] = "/Users/eve@example.org/nightly"

        self.change_job(self.job_id("score"), theirs)
        before = copy.deepcopy(self.jobs()[THEIRS])
        self.done("adopt_job", "--job", "nightly", "--name", "Eve's nightly")
        return before

    @property
    def _group(self) -> str:
        azure = self.environment.azure
        return f"/subscriptions/{azure.subscription_id}/resourceGroups/{azure.resource_group}"
