"""Which action each call needs, against the table of the service's documentation."""

from __future__ import annotations

import pytest

from rehearsal.storage.permissions import needed

CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"


@pytest.mark.parametrize(
    ("method", "path", "query", "action", "data", "container"),
    [
        ("GET", "/", {"comp": "list"}, f"{CONTAINERS}/read", False, ""),
        (
            "GET",
            "/",
            {"restype": "service", "comp": "properties"},
            "Microsoft.Storage/storageAccounts/blobServices/read",
            False,
            "",
        ),
        ("PUT", "/data", {"restype": "container"}, f"{CONTAINERS}/write", False, "data"),
        ("DELETE", "/data", {"restype": "container"}, f"{CONTAINERS}/delete", False, "data"),
        ("GET", "/data", {"restype": "container"}, f"{CONTAINERS}/read", False, "data"),
        ("GET", "/data", {"restype": "container", "comp": "list"}, f"{CONTAINERS}/blobs/read", True, "data"),
        ("PUT", "/data", {"restype": "container", "comp": "lease"}, f"{CONTAINERS}/write", False, "data"),
        ("GET", "/data/a/b", {}, f"{CONTAINERS}/blobs/read", True, "data"),
        ("HEAD", "/data/a", {}, f"{CONTAINERS}/blobs/read", True, "data"),
        ("PUT", "/data/a", {}, f"{CONTAINERS}/blobs/write", True, "data"),
        ("PUT", "/data/a", {"comp": "block"}, f"{CONTAINERS}/blobs/write", True, "data"),
        ("PUT", "/data/a", {"comp": "appendblock"}, f"{CONTAINERS}/blobs/add/action", True, "data"),
        ("PUT", "/data/a", {"comp": "lease"}, f"{CONTAINERS}/blobs/write", True, "data"),
        ("DELETE", "/data/a", {}, f"{CONTAINERS}/blobs/delete", True, "data"),
        ("GET", "/data/a", {"comp": "tags"}, f"{CONTAINERS}/blobs/tags/read", True, "data"),
        ("PUT", "/data/a", {"comp": "tags"}, f"{CONTAINERS}/blobs/tags/write", True, "data"),
    ],
)
def test_a_call_needs_its_action(
    method: str, path: str, query: dict[str, str], action: str, data: bool, container: str
) -> None:
    need = needed(method, path, query)
    assert action in need.actions
    assert (need.data, need.container) == (data, container)


def test_reading_is_never_enough_to_write() -> None:
    for method in ("PUT", "POST", "DELETE", "PATCH"):
        for query in ({}, {"comp": "block"}, {"comp": "lease"}, {"comp": "unheard-of"}):
            need = needed(method, "/data/a", query)
            assert not any(action.endswith("/read") for action in need.actions), (method, query)
