"""What the doctor says of a project of Azure DevOps: nothing after the set-up, and each thing that is missing or wrong then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rehearsal.azure_devops.checks import APPROVAL, EXCLUSIVE_LOCK, TASK_CHECK
from rehearsal.azure_devops.connections import SECRET
from slipway.domain.diagnosis import Diagnosis, Finding
from tests.rehearsal.azure_devops.project import IDENTITY, Project
from tests.rehearsal.gateway.local_cloud import OBJECT

Lose = Callable[[Any], Any]
SETUP = "python scripts/setup_azure_devops.py --environment prod"


def ids(found: Diagnosis) -> list[tuple[str, str]]:
    return [(one.id, one.severity) for one in found.findings]


def connection(devops: Any) -> Any:
    return devops.connections.by_name("slipway-prod")


def checks(devops: Any, kind: str) -> int:
    key = str(devops.environments.by_name("prod")["id"])
    return int(next(one["id"] for one in devops.checks.of("environment", key) if one["type"] == kind))


def other_target(devops: Any) -> None:
    record = connection(devops)
    devops.connections.change(record["id"], data={**record["data"], "subscriptionId": "elsewhere"})


def with_secret(devops: Any) -> None:
    record = connection(devops)
    parameters = {**record["authorization"]["parameters"], "serviceprincipalkey": "planted"}
    devops.connections.change(record["id"], authorization={"scheme": SECRET, "parameters": parameters})


def older_issuer(devops: Any) -> None:
    record = connection(devops)
    devops.connections.remove(record["id"])
    devops.permissions.allow("endpoint", devops.connections.add(record, key=record["id"], older=True)["id"])


def withdraw(kind: str) -> Lose:
    def lose(devops: Any) -> None:
        found = connection(devops) if kind == "endpoint" else devops.environments.by_name("prod")
        number = devops.definitions.of_file("azure-pipelines.yml")["id"]
        devops.permissions.withdraw(kind, str(found["id"]), number)

    return lose


def remove_pipeline(file: str) -> Lose:
    return lambda devops: devops.definitions.remove(devops.definitions.of_file(file)["id"])


def disable_pipeline(devops: Any) -> None:
    devops.definitions.change(devops.definitions.of_file("azure-pipelines.yml")["id"], queueStatus="disabled")


LOST: dict[str, tuple[Lose, list[tuple[str, str]], str]] = {
    "connection": (
        lambda devops: devops.connections.remove(connection(devops)["id"]),
        [("devops.connection", "error")],
        SETUP,
    ),
    "branch control": (
        lambda devops: [
            devops.checks.remove(one["id"]) for one in devops.checks.of("endpoint", connection(devops)["id"])
        ],
        [("devops.branches", "warning")],
        SETUP,
    ),
    "target": (other_target, [("devops.connection_target", "error")], f"{SETUP} --correct"),
    "secret": (with_secret, [("devops.connection_secret", "warning")], "portal: "),
    "issuer": (older_issuer, [("devops.federation", "error"), ("devops.connection_issuer", "warning")], SETUP),
    "environment": (
        lambda devops: devops.environments.remove(str(devops.environments.by_name("prod")["id"])),
        [("devops.environment", "error")],
        SETUP,
    ),
    "lock": (
        lambda devops: devops.checks.remove(checks(devops, EXCLUSIVE_LOCK)),
        [("devops.lock", "warning")],
        SETUP,
    ),
    "approval": (
        lambda devops: devops.checks.remove(checks(devops, APPROVAL)),
        [("devops.approval", "error")],
        SETUP,
    ),
    "approval, in the place of another check": (
        lambda devops: devops.checks.change(
            checks(devops, APPROVAL), type=TASK_CHECK, settings={"displayName": "Ask the change board"}
        ),
        [("devops.approval", "warning")],
        SETUP,
    ),
    "approvers": (
        lambda devops: devops.identities.empty_group("Project Administrators"),
        [("devops.approvers", "warning")],
        "portal: ",
    ),
    "pipeline": (remove_pipeline("azure-pipelines.yml"), [("devops.pipeline", "error")], SETUP),
    "rollback": (remove_pipeline("templates/pipelines/rollback.yml"), [("devops.pipelines", "warning")], SETUP),
    "disabled": (disable_pipeline, [("devops.pipeline_disabled", "error")], "portal: "),
    "may use the connection": (withdraw("endpoint"), [("devops.permission_connection", "error")], SETUP),
    "may use the environment": (withdraw("environment"), [("devops.permission_environment", "error")], SETUP),
    "hosted jobs": (lambda devops: devops.pools.set_hosted_jobs(0), [("devops.hosted_jobs", "error")], "portal: "),
    "policy": (
        lambda devops: [devops.policies.remove(one["id"]) for one in devops.policies.all()],
        [("devops.policy", "warning")],
        SETUP,
    ),
}


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_nothing_is_missing_after_the_set_up(done: Project, name: str) -> None:
    found = done.diagnose(name)
    assert (found.findings, found.unknown, len(found.looked_at)) == ((), (), 9)


@pytest.mark.parametrize("lost", list(LOST))
def test_each_thing_that_is_lost_is_named_with_its_mend(done: Project, lost: str) -> None:
    lose, expected, mend = LOST[lost]
    done.cloud.call(lambda: lose(done.devops))
    if lost == "approvers":  # whoever looks is one of them no more
        done.cloud.call(lambda: done.devops.identities.add(OBJECT, name="Tests", groups=["Endpoint Administrators"]))
    found = done.diagnose("prod")
    assert ids(found) == expected
    assert found.findings[0].mend.startswith(mend)
    if mend.startswith("python"):
        done.setup(*found.findings[0].mend.split()[2:])
        assert expected[0] not in ids(done.diagnose("prod")), done.said


def test_a_credential_that_is_gone(done: Project) -> None:
    for one in done.identities.credentials(IDENTITY):
        done.identities.delete_credential(IDENTITY, one.name)
    assert ids(done.diagnose("prod")) == [("devops.federation", "error")]


def test_variables_that_secrets_are_taken_from(done: Project) -> None:

    secrets = "\n        secrets: {SQL_PASSWORD: $(sqlPassword)}"
    done.edit(
        "templates/environments.yml", "serviceConnection: slipway-prod", f"serviceConnection: slipway-prod{secrets}"
    )
    assert done.setup() == 0, done.said
    assert ids(done.diagnose("prod")) == [("devops.variable", "error")]
    assert ids(done.diagnose("dev")) == []
    number = done.devops.definitions.of_file("azure-pipelines.yml")["id"]
    open_one = {"sqlPassword": {"value": "1", "isSecret": False}}
    done.cloud.call(lambda: done.devops.definitions.change(number, variables=open_one))
    assert ids(done.diagnose("prod")) == [("devops.variable_open", "warning")]
    kept = {"sqlPassword": {"value": "1", "isSecret": True}}
    done.cloud.call(lambda: done.devops.definitions.change(number, variables=kept))
    assert ids(done.diagnose("prod")) == []


def test_agents_of_ones_own(ready: Project) -> None:
    ready.edit("templates/environments.yml", "vmImage: ubuntu-24.04", "name: our-agents")
    ready.setup()
    (missing,) = ready.diagnose("dev").findings
    assert (missing.id, missing.mend.startswith("portal: ")) == ("devops.pool", True)
    pool = ready.cloud.call(lambda: ready.devops.pools.add_pool("our-agents"))
    (missing,) = ready.diagnose("dev").findings
    assert (missing.id, missing.mend) == ("devops.pool", SETUP.replace("prod", "dev"))
    assert ready.setup() == 0, ready.said
    assert ids(ready.diagnose("dev")) == [("devops.agents", "error")]
    ready.cloud.call(lambda: ready.devops.pools.set_agent(pool["id"], "a", online=True, enabled=False))
    assert ids(ready.diagnose("dev")) == [("devops.agents", "error")]
    ready.cloud.call(lambda: ready.devops.pools.set_agent(pool["id"], "a", online=True))
    assert ids(ready.diagnose("dev")) == []
    queue = ready.devops.pools.queue_named("our-agents")
    number = ready.devops.definitions.of_file("azure-pipelines.yml")["id"]
    ready.cloud.call(lambda: ready.devops.permissions.withdraw("queue", str(queue["id"]), number))
    assert ids(ready.diagnose("dev")) == [("devops.permission_pool", "error")]


def test_inside_a_pipeline_what_the_build_identity_can_not_read_is_unknown(done: Project) -> None:

    token, _ = done.cloud.call(lambda: done.devops.open_job("doctor"))
    variables = {"TF_BUILD": "True", "SYSTEM_ACCESSTOKEN": token}
    found = done.diagnose("prod", variables)
    assert found.findings == ()
    unseen = {one.what for one in found.unknown}
    assert {"the service connection", "what the pipelines may use", "the Azure DevOps environment"} <= unseen
    assert "the pipelines" not in unseen
    done.cloud.call(lambda: done.devops.environments.remove(str(done.devops.environments.by_name("prod")["id"])))
    # A job runs in it, so it is there: it only does not show itself.
    hidden = done.diagnose("prod", variables, short=True)
    assert (ids(hidden), [one.what for one in hidden.unknown]) == ([], ["the Azure DevOps environment"])
    assert done.diagnose("dev", variables, short=True).looked_at == ()


def test_a_project_that_is_not_there_and_somebody_who_is_no_member(ready: Project) -> None:
    ready.configure(azure_devops={"organization": "https://dev.azure.com/slipway", "project": "Other"})
    found = ready.diagnose("prod")
    assert ids(found) == [("devops.project", "error")]
    ready.configure(azure_devops={"organization": "https://dev.azure.com/slipway", "project": "Slipway"})
    ready.cloud.call(lambda: ready.devops.identities.forget(OBJECT))
    found = ready.diagnose("prod")
    assert found.findings == ()
    assert "TF400813" in next(one.reason for one in found.unknown if one.what == "the project of Azure DevOps")


def test_without_a_section_nothing_is_looked_at(ready: Project) -> None:
    ready.configure(azure_devops=None)
    (only,) = ready.diagnose("prod").unknown
    assert "names no project" in only.reason


def test_every_finding_says_what_why_and_one_mend(ready: Project) -> None:
    def sentence(text: str) -> bool:
        return text[0].isupper() and text.endswith(".")

    found: list[Finding] = [*ready.diagnose("prod").findings]
    assert {one.id for one in found} >= {"devops.connection", "devops.environment", "devops.pipeline"}
    for one in found:
        assert sentence(one.what) and sentence(one.why), one
        assert one.mend.startswith(("python scripts/", "portal: ", "az ")) and one.who
