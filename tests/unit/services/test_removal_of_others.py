"""The step remove_environment leaves what is not this environment's alone, though it has the names of the configuration."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slipway.domain.claim import Claim
from slipway.domain.state import JobRecord, State, write_state
from slipway.errors import AuthenticationError, Conflict, NotPossible, SlipwayError
from slipway.services.credentials import Credential
from slipway.services.resource_manager.groups import ROLES, assignment_name
from slipway.steps import remove_environment
from tests.unit.services.bootstrap_wire import CLIENT, IDENTITY, MADE, PRINCIPAL, SUBSCRIPTION
from tests.unit.services.conftest import ROOT, Answer, Sent, Step, Wire
from tests.unit.services.removal_wire import GROUP, TAGS, asked, only_the_group

APP = {"slipway_app": "bikeshare"}
ACCOUNT = (
    f"{SUBSCRIPTION}/resourceGroups/rg-bikeshare-state/providers/Microsoft.Storage/storageAccounts/stbikesharestate"
)
CONTAINER = r"blobServices/default/containers/dev\?"
LIST = r"blobServices/default/containers\?"
NO_RIGHT = Answer(403, {"error_code": "PERMISSION_DENIED", "message": "not an admin"})


@pytest.fixture
def left(wire: Wire, identity: Credential, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """The state's account with the container, and the release identity, both made for this app."""
    monkeypatch.setattr("slipway.steps.remove_environment.credential", lambda _: identity)
    only_the_group(wire)
    wire.on("GET", r"/resourceGroups/rg-bikeshare-dev\?", Answer(404, {"error": {"code": "ResourceGroupNotFound"}}))
    wire.on("GET", r"/storageAccounts/stbikesharestate\?", Answer(body={"id": ACCOUNT, "tags": APP}))
    wire.on("GET", CONTAINER, Answer(body={"name": "dev"}))
    wire.on("GET", LIST, Answer(body={"value": [{"name": "dev"}, {"name": "audit"}]}))
    wire.on("GET", IDENTITY, Answer(body=MADE | {"tags": APP}))
    wire.on("GET", "/roleAssignments", Answer(body={"value": []}))
    wire.on("GET", r"/resourceGroups/rg-bikeshare-state\?", Answer(404, {"error": {"code": "ResourceGroupNotFound"}}))
    for place in ("/locks/slipway-state", r"/storageAccounts/stbikesharestate\?", IDENTITY):
        wire.on("DELETE", place, Answer(200, b""))
    wire.on("DELETE", r"blob\.core\.windows\.net", Answer(202, b""))
    wire.on("PUT", "/locks/slipway-state", Answer(201, {}))
    return wire


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """A repository with no environment but dev."""
    root = tmp_path / "repository"
    shutil.copytree(ROOT / "config", root / "config")
    for name in ("test", "prod"):
        (root / "config" / "environments" / f"{name}.yml").unlink()
    return root


def other(root: Path, old: str, new: str, name: str = "test") -> None:
    """One more environment: the configuration of all with something else in it."""
    text = (root / "config" / "defaults.yml").read_text(encoding="utf-8")
    assert old in text
    (root / "config" / "environments" / f"{name}.yml").write_text(text.replace(old, new), encoding="utf-8")


def state_of(*records: JobRecord, claim: Claim | None = None) -> Callable[[Sent], Answer]:
    jobs = {f"job{record.id}": record for record in records}
    content = write_state(State(app="bikeshare", environment="dev", jobs=jobs, claim=claim, fence=9))
    place = f"bytes 0-{len(content) - 1}/{len(content)}"
    return lambda _: Answer(206, content, {"ETag": '"1"', "Content-Range": place})


def job(number: int, **tags: str) -> dict[str, Any]:
    return {"job_id": number, "settings": {"name": f"job {number}", "tags": tags}}


def test_the_state_stays_where_a_job_could_not_be_removed(left: Wire, step: Step) -> None:
    """The next run must know still which jobs people had made."""
    left.on("GET", "/jobs/list", Answer(body={"jobs": [job(7, **TAGS)]}))
    left.on("GET", r"blob\.core\.windows\.net", state_of(JobRecord(id=7, slot=None, pause=None)))
    left.on("POST", "/jobs/delete", NO_RIGHT)
    with pytest.raises(AuthenticationError) as caught:
        remove_environment.run(asked(step, yes="dev"))
    assert left.count("DELETE", r"blob\.core") == 0
    assert "container dev" in str(caught.value.next_step)


def test_without_the_state_nobody_knows_whose_a_job_was(left: Wire, step: Step) -> None:
    left.on("GET", "/jobs/list", Answer(body={"jobs": [job(7, **TAGS)]}))
    with pytest.raises(NotPossible, match="the state is gone"):
        remove_environment.run(asked(step, yes="dev"))
    assert left.writes() == []


