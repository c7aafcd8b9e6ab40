"""Templates that are fetched: linked to from a request, and from other templates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.resource_manager.local_azure import GROUP_ID, Azure, deployment, template

BASE = "https://templates.example.org/v1"


def write(azure: Azure, folder: Path, **documents: Any) -> None:
    azure.group()
    azure.mappings.append((f"{BASE}/", folder / "templates"))
    (folder / "templates" / "parts").mkdir(parents=True)
    for name, document in documents.items():
        file = folder / "templates" / f"{name.replace('__', '/')}.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document, indent=1))


def link(**where: Any) -> dict[str, Any]:
    return {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2022-09-01",
        "name": "inner",
        "properties": {"mode": "Incremental", "templateLink": where},
    }


OUTPUT = {"o": {"type": "string", "value": "[reference('inner').outputs.o.value]"}}
INNER = template(
    parameters={"p": {"type": "string"}}, outputs={"o": {"type": "string", "value": "[concat(parameters('p'), '!')]"}}
)


def deploy(azure: Azure, properties: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    path = deployment(GROUP_ID, "main")
    status, answer = azure.call("PUT", path, {"properties": {"mode": "Incremental", **properties}})
    if status >= 400:
        return status, answer
    assert azure.call("GET", f"{path}/operationStatuses/1")[1]["status"] == "Succeeded"
    return status, azure.call("GET", path)[1]["properties"]


def test_a_whole_deployment_by_link(azure: Azure, tmp_path: Path) -> None:
    outer = link(relativePath="parts/inner.json") | {}
    outer["properties"]["parametersLink"] = {"relativePath": "values.json"}
    write(
        azure,
        tmp_path,
        main=template(outer, outputs=OUTPUT),
        parts__inner=INNER,
        values={"$schema": "s", "parameters": {"p": {"value": "hello"}}},
        none={"parameters": {}},
    )
    properties = {
        "templateLink": {"uri": f"{BASE}/main.json?sig=secret"},
        "parametersLink": {"uri": f"{BASE}/none.json"},
    }
    status, record = deploy(azure, properties)
    assert (status, record["outputs"]["o"]["value"]) == (201, "hello!")
    assert record["templateLink"]["uri"] == f"{BASE}/main.json" and "sig=" not in str(record)
    assert {
        one["changeType"]
        for one in azure.call(
            "POST", deployment(GROUP_ID, "main") + "/whatIf", {"properties": {"mode": "Incremental", **properties}}
        )[1]["properties"]["changes"]
    } <= {"NoChange"}


def test_an_inline_template_that_links(azure: Azure, tmp_path: Path) -> None:
    write(azure, tmp_path, parts__inner=INNER)
    outer = link(uri=f"{BASE}/parts/inner.json", contentVersion="1.0.0.0")
    outer["properties"]["parameters"] = {"p": {"value": "x"}}
    record = azure.deploy(template(outer, outputs=OUTPUT))
    assert record["properties"]["outputs"]["o"]["value"] == "x!"


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ({"uri": f"{BASE}/none.json"}, "InvalidContentLink"),
        ({"uri": f"{BASE}/../secret.json"}, "InvalidContentLink"),
        ({"uri": f"{BASE}/%2e%2e/secret.json"}, "InvalidContentLink"),
        ({"uri": "https://other.example.org/x.json"}, "InvalidContentLink"),
        ({"relativePath": "parts/inner.json"}, "InvalidTemplate"),
        ({"uri": f"{BASE}/broken.json"}, "InvalidTemplate"),
        ({}, "InvalidTemplate"),
    ],
)
def test_links_that_lead_nowhere(azure: Azure, tmp_path: Path, where: dict[str, Any], code: str) -> None:
    write(azure, tmp_path, broken="{")
    (tmp_path / "secret.json").write_text(json.dumps(template()))
    status, answer = deploy(azure, {"template": template(link(**where))})
    assert (status, answer["error"]["code"]) == (400, code)


def test_template_specs_are_refused_by_name(azure: Azure, tmp_path: Path) -> None:
    write(azure, tmp_path)
    status, answer = deploy(azure, {"template": template(link(id=f"{GROUP_ID}/providers/x/y/z"))})
    assert status == 501 and "template specs" in answer["error"]["message"]


def test_a_mistake_is_placed_in_the_linked_template(azure: Azure, tmp_path: Path) -> None:
    write(azure, tmp_path, parts__wrong=template({"type": "A.B/c", "apiVersion": "2020-01-01", "name": "[nothing()]"}))
    status, answer = deploy(azure, {"template": template(link(uri=f"{BASE}/parts/wrong.json"))})
    info = answer["error"]["additionalInfo"][0]["info"]
    assert status == 400 and info == {"lineNumber": 5, "linePosition": 3, "path": "resources[0]"}


def test_templates_that_link_to_each_other_end(azure: Azure, tmp_path: Path) -> None:
    write(azure, tmp_path, main=template(link(relativePath="main.json")))
    status, answer = deploy(azure, {"templateLink": {"uri": f"{BASE}/main.json"}})
    assert (status, answer["error"]["code"]) == (400, "InvalidTemplate")
    assert "levels deep" in answer["error"]["message"]
