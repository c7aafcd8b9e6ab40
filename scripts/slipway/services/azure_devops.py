"""One project of Azure DevOps, by its REST API (learn.microsoft.com/rest/api/azure/devops, version 7.1).

Records pass as the service's own JSON. One verb is one request; a list is read to its last page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from azure.core import PipelineClient
from azure.core.exceptions import AzureError
from azure.core.pipeline import PipelineResponse
from azure.core.pipeline.policies import HeadersPolicy, RetryPolicy, UserAgentPolicy
from azure.core.rest import HttpRequest, HttpResponse

from slipway.errors import AuthenticationError, Conflict, NotPossible, ServiceError
from slipway.services.azure_errors import TRANSPORT, readable, scrub
from slipway.services.credentials import SignInFailed

if TYPE_CHECKING:
    from slipway.services.credentials import Credential

# The application Azure DevOps, the same in every tenant:
# https://learn.microsoft.com/azure/devops/integrate/get-started/authentication/service-principal-managed-identity
SCOPE = "499b84ac-1321-427f-aa17-267ca6975798/.default"
API, PREVIEW = "7.1", "7.1-preview.1"
ENDPOINT, ENVIRONMENT, QUEUE = "endpoint", "environment", "queue"
APPROVAL, EXCLUSIVE_LOCK = "8c6f20a7-a545-4486-9777-f762fafe0d4d", "2ef31ad6-baa0-403a-8b45-2cbc9b4e5563"
BUILD_VALIDATION = "0609b952-1397-4640-95ec-e00a01b2c241"
_PEOPLE = "https://vssps.dev.azure.com"

Json = dict[str, Any]


class NotSignedIn(SignInFailed):
    """The organisation does not know whoever asks: nothing else can work either."""


class Refused(AuthenticationError):
    """Whoever asks may not do this very thing; others may go well."""


class AlreadyThere(Conflict):
    """There is one of that name already; whoever asks may not see it."""


class AzureDevOps:
    """`organization` is its address, https://dev.azure.com/…; `token` gives a valid bearer token each time it is called.

    Safe to use from several threads. Raises NotSignedIn, Refused, AlreadyThere, NotPossible (not there) and ServiceError, which
    name what was being done.
    """

    def __init__(self, organization: str, project: str, token: Callable[[], str]) -> None:
        self.organization, self.project = organization, project
        self.name = organization.rpartition("/")[2]
        self._token = token
        # No redirects are followed: there is one alone, to the page where people sign in.
        policies = [
            HeadersPolicy({"Accept": "application/json"}),
            UserAgentPolicy("slipway"),
            _Retries(retry_total=TRANSPORT["retry_total"]),
        ]
        options = {key: value for key, value in TRANSPORT.items() if key != "retry_total"}
        self._client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            organization, policies=policies, **options
        )

    # Project and people

    def get_project(self) -> Json:
        """The project, with its id. Raises NotPossible where there is none, or it does not show itself."""
        doing = f"looking for the project {self.project} of {self.organization}"
        return self._object("GET", self._whole(f"projects/{quote(self.project)}"), doing)

    def caller(self) -> Json:
        """Who asks, as the organisation knows them."""
        url = self._whole("connectionData", api=PREVIEW)
        found: Json = self._object("GET", url, f"asking {self.organization} who is signed in")["authenticatedUser"]
        return found

    def find_identity(self, name: str, *, members: bool = False) -> Json | None:
        """A person by e-mail address, or a group by `[project]\\name`; with its direct `members`."""
        query = (
            f"searchFilter=General&filterValue={quote(name, safe='')}&queryMembership={'Direct' if members else 'None'}"
        )
        url = f"{_PEOPLE}/{self.name}/_apis/identities?{query}&api-version={API}"
        found = self._list(url, f"looking for {name} in {self.organization}")
        return found[0] if found else None

    def identities(self, ids: list[str]) -> list[Json]:
        """People and groups by id, with their direct members."""
        url = f"{_PEOPLE}/{self.name}/_apis/identities?identityIds={','.join(ids)}&queryMembership=Direct&api-version={API}"
        return self._list(url, f"looking for people in {self.organization}")

    # Service connections

    def connection(self, name: str) -> Json | None:
        """A service connection by name; None where there is none, or it does not show itself."""
        url = self._here("serviceendpoint/endpoints", f"endpointNames={quote(name, safe='')}")
        found = self._list(url, f"looking for the service connection {name}")
        return next((one for one in found if one["name"].lower() == name.lower()), None)

    def create_connection(self, body: Mapping[str, Any]) -> Json:
        """The connection that was made, with its issuer and subject."""
        doing = f"making the service connection {body['name']}"
        return self._object("POST", self._whole("serviceendpoint/endpoints"), doing, body)

    def update_connection(self, connection: Mapping[str, Any]) -> Json:
        """The connection as it is afterwards; issuer and subject are the service's own."""
        url = self._whole(f"serviceendpoint/endpoints/{connection['id']}")
        return self._object("PUT", url, f"changing the service connection {connection['name']}", connection)

    # Environments and checks

    def environment(self, name: str) -> Json | None:
        url = self._here("distributedtask/environments", f"name={quote(name, safe='')}")
        found = self._list(url, f"looking for the environment {name}")
        return next((one for one in found if one["name"].lower() == name.lower()), None)

    def create_environment(self, name: str, description: str) -> Json:
        body = {"name": name, "description": description}
        return self._object("POST", self._here("distributedtask/environments"), f"making the environment {name}", body)

    def checks(self, kind: str, key: str, name: str) -> list[Json]:
        """The checks of a resource (its kind, its id, and how people call it), with their settings."""
        query = f"resourceType={kind}&resourceId={key}&$expand=settings"
        return self._list(
            self._here("pipelines/checks/configurations", query, api=PREVIEW), f"reading the checks of {kind} {name}"
        )

    def create_check(self, kind: str, key: str, name: str, body: Mapping[str, Any]) -> Json:
        whole = {**body, "resource": {"type": kind, "id": key}}
        doing = f"adding the check {body['type']['name']} to {kind} {name}"
        return self._object("POST", self._here("pipelines/checks/configurations", api=PREVIEW), doing, whole)

    # Which pipelines may use what

    def permissions(self, kind: str, key: str, name: str) -> Json:
        url = self._here(f"pipelines/pipelinePermissions/{kind}/{key}", api=PREVIEW)
        return self._object("GET", url, f"reading which pipelines may use {kind} {name}")

    def permit(self, kind: str, key: str, name: str, pipelines: list[int]) -> None:
        """These pipelines may use it; what was permitted before stays."""
        body = {"pipelines": [{"id": number, "authorized": True} for number in pipelines]}
        url = self._here(f"pipelines/pipelinePermissions/{kind}/{key}", api=PREVIEW)
        self._object("PATCH", url, f"permitting pipelines to use {kind} {name}", body)

    # Pipelines, repositories, policies

    def pipelines(self) -> list[Json]:
        """Every build definition, whole: its YAML file, repository and variables (of secrets not the values)."""
        return self._list(self._here("build/definitions", "includeAllProperties=true"), "listing the pipelines")

    def create_pipeline(self, name: str, file: str, repository: str) -> Json:
        body = {
            "name": name,
            "folder": "\\",
            "configuration": {
                "type": "yaml",
                "path": f"/{file}",
                "repository": {"id": repository, "type": "azureReposGit"},
            },
        }
        return self._object("POST", self._here("pipelines"), f"making the pipeline {name}", body)

    def repositories(self) -> list[Json]:
        return self._list(self._here("git/repositories"), "listing the repositories")

    def policies(self, kind: str) -> list[Json]:
        return self._list(self._here("policy/configurations", f"policyType={kind}"), "listing the branch policies")

    def create_policy(self, body: Mapping[str, Any], what: str) -> Json:
        return self._object("POST", self._here("policy/configurations"), f"adding {what}", body)

    # Agents

    def queue(self, name: str) -> Json | None:
        """What a project uses a pool by, with the pool."""
        url = self._here("distributedtask/queues", f"queueNames={quote(name, safe='')}")
        return next(iter(self._list(url, f"looking for the agent pool {name} in the project")), None)

    def pool(self, name: str) -> Json | None:
        url = self._whole("distributedtask/pools", f"poolName={quote(name, safe='')}")
        return next(iter(self._list(url, f"looking for the agent pool {name}")), None)

    def create_queue(self, pool: Mapping[str, Any]) -> Json:
        body = {"name": pool["name"], "pool": {"id": pool["id"]}}
        doing = f"letting the project use the agent pool {pool['name']}"
        return self._object("POST", self._here("distributedtask/queues"), doing, body)

    def agents(self, pool: int) -> list[Json]:
        return self._list(self._whole(f"distributedtask/pools/{pool}/agents"), f"listing the agents of pool {pool}")

    def hosted_jobs(self, visibility: str) -> int | None:
        """How many jobs may run on Microsoft's agents at the same time, in projects of this visibility (private, public); None
        where the service does not say. As azure-devops-node-api asks for it, TaskAgentApi.getResourceUsage."""
        query = f"parallelismTag={visibility.capitalize()}&poolIsHosted=true&includeRunningRequests=false"
        found = self._object(
            "GET", self._whole("distributedtask/resourceusage", query, api=PREVIEW), "asking for parallel jobs"
        )
        count = (found.get("resourceLimit") or {}).get("totalCount")
        return count if isinstance(count, int) else None

    # Requests

    def _whole(self, path: str, query: str = "", *, api: str = API) -> str:
        return f"{self.organization}/_apis/{path}?{query}{'&' * bool(query)}api-version={api}"

    def _here(self, path: str, query: str = "", *, api: str = API) -> str:
        project = quote(self.project)
        return f"{self.organization}/{project}/_apis/{path}?{query}{'&' * bool(query)}api-version={api}"

    def _object(self, method: str, url: str, doing: str, body: Any = None) -> Json:
        found = self._parsed(self._send(method, url, doing, body), doing)
        return found if isinstance(found, dict) else {}

    def _list(self, url: str, doing: str) -> list[Json]:
        found: list[Json] = []
        token: str | None = ""
        while token is not None:
            more = f"&continuationToken={quote(token, safe='')}" if token else ""
            answer = self._send("GET", url + more, doing)
            page = self._parsed(answer, doing)
            found += (page or {}).get("value") or []
            following = answer.headers.get("x-ms-continuationtoken")
            token = following if following != token else None
        return found

    def _send(self, method: str, url: str, doing: str, body: Any = None) -> HttpResponse:
        request = HttpRequest(method, url, json=body, headers={"Authorization": f"Bearer {self._token()}"})
        try:
            answer: HttpResponse = self._client.send_request(request)
        except AzureError as error:
            raise readable(error, doing) from error
        self._check(answer, doing)
        return answer

    def _parsed(self, answer: HttpResponse, doing: str) -> Any:
        try:
            return json.loads(answer.text()) if answer.content else None
        except ValueError as error:
            raise ServiceError(f"{_up(doing)} failed: the answer is no JSON ({answer.status_code}).") from error

    def _check(self, answer: HttpResponse, doing: str) -> None:
        """Raises what an answer that is none means."""
        status = answer.status_code
        html = "html" in answer.headers.get("content-type", "")
        if 300 <= status < 400 or status in (203, 401) or (html and status < 500):
            raise NotSignedIn(
                f"{_up(doing)} failed: {self.organization} does not know whoever is signed in ({status}).{_quoted(answer)}",
                changed="Nothing was changed by this request.",
                next_step=_SIGN_IN.format(organization=self.organization),
            )
        if status < 400:
            return
        what = f"{_up(doing)} failed:{_quoted(answer) or ' no reason was given'} ({status})"
        if status == 403:
            raise Refused(what)
        if status == 404:
            raise NotPossible(what)
        if status == 409:
            raise AlreadyThere(what)
        raise ServiceError(what)


