"""azure-devops: Microsoft's own client for Azure DevOps, which finds every address by asking the service for it.

In Azure these tests need an organisation, which `make verify-azure` does not ask for: they run in front of stand-ins alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.clients import Commands
from tests.contract.place import Place

pytestmark = pytest.mark.contract
ORGANISATION, PROJECT = "https://dev.azure.com/slipway", "Slipway"
SCOPE = "499b84ac-1321-427f-aa17-267ca6975798/.default"
APPLICATION = "12345678-0000-4000-8000-000000000001"
APPROVAL, LOCK = "8c6f20a7-a545-4486-9777-f762fafe0d4d", "2ef31ad6-baa0-403a-8b45-2cbc9b4e5563"
Ask = Callable[[str, str, Any], Any]
BUILD = "0609b952-1397-4640-95ec-e00a01b2c241"


@pytest.fixture(scope="module")
def clients(place: Place) -> Any:
    """The client's factory, signed in as the exports say."""
    if not place.rehearsed:
        pytest.skip("verify-azure names no organisation")
    from azure.devops.connection import Connection
    from azure.identity import EnvironmentCredential
    from msrest.authentication import BasicTokenAuthentication

    token = EnvironmentCredential().get_token(SCOPE).token
    return Connection(base_url=ORGANISATION, creds=BasicTokenAuthentication({"access_token": token})).clients_v7_1


