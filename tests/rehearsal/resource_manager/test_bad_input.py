"""Requests that no client should send: each is answered in the service's error shape, and soon."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.rehearsal.resource_manager.local_azure import (
    BASE,
    GROUP_ID,
    SUBSCRIPTION_ID,
    Azure,
    deployment,
    envelope,
    template,
)

ACCOUNT = f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/stone"
BODY = {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
IDENTITY = {
    "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
    "apiVersion": "2023-01-31",
    "location": "westeurope",
}


def send(
    azure: Azure, method: str, path: str, content: bytes | None, kind: str | None = "application/json", query: str = ""
) -> tuple[int, str]:
    """Status and code."""
    headers = {"Authorization": f"Bearer {azure.admin.object_id}", **({"Content-Type": kind} if kind else {})}
    address = f"{BASE}{path}{query or '?api-version=2023-05-01'}"
    answer = azure.client.request(method, address, headers=headers, content=content)
    return answer.status_code, answer.json()["error"]["code"] if answer.content else ""


@pytest.mark.parametrize(
    "content",
    [
        b"{", b"[]", b'"x"', b"null", b"1", b"", b'{"a":}', b"\x00", b"\xff\xfe{}", b'{"a":1}{"b":2}', b'{"location":1}',
        b'{"properties":[]}', b'{"location":"westeurope","sku":"x"}', b'{"tags":{"a":{}}}', b'{"n":1e999}', b'{"n":NaN}',
        b'{"location":"westeurope","properties":{"networkAcls":{"ipRules":[null]}}}',
        b'{"n":' + b"9" * 5000 + b"}", b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)  # fmt: skip
def test_bodies_that_can_not_be_read(azure: Azure, content: bytes) -> None:
    azure.group()
    status, code = send(azure, "PUT", ACCOUNT, content)
    assert status == 400
    assert code in ("InvalidRequestContent", "LocationRequired", "InvalidTagValueLength")


def test_half_a_character_is_mended(azure: Azure) -> None:
    azure.group()
    assert send(azure, "PUT", ACCOUNT, json.dumps({**BODY, "tags": {"a": "\ud83d"}}).encode())[0] == 202
    assert azure.call("GET", ACCOUNT)[1]["tags"] == {"a": "\ufffd"}


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded", None])
def test_other_content_types(azure: Azure, kind: str | None) -> None:
    azure.group()
    assert send(azure, "PUT", ACCOUNT, json.dumps(BODY).encode(), kind) == (415, "UnsupportedMediaType")
    assert send(azure, "POST", f"{ACCOUNT}/listKeys", b"", kind)[1] == "ResourceNotFound"


def test_twenty_megabytes(azure: Azure) -> None:
    azure.group()
    large = json.dumps({**BODY, "tags": {"a": "x" * 20_000_000}}).encode()
    assert send(azure, "PUT", ACCOUNT, large) == (413, "RequestContentTooLarge")
    large = json.dumps(envelope(template(variables={"v": "x" * 20_000_000}))).encode()
    assert send(azure, "PUT", deployment(GROUP_ID, "d"), large) == (413, "RequestContentTooLarge")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?a=b", (400, "MissingApiVersionParameter")),
        ("?api-version=latest", (400, "InvalidApiVersionParameter")),
        ("?api-version=2023-13-45", (400, "InvalidApiVersionParameter")),
        ("?api-version=2023-05-01-other", (400, "InvalidApiVersionParameter")),
        ("?api-version=2099-01-01", (400, "NoRegisteredProviderFound")),
        ("?api-version=2010-01-01", (400, "NoRegisteredProviderFound")),
        ("?api-version=2023-05-02", (400, "NoRegisteredProviderFound")),
        ("?api-version=2023-05-02-preview", (404, "ResourceNotFound")),
    ],
)
def test_api_versions(azure: Azure, query: str, expected: tuple[int, str]) -> None:
    azure.group()
    assert send(azure, "GET", ACCOUNT, None, query=query) == expected


def test_api_versions_of_groups(azure: Azure) -> None:
    azure.group()
    for version, expected in (("2099-01-01", (400, "InvalidApiVersionParameter")), ("2021-04-01", None)):
        if expected is None:
            assert azure.call("GET", GROUP_ID, version=version)[0] == 200
        else:
            assert send(azure, "GET", GROUP_ID, None, query=f"?api-version={version}") == expected


def test_api_versions_of_lists_and_of_templates(azure: Azure) -> None:
    azure.group()
    query = "?api-version=2023-05-02"
    assert send(azure, "GET", ACCOUNT.rpartition("/")[0], None, query=query) == (404, "InvalidResourceType")
    resource = {"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-05-02", "name": "stone", **BODY}
    status, answer = azure.call("POST", deployment(GROUP_ID, "d") + "/validate", envelope(template(resource)))
    assert (status, answer["error"]["details"][0]["code"]) == (400, "NoRegisteredProviderFound")
    assert "The supported api-versions are '2015-06-15, " in answer["error"]["details"][0]["message"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{SUBSCRIPTION_ID}/resourceGroups/%2e%2e/x", 501),
        (f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/%2F", 404),
        (f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/a%00b", 400),
        (f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/{'s' * 3000}", 400),
        ("/subscriptions/not-a-guid/resourceGroups/x", 400),
        (f"{SUBSCRIPTION_ID}/resourceGroups/a%20b", 400),
        ("/", 501),
        ("/" + "a" * 9000, 501),
    ],
)
def test_paths(azure: Azure, path: str, status: int) -> None:
    azure.group()
    assert send(azure, "PUT", path, json.dumps(BODY).encode())[0] == status


def test_slashes_in_a_row_are_one(azure: Azure) -> None:
    azure.group()
    assert azure.call("GET", f"{SUBSCRIPTION_ID}//resourceGroups///rg-app/")[0] == 200


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS"])
def test_methods(azure: Azure, method: str) -> None:
    assert send(azure, method, ACCOUNT, None) == (501, "NotImplementedInRehearsal")


def test_names_ignore_case_and_keep_their_letters(azure: Azure) -> None:
    path = f"{SUBSCRIPTION_ID}/resourcegroups/rg-%C3%BCml%C3%A4ut"
    assert azure.call("PUT", path, {"location": "West Europe"})[0] == 201
    assert azure.call("GET", path.replace("rg-", "RG-"))[1]["name"] == "rg-ümläut"


def copies(name: str, count: Any) -> dict[str, Any]:
    return {**IDENTITY, "name": f"[concat('{name}', copyIndex())]", "copy": {"name": name, "count": count}}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (
            template({**IDENTITY, "name": "a", "dependsOn": ["b"]}, {**IDENTITY, "name": "b", "dependsOn": ["a"]}),
            "Circular dep",
        ),
        (template({**IDENTITY, "name": "a", "dependsOn": ["a"]}), "Circular dependency"),
        (template(copies("a", 801)), "cannot exceed '800'"),
        (template(copies("a", 401), copies("b", 401)), "Limit: '800' and actual: '802'"),
        (template(copies("a", -1)), "non-negative"),
        (template(copies("a", "3")), "non-negative integer"),
        (template({**IDENTITY, "name": f"[concat('{'x' * 25_000}')]"}), "length limit exceeded"),
        (template({**IDENTITY, "name": "[" + "concat(" * 500 + "'a'" + ")" * 500 + "]"}), "inside one another"),
        (template({**IDENTITY, "name": "a"}, {**IDENTITY, "name": "A"}), "multiple times"),
        (template(variables={"a": "[padLeft('', 1000000000, 'x')]"}), "longer than"),
        (template(variables={"a": "[variables('b')]", "b": "[variables('a')]"}), "refers to itself"),
        (
            template(other=1),
            "Could not find member 'other' on object of type 'Template'. Path 'properties.template.other', line 1",
        ),
        (template(parameters={"p": {"type": "int", "reference": {}}}), "Could not find member 'reference'"),
        ({}, "Required property '$schema'"),
        ([], "must be an object"),
        (None, "must be an object"),
    ],
)
def test_templates(azure: Azure, document: Any, words: str) -> None:
    azure.group()
    status, answer = azure.call("POST", deployment(GROUP_ID, "d") + "/validate", envelope(document))
    assert (status, answer["error"]["code"]) in ((400, "InvalidTemplate"), (400, "InvalidRequestContent"))
    assert words in answer["error"]["message"]


def test_eight_hundred_resources(azure: Azure) -> None:
    azure.group()
    assert azure.call("POST", deployment(GROUP_ID, "d") + "/validate", envelope(template(copies("a", 800))))[0] == 200


def test_what_if_hides_secure_values(azure: Azure) -> None:
    azure.group()
    resource = {"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-05-01", "name": "stone", **BODY}
    document = template({**resource, "tags": {"t": "[parameters('p')]"}}, parameters={"p": {"type": "secureString"}})
    first = azure.what_if(document, {"p": "hunter-two"})
    assert first[0]["after"]["tags"] == {"t": "*******"}
    azure.deploy(document, {"p": "other"})
    assert "hunter-two" not in str(azure.what_if(document, {"p": "hunter-two"}))
