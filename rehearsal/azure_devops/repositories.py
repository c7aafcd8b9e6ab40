"""Git repositories of the project, by name and id alone: what they hold is this machine's working tree.

API: learn.microsoft.com/rest/api/azure/devops/git/repositories (7.1). A project begins with a repository of its own name.
"""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from rehearsal.azure_devops.call import Call, Operation
from rehearsal.azure_devops.errors import DevOpsError, Json, listed
from rehearsal.azure_devops.identities import derived
from rehearsal.store import Store

MAIN = "refs/heads/main"


class Repositories:
    def __init__(self, store: Store, *, address: str, project: Json) -> None:
        self._kept = store.collection("azure_devops/repositories")
        self._address, self._project = address, project
        if not self._kept:
            self.add(project["name"])

    def add(self, name: str, *, branch: str = MAIN) -> str:
        """The repository's id."""
        key = derived(f"repository {name.lower()}")
        self._kept[key] = {"id": key, "name": name, "branch": branch}
        return key

    def remove(self, key: str) -> None:
        self._kept.pop(key, None)

    def get(self, key: str) -> Json | None:
        """By id or by name."""
        fits = (one for one in self._kept.values() if key.lower() in (one["id"], one["name"].lower()))
        return next(fits, None)

    def all(self) -> list[Json]:
        return list(self._kept.values())

    def operations(self) -> list[Operation]:
        base = "/{organisation}/{project}/_apis/git/repositories"
        return [
            Operation("GET", base, lambda _: listed([self._shown(one) for one in self._kept.values()])),
            Operation("GET", base + "/{id}", self._one),
        ]

    def _one(self, call: Call) -> Response:
        found = self.get(call.path("id"))
        if found is None:
            text = f"TF401019: The Git repository with name or identifier {call.path('id')} does not exist or you do not have "
            raise DevOpsError(
                404, "GitRepositoryNotFoundException", text + "permissions for the operation you are attempting."
            )
        return JSONResponse(self._shown(found))

    def _shown(self, record: Json) -> Json:
        return {
            "id": record["id"],
            "name": record["name"],
            "defaultBranch": record["branch"],
            "isDisabled": False,
            "project": self._project,
            "url": f"{self._address}/git/repositories/{record['id']}",
            "remoteUrl": f"{self._address.removesuffix('/_apis')}/_git/{record['name']}",
        }
