"""What-if's answer as a person reads it."""

from __future__ import annotations

from typing import Any

from slipway.services.resource_manager.what_if import read_changes

GROUP = "/subscriptions/s/resourceGroups/rg/providers"


def change(kind: str, resource: str = "Microsoft.Storage/storageAccounts/stx", **more: Any) -> dict[str, Any]:
    return {"changeType": kind, "resourceId": f"{GROUP}/{resource}", **more}


def lines(*changes: dict[str, Any]) -> list[str]:
    return [line for one in read_changes({"properties": {"changes": list(changes)}}) for line in one.lines()]


def test_symbols_and_short_names_changes_first() -> None:
    role = "Microsoft.KeyVault/vaults/kv/providers/Microsoft.Authorization/roleAssignments/1f"
    assert lines(
        change("NoChange"), change("Ignore", "X.Y/zs/z"), change("Create", role), change("Delete", "A.B/cs/c")
    ) == [
        "- cs/c",
        "+ vaults/kv/roleAssignments/1f",
        "= storageAccounts/stx",
        "* zs/z",
    ]


def test_properties_before_and_after() -> None:
    delta = [
        {
            "path": "properties",
            "propertyChangeType": "Modify",
            "children": [
                {"path": "minimumTlsVersion", "propertyChangeType": "Modify", "before": "TLS1_0", "after": "TLS1_2"},
                {"path": "noise", "propertyChangeType": "NoEffect", "before": 1, "after": 2},
                {
                    "path": "ipRules",
                    "propertyChangeType": "Array",
                    "children": [{"path": "0", "propertyChangeType": "Create", "after": {"value": "1.2.3.4"}}],
                },
                {"path": "adminPassword", "propertyChangeType": "Modify", "before": "hunter2", "after": "hunter3"},
            ],
        },
        {"path": "tags.old", "propertyChangeType": "Delete", "before": "x"},
    ]
    assert lines(change("Modify", delta=delta)) == [
        "~ storageAccounts/stx",
        '    ~ properties.minimumTlsVersion: "TLS1_0" -> "TLS1_2"',
        '    + properties.ipRules[0]: {"value": "1.2.3.4"}',
        "    ~ properties.adminPassword: … -> …",
        '    - tags.old: "x"',
    ]


def test_a_modification_without_effect_is_none() -> None:
    noise = [{"path": "properties.x", "propertyChangeType": "NoEffect", "before": 1, "after": 2}]
    (found,) = read_changes({"changes": [change("Modify", delta=noise)]})
    assert not found.changes


def test_what_the_service_can_not_tell_counts_as_a_change() -> None:
    (found,) = read_changes({"properties": {"changes": [change("Unsupported", unsupportedReason="reference()")]}})
    assert found.changes
    assert found.lines() == ["x storageAccounts/stx  (reference())"]


def test_an_id_that_is_an_expression_is_said_in_words() -> None:
    place = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv-x"
    unknown = f"[extensionResourceId('{place}', 'Microsoft.Authorization/roleAssignments', guid('a', reference('b')))]"
    change = {"changeType": "Unsupported", "resourceId": unknown, "unsupportedReason": "a long sentence about line 287"}
    (found,) = read_changes({"changes": [change]})
    assert found.lines() == ["x a roleAssignments on kv-x, known only while deploying"]


def test_no_changes_at_all() -> None:
    assert read_changes({"status": "Succeeded", "properties": {}}) == []