@pytest.fixture(scope="module")
def curl(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """One request to the organisation, its body as JSON."""
    from azure.identity import EnvironmentCredential

    commands = Commands(place=place, folder=tmp_path_factory.mktemp("curl"))
    token = EnvironmentCredential().get_token(SCOPE).token

    def ask(method: str, path: str, body: Any) -> Any:
        given = () if body is None else ("--header", "Content-Type: application/json", "--data", json.dumps(body))
        return commands.curl(f"{ORGANISATION}/{path}", token, "--request", method, *given)

    return ask


@pytest.fixture(scope="module")
def project(clients: Any) -> Any:
    return clients.get_core_client().get_project(PROJECT)


@pytest.fixture
def connection(clients: Any, project: Any, place: Place) -> Iterator[Any]:
    """A service connection with federation, gone afterwards."""
    from azure.devops.v7_1.service_endpoint.models import (
        EndpointAuthorization,
        ProjectReference,
        ServiceEndpoint,
        ServiceEndpointProjectReference,
    )

    name = place.name("connection")
    parameters = {"tenantid": place.variables["AZURE_TENANT_ID"], "serviceprincipalid": APPLICATION}
    data = {"subscriptionId": place.subscription, "subscriptionName": "contract", "environment": "AzureCloud"}
    reference = ServiceEndpointProjectReference(
        name=name, project_reference=ProjectReference(id=project.id, name=project.name)
    )
    endpoint = ServiceEndpoint(
        name=name,
        type="azurerm",
        url="https://management.azure.com/",
        authorization=EndpointAuthorization(scheme="WorkloadIdentityFederation", parameters=parameters),
        data={**data, "scopeLevel": "Subscription", "creationMode": "Manual"},
        service_endpoint_project_references=[reference],
    )
    client = clients.get_service_endpoint_client()
    made = client.create_service_endpoint(endpoint)
    yield made
    client.delete_service_endpoint(made.id, [project.id])


@pytest.fixture
def environment(clients: Any, place: Place) -> Iterator[Any]:
    from azure.devops.v7_1.task_agent.models import EnvironmentCreateParameter

    client = clients.get_task_agent_client()
    made = client.add_environment(EnvironmentCreateParameter(name=place.name("uat"), description="Contract"), PROJECT)
    yield made
    client.delete_environment(PROJECT, made.id)


@pytest.fixture
def definition(clients: Any, place: Place) -> Iterator[Any]:
    """A pipeline with a secret variable, gone afterwards."""
    from azure.devops.v7_1.build.models import BuildDefinition, BuildDefinitionVariable, BuildRepository

    repository = clients.get_git_client().get_repositories(PROJECT)[0]
    secret = BuildDefinitionVariable(value="planted-value", is_secret=True)
    client = clients.get_build_client()
    wanted = BuildDefinition(
        name=place.name("pipeline"),
        process={"type": 2, "yamlFilename": "contract.yml"},
        repository=BuildRepository(id=repository.id, type="TfsGit"),
        variables={"password": secret, "size": BuildDefinitionVariable(value="2")},
    )
    made = client.create_definition(wanted, PROJECT)
    yield made
    client.delete_definition(PROJECT, made.id)


def test_where_what_is_and_who_asks(clients: Any, project: Any) -> None:
    assert project.name in [one.name for one in clients.get_core_client().get_projects()]
    seen = clients.get_location_client().get_connection_data()
    assert seen.authenticated_user.id == seen.authorized_user.id
    assert seen.instance_id


def test_a_connection_shows_issuer_and_subject_and_no_secret(clients: Any, connection: Any) -> None:
    client = clients.get_service_endpoint_client()
    shown = client.get_service_endpoint_details(PROJECT, connection.id)
    parameters = shown.authorization.parameters
    assert parameters["workloadIdentityFederationIssuer"].startswith("https://login.microsoftonline.com/")
    assert parameters["workloadIdentityFederationSubject"].endswith(connection.id)
    (found,) = client.get_service_endpoints_by_names(PROJECT, [connection.name])
    assert found.id == connection.id
    assert connection.id in [one.id for one in client.get_service_endpoints(PROJECT, type="azurerm")]
    connection.description = "Changed"
    changed = client.update_service_endpoint(connection, connection.id)
    assert (changed.description, changed.authorization.parameters) == ("Changed", parameters)


def test_a_name_is_taken(clients: Any, connection: Any) -> None:
    from azure.devops.exceptions import AzureDevOpsServiceError

    with pytest.raises(AzureDevOpsServiceError, match="already exists"):
        clients.get_service_endpoint_client().create_service_endpoint(connection)


def test_an_environment_and_its_checks(clients: Any, environment: Any, curl: Ask) -> None:
    client = clients.get_task_agent_client()
    assert client.get_environment_by_id(PROJECT, environment.id).name == environment.name
    assert [one.id for one in client.get_environments(PROJECT, name=environment.name)] == [environment.id]
    checks = clients.get_pipelines_checks_client()
    resource = {"type": "environment", "id": str(environment.id), "name": environment.name}
    group = clients.get_identity_client().read_identities(
        search_filter="General", filter_value=f"[{PROJECT}]\\Project Administrators", query_membership="Direct"
    )[0]
    assert group.members
    assert [one.id for one in clients.get_identity_client().read_identities(identity_ids=group.id)] == [group.id]
    lock = checks.add_check_configuration({"type": {"id": LOCK}, "resource": resource, "timeout": 60}, PROJECT)
    # The client's model of a check has no settings, so an approval is made without it.
    settings = {"approvers": [{"id": group.id}], "minRequiredApprovers": 1, "requesterCannotBeApprover": False}
    body = {"type": {"id": APPROVAL}, "settings": settings, "resource": resource, "timeout": 60}
    approval = curl("POST", f"{PROJECT}/_apis/pipelines/checks/configurations?api-version=7.1-preview.1", body)
    assert approval["settings"]["approvers"][0]["displayName"] == group.provider_display_name
    found = checks.get_check_configurations_on_resource(PROJECT, "environment", str(environment.id), expand="settings")
    assert [(one.id, one.type.name) for one in found] == [(lock.id, "ExclusiveLock"), (approval["id"], "Approval")]
    changed = checks.update_check_configuration({"type": {"id": LOCK}, "timeout": 30}, PROJECT, lock.id)
    assert (changed.timeout, checks.get_check_configuration(PROJECT, lock.id).timeout) == (30, 30)
    for number in (lock.id, approval["id"]):
        checks.delete_check_configuration(PROJECT, number)
    assert checks.get_check_configurations_on_resource(PROJECT, "environment", str(environment.id)) == []


def test_a_pipeline_may_use_what_it_is_permitted_to(clients: Any, connection: Any, definition: Any) -> None:
    client = clients.get_pipeline_permissions_client()
    before = client.get_pipeline_permissions_for_resource(PROJECT, "endpoint", connection.id)
    assert (before.all_pipelines, before.pipelines) == (None, [])
    asked = {"pipelines": [{"id": definition.id, "authorized": True}]}
    after = client.update_pipeline_permisions_for_resource(asked, PROJECT, "endpoint", connection.id)
    assert [(one.id, one.authorized) for one in after.pipelines] == [(definition.id, True)]


def test_a_definition_keeps_its_secrets_to_itself(clients: Any, definition: Any) -> None:
    client = clients.get_build_client()
    shown = client.get_definition(PROJECT, definition.id)
    assert shown.variables["password"].is_secret and shown.variables["password"].value is None
    assert shown.variables["size"].value == "2"
    assert [one.name for one in client.get_definitions(PROJECT, name=definition.name)] == [definition.name]
    shown.name = f"{definition.name}-2"
    assert client.update_definition(shown, PROJECT, definition.id).revision == shown.revision + 1


def test_a_pipeline_of_a_yaml_file(clients: Any, place: Place, curl: Ask) -> None:
    repository = clients.get_git_client().get_repositories(PROJECT)[0]
    # The client's model of a configuration has no path.
    configuration = {
        "type": "yaml",
        "path": "/contract-2.yml",
        "repository": {"id": repository.id, "type": "azureReposGit"},
    }
    body = {"name": place.name("yaml"), "folder": "\\", "configuration": configuration}
    number = curl("POST", f"{PROJECT}/_apis/pipelines?api-version=7.1", body)["id"]
    assert number in [one.id for one in clients.get_pipelines_client().list_pipelines(PROJECT)]
    clients.get_build_client().delete_definition(PROJECT, number)


def test_branch_policies(clients: Any, definition: Any) -> None:
    client = clients.get_policy_client()
    assert BUILD in [one.id for one in client.get_policy_types(PROJECT)]
    repository = clients.get_git_client().get_repository(PROJECT, project=PROJECT)
    scope = {"repositoryId": repository.id, "refName": "refs/heads/contract", "matchKind": "Exact"}
    settings = {"buildDefinitionId": definition.id, "displayName": "Contract", "validDuration": 0, "scope": [scope]}
    body = {"isEnabled": True, "isBlocking": False, "type": {"id": BUILD}, "settings": settings}
    made = client.create_policy_configuration(body, PROJECT)
    assert made.id in [one.id for one in client.get_policy_configurations(PROJECT, policy_type=BUILD)]
    changed = client.update_policy_configuration({**body, "isBlocking": True}, PROJECT, made.id)
    assert (changed.is_blocking, changed.revision) == (True, 2)
    client.delete_policy_configuration(PROJECT, made.id)


def test_how_many_jobs_may_run(clients: Any, place: Place, curl: Ask) -> None:
    """The client knows the answer's form, and has no call for it."""
    from azure.devops.v7_1.task_agent.models import ResourceUsage

    query = "parallelismTag=Private&poolIsHosted=true&includeRunningRequests=false&api-version=7.1-preview.1"
    found = ResourceUsage.from_dict(curl("GET", f"_apis/distributedtask/resourceusage?{query}", None))
    assert (found.resource_limit.is_hosted, found.resource_limit.total_count) == (True, 1)


def test_pools_and_queues(clients: Any, place: Place) -> None:
    client = clients.get_task_agent_client()
    pools = {one.name: one for one in client.get_agent_pools()}
    assert pools["Azure Pipelines"].is_hosted
    assert client.get_agents(pools["Default"].id) == []
    assert [one.name for one in client.get_agent_queues_by_names(["Default"], project=PROJECT)] == ["Default"]
    assert "Azure Pipelines" in [one.name for one in client.get_agent_queues(PROJECT)]
    pool = client.add_agent_pool({"name": place.name("agents")})
    queue = client.add_agent_queue({"name": pool.name, "pool": {"id": pool.id}}, project=PROJECT)
    assert (queue.name, queue.pool.id) == (pool.name, pool.id)