def test_a_job_that_was_given_back_stays_as_people_have_it(left: Wire, step: Step) -> None:
    """The second run of a removal finds it in the state still."""
    left.on("GET", "/jobs/list", Answer(body={"jobs": [job(7, team="eve")]}))
    left.on("GET", r"blob\.core\.windows\.net", state_of(JobRecord(id=7, slot=None, pause=None, adopted="archive/x")))
    remove_environment.run(asked(step, yes="dev"))
    assert left.count("POST", "/jobs/") == 0


def test_a_job_that_may_not_be_seen_stops_it(left: Wire, step: Step) -> None:
    """Without the state nobody would know of it any more."""
    left.on("GET", r"blob\.core\.windows\.net", state_of(JobRecord(id=7, slot=None, pause=None)))
    left.on("GET", "/jobs/get", NO_RIGHT)
    with pytest.raises(AuthenticationError):
        remove_environment.run(asked(step, yes="dev"))
    assert left.writes() == []


def test_a_release_that_began_while_somebody_was_asked(left: Wire, step: Step) -> None:
    now = step.moment.clock()
    claim = Claim(
        holder="other", release="9", run="run 9", who="Ann", since=now, heartbeat=now, expires=now + 600, number=9
    )
    left.on("GET", r"blob\.core\.windows\.net", state_of(), state_of(claim=claim))
    with pytest.raises(Conflict, match="Ann is releasing"):
        remove_environment.run(asked(step), ask=lambda _: "dev")
    assert left.writes() == []


@pytest.mark.parametrize("tags", [{}, {"slipway_app": "bike"}])
def test_an_identity_of_the_name_that_others_made(left: Wire, step: Step, alone: Path, tags: dict[str, str]) -> None:
    left.on("GET", IDENTITY, Answer(body=MADE | {"tags": tags}))
    remove_environment.run(asked(step, root=alone, yes="dev", last=True))
    assert left.count("DELETE", IDENTITY) == 0
    assert left.count("DELETE", r"/storageAccounts/stbikesharestate\?") == 1


def test_an_identity_that_another_environment_has_with_a_state_of_its_own(left: Wire, step: Step, alone: Path) -> None:
    other(alone, "storage_account: st{{ app }}state", "storage_account: stotherstate")
    remove_environment.run(asked(step, root=alone, yes="dev", last=True))
    assert left.count("DELETE", IDENTITY) == 0
    assert "test needs it" in step.text


def test_an_identity_that_another_project_signs_in_as(left: Wire, step: Step, alone: Path) -> None:
    github = {"issuer": "https://token.actions.githubusercontent.com", "subject": "repo:a/b:environment:dev"}
    theirs = {"issuer": "https://login.microsoftonline.com/x/v2.0", "subject": "/eid1/y"}
    named = [{"name": "github-dev", "properties": github}, {"name": "theirs", "properties": theirs}]
    left.on("GET", "/federatedIdentityCredentials", Answer(body={"value": named}))
    with pytest.raises(NotPossible, match=r"federated credential theirs\b") as caught:
        remove_environment.run(asked(step, root=alone, yes="dev", last=True))
    assert "github-dev" not in str(caught.value)
    assert left.writes() == []


def test_an_account_that_keeps_the_state_of_another_app(left: Wire, step: Step, alone: Path) -> None:
    left.on("GET", LIST, Answer(body={"value": [{"name": "dev"}, {"name": "audit"}, {"name": "bike-dev"}]}))
    with pytest.raises(NotPossible, match="stbikesharestate: container bike-dev"):
        remove_environment.run(asked(step, root=alone, yes="dev", last=True))
    assert left.writes() == []
    remove_environment.run(asked(step, root=alone, yes="dev", last=True, with_foreign=True))
    assert left.count("DELETE", r"/storageAccounts/stbikesharestate\?") == 1


def test_roles_go_whatever_the_case_in_which_azure_spells_the_group(left: Wire, step: Step) -> None:
    role = ROLES["Contributor"]
    name = assignment_name(GROUP, PRINCIPAL, role)
    upper = GROUP.replace("rg-bikeshare-dev", "RG-Bikeshare-Dev")
    given = {"name": name, "id": f"{upper}/x/{name}", "properties": {"principalId": PRINCIPAL, "scope": upper}}
    left.on("GET", r"/resourceGroups/rg-bikeshare-dev\?", Answer(body={"id": upper, "tags": {"owner": "others"}}))
    left.on("GET", r"rg-bikeshare-dev/.*/roleAssignments", Answer(body={"value": [given]}))
    left.on("DELETE", f"/x/{name}", Answer(200, b""))
    remove_environment.run(asked(step, yes="dev"))
    assert left.count("DELETE", f"/x/{name}") == 1


