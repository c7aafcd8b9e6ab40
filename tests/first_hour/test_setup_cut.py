"""The set-up of Azure DevOps is cut at every request that changes something, before or after it took effect; run again, it ends
with the same project as one that was never cut, and nothing twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from rehearsal.gateway.faults import Fault
from tests.rehearsal.azure_devops.project import IDENTITY, Project

pytestmark = pytest.mark.first_hour
# Pipelines, policy, connection, credential, environment, lock, approval, two permissions.
WRITES = 13


def inventory(project: Project) -> dict[str, Any]:
    """Everything that the set-up makes, without numbers."""
    devops = project.devops
    names = {one["id"]: one["process"]["yamlFilename"] for one in devops.definitions.all()}
    environment, connection = devops.environments.by_name("prod"), devops.connections.by_name("slipway-prod")
    places = (("environment", str(environment["id"])), ("endpoint", connection["id"]))
    subject = connection["authorization"]["parameters"]["workloadIdentityFederationSubject"]
    return {
        "pipelines": sorted(names.values()),
        "policies": [names[one["settings"]["buildDefinitionId"]] for one in devops.policies.all()],
        "connections": [one["name"] for one in devops.connections.all()],
        "checks": sorted(one["type"] for one in devops.checks.of(*places[0])),
        "permitted": [
            sorted(name for key, name in names.items() if devops.permissions.allows(*place, key)) for place in places
        ],
        "credentials": [one.subject == subject for one in project.identities.credentials(IDENTITY)],
    }


@pytest.fixture
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    with Project(tmp_path, monkeypatch, capsys) as made:
        made.make_identity()
        yield made


def test_how_many_requests_change_something(ready: Project) -> None:
    before = len(ready.writes())
    assert ready.setup("--environment", "prod") == 0, ready.said
    assert len(ready.writes()) - before == WRITES
    assert inventory(ready) == {
        "pipelines": sorted(
            [
                "azure-pipelines.yml",
                *(f"templates/pipelines/{name}.yml" for name in ("drill", "recover-and-watch", "rollback")),
            ]
        ),
        "policies": ["azure-pipelines.yml"],
        "connections": ["slipway-prod"],
        "checks": ["2ef31ad6-baa0-403a-8b45-2cbc9b4e5563", "8c6f20a7-a545-4486-9777-f762fafe0d4d"],
        "permitted": [inventory(ready)["pipelines"]] * 2,
        "credentials": [True],
    }


@pytest.mark.parametrize("at", range(WRITES))
@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_cut_and_run_again(ready: Project, kind: Literal["drop_before", "drop_after"], at: int) -> None:
    cut = Fault(kind=kind, method="P[OAU]*", host="[dm]*", skip=at)  # POST, PATCH, PUT; dev.azure.com, management
    ready.cloud.call(lambda: ready.cloud.faults.add(cut))
    ready.setup("--environment", "prod")
    assert cut.struck == 1
    assert ready.setup("--environment", "prod") == 0, ready.said
    before = ready.writes()
    whole = inventory(ready)
    assert ready.setup("--environment", "prod") == 0, ready.said
    assert ready.writes() == before
    assert [len(whole[kind]) for kind in ("pipelines", "policies", "connections", "checks", "credentials")] == [
        4,
        1,
        1,
        2,
        1,
    ]
    assert whole["permitted"] == [whole["pipelines"]] * 2
    assert whole["credentials"] == [True]
