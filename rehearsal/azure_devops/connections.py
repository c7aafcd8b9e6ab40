"""Service connections (the API calls them endpoints): kept, shown, and what a job's token says of one.

API: learn.microsoft.com/rest/api/azure/devops/serviceendpoint/endpoints (7.1); bodies as terraform-provider-azuredevops sends
them. Issuer and subject: a connection made since the end of 2025 trusts Microsoft Entra ID's own issuer, an older one that of
Azure DevOps, which retires on 2027-07-01 (learn.microsoft.com/azure/devops/pipelines/release/convert-service-connections;
terraform-provider-azuredevops issue 1361).
"""

from __future__ import annotations

import base64
import uuid
from typing import Any

from starlette.responses import JSONResponse, Response

from rehearsal.azure_devops.call import Call, Operation
from rehearsal.azure_devops.errors import DevOpsError, Json, as_object, listed, missing_property
from rehearsal.azure_devops.identities import CREATE_CONNECTIONS, MANAGE_CONNECTIONS, SEE_CONNECTIONS, derived
from rehearsal.store import Store

AZURE_DEVOPS_APP = "499b84ac-1321-427f-aa17-267ca6975798"
WIF, SECRET = "WorkloadIdentityFederation", "ServicePrincipal"
_SCHEMES = (WIF, SECRET)
_HIDDEN = ("serviceprincipalkey", "servicePrincipalCertificate")


