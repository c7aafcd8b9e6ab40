"""What the doctor says: order, groups, what counts."""

from __future__ import annotations

from slipway.domain.diagnosis import Finding, Severity, Unknown, as_data, diagnosis, grouped


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