def lock_at(scope: str, name: str) -> dict[str, Any]:
    where = f"{scope}/providers/Microsoft.Authorization/locks/{name}"
    return {"id": where, "name": name, "properties": {"level": "CanNotDelete"}}


def test_an_account_that_others_locked_stops_it_before_anything_goes(left: Wire, step: Step, alone: Path) -> None:
    group = ACCOUNT.partition("/providers/")[0]
    locks = [lock_at(ACCOUNT, "slipway-state"), lock_at(group, "of-others")]
    left.on("GET", "/locks", Answer(body={"value": locks}))
    with pytest.raises(NotPossible, match="of-others"):
        remove_environment.run(asked(step, root=alone, yes="dev", last=True))
    assert left.writes() == []


def test_an_account_that_would_not_go_is_locked_again(left: Wire, step: Step, alone: Path) -> None:
    left.on("GET", "/locks", Answer(body={"value": [lock_at(ACCOUNT, "slipway-state")]}))
    held = Answer(409, {"error": {"code": "AccountProtectedFromDeletion", "message": "a container is immutable"}})
    left.on("DELETE", r"/storageAccounts/stbikesharestate\?", held)
    with pytest.raises(SlipwayError, match="immutable"):
        remove_environment.run(asked(step, root=alone, yes="dev", last=True))
    assert left.count("PUT", "/locks/slipway-state") == 1


def test_a_role_on_an_account_that_others_locked_stays(left: Wire, step: Step, alone: Path) -> None:
    other(alone, f"object_id: {PRINCIPAL}", f"object_id: {CLIENT}")
    role = ROLES["Storage Blob Data Contributor"]
    name = assignment_name(ACCOUNT, PRINCIPAL, role)
    given = {"name": name, "id": f"{ACCOUNT}/x/{name}", "properties": {"principalId": PRINCIPAL, "scope": ACCOUNT}}
    left.on("GET", "/roleAssignments", Answer(body={"value": [given]}))
    left.on("GET", "/locks", Answer(body={"value": [lock_at(ACCOUNT, "of-others")]}))
    remove_environment.run(asked(step, root=alone, yes="dev"))
    assert "a lock that Slipway did not make, of-others" in step.text
    assert left.writes() == []


def test_a_group_that_another_environment_is_in_keeps_its_roles(left: Wire, step: Step, alone: Path) -> None:
    other(alone, "resource_group: rg-{{ app }}-{{ environment }}", "resource_group: RG-{{ app }}-dev")
    left.on("GET", r"/resourceGroups/rg-bikeshare-dev\?", Answer(body={"id": GROUP, "tags": TAGS}))
    remove_environment.run(asked(step, root=alone, yes="dev"))
    assert left.count("GET", "/roleAssignments") == 0
    assert left.count("DELETE", "/rg-bikeshare-dev") == 0
    assert "test needs it" in step.text


def test_a_member_that_jobs_of_another_environment_run_as(left: Wire, step: Step, alone: Path) -> None:
    theirs = f"service_principal_name: {CLIENT}"
    other(alone, 'service_principal_name: "{{ azure.release_identity.client_id }}"', theirs)
    file = alone / "config" / "environments" / "test.yml"
    text = file.read_text(encoding="utf-8").replace(f"client_id: {CLIENT}", f"client_id: {PRINCIPAL}")
    file.write_text(text, encoding="utf-8")
    member = {"id": "7", "applicationId": CLIENT, "displayName": "id-bikeshare-release"}
    left.on("GET", "/scim/v2/ServicePrincipals", Answer(body={"Resources": [member]}))
    remove_environment.run(asked(step, root=alone, yes="dev"))
    assert left.count("DELETE", "/scim/") == 0


def test_a_scope_that_shows_the_vault_of_others(left: Wire, step: Step) -> None:
    vault = f"{SUBSCRIPTION}/resourceGroups/theirs/providers/Microsoft.KeyVault/vaults/kv-theirs"
    scope = {
        "name": "slipway-bikeshare-dev",
        "backend_type": "AZURE_KEYVAULT",
        "keyvault_metadata": {"resource_id": vault, "dns_name": "x"},
    }
    left.on("GET", "/secrets/scopes/list", Answer(body={"scopes": [scope]}))
    remove_environment.run(asked(step, yes="dev"))
    assert left.count("POST", "/secrets/") == 0


def test_a_workspace_that_is_not_the_one_that_was_looked_at(left: Wire, step: Step, alone: Path) -> None:
    """What is in it decides whether it may go."""
    found = {"name": "dbw-bikeshare", "properties": {"workspaceUrl": "adb-1.1.azuredatabricks.net"}, "tags": APP}
    left.on("GET", r"/Microsoft\.Databricks/workspaces/dbw-bikeshare\?", Answer(body=found))
    with pytest.raises(NotPossible, match="answers at"):
        remove_environment.run(asked(step, root=alone, yes="dev", workspace="delete"))
    assert left.writes() == []