class Connections:
    """Every service connection of the project, by id; what a client wrote, and what the service adds."""

    def __init__(self, store: Store, *, organisation: str, organisation_id: str, project: str, project_id: str) -> None:
        self._store = store
        self._kept = store.collection("azure_devops/connections")
        self._organisation, self._organisation_id = organisation, organisation_id
        self._project, self._project_id = project, project_id
        self.older_issuer = f"https://vstoken.dev.azure.com/{organisation_id}"

    def add(self, body: Json, *, key: str | None = None, older: bool = False, owner: str = "") -> Json:
        """Keeps a connection as the service does; the record. `older`: with the issuer of before."""
        name = str(body["name"])
        # The first of a name has the same id in every rehearsal; one that is made again has another, as in the service.
        known = self._store.next_id(f"azure_devops/connection {name.lower()}")
        key = key or derived(f"connection {name.lower()} {known}")
        record = {**body, "id": key, "isReady": True, "isShared": False, "owner": "Library", "creator": owner}
        authorization = dict(record["authorization"])
        parameters = dict(authorization.get("parameters") or {})
        if authorization["scheme"] == WIF:
            issuer, subject = self._federation(key, name, str(parameters["tenantid"]), older=older)
            parameters |= {"workloadIdentityFederationIssuer": issuer, "workloadIdentityFederationSubject": subject}
        record["authorization"] = {**authorization, "parameters": parameters}
        self._kept[key] = record
        return record

    def _federation(self, key: str, name: str, tenant: str, *, older: bool) -> tuple[str, str]:
        if older:
            return self.older_issuer, f"sc://{self._organisation}/{self._project}/{name}"
        # Unverified where the organisation belongs to another tenant than the connection.
        subject = f"/eid1/c/pub/t/{_short(tenant)}/a/{_short(AZURE_DEVOPS_APP)}/sc/{self._organisation_id}/{key}"
        return f"https://login.microsoftonline.com/{tenant}/v2.0", subject

    def get(self, key: str) -> Json | None:
        found: Json | None = self._kept.get(key.lower())
        return found

    def by_name(self, name: str) -> Json | None:
        return next((one for one in self._kept.values() if one["name"].lower() == name.lower()), None)

    def all(self) -> list[Json]:
        return list(self._kept.values())

    def remove(self, key: str) -> None:
        self._kept.pop(key, None)

    def change(self, key: str, **changes: Any) -> None:
        self._kept[key] = {**self._kept[key], **changes}

    # The API

    def operations(self) -> list[Operation]:
        whole, project = "/{organisation}/_apis", "/{organisation}/{project}/_apis"
        return [
            Operation("GET", project + "/serviceendpoint/endpoints", self._list),
            Operation("GET", project + "/serviceendpoint/endpoints/{id}", self._one),
            Operation("POST", whole + "/serviceendpoint/endpoints", self._create),
            Operation("PUT", whole + "/serviceendpoint/endpoints/{id}", self._update),
            Operation("DELETE", whole + "/serviceendpoint/endpoints/{id}", self._delete),
        ]

    def _seen(self, call: Call) -> list[Json]:
        """A connection shows itself only to whoever may use it; to others it is not there."""
        if call.caller.may(SEE_CONNECTIONS):
            return self.all()
        return [one for one in self.all() if one["creator"] == call.caller.id]

    def _list(self, call: Call) -> Response:
        names = {name.lower() for name in (call.query("endpointNames") or "").split(",") if name}
        ids = {key.lower() for key in (call.query("endpointIds") or "").split(",") if key}
        kind = (call.query("type") or "").lower()
        found = [
            self._shown(one)
            for one in self._seen(call)
            if (not names or one["name"].lower() in names)
            and (not ids or one["id"] in ids)
            and kind in ("", one["type"].lower())
        ]
        return listed(found)

    def _one(self, call: Call) -> Response:
        found = next((one for one in self._seen(call) if one["id"] == call.path("id").lower()), None)
        return JSONResponse(None if found is None else self._shown(found))  # null, and 200: so it is in the service

    def _create(self, call: Call) -> Response:
        body = self._checked(call.body)
        if not call.caller.may(CREATE_CONNECTIONS):
            text = "You do not have permission to create a service connection. You need to be a Creator for service "
            raise call.refuse(text + "connections in this project.")
        name = body["name"]
        if self.by_name(name) is not None:
            text = f"Service connection with name {name} already exists. Only a user having Administrator/User role "
            text += f"permissions on service connection {name} can see it."
            raise DevOpsError(409, "DuplicateServiceConnectionException", text)
        return JSONResponse(self._shown(self.add(body, owner=call.caller.id)))

    def _update(self, call: Call) -> Response:
        record = self._managed(call)
        body = self._checked(call.body)
        parameters = {**body["authorization"]["parameters"]}
        kept = record["authorization"]["parameters"]
        # A value that comes back hidden stays as it was; issuer and subject are the service's.
        for key, value in kept.items():
            if key.startswith("workloadIdentityFederation") or (key in _HIDDEN and parameters.get(key) is None):
                parameters[key] = value
        moved = str(parameters["tenantid"]).lower() != str(kept.get("tenantid")).lower()
        if moved and kept.get("workloadIdentityFederationIssuer") not in (None, self.older_issuer):  # unverified
            issuer, subject = self._federation(record["id"], record["name"], str(parameters["tenantid"]), older=False)
            parameters |= {"workloadIdentityFederationIssuer": issuer, "workloadIdentityFederationSubject": subject}
        changed = {**record, **body, "authorization": {**body["authorization"], "parameters": parameters}}
        self._kept[record["id"]] = {**changed, "id": record["id"], "creator": record["creator"]}
        return JSONResponse(self._shown(self._kept[record["id"]]))

    def _delete(self, call: Call) -> Response:
        if not call.query("projectIds"):
            raise missing_property("projectIds")
        self.remove(self._managed(call)["id"])
        return Response(status_code=204)

    def _managed(self, call: Call) -> Json:
        key = call.path("id").lower()
        record = next((one for one in self._seen(call) if one["id"] == key), None)
        if record is None:
            text = f"Unable to find service connection with id {key}, or you do not have permission to see it."
            raise DevOpsError(404, "ServiceEndpointNotFoundException", text)
        if not call.caller.may(MANAGE_CONNECTIONS) and record["creator"] != call.caller.id:
            raise call.refuse("You do not have permissions to edit this service connection.")
        return record

    def _checked(self, body: Any) -> Json:
        given: Json = as_object(body, "A service endpoint")
        self._check_kind(given)
        for one in given["serviceEndpointProjectReferences"]:
            project = str((one.get("projectReference") or {}).get("id") or "")
            if project.lower() != self._project_id:
                text = f"VS800075: The project with id '{project}' does not exist, or you do not have permission to access it."
                raise DevOpsError(404, "ProjectDoesNotExistException", text)
        _check_parameters(given["authorization"]["scheme"], given["authorization"].get("parameters") or {})
        return given

    def _check_kind(self, body: Json) -> None:
        for key in ("name", "type", "authorization", "serviceEndpointProjectReferences"):
            if not body.get(key):
                raise missing_property(f"endpoint.{key}")
        if body["type"].lower() != "azurerm":
            raise _absent(f"service connections of type {body['type']}")
        scheme = body["authorization"].get("scheme")
        if scheme not in _SCHEMES:
            raise _absent(f"service connections with the scheme {scheme}")
        if (body.get("data") or {}).get("creationMode", "Manual") != "Manual":
            raise _absent("service connections that make their application by themselves (creationMode Automatic)")

    def _shown(self, record: Json) -> Json:
        """Without what is secret: its keys are there, and null."""
        authorization = record["authorization"]
        parameters = {key: None if key in _HIDDEN else value for key, value in authorization["parameters"].items()}
        shown = {key: value for key, value in record.items() if key != "creator"}
        references = [
            {"projectReference": {"id": self._project_id, "name": self._project}, "name": record["name"]}
            | {"description": record.get("description", "")}
        ]
        return shown | {
            "authorization": {**authorization, "parameters": parameters},
            "serviceEndpointProjectReferences": references,
        }


def _check_parameters(scheme: str, parameters: Json) -> None:
    for key in ("tenantid", "serviceprincipalid"):
        if not parameters.get(key):
            raise missing_property(f"endpoint.authorization.parameters.{key}")
    if scheme == WIF and any(parameters.get(key) for key in _HIDDEN):
        raise DevOpsError(400, "ArgumentException", f"The scheme {WIF} takes no key and no certificate.")


def _absent(what: str) -> DevOpsError:
    return DevOpsError(501, "NotImplemented", f"This rehearsal has no {what}.")


def _short(guid: str) -> str:
    """A GUID's 16 bytes, little-endian as .NET writes them, in base64url: public issues and scripts show it so."""
    return base64.urlsafe_b64encode(uuid.UUID(guid).bytes_le).decode().rstrip("=")
