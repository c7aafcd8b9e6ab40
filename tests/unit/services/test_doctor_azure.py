"""The doctor's frame, and what it says of a subscription, for answers that no stand-in gives."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from slipway.domain.diagnosis import Finding, Unknown
from slipway.errors import NotPossible, ServiceError
from slipway.services.credentials import Credential, SignInFailed
from slipway.services.databricks import Workspace
from slipway.services.resource_manager.reading import Reader
from slipway.steps import doctor
from slipway.steps.doctor import azure, clock, facts, identities
from slipway.steps.doctor.examination import Check, Examination, NotSeen, Said, examine
from tests.unit.services.conftest import Answer, Step, Wire

TENANT = "7a6f3c1e-52d4-4b8e-9d0a-1f2e3d4c5b6a"
SUBSCRIPTION = r"/subscriptions/[^/?]+\?"
# A date of the services, by the clock of Moment (1,000,000 s after the epoch).
NOW, LATE = "Mon, 12 Jan 1970 13:46:40 GMT", "Mon, 12 Jan 1970 13:40:00 GMT"


@pytest.fixture
def examination(step: Step, identity: Credential) -> Examination:
    return Examination(
        context=step.context(arguments={"short": False, "json": False}),
        credential=identity,
        azure=Reader(identity, "2c9d8e7f-6a5b-4c3d-8e1f-0a9b8c7d6e5f", clock=step.moment.clock),
        workspace=Workspace("https://adb-1.1.azuredatabricks.net", token=lambda: "t"),
        short=False,
    )


def finding(name: str) -> Finding:
    return Finding(id=name, what="It is missing.", why="It matters.", mend="az mend")


def said_by(checks: list[Check], title: str) -> list[Said]:
    return examine([check for check in checks if check.title == title])


# -- the frame -------------------------------------------------------------------------------------------------------


def test_what_a_check_found_before_it_failed_counts() -> None:
    def look() -> Iterator[Said]:
        yield finding("azure.group")
        raise ServiceError("The service is away.")

    assert examine([Check(title="the group", look=look)]) == [
        finding("azure.group"),
        Unknown(what="the group", reason="The service is away."),
    ]


def test_what_hangs_on_something_missing_is_unknown() -> None:
    def look() -> Iterator[Said]:
        raise NotSeen("there is no group")
        yield finding("azure.lock")

    assert examine([Check(title="locks", look=look)]) == [Unknown(what="locks", reason="there is no group")]


def test_without_a_sign_in_there_is_no_diagnosis() -> None:
    def look() -> Iterator[Said]:
        raise SignInFailed("Nobody is signed in.")
        yield finding("azure.lock")

    with pytest.raises(SignInFailed):
        examine([Check(title="locks", look=look), Check(title="group", look=list)])


def test_a_fact_is_asked_once_and_its_failure_is_everybodys(examination: Examination) -> None:
    asked, together = [], threading.Barrier(4)

    def ask() -> int:
        asked.append(1)
        raise ServiceError("away")

    def look() -> list[Said]:
        together.wait()
        examination.fact("number", ask)
        return []

    said = examine([Check(title=str(number), look=look) for number in range(4)])
    assert [one.reason for one in said if isinstance(one, Unknown)] == ["away"] * 4
    assert len(asked) == 1


def test_the_report_has_each_command_on_its_own_line(
    examination: Examination, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    warning = Finding(
        id="state.lock", what="No lock.", why="It may go.", mend="az lock", severity="warning", who="an Owner"
    )
    monkeypatch.setattr(doctor, "credential", lambda _: examination.credential)
    checks = [Check(title="all", look=lambda: [warning, finding("root.manage"), Unknown(what="x", reason="y")])]
    monkeypatch.setattr(doctor, "all_checks", lambda _: checks)
    with pytest.raises(NotPossible, match="dev is not ready for a release: 1 thing to mend"):
        doctor.run(examination.context)
    lines = [line.strip() for line in step.text.splitlines()]
    assert lines.index("az mend") < lines.index("az lock")
    assert "error: root.manage: It is missing." in lines
    assert "It may go. It takes an Owner." in lines
    assert "? Not seen: x. Y." in lines


def test_data_is_all_that_is_on_standard_output_in_a_pipeline_too(
    examination: Examination, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "credential", lambda _: examination.credential)
    monkeypatch.setattr(doctor, "all_checks", lambda _: [Check(title="all", look=lambda: [finding("root.manage")])])
    examination.context.arguments.json = True
    assert doctor.run(examination.context) == NotPossible.exit_code
    assert json.loads(step.text)["ready"] is False


# -- the subscription ------------------------------------------------------------------------------------------------


def test_a_subscription_that_is_disabled_is_named(examination: Examination, wire: Wire) -> None:
    wire.on("GET", SUBSCRIPTION, Answer(body={"tenantId": TENANT, "state": "Disabled"}))
    (found,) = said_by(azure.checks(examination), "the subscription")
    assert isinstance(found, Finding)
    assert found.id == "azure.subscription_state"
    assert found.mend.startswith("az rest --method post --url https://management.azure.com/subscriptions/2c9d8e7f-")
    assert found.mend.endswith("/providers/Microsoft.Subscription/enable?api-version=2021-10-01")


def test_an_enabled_one_of_the_tenant_is_no_finding(examination: Examination, wire: Wire) -> None:
    wire.on("GET", SUBSCRIPTION, Answer(body={"tenantId": TENANT.upper(), "state": "Enabled"}))
    assert said_by(azure.checks(examination), "the subscription") == []


def test_one_that_may_not_be_read_is_unknown_and_the_group_is_looked_at(examination: Examination, wire: Wire) -> None:
    refused = Answer(403, {"error": {"code": "AuthorizationFailed", "message": "no"}})
    wire.on("GET", SUBSCRIPTION, refused)
    wire.on(
        "GET", r"/resourceGroups/[^/]*\?", Answer(404, {"error": {"code": "ResourceGroupNotFound", "message": "no"}})
    )
    (unseen,) = said_by(azure.checks(examination), "the subscription")
    assert isinstance(unseen, Unknown)
    (found,) = said_by(azure.checks(examination), "the resource group")
    assert isinstance(found, Finding)
    assert found.id == "azure.group"


def test_one_that_hides_from_who_sees_the_group_is_unknown(examination: Examination, wire: Wire) -> None:
    wire.on("GET", SUBSCRIPTION, Answer(404, {"error": {"code": "SubscriptionNotFound", "message": "no"}}))
    wire.on("GET", r"/resourceGroups/[^/]*\?", Answer(body={"name": "rg-bikeshare-dev"}))
    (unseen,) = said_by(azure.checks(examination), "the subscription")
    assert isinstance(unseen, Unknown)
    assert said_by(azure.checks(examination), "the resource group") == []


@pytest.mark.parametrize(("date", "said"), [(NOW, []), (LATE, ["clock.skew"]), ("soon", [])])
def test_the_clock_is_held_against_the_services(
    examination: Examination, wire: Wire, date: str, said: list[str]
) -> None:
    wire.on("GET", SUBSCRIPTION, Answer(body={"tenantId": TENANT, "state": "Enabled"}, headers={"Date": date}))
    found = examine(clock.checks(examination))
    assert [one.id for one in found if isinstance(one, Finding)] == said
    assert bool([one for one in found if isinstance(one, Unknown)]) == (date == "soon")


# -- what a release could do with as well ----------------------------------------------------------------------------

GROUP = "/subscriptions/2c9d8e7f-6a5b-4c3d-8e1f-0a9b8c7d6e5f/resourceGroups/rg-bikeshare-dev"
OURS = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stbikesharedev"
OTHERS = f"{GROUP}/providers/Microsoft.Web/sites/of-others"


@pytest.fixture
def group(wire: Wire) -> Wire:
    """Subscription, group and identity are there."""
    wire.on("GET", SUBSCRIPTION, Answer(body={"tenantId": TENANT, "state": "Enabled"}))
    wire.on("GET", r"/resourceGroups/rg-bikeshare-dev\?", Answer(body={"name": "rg-bikeshare-dev"}))
    wire.on("GET", r"/userAssignedIdentities/", Answer(404, {"error": {"code": "ResourceNotFound", "message": "no"}}))
    return wire


def roles(*held: tuple[str, str]) -> Answer:
    """Assignments: a role's GUID, and where it was made."""
    return Answer(
        body={
            "value": [
                {"properties": {"roleDefinitionId": f"/x/{role}", "scope": scope, "principalId": "a-group"}}
                for role, scope in held
            ]
        }
    )


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ([(facts.OWNER, GROUP)], []),
        ([(facts.OWNER, "/")], []),
        ([(facts.OWNER, OURS)], ["error", "error"]),
        ([(facts.CONTRIBUTOR, GROUP), (facts.USER_ACCESS_ADMINISTRATOR, GROUP.rpartition("/resource")[0])], []),
        ([("c0ffee00-0000-4000-8000-000000000009", GROUP)], ["warning", "warning"]),
        ([], ["error", "error"]),
    ],
    ids=["owner", "owner above", "owner below", "two", "a role of their own", "none"],
)
def test_roles_of_a_group_or_from_above_count_and_unknown_ones_may(
    examination: Examination, group: Wire, held: list[tuple[str, str]], said: list[str]
) -> None:
    group.on("GET", r"/roleAssignments", roles(*held))
    found = said_by(identities.checks(examination), "roles of the release identity on the group")
    assert [one.severity for one in found if isinstance(one, Finding)] == said


@pytest.mark.parametrize(("place", "said"), [(GROUP, 1), (OURS, 1), (OTHERS, 0)])
def test_a_lock_on_what_others_have_there_is_no_matter(
    examination: Examination, group: Wire, place: str, said: int
) -> None:
    lock = {
        "id": f"{place}/providers/Microsoft.Authorization/locks/l",
        "name": "l",
        "properties": {"level": "ReadOnly"},
    }
    group.on("GET", r"/locks", Answer(body={"value": [lock]}))
    assert len(said_by(azure.checks(examination), "locks on the resource group")) == said


def test_a_pipeline_whose_token_says_nothing_is_not_called_somebody_else(
    examination: Examination, group: Wire, step: Step
) -> None:
    context = step.context(arguments={"short": True}, variables={"TF_BUILD": "True", "SYSTEM_TEAMPROJECT": "x"})
    inside = replace(examination, context=context, short=True)
    found = said_by(identities.checks(inside), "who this pipeline signs in as")
    assert all(isinstance(one, Unknown) for one in found)
