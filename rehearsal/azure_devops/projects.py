"""The organisation and its one project; who a caller is; and where clients find which API.

API: learn.microsoft.com/rest/api/azure/devops/core/projects (7.1). connectionData, resourceAreas and OPTIONS are as Microsoft's
own client asks for them (azure-devops 7.1.0b4, connection.py, client.py), which finds every address through them.
"""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from rehearsal.azure_devops.call import Call, Operation
from rehearsal.azure_devops.errors import DevOpsError, Json, listed
from rehearsal.azure_devops.identities import READ
from rehearsal.azure_devops.locations import AREAS, LOCATIONS

NOT_THERE = (
    "TF200016: The following project does not exist: {}. Verify that the name of the project is correct and that the project "
    "exists on the specified Azure DevOps Server."
)


class Projects:
    def __init__(self, *, organisation: str, organisation_id: str, project: Json) -> None:
        self._organisation, self._organisation_id, self._project = organisation, organisation_id, project

    def is_project(self, text: str) -> bool:
        return text.lower() in (self._project["name"].lower(), self._project["id"])

    def operations(self) -> list[Operation]:
        base = "/{organisation}/_apis"
        return [
            Operation("OPTIONS", base, lambda _: listed(LOCATIONS)),
            Operation("GET", base + "/resourceAreas", self._areas),
            Operation("GET", base + "/connectionData", self._who, preview=True),
            Operation("GET", base + "/projects", self._list),
            Operation("GET", base + "/projects/{id}", self._one),
        ]

    def _list(self, call: Call) -> Response:
        return listed([self._project] if call.caller.may(READ) else [])

    def _one(self, call: Call) -> Response:
        if not self.is_project(call.path("id")) or not call.caller.may(READ):
            raise DevOpsError(404, "ProjectDoesNotExistWithNameException", NOT_THERE.format(call.path("id")))
        return JSONResponse(self._project)

    def _who(self, call: Call) -> Response:
        user = {"id": call.caller.id, "providerDisplayName": call.caller.name, "isActive": True}
        return JSONResponse(
            {
                "authenticatedUser": user,
                "authorizedUser": user,
                "instanceId": self._organisation_id,
                "deploymentType": "hosted",
            }
        )

    def _areas(self, _: Call) -> Response:
        hosts = {"dev": f"https://dev.azure.com/{self._organisation}/"}
        hosts["vssps"] = f"https://vssps.dev.azure.com/{self._organisation}/"
        return listed([{"id": key, "name": name, "locationUrl": hosts[host]} for key, name, host in AREAS])
