"""What the doctor says: order, groups, what counts."""

from __future__ import annotations

from slipway.domain.diagnosis import Finding, Severity, Unknown, as_data, by_reason, diagnosis, grouped


def finding(name: str, severity: Severity = "error") -> Finding:
    return Finding(id=name, what=f"{name} is missing", why="It matters.", mend="az mend", severity=severity)


def test_errors_come_first_and_the_same_thing_counts_once() -> None:
    said = [finding("state.lock", "warning"), finding("state.account"), finding("azure.group"), finding("azure.group")]
    found = diagnosis("dev", ["all"], said)
    assert [one.id for one in found.findings] == ["azure.group", "state.account", "state.lock"]


def test_only_an_error_stops_a_release() -> None:
    unseen = Unknown(what="the lock", reason="it may not be read")
    assert diagnosis("dev", [], [finding("state.lock", "warning"), unseen]).ready
    assert not diagnosis("dev", [], [finding("state.lock")]).ready


def test_who_sees_too_little_is_not_told_that_all_is_well() -> None:
    unseen = [Unknown(what=what, reason="it may not be read") for what in ("the workspace", "the lock")]
    found = diagnosis("dev", [], unseen, needed=["the resource group", "the workspace"])
    assert (found.ready, found.blind) == (False, ("the workspace",))
    assert diagnosis("dev", [], [Unknown(what="the lock", reason="x")], needed=["the workspace"]).ready


def test_one_reason_for_many_things_is_said_once() -> None:
    said = [Unknown(what="a", reason="x"), Unknown(what="b", reason="y"), Unknown(what="c", reason="x")]
    assert by_reason(said) == [("x", ["a", "c"]), ("y", ["b"])]


def test_groups_are_in_the_order_of_the_report() -> None:
    groups = grouped([finding("workspace.member"), finding("azure.group"), finding("new.thing")])
    assert [title for title, _ in groups] == [
        "Azure: sign-in, subscription, resource group",
        "Databricks workspace",
        "new",
    ]


def test_the_data_has_everything() -> None:
    data = as_data(diagnosis("dev", ["one", "two"], [finding("state.lock"), Unknown(what="x", reason="y")]))
    assert data == {
        "environment": "dev",
        "ready": False,
        "findings": [
            {
                "id": "state.lock",
                "what": "state.lock is missing",
                "why": "It matters.",
                "mend": "az mend",
                "severity": "error",
                "who": "",
            }
        ],
        "unknown": [{"what": "x", "reason": "y"}],
        "looked_at": ["one", "two"],
    }
