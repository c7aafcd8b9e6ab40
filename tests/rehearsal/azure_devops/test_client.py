"""services/azure_devops: what it says of answers that are none, and that it asks as often as it must."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from rehearsal.gateway.faults import Fault
from slipway.errors import NotPossible, ServiceError
from slipway.services.azure_devops import AlreadyThere, AzureDevOps, NotSignedIn, Refused, of_person, of_pipeline
from slipway.services.credentials import Credential, SignInFailed
from tests.rehearsal.azure_devops.project import Project
from tests.rehearsal.gateway.local_cloud import OBJECT

ORGANISATION = "https://dev.azure.com/slipway"
SCOPE = "499b84ac-1321-427f-aa17-267ca6975798/.default"


@pytest.fixture
def client(project: Project) -> AzureDevOps:
    return of_person(ORGANISATION, "Slipway", Credential(project.cloud.credential(), who="tests"))


def with_token(token: Callable[[], str]) -> AzureDevOps:
    return AzureDevOps(ORGANISATION, "Slipway", token)


def test_tokens_that_are_worth_nothing(project: Project) -> None:
    good = project.cloud.credential().get_token(SCOPE).token
    aged = (project.cloud.call(lambda: project.cloud.world.directory.aged(f"Bearer {good}")) or "").removeprefix(
        "Bearer "
    )
    other = project.cloud.credential().get_token("https://management.azure.com/.default").token
    for token in (aged, other, "garbage"):
        with pytest.raises(NotSignedIn, match=r"does not know whoever is signed in \(302\)") as caught:
            with_token(partial(str, token)).get_project()
        assert token not in str(caught.value) and "<html" not in str(caught.value)
    assert issubclass(NotSignedIn, SignInFailed)
    assert with_token(partial(str, good)).get_project()["name"] == "Slipway"


@pytest.mark.parametrize("status", [203, 200])
def test_a_page_for_people_is_no_answer(project: Project, client: AzureDevOps, status: int) -> None:
    page = Fault(kind="status", status=status, headers=(("Content-Type", "text/html"),), body="<html>Sign In</html>")
    page.host = "dev.azure.com"
    project.cloud.call(lambda: project.cloud.faults.add(page))
    with pytest.raises(NotSignedIn) as caught:
        client.get_project()
    assert "html" not in str(caught.value)


def test_what_a_refusal_means(project: Project, client: AzureDevOps) -> None:
    with pytest.raises(NotPossible, match=r"Looking for the project Other .* TF200016"):
        AzureDevOps(ORGANISATION, "Other", client._token).get_project()
    client.create_environment("uat", "")
    with pytest.raises(
        AlreadyThere, match="Making the environment uat failed: Environment with name uat already exists"
    ):
        client.create_environment("uat", "")
    project.cloud.call(lambda: project.devops.add_member(OBJECT, groups=["Readers"]))
    with pytest.raises(Refused, match=r"Access denied. Tests needs Create permissions to perform the action.* \(403\)"):
        client.create_environment("another", "")
    project.cloud.call(lambda: project.devops.identities.forget(OBJECT))
    with pytest.raises(NotSignedIn, match="TF400813"):
        client.get_project()


def test_throttling_and_failures_are_waited_for_where_a_repeat_is_safe(project: Project, client: AzureDevOps) -> None:
    def strike(method: str, status: int, *, times: int = 1, again: bool = True) -> None:
        headers = (("Retry-After", "0"),) if again else ()
        fault = Fault(kind="status", method=method, host="dev.azure.com", status=status, times=times, headers=headers)
        fault.body = None
        project.cloud.call(lambda: project.cloud.faults.add(fault))

    strike("GET", 429, times=2)
    assert client.get_project()["name"] == "Slipway"
    strike("GET", 503)
    assert client.get_project()["name"] == "Slipway"
    strike("POST", 503, again=False)
    with pytest.raises(ServiceError, match=r"Making the environment uat failed:.*\(503\)"):
        client.create_environment("uat", "")
    strike("POST", 429)  # nothing was begun
    assert client.create_environment("uat", "")["name"] == "uat"


def test_lists_are_read_to_the_last_page(project: Project, client: AzureDevOps) -> None:
    def fill() -> None:
        for number in range(1005):
            project.devops.environments.add(f"many-{number}")

    project.cloud.call(fill)
    found = client.environment("many-1004")
    assert found is not None and found["name"] == "many-1004"
    url = client._here("distributedtask/environments")
    assert len(client._list(url, "listing")) == 1005


def test_names_are_compared_whole_and_without_case(project: Project, client: AzureDevOps) -> None:
    project.cloud.call(lambda: project.devops.environments.add("production-west"))
    assert client.environment("production") is None
    assert (client.environment("PRODUCTION-West") or {})["name"] == "production-west"
    assert client.connection("a,b") is None


def test_inside_a_pipeline_it_is_the_build_identity(project: Project) -> None:
    token, _ = project.cloud.call(lambda: project.devops.open_job("a"))
    variables = {"TF_BUILD": "True", "SYSTEM_ACCESSTOKEN": token}
    inside = of_pipeline(ORGANISATION, "Slipway", variables)
    assert inside is not None
    assert inside.caller()["providerDisplayName"] == "Slipway Build Service (slipway)"
    assert of_pipeline(ORGANISATION, "Slipway", {"SYSTEM_ACCESSTOKEN": token}) is None
    assert of_pipeline(ORGANISATION, "Slipway", {"TF_BUILD": "True"}) is None
    project.cloud.call(lambda: project.devops.close_job("a"))
    with pytest.raises(NotSignedIn):
        inside.caller()