class _Retries(RetryPolicy[Any, Any]):
    """azure-core's, but for a POST: it is sent again only where the service says that it did not begin (429). azure-core sends
    one again after a 500, 503 or 504 too, which would make a thing twice."""

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        if response.http_request.method == "POST" and response.http_response.status_code != 429:
            return False
        return bool(super().is_retry(settings, response))


_SIGN_IN = (
    "Sign in to the tenant that {organization} belongs to (az login --tenant …) as a member of it; an administrator adds members "
    "under Organization settings > Users. A pipeline's own token is worth nothing once its job is over."
)


def _quoted(answer: HttpResponse) -> str:
    """What the service says of it, after a space; "" where that is a page for people."""
    try:
        said = json.loads(answer.text()).get("message")
    except (ValueError, AttributeError):
        return ""
    return f" {scrub(str(said), 600)}" if said else ""


def _up(text: str) -> str:
    return text[:1].upper() + text[1:]


def of_person(organization: str, project: str, credential: Credential) -> AzureDevOps:
    """Signed in as whoever signs in to Azure."""
    return AzureDevOps(organization, project, credential.bearer(SCOPE))


def of_pipeline(organization: str, project: str, variables: Mapping[str, str]) -> AzureDevOps | None:
    """Signed in as the build identity, inside a pipeline that maps SYSTEM_ACCESSTOKEN; None elsewhere."""
    token = variables.get("SYSTEM_ACCESSTOKEN")
    if not token or variables.get("TF_BUILD", "").lower() != "true":
        return None
    return AzureDevOps(organization, project, lambda: token)
