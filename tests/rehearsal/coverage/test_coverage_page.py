"""docs/stand-ins.md: nothing may claim to be done that no foreign client has tried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rehearsal.coverage import page, record
from rehearsal.coverage.paths import matcher, spelled
from rehearsal.coverage.services import Operation, all_operations
from rehearsal.coverage.sources import source

AGAIN = "run: make test-contract ARGS=--record"


@pytest.fixture(scope="module")
def operations() -> list[Operation]:
    return all_operations()


def test_every_operation_that_is_called_done_was_tried_by_a_foreign_client(operations: list[Operation]) -> None:
    assert page.gaps(operations, record.load()) == [], f"write a test in tests/contract for these, then {AGAIN}"


def test_the_page_is_what_the_code_and_the_record_say(operations: list[Operation]) -> None:
    exercised = record.load()
    assert page.unknown(operations, exercised) == [], f"these are no operations any more; {AGAIN}"
    assert page.PAGE.read_text(encoding="utf-8") == page.render(operations, exercised), (
        "run: python -m rehearsal.coverage"
    )


def test_an_operation_that_nobody_tried_is_named(operations: list[Operation]) -> None:
    exercised = record.load()
    del exercised["Key Vault"]["GET /secrets"]
    assert page.gaps(operations, exercised) == ["Key Vault: GET /secrets"]
    assert "no foreign client exercises: 1." in page.render(operations, exercised)
    exercised["Key Vault"]["GET /elsewhere"] = ["curl"]
    assert page.unknown(operations, exercised) == ["Key Vault: GET /elsewhere"]


def test_all_services_are_there(operations: list[Operation]) -> None:
    services = {one.service for one in operations}
    assert {"Resource Manager", "Data Factory", "Databricks workspace", "Key Vault", "Blob storage"} <= services
    refused = [one.name for one in operations if not one.done]
    assert all(one.source for one in operations)
    assert "POST /fs/create-download-url" in refused
    with pytest.raises(LookupError, match="has no source"):
        source("Another service", "/path")


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        (r"/subscriptions/(?P<subscription>[^/]+)", ["/subscriptions/{subscription}"]),
        (r"/providers/Microsoft\.X/(?:a|b/[^/]+/c)", ["/providers/Microsoft.X/a", "/providers/Microsoft.X/b/{}/c"]),
        (r"/f(?:/(?:a|b)/[^/]+)?", ["/f", "/f/a/{}", "/f/b/{}"]),
        (r"(?P<scope>(?:/s/[^/]+(?:/g/[^/]+)?)?)/d", ["{scope}/d"]),
        (r".*/providers/Microsoft\.X/tags/default", ["{scope}/providers/Microsoft.X/tags/default"]),
        (r"(?P<all>/f/(?P<name>[^/]+))/x", ["/f/{name}/x"]),
    ],
)
def test_patterns_are_read_as_paths(pattern: str, paths: list[str]) -> None:
    assert spelled(pattern) == paths


def test_paths_fit_without_regard_to_case() -> None:
    pattern = matcher("{scope}/providers/Microsoft.X/things/{}")
    assert pattern.fullmatch("/subscriptions/1/PROVIDERS/microsoft.x/Things/one")
    assert not pattern.fullmatch("/providers/Microsoft.X/things/one/two")
    assert not pattern.fullmatch("/providers/MicrosoftxX/things/one")


@pytest.mark.parametrize(
    ("agent", "client"),
    [
        ("AZURECLI/2.91.0 (PIP) azsdk-python-core/1.39.0 Python/3.11.7", "az"),
        ("databricks-cli-0.18.0-fs-cp-459b8196", "databricks"),
        ("slipway databricks-cli/0.18", None),
        ("unknown/0.0.0 databricks-sdk-py/0.162.0 python/3.11.7 os/linux auth/pat", "databricks-sdk"),
        ("azsdk-python-keyvault-secrets/4.7.0 Python/3.11.7", "azure-keyvault-secrets"),
        ("azsdk-python-azure-mgmt-resource/24.0.0 Python/3.11.7", "azure-mgmt-resource"),
        ("curl/7.88.1", "curl"),
        ("python-requests/2.34.2", None),
        ("", None),
    ],
)
def test_clients_are_known_by_how_they_call_themselves(agent: str, client: str | None) -> None:
    assert record.client({"host": "management.azure.com", "agent": agent}) == client


def test_only_good_answers_after_the_first_foreign_request_count(operations: list[Operation], tmp_path: Path) -> None:
    def line(method: str, path: str, agent: str, status: int = 200, host: str = "v.vault.azure.net") -> dict[str, Any]:
        return {"method": method, "host": host, "path": path, "status": status, "agent": agent}

    ours, az = "azsdk-python-keyvault-secrets/4.12.0", "AZURECLI/2.91.0"
    log = [
        line("GET", "/secrets/before", ours),  # the bootstrap's
        line("GET", "/", "curl/8.0", host="dev.azure.com"),
        line("GET", "/secrets/one/", az),
        line("GET", "/secrets/one", ours),
        line("GET", "/deletedsecrets/one", az, status=404),
        line("GET", "/nothing", az, status=501),
        {"refused": "example.org:443"},
        line("PUT", "/c", az, host="a.blob.core.windows.net") | {"operation": "restype=container"},
    ]
    file = tmp_path / "requests.log"
    file.write_text("".join(json.dumps(one) + "\n" for one in log))
    assert record.exercised(record.read_log(file), operations) == {
        "Blob storage": {"Create Container: PUT /{container}?restype=container": ["az"]},
        "Key Vault": {"GET /secrets/{name}": ["az", "azure-keyvault-secrets"]},
    }
