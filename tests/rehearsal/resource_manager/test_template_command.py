"""`python -m rehearsal template FILE`: what it prints, and what it says of a template that would not deploy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rehearsal.resource_manager.template_command import main
from tests.rehearsal.resource_manager.local_azure import REPOSITORY, template

ACCOUNT = {
    "type": "Microsoft.Storage/storageAccounts",
    "apiVersion": "2023-05-01",
    "name": "[parameters('account')]",
    "location": "[resourceGroup().location]",
    "kind": "StorageV2",
    "sku": {"name": "Standard_LRS"},
}
CONTAINER = {
    "type": "Microsoft.Storage/storageAccounts/blobServices/containers",
    "apiVersion": "2023-05-01",
    "name": "[format('{0}/default/data', parameters('account'))]",
    "dependsOn": ["[resourceId('Microsoft.Storage/storageAccounts', parameters('account'))]"],
}
NETWORK = {
    "type": "Microsoft.Network/virtualNetworks",
    "apiVersion": "2023-05-01",
    "name": "net",
    "location": "westeurope",
    "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}},
}
BLOB = "[reference(parameters('account')).primaryEndpoints.blob]"


def write(folder: Path, document: Any, name: str = "main.json") -> str:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(document if isinstance(document, str) else json.dumps(document, indent=2), encoding="utf-8")
    return str(file)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any, str]:
    """Exit code, what was printed (JSON), and what was said."""
    code = main(arguments)
    out, said = capsys.readouterr()
    return code, json.loads(out) if out else None, said


def test_resources_in_order_and_outputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = template(
        CONTAINER,
        ACCOUNT,
        parameters={"account": {"type": "string"}},
        outputs={"blob": {"type": "string", "value": BLOB}},
    )
    parameters = write(tmp_path, {"parameters": {"account": {"value": "stdata"}}}, "p.json")
    code, found, _said = run(
        capsys,
        write(tmp_path, document),
        "--parameters",
        parameters,
        "--resource-group",
        "rg-x",
        "--location",
        "eastus",
    )
    assert code == 0
    assert [one["name"] for one in found["resources"]] == ["stdata", "stdata/default/data"]
    account, container = found["resources"]
    assert account["location"] == "eastus" and account["sku"] == {"name": "Standard_LRS"}
    assert account["id"].endswith("/resourceGroups/rg-x/providers/Microsoft.Storage/storageAccounts/stdata")
    assert container["dependsOn"] == [account["id"]]
    assert found["outputs"] == {"blob": {"type": "String", "value": "https://stdata.blob.core.windows.net/"}}


def test_parameters_of_the_command_line_win(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = template(
        parameters={"a": {"type": "int"}, "b": {"type": "array"}, "c": {"type": "string"}},
        outputs={"all": {"type": "array", "value": "[createArray(parameters('a'), parameters('b'), parameters('c'))]"}},
    )
    parameters = write(tmp_path, {"parameters": {"a": {"value": 1}}}, "p.json")
    given = ("--parameter", "a=2", "--parameter", 'b=["x"]', "--parameter", "c=west europe")
    code, found, _said = run(capsys, write(tmp_path, document), "--parameters", parameters, *given)
    assert code == 0 and found["outputs"]["all"]["value"] == [2, ["x"], "west europe"]


def test_errors_have_file_line_and_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(
        tmp_path, '{\n  "$schema": "x",\n  "contentVersion": "1.0.0.0",\n  "resources": [\n    {"name": "x"}\n  ]\n}'
    )
    code, _found, said = run(capsys, file)
    assert code == 1 and said.startswith(f"{file}:5:5: InvalidTemplate: ") and "Traceback" not in said


def test_all_parameters_are_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = {"a": {"type": "int"}, "b": {"type": "string"}, "c": {"type": "string", "defaultValue": "x"}}
    file = write(tmp_path, template(parameters=wanted))
    parameters = write(tmp_path, {"parameters": {"B": {"value": "x"}, "other": {"value": 1}}}, "p.json")
    code, _found, said = run(capsys, file, "--parameters", parameters, "--parameter", "third=1")
    lines = said.splitlines()
    assert code == 1 and len(lines) == 3
    assert lines[0].startswith(f"{file}:6:10: InvalidTemplate: The value for the template parameter 'a'")
    assert lines[1].startswith(
        f"{parameters}:6:14: InvalidTemplate: The template has no parameter 'other'. It has: a, b, c"
    )
    assert lines[2].startswith("--parameter: InvalidTemplate: The template has no parameter 'third'")


def test_what_a_provider_would_refuse_is_placed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = [{**ACCOUNT, "name": "Not-A-Name"}, {**ACCOUNT, "name": "stgood"}, {**ACCOUNT, "name": "x"}]
    file = write(tmp_path, template(*wrong))
    code, _found, said = run(capsys, file)
    lines = said.splitlines()
    assert code == 1 and len(lines) == 2
    starts = [number for number, line in enumerate(Path(file).read_text().splitlines(), 1) if line == "    {"]
    assert lines[0].startswith(f"{file}:{starts[0]}:5: AccountNameInvalid:")
    assert lines[1].startswith(f"{file}:{starts[2]}:5: AccountNameInvalid:")


def test_broken_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, '{\n  "resources": [\n')
    code, _found, said = run(capsys, file)
    assert code == 1 and said.startswith(f"{file}:3:1: InvalidJson: ")


@pytest.mark.parametrize(
    "arguments",
    [("missing.json",), ("FILE", "--parameters", "missing.json"), ("FILE", "--parameter", "x"), ("FILE", "--map", "x")],
)
def test_what_can_not_begin(arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, template())
    code, _found, said = run(capsys, *(file if one == "FILE" else one for one in arguments))
    assert code == 2 and said.startswith("The template was not looked at: ")


def test_unknown_types_are_refused_together_or_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = {**NETWORK, "type": "Microsoft.Web/sites", "name": "web"}
    document = template(
        NETWORK,
        other,
        outputs={
            "prefix": {"type": "string", "value": "[reference('net').addressSpace.addressPrefixes[0]]"},
            "guid": {"type": "string", "value": "[reference('net').resourceGuid]"},
        },
    )
    file = write(tmp_path, document)
    code, _found, said = run(capsys, file)
    assert code == 1
    assert "Microsoft.Network/virtualNetworks" in said and "Microsoft.Web/sites" in said
    assert "--accept-unknown-resources" in said
    code, found, _said = run(capsys, file, "--accept-unknown-resources")
    assert code == 0 and len(found["resources"]) == 2
    assert found["outputs"]["prefix"]["value"] == "10.0.0.0/16"
    # What only Azure would add stays an expression.
    assert found["outputs"]["guid"]["value"] == "[reference('net').resourceGuid]"


def test_what_is_not_in_the_template_stays_an_expression(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = (
        "[reference(resourceId('Microsoft.Storage/storageAccounts', 'stthere'), '2023-05-01').primaryEndpoints.blob]"
    )
    keys = "[listKeys('stdata', '2023-05-01').keys[0].value]"
    document = template({**ACCOUNT, "name": "stdata", "tags": {"other": there, "key": keys}})
    code, found, _said = run(capsys, write(tmp_path, document))
    tags = found["resources"][0]["tags"]
    assert code == 0 and tags["key"] == keys
    assert tags["other"].startswith("[reference('/subscriptions/") and tags["other"].endswith(".primaryEndpoints.blob]")


def test_secure_values_are_not_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = template(
        {**ACCOUNT, "name": "stdata", "tags": {"t": "[concat('x-', parameters('p'))]"}},
        parameters={"p": {"type": "secureString"}},
        outputs={"p": {"type": "secureString", "value": "[parameters('p')]"}},
    )
    code = main([write(tmp_path, document), "--parameter", "p=hunter-two"])
    out, said = capsys.readouterr()
    assert code == 0 and "hunter-two" not in out + said and json.loads(out)["resources"][0]["tags"] == {"t": "x-***"}


def test_a_parameter_by_reference_stays_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = template(
        {**ACCOUNT, "name": "stdata", "tags": {"t": "[concat('x-', parameters('p'))]"}},
        parameters={"p": {"type": "secureString"}},
    )
    vault = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv"
    reference = {"keyVault": {"id": vault}, "secretName": "password"}
    parameters = write(tmp_path, {"parameters": {"p": {"reference": reference}}}, "p.json")
    code, found, said = run(capsys, write(tmp_path, document), "--parameters", parameters)
    assert code == 0, said
    assert found["resources"][0]["tags"]["t"] == f"[concat('x-', keyVaultSecret('{vault}', 'password'))]"


def nested(**properties: Any) -> dict[str, Any]:
    return {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2022-09-01",
        "name": "inner",
        "properties": {"mode": "Incremental", **properties},
    }


def test_linked_templates_by_relative_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inner = template(
        {**ACCOUNT, "name": "[parameters('account')]"},
        nested(templateLink={"relativePath": "deeper.json"}),
        parameters={"account": {"type": "string"}},
        outputs={"blob": {"type": "string", "value": BLOB}},
    )
    write(tmp_path, inner, "parts/account.json")
    write(tmp_path, template(outputs={"o": {"type": "int", "value": 7}}), "parts/deeper.json")
    outer = template(
        nested(templateLink={"relativePath": "parts/account.json"}, parameters={"account": {"value": "stdata"}}),
        outputs={"blob": {"type": "string", "value": "[reference('inner').outputs.blob.value]"}},
    )
    code, found, said = run(capsys, write(tmp_path, outer))
    assert code == 0, said
    deployment = found["resources"][0]
    assert [one["name"] for one in deployment["resources"]] == ["stdata", "inner"]
    assert deployment["resources"][1]["outputs"] == {"o": {"type": "Int", "value": 7}}
    assert found["outputs"]["blob"]["value"] == "https://stdata.blob.core.windows.net/"


def test_an_error_in_a_linked_template_is_placed_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    linked = write(tmp_path, template({**ACCOUNT, "name": "[variables('none')]"}), "parts/wrong.json")
    code, _found, said = run(
        capsys, write(tmp_path, template(nested(templateLink={"relativePath": "parts/wrong.json"})))
    )
    assert code == 1 and said.startswith(f"{linked}:5:5: InvalidTemplate: ")


def test_linked_templates_by_mapped_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, template(outputs={"o": {"type": "int", "value": 7}}), "local/a/b.json")
    write(tmp_path, "secret", "secret.json")
    mapped = ("--map", f"https://example.org/x/={tmp_path / 'local'}")
    outer = write(tmp_path, template(nested(templateLink={"uri": "https://example.org/x/a/b.json?sig=s"})))
    assert run(capsys, outer, *mapped)[0] == 0
    for uri in ("https://example.org/x/../secret.json", "https://example.org/x/a/none.json", "https://other.org/x"):
        code, _found, said = run(capsys, write(tmp_path, template(nested(templateLink={"uri": uri}))), *mapped)
        assert code == 1 and "InvalidContentLink" in said


def test_templates_of_a_subscription(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = template(
        {
            "type": "Microsoft.Resources/resourceGroups",
            "apiVersion": "2022-09-01",
            "name": "rg-new",
            "location": "eastus",
        }
    )
    document["$schema"] = document["$schema"].replace("deploymentTemplate", "subscriptionDeploymentTemplate")
    code, found, _said = run(capsys, write(tmp_path, document))
    assert code == 0
    assert found["scope"] == "/subscriptions/00000000-0000-0000-0000-000000000000"
    assert found["resources"][0]["id"] == f"{found['scope']}/resourceGroups/rg-new"
    document["$schema"] = document["$schema"].replace("subscription", "tenant")
    assert run(capsys, write(tmp_path, document))[0] == 2


def test_as_a_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rehearsal", "template", write(tmp_path, template())],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["resources"] == []
