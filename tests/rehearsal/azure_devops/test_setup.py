"""setup_azure_devops in front of the stand-ins: an empty project, a second run, half the rights, and what is wrong already."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from azure.identity import AzurePipelinesCredential

from rehearsal.azure_devops.checks import APPROVAL, EXCLUSIVE_LOCK
from rehearsal.azure_devops.connections import SECRET as WITH_SECRET
from rehearsal.gateway.faults import Fault
from slipway.errors import AuthenticationError, NotPossible, UsageError
from slipway.services.resource_manager.identities import FederatedCredential
from tests.rehearsal.azure_devops.project import CLIENT_ID, IDENTITY, Project
from tests.rehearsal.gateway.local_cloud import OBJECT, SUBSCRIPTION, TENANT

FILES = {
    "azure-pipelines.yml",
    "templates/pipelines/drill.yml",
    "templates/pipelines/recover-and-watch.yml",
    "templates/pipelines/rollback.yml",
}
REFUSED, WRONG = AuthenticationError.exit_code, NotPossible.exit_code


def checks(project: Project, name: str) -> dict[str, Any]:
    key = str(project.devops.environments.by_name(name)["id"])
    return {one["type"]: one["settings"] for one in project.devops.checks.of("environment", key)}


def plans(project: Project) -> list[str]:
    """What was said to be made, or would be."""
    return [line.strip() for line in project.said.splitlines() if line.strip().startswith("+ ")]


def test_an_empty_project_has_all_of_it_afterwards_and_a_second_run_writes_nothing(ready: Project) -> None:
    assert ready.setup("--what-if") == 0, ready.said
    assert ready.devops.connections.all() == []
    promised = plans(ready)
    assert ready.setup() == 0, ready.said
    assert plans(ready) == promised
    devops = ready.devops
    assert {one["process"]["yamlFilename"] for one in devops.definitions.all()} == FILES
    assert [sorted(checks(ready, name)) for name in ("dev", "test", "prod")] == [
        [EXCLUSIVE_LOCK],
        [EXCLUSIVE_LOCK],
        [EXCLUSIVE_LOCK, APPROVAL],
    ]
    group = devops.identities.group_id("Project Administrators")
    assert checks(ready, "prod")[APPROVAL]["approvers"] == [{"id": group}]
    numbers = [one["id"] for one in devops.definitions.all()]
    for name in ("dev", "test", "prod"):
        connection, environment = ready.connection(f"slipway-{name}"), devops.environments.by_name(name)
        assert all(devops.permissions.allows("endpoint", connection["id"], number) for number in numbers)
        assert all(devops.permissions.allows("environment", str(environment["id"]), number) for number in numbers)
        assert not devops.permissions.allows("endpoint", connection["id"], None)
    (policy,) = devops.policies.all()
    assert policy["settings"]["buildDefinitionId"] == devops.definitions.of_file("azure-pipelines.yml")["id"]
    before = ready.writes()
    assert ready.setup() == 0
    assert ready.writes() == before
    assert "nothing to change" in ready.said


def test_what_the_agent_gets_signs_in_by_what_the_connection_says(
    ready: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ready.setup("--environment", "dev") == 0, ready.said
    parameters = ready.connection("slipway-dev")["authorization"]["parameters"]
    issuer, subject = (parameters[f"workloadIdentityFederation{name}"] for name in ("Issuer", "Subject"))
    assert issuer == f"https://login.microsoftonline.com/{TENANT}/v2.0"
    assert subject.startswith("/eid1/c/pub/t/") and "/a/rISbSSETf0KqFyZ8ppdXmA/sc/" in subject
    assert [one.subject for one in ready.identities.credentials(IDENTITY)] == [subject]
    assert "serviceprincipalkey" not in parameters
    token, address = ready.cloud.call(lambda: ready.devops.open_job("release"))
    monkeypatch.setenv("SYSTEM_OIDCREQUESTURI", address)
    source = AzurePipelinesCredential(
        tenant_id=TENANT,
        client_id=parameters["serviceprincipalid"],
        service_connection_id=ready.connection("slipway-dev")["id"],
        system_access_token=token,
    )
    granted = source.get_token("https://management.azure.com/.default").token
    assert jwt.decode(granted, options={"verify_signature": False})["appid"] == CLIENT_ID


def test_an_answer_without_issuer_and_subject_is_asked_for_again(ready: Project) -> None:
    short = '{"id": "x", "name": "slipway-dev", "authorization": {"scheme": "WorkloadIdentityFederation", "parameters": {}}}'
    fault = Fault(
        kind="status", status=200, after=True, method="POST", path="/slipway/_apis/serviceendpoint/*", body=short
    )
    ready.cloud.call(lambda: ready.cloud.faults.add(fault))
    assert ready.setup("--environment", "dev") == 0, ready.said
    assert fault.struck == 1
    subject = ready.connection("slipway-dev")["authorization"]["parameters"]["workloadIdentityFederationSubject"]
    assert [one.subject for one in ready.identities.credentials(IDENTITY)] == [subject]


def test_a_connection_that_was_made_again_has_another_subject_and_its_credential_is_written_over(
    ready: Project,
) -> None:
    assert ready.setup("--environment", "dev") == 0
    (before,) = ready.identities.credentials(IDENTITY)
    key = ready.connection("slipway-dev")["id"]
    ready.cloud.call(lambda: ready.devops.connections.remove(key))
    assert ready.setup("--environment", "dev") == 0
    (after,) = ready.identities.credentials(IDENTITY)
    assert (after.name, after.subject != before.subject) == (before.name, True)


def test_an_environment_that_a_run_made_gets_its_checks(ready: Project) -> None:
    assert ready.cloud.call(lambda: ready.devops.use("environment", "prod", "azure-pipelines.yml")) == ""
    assert checks(ready, "prod") == {}
    assert ready.setup("--environment", "prod") == 0
    assert set(checks(ready, "prod")) == {APPROVAL, EXCLUSIVE_LOCK}


def test_a_connection_with_a_secret_is_left_alone_with_a_warning(ready: Project) -> None:
    parameters = {
        "tenantid": TENANT,
        "serviceprincipalid": "4e1b2a3c-0d5f-4a6b-8c7d-9e8f7a6b5c4d",
        "serviceprincipalkey": "s",
    }
    body = {
        "name": "slipway-dev",
        "type": "azurerm",
        "authorization": {"scheme": WITH_SECRET, "parameters": parameters},
        "data": {"subscriptionId": SUBSCRIPTION},
    }
    made = ready.cloud.call(lambda: ready.devops.connections.add(body))
    assert ready.setup("--environment", "dev") == 0
    assert "signs in with a secret" in ready.said
    assert ready.connection("slipway-dev") == made
    assert ready.identities.credentials(IDENTITY) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            {"subscription_id": "11111111-0000-4000-8000-000000000000"},
            "subscription 11111111-0000-4000-8000-000000000000",
        ),
        ({"client_id": "22222222-0000-4000-8000-000000000000"}, "application 22222222-0000-4000-8000-000000000000"),
        ({"tenant_id": "33333333-0000-4000-8000-000000000000"}, "tenant 33333333-0000-4000-8000-000000000000"),
    ],
)
def test_a_connection_for_something_else_is_named_and_all_else_goes_on(
    ready: Project, change: dict[str, str], named: str
) -> None:
    right = {
        "subscription_id": SUBSCRIPTION,
        "tenant_id": TENANT,
        "client_id": "4e1b2a3c-0d5f-4a6b-8c7d-9e8f7a6b5c4d",
    }
    ready.cloud.call(lambda: ready.devops.add_service_connection(name="slipway-dev", **(right | change)))
    assert ready.setup("--environment", "dev") == WRONG
    assert f"Service connection slipway-dev is not for dev: {named}" in ready.said
    assert set(checks(ready, "dev")) == {EXCLUSIVE_LOCK}
    before = ready.connection("slipway-dev")
    assert ready.setup("--environment", "dev", "--correct") == 0, ready.said
    after = ready.connection("slipway-dev")
    assert (after["id"], after["data"]["subscriptionId"]) == (before["id"], SUBSCRIPTION)
    parameters = after["authorization"]["parameters"]
    assert (parameters["tenantid"], parameters["serviceprincipalid"]) == (TENANT, right["client_id"])
    assert TENANT in parameters["workloadIdentityFederationIssuer"]
    assert ready.setup("--environment", "dev") == 0, ready.said


def test_only_main_signs_in_to_production(ready: Project) -> None:
    """An approval guards the environment, which a YAML of another branch could leave out."""
    assert ready.setup() == 0, ready.said

    def branches(name: str) -> list[str]:
        key = str(ready.connection(name)["id"])
        return [one["settings"]["inputs"]["allowedBranches"] for one in ready.devops.checks.of("endpoint", key)]

    assert [branches(f"slipway-{name}") for name in ("dev", "prod")] == [[], ["refs/heads/main"]]


def test_a_connection_of_another_app_is_not_made_ones_own(ready: Project) -> None:
    theirs = "22222222-0000-4000-8000-000000000000"
    ready.cloud.call(
        lambda: ready.devops.add_service_connection(
            name="slipway-dev", subscription_id=SUBSCRIPTION, tenant_id=TENANT, client_id=theirs
        )
    )
    made = ready.connection("slipway-dev")
    ready.cloud.call(lambda: ready.devops.connections.change(made["id"], description="Releases bike to dev"))
    assert ready.setup("--environment", "dev", "--correct") == WRONG
    assert "was made for something else (Releases bike to dev)" in ready.said
    assert ready.connection("slipway-dev")["authorization"]["parameters"]["serviceprincipalid"] == theirs


def test_a_name_that_is_taken_by_what_does_not_show_itself(ready: Project) -> None:
    hidden = {"name": "slipway-dev", "type": "azurerm", "authorization": {"scheme": WITH_SECRET}}
    ready.cloud.call(lambda: ready.devops.connections.add(hidden, owner="somebody else"))
    ready.cloud.call(lambda: ready.devops.add_member(OBJECT, groups=["Contributors", "Endpoint Creators"]))
    assert ready.setup("--environment", "dev") == WRONG
    assert "Service connection with name slipway-dev already exists" in ready.said
    assert "Project settings > Service connections > slipway-dev > Security" in ready.said


def test_a_pipelines_name_that_is_taken(ready: Project) -> None:
    repository = ready.devops.repositories.all()[0]["id"]
    ready.cloud.call(lambda: ready.devops.definitions.add("bikeshare-rollback", "other.yml", repository))
    assert ready.setup("--environment", "dev") == WRONG
    assert "The name bikeshare-rollback is taken by a pipeline of other.yml in Slipway" in ready.said
    assert ready.devops.definitions.of_file("azure-pipelines.yml") is not None


def test_a_contributor_makes_what_a_contributor_may_and_names_the_rest(ready: Project) -> None:
    ready.cloud.call(lambda: ready.devops.add_member(OBJECT, groups=["Contributors"]))
    assert ready.setup("--environment", "prod") == REFUSED
    assert {one["process"]["yamlFilename"] for one in ready.devops.definitions.all()} == FILES
    assert set(checks(ready, "prod")) == {APPROVAL, EXCLUSIVE_LOCK}  # of the environment that it made itself
    assert ready.devops.connections.all() == []
    assert "make the service connection slipway-prod (Endpoint Creators or Project Administrators" in ready.said
    assert "Repos > Branches > main > Branch policies > Build Validation" in ready.said
    ready.cloud.call(lambda: ready.devops.add_member(OBJECT))
    assert ready.setup("--environment", "prod") == 0, ready.said


def test_a_reader_changes_nothing_and_is_told_all_of_it(ready: Project) -> None:
    ready.cloud.call(lambda: ready.devops.add_member(OBJECT, groups=["Readers"]))
    assert ready.setup("--environment", "dev") == REFUSED
    assert ready.devops.definitions.all() == []
    for text in (
        "make the pipeline bikeshare-release",
        "make the environment dev",
        "make the service connection slipway-dev",
    ):
        assert text in ready.said


def test_an_approver_whom_nobody_knows_and_none_at_all(ready: Project) -> None:
    place = {"organization": "https://dev.azure.com/slipway", "project": "Slipway"}
    ready.configure(azure_devops={**place, "approvers": ["nobody@example.org"]})
    assert ready.setup("--environment", "prod") == WRONG
    assert "nobody@example.org, who is to approve releases to prod, is not in the organization" in ready.said
    ready.configure(azure_devops=place)
    assert ready.setup("--environment", "prod") == WRONG
    assert "Nobody is named who approves releases to prod" in ready.said
    assert set(checks(ready, "prod")) == {EXCLUSIVE_LOCK}


def test_agents_of_ones_own(ready: Project) -> None:
    ready.edit("templates/environments.yml", "vmImage: ubuntu-24.04", "name: our-agents")
    assert ready.setup("--environment", "dev") == WRONG
    assert "There is no agent pool our-agents" in ready.said
    ready.cloud.call(lambda: ready.devops.pools.add_pool("our-agents"))
    assert ready.setup("--environment", "dev") == 0, ready.said
    queue = ready.devops.pools.queue_named("our-agents")
    numbers = [one["id"] for one in ready.devops.definitions.all()]
    assert all(ready.devops.permissions.allows("queue", str(queue["id"]), number) for number in numbers)
    before = ready.writes()
    assert ready.setup("--environment", "dev") == 0
    assert ready.writes() == before


def test_which_repository_holds_the_pipelines(ready: Project) -> None:
    def repositories(*names: str) -> None:
        kept = ready.devops.repositories
        for key in [one["id"] for one in kept.all()]:
            kept.remove(key)
        for name in names:
            kept.add(name)

    ready.cloud.call(lambda: repositories("one", "two"))
    assert ready.setup("--environment", "dev") == WRONG
    assert "Which repository holds the pipelines is not known: Slipway is not there. There are: one, two." in ready.said
    assert ready.devops.connections.by_name("slipway-dev") is not None
    assert ready.setup("--environment", "dev", "--repository", "three") == WRONG
    assert ready.setup("--environment", "dev", "--repository", "TWO") == 0, ready.said
    two = ready.devops.repositories.get("two")["id"]
    assert {one["repository"] for one in ready.devops.definitions.all()} == {two}
    assert ready.devops.policies.all()[0]["settings"]["scope"][0]["repositoryId"] == two
    before = ready.writes()
    assert ready.setup("--environment", "dev") == 0, ready.said  # that of the release pipeline
    assert ready.writes() == before
    ready.cloud.call(lambda: repositories("only"))
    assert ready.setup("--environment", "dev") == WRONG
    assert (
        "The name bikeshare-release is taken by a pipeline of azure-pipelines.yml in another repository" in ready.said
    )
    ready.cloud.call(repositories)
    assert ready.setup("--environment", "dev") == WRONG
    assert "There are: none" in ready.said and "on GitHub" in ready.said


def test_an_environment_with_an_identity_of_its_own(ready: Project) -> None:
    other = {"client_id": "55555555-0000-4000-8000-000000000000", "object_id": "66666666-0000-4000-8000-000000000000"}
    ready.configure("prod", azure={"release_identity": {"name": "id-prod", **other}})
    assert ready.setup() == WRONG
    assert "There is no identity id-prod in rg-bikeshare-state yet, so slipway-prod can't sign in" in ready.said
    subjects = [one.subject for one in ready.identities.credentials(IDENTITY)]
    assert len(subjects) == 2  # of dev and test
    assert ready.connection("slipway-prod")["authorization"]["parameters"]["serviceprincipalid"] == other["client_id"]


def test_an_identity_is_full_at_twenty_credentials(ready: Project) -> None:
    for number in range(20):
        extra = FederatedCredential(name=f"other-{number}", issuer="https://example.org", subject=str(number))
        ready.identities.put_credential(IDENTITY, extra)
    assert ready.setup("--environment", "dev") != 0
    assert "at most 20 federated credentials" in ready.said


def test_an_organisation_without_jobs_of_microsofts_agents_is_warned(ready: Project) -> None:
    assert ready.setup("--environment", "dev") == 0
    assert "no job of Microsoft's agents" not in ready.said
    ready.cloud.call(lambda: ready.devops.pools.set_hosted_jobs(0))
    assert ready.setup("--environment", "dev") == 0
    assert "https://dev.azure.com/slipway has no job of Microsoft's agents for private projects" in ready.said
    ready.edit("templates/environments.yml", "vmImage: ubuntu-24.04", "name: Default")
    assert ready.setup("--environment", "dev") == 0
    assert "no job of Microsoft's agents" not in ready.said


def test_without_the_identity_the_bootstrap_is_named(project: Project) -> None:
    assert project.setup("--environment", "dev") == WRONG
    assert "There is no identity id-bikeshare-release in rg-bikeshare-state yet" in project.said
    assert "python scripts/bootstrap_environment.py --environment dev" in project.said


def test_an_application_of_others_gets_its_credential_from_its_owner(project: Project) -> None:
    ids = {"client_id": "4e1b2a3c-0d5f-4a6b-8c7d-9e8f7a6b5c4d", "object_id": "9b8a7c6d-5e4f-4d3c-8b2a-1f0e9d8c7b6a"}
    project.edit("config/defaults.yml", "    name: id-{{ app }}-release\n", "")
    assert project.setup("--environment", "dev") == REFUSED
    assert f"az ad app federated-credential create --id {ids['client_id']}" in project.said
    assert (
        project.connection("slipway-dev")["authorization"]["parameters"]["workloadIdentityFederationSubject"]
        in project.said
    )


@pytest.mark.parametrize(
    ("place", "code", "text"),
    [
        ({"organization": "https://dev.azure.com/other", "project": "Slipway"}, WRONG, "no organisation other"),
        ({"organization": "https://dev.azure.com/slipway", "project": "Other"}, WRONG, "TF200016"),
    ],
)
def test_another_organisation_or_project(ready: Project, place: dict[str, str], code: int, text: str) -> None:
    ready.configure(azure_devops=place)
    assert ready.setup() == code
    assert text in ready.said
    assert ready.devops.connections.all() == []


def test_somebody_who_is_no_member(ready: Project) -> None:
    ready.cloud.call(lambda: ready.devops.identities.forget(OBJECT))
    assert ready.setup() == REFUSED
    assert "does not know whoever is signed in (401). TF400813" in ready.said
    assert "Sign in to the tenant that https://dev.azure.com/slipway belongs to" in ready.said


def test_a_sign_in_that_has_ended_is_led_to_the_page_and_said_in_words(ready: Project) -> None:
    """The service leads whoever it does not know to a page for people: no redirect is followed, no HTML is repeated."""
    page = (("Location", "https://dev.azure.com/_signin"), ("Content-Type", "text/html"))
    led = Fault(kind="status", status=302, headers=page, body="<html>Sign In</html>", host="dev.azure.com", times=None)
    ready.cloud.call(lambda: ready.cloud.faults.add(led))
    assert ready.setup() == REFUSED
    assert "does not know whoever is signed in (302)" in ready.said
    assert "<html" not in ready.said


def test_an_answer_that_is_lost_leaves_something_to_go_on_from(ready: Project) -> None:
    ready.cloud.call(
        lambda: ready.cloud.faults.add(
            Fault(kind="drop_after", method="POST", path="/slipway/_apis/serviceendpoint/endpoints")
        )
    )
    assert ready.setup("--environment", "dev") != 0
    assert ready.setup("--environment", "dev") == 0, ready.said
    assert len(ready.devops.connections.all()) == 1


def test_what_is_not_configured_is_not_looked_at(project: Project) -> None:
    project.configure(azure_devops=None)
    assert project.setup() == 0
    assert "names no project of Azure DevOps" in project.said
    assert project.setup("--environment", "uat") == UsageError.exit_code
