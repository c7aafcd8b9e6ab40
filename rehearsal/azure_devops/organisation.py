"""The organisation as a whole: its members, its one project with all that pipelines need, and the jobs that run now.

A job's token for workload identity federation: azure-identity's AzurePipelinesCredential and
https://learn.microsoft.com/azure/devops/pipelines/library/azure-resource-manager-workload-identity.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Collection, Mapping
from hashlib import sha256
from typing import Any

from starlette.requests import Request

from rehearsal.azure_devops.call import Caller, NotSignedIn, Operation, token_of
from rehearsal.azure_devops.checks import Checks
from rehearsal.azure_devops.connections import AZURE_DEVOPS_APP, WIF, Connections
from rehearsal.azure_devops.definitions import Definitions
from rehearsal.azure_devops.environments import Environments
from rehearsal.azure_devops.errors import DevOpsError, Json
from rehearsal.azure_devops.identities import ADMINISTRATORS, READ, Identities, derived
from rehearsal.azure_devops.permissions import Permissions
from rehearsal.azure_devops.policies import Policies
from rehearsal.azure_devops.pools import Pools
from rehearsal.azure_devops.projects import NOT_THERE, Projects
from rehearsal.azure_devops.protected import ENDPOINT, ENVIRONMENT, Protected
from rehearsal.azure_devops.repositories import Repositories
from rehearsal.azure_devops.runs import Runs
from rehearsal.azure_devops.runs_api import RunsApi
from rehearsal.entra.directory import FEDERATION_AUDIENCE, Directory, InvalidToken
from rehearsal.entra.keys import SigningKey
from rehearsal.store import Store

ORGANISATION = "slipway"
PROJECT = "Slipway"
LIFETIME_SECONDS = 600
# The application Azure DevOps in Entra ID: learn.microsoft.com/azure/devops/integrate/get-started/authentication/entra
AUDIENCES = frozenset(
    {AZURE_DEVOPS_APP, "https://app.vssps.visualstudio.com", "https://app.vssps.visualstudio.com/"}
)  # fmt: skip


class AzureDevOps:
    """The organisation. `issuer` is the one of older connections, and signs their jobs' OIDC tokens."""

    def __init__(
        self,
        directory: Directory,
        store: Store,
        clock: Callable[[], float],
        *,
        organisation: str = ORGANISATION,
        project: str = PROJECT,
    ) -> None:
        self.names = (organisation, project)
        self._clock = clock
        self._key = SigningKey.kept_in(store.collection("azure_devops/keys"), "oidc")
        self._open_jobs: dict[str, str] = {}
        self._directory = directory
        self.id, self._project_id = derived("organisation"), derived("project")
        shown = {"id": self._project_id, "name": project, "state": "wellFormed", "visibility": "private"}
        address = f"https://dev.azure.com/{organisation}/{project}/_apis"
        self.runs = Runs(store, clock)
        self.identities = Identities(store, organisation, project)
        names: Any = {"organisation": organisation, "project_id": self._project_id}
        self.connections = Connections(store, organisation_id=self.id, project=project, **names)
        self.environments = Environments(store, self.identities, self.runs.now, **names)
        self.pools = Pools(store)
        self.repositories = Repositories(store, address=address, project=shown)
        self.definitions = Definitions(store, self.repositories, address=address, project=shown)
        self.policies = Policies(store, self.definitions, address=address)
        protected = Protected(self.connections, self.environments, self.pools)
        self.checks = Checks(store, self.identities, protected, self.runs.now, address)
        self.permissions = Permissions(store, self.identities, protected, self.runs.now)
        self._projects = Projects(organisation=organisation, organisation_id=self.id, project=shown)
        self.issuer = self.connections.older_issuer
        directory.trust_issuer(self.issuer, self._key.public_pem)

    # What a person would have done by hand

    def add_service_connection(
        self,
        *,
        name: str,
        client_id: str,
        tenant_id: str,
        subscription_id: str,
        id: str | None = None,  # noqa: A002 - what Azure DevOps calls it
        older: bool = False,
    ) -> Json:
        """A connection with workload identity federation that every pipeline may use; the caller adds the federation, by its
        issuer and subject, to the application. The same name once more: what is there."""
        if (known := self.connections.by_name(name)) is not None:
            return known
        body = {
            "name": name,
            "type": "azurerm",
            "url": "https://management.azure.com/",
            "data": {"subscriptionId": subscription_id, "environment": "AzureCloud", "scopeLevel": "Subscription"}
            | {"creationMode": "Manual"},
            "authorization": {"scheme": WIF, "parameters": {"tenantid": tenant_id, "serviceprincipalid": client_id}},
        }
        record = self.connections.add(body, key=id, older=older)
        self.permissions.allow(ENDPOINT, record["id"])
        return record

    def add_member(self, object_id: str, *, groups: Collection[str] = (ADMINISTRATORS,)) -> str:
        """Somebody who signs in with Entra ID, in these groups of the project and no other; the identity's id."""
        principal = self._directory.by_object_id(object_id)
        name = principal.display_name if principal else object_id
        return self.identities.add(object_id, name=name, groups=groups)

    # Jobs

    def open_job(self, job_id: str) -> tuple[str, str]:
        """A job begins: its System.AccessToken, and the address that gives its OIDC tokens."""
        token = secrets.token_urlsafe(32)
        job = derived(f"job {job_id}")
        self._open_jobs[job] = sha256(token.encode()).hexdigest()
        path = f"{self._project_id}/_apis/distributedtask/hubs/build/plans/{derived('plan')}/jobs/{job}/oidctoken"
        return token, f"https://dev.azure.com/{self.names[0]}/{path}"

    def close_job(self, job_id: str) -> None:
        """The job is over: its token is worth nothing from now on."""
        self._open_jobs.pop(derived(f"job {job_id}"), None)

    def is_open(self, job: str, token: str) -> bool:
        return secrets.compare_digest(self._open_jobs.get(job, ""), sha256(token.encode()).hexdigest())

    def is_job_token(self, token: str) -> bool:
        """Whether it is the System.AccessToken of any job that runs now."""
        digest = sha256(token.encode()).hexdigest()
        return any(secrets.compare_digest(known, digest) for known in self._open_jobs.values())

    def use(self, kind: str, name: str, file: str) -> str:
        """A stage of a run of the pipeline `file` begins to use a resource; "" where it may, else what the service says.

        An environment that is not there is made then, for this pipeline and without any check.
        """
        pipeline = self.definitions.of_file(file)
        number = None if pipeline is None else int(pipeline["id"])
        if kind == ENVIRONMENT and self.environments.by_name(name) is None:
            made = self.environments.add(name)
            if number is not None:
                self.permissions.allow(kind, str(made["id"]), number)
            return ""
        found = self.connections.by_name(name) if kind == ENDPOINT else self.environments.by_name(name)
        if found is None:
            return (
                f"The pipeline is not valid. It references service connection {name} which could not be found. The service "
                "connection does not exist, has been disabled or has not been authorized for use. For authorization details, "
                "refer to https://aka.ms/yamlauthz."
            )
        # One that the project does not have yet is permitted by whoever makes and starts it.
        if number is None or self.permissions.allows(kind, str(found["id"]), number):
            return ""
        what = "service connection" if kind == ENDPOINT else "environment"
        return (
            f"This pipeline needs permission to access a resource before this run can continue: {what} {name}. "
            "(A run waits here until somebody permits it; a rehearsal does not.)"
        )

    # Tokens of jobs

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A token with these claims, signed by the organisation's own, older issuer."""
        return self._key.sign(claims)

    def oidc_token(self, service_connection_id: str) -> str | None:
        """A token for the connection, or None when there is no such connection, or it is not one with federation."""
        record = self.connections.get(service_connection_id)
        if record is None or record["authorization"]["scheme"] != WIF:
            return None
        now = int(self._clock())
        parameters = record["authorization"]["parameters"]
        issuer = parameters["workloadIdentityFederationIssuer"]
        claims = {
            "jti": str(uuid.uuid4()),
            "sub": parameters["workloadIdentityFederationSubject"],
            "aud": FEDERATION_AUDIENCE,
            "iss": issuer,
            "nbf": now,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
        }
        if issuer == self.issuer:
            return self.sign(claims)
        # Microsoft Entra ID issues it to Azure DevOps, so it is signed with the key of the directory.
        self._directory.trust_issuer(issuer, self._directory.key.public_pem)
        return self._directory.key.sign(claims)

    # Requests

    def admit(self, request: Request) -> Caller:
        """Who asks, and whether for this organisation and project. Raises NotSignedIn, DevOpsError."""
        caller = self._caller(request)
        if request.path_params["organisation"].lower() != self.names[0].lower():
            text = f"There is no organisation {request.path_params['organisation']}."
            raise DevOpsError(404, "OrganizationNotFoundException", text)
        project = request.path_params.get("project")
        if project is not None and (not self._projects.is_project(project) or not caller.may(READ)):
            raise DevOpsError(404, "ProjectDoesNotExistWithNameException", NOT_THERE.format(project))
        return caller

    def _caller(self, request: Request) -> Caller:
        token, header = token_of(request)
        if not token:
            raise NotSignedIn
        if self.is_job_token(token):
            name = "{1} Build Service ({0})".format(*self.names)
            return Caller(id=derived("build service"), name=name, rights=frozenset({READ}), is_job=True)
        try:
            object_id = self._directory.verify(header, AUDIENCES).object_id
        except InvalidToken as error:
            raise NotSignedIn from error
        one = self.identities.member(object_id)
        if one is None:
            text = f"TF400813: The user '{object_id}' is not authorized to access this resource."
            raise DevOpsError(401, "UnauthorizedRequestException", text)
        return Caller(id=one.id, name=one.name, rights=self.identities.rights(one.id))

    def operations(self) -> list[Operation]:
        """Everything of dev.azure.com but the jobs' tokens; identities are on vssps.dev.azure.com."""
        subjects = (self._projects, self.connections, self.environments, self.checks, self.permissions)
        others = (self.definitions, self.policies, self.repositories, self.pools)
        runs = RunsApi(self.runs, self.names).operations()
        return [*runs, *(one for subject in (*subjects, *others) for one in subject.operations())]

    def people_operations(self) -> list[Operation]:
        return [one for one in self._projects.operations() if one.method == "OPTIONS"] + self.identities.operations()
