"""Deployments as they run: order, loops, conditions, nesting, modes, history, and what is left after trouble."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.resource_manager.deployments.service import Deployments
from rehearsal.resource_manager.operations import Operations
from rehearsal.resource_manager.providers.identity import UserAssignedIdentity
from rehearsal.resource_manager.template.graph import order
from tests.rehearsal.resource_manager.engine import program
from tests.rehearsal.resource_manager.local_azure import (
    GROUP_ID,
    SUBSCRIPTION_ID,
    Azure,
    deployment,
    envelope,
    template,
)

IDENTITIES = f"{GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"


def identity(name: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
        "apiVersion": "2023-01-31",
        "name": name,
        "location": "[resourceGroup().location]",
        **more,
    }


def nested(name: str, inner: Any, *, scope: str = "inner", **more: Any) -> dict[str, Any]:
    properties = {"mode": "Incremental", "expressionEvaluationOptions": {"scope": scope}, "template": inner}
    properties |= more.pop("properties", {})
    return {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2024-03-01",
        "name": name,
        "properties": properties,
        **more,
    }


def names(azure: Azure) -> list[str]:
    return [one["name"] for one in azure.world.resources.below(GROUP_ID)]


def test_loops(azure: Azure) -> None:
    azure.group()
    document = template(
        identity(
            "[format('id{0}-{1}', copyIndex(), parameters('list')[copyIndex()])]",
            copy={"name": "ids", "count": "[length(parameters('list'))]"},
            tags={"position": "[string(copyIndex('ids', 10))]"},
        ),
        identity("after", dependsOn=["ids"]),
        identity("never-[x", copy={"name": "none", "count": 0}),
        parameters={"list": {"type": "array"}},
        variables={
            "copy": [{"name": "squares", "count": 3, "input": "[mul(copyIndex('squares'), copyIndex('squares'))]"}]
        },
        outputs={
            "squares": {"type": "array", "value": "[variables('squares')]"},
            "all": {"type": "array", "copy": {"count": 2, "input": "[copyIndex()]"}},
        },
    )
    record = azure.deploy(document, {"list": ["a", "b"]})
    assert names(azure) == ["id0-a", "id1-b", "after"]
    found = azure.world.resources.get(f"{IDENTITIES}/id1-b")
    assert found is not None
    assert found["tags"] == {"position": "11"}
    assert record["properties"]["outputs"]["squares"]["value"] == [0, 1, 4]
    assert record["properties"]["outputs"]["all"]["value"] == [0, 1]
    after = next(one for one in record["properties"]["dependencies"] if one["resourceName"] == "after")
    assert [one["resourceName"] for one in after["dependsOn"]] == ["id0-a", "id1-b"]


def test_order_and_implicit_dependencies() -> None:
    document = template(
        identity("last", tags={"x": "[reference('middle').clientId]"}),
        identity("middle", dependsOn=["[resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', 'first')]"]),
        identity("free", tags={"x": "[reference(resourceId('A.B/c', 'elsewhere'), '2020-01-01').x]"}),
        identity("first"),
    )
    assert [one.name for one in order(program(document))] == ["first", "middle", "last", "free"]


def test_symbolic_names(azure: Azure) -> None:
    azure.group()
    azure.deploy(template(identity("there")))
    document = {
        **template(),
        "languageVersion": "2.0",
        "resources": {
            "one": identity("id-one", dependsOn=["many"]),
            "many": identity("[format('m{0}', copyIndex())]", copy={"name": "many", "count": 2}),
            "known": identity("there", existing=True),
        },
        "parameters": {"maybe": {"type": "string", "nullable": True}},
        "outputs": {
            "id": {"type": "string", "value": "[reference('known').clientId]"},
            "none": {"type": "bool", "value": "[equals(parameters('maybe'), null())]"},
            "many": {"type": "int", "value": "[length(references('many'))]"},
        },
    }
    record = azure.deploy(document, name="symbolic")
    assert record["properties"]["provisioningState"] == "Succeeded", record["properties"].get("error")
    assert names(azure) == ["there", "m0", "m1", "id-one"]
    assert len(record["properties"]["outputs"]["id"]["value"]) == 36
    assert record["properties"]["outputs"]["many"]["value"] == 2


def test_conditions(azure: Azure) -> None:
    azure.group()
    document = template(
        identity("off", condition="[parameters('on')]"),
        identity("on", condition="[not(parameters('on'))]", dependsOn=["off"]),
        parameters={"on": {"type": "bool"}},
        outputs={"o": {"type": "string", "condition": "[parameters('on')]", "value": "[reference('off').clientId]"}},
    )
    record = azure.deploy(document, {"on": False})
    assert names(azure) == ["on"]
    assert record["properties"]["outputs"] == {}


def test_nested_inner_and_outer(azure: Azure) -> None:
    azure.group()
    azure.group("rg-two")
    inner = template(
        identity("[parameters('p')]"),
        parameters={"p": {"type": "string"}},
        variables={"v": "inner"},
        outputs={"v": {"type": "string", "value": "[variables('v')]"}},
    )
    outer = template(
        identity("[concat(variables('v'), '-id')]", location="westeurope"),
        outputs={"v": {"type": "string", "value": "[variables('v')]"}},
        variables={"v": "ignored: the outer one counts"},
    )
    document = template(
        nested("in", inner, properties={"parameters": {"p": {"value": "[reference('seed').principalId]"}}}),
        nested("out", outer, scope="outer", resourceGroup="rg-two"),
        identity("seed"),
        variables={"v": "outer"},
        outputs={
            "in": {"type": "string", "value": "[reference('in').outputs.v.value]"},
            "out": {"type": "string", "value": "[reference('out').outputs.v.value]"},
        },
    )
    told = azure.call("POST", deployment(GROUP_ID, "main") + "/whatIf", envelope(document))[1]["properties"]
    kinds = {one["resourceId"].rsplit("/", 1)[-1]: one["changeType"] for one in told["changes"]}
    assert kinds["seed"] == kinds["outer-id"] == "Create"
    assert sorted(kinds.values()) == ["Create", "Create", "Unsupported"]
    record = azure.deploy(document)
    assert record["properties"]["provisioningState"] == "Succeeded", record["properties"].get("error")
    seed = azure.world.resources.get(f"{IDENTITIES}/seed")
    assert seed is not None
    assert set(names(azure)) == {"seed", seed["properties"]["principalId"]}
    assert azure.world.resources.get(f"{IDENTITIES}/outer-id".replace("rg-app", "rg-two")) is not None
    values = {name: one["value"] for name, one in record["properties"]["outputs"].items()}
    assert values == {"in": "inner", "out": "outer"}
    assert azure.call("GET", deployment(GROUP_ID.replace("rg-app", "rg-two"), "out"))[0] == 200


def test_subscription_makes_a_group_and_fills_it(azure: Azure) -> None:
    inner = template(identity("id1", location="westeurope"))
    document = template(
        {
            "type": "Microsoft.Resources/resourceGroups",
            "apiVersion": "2024-03-01",
            "name": "rg-app",
            "location": "[deployment().location]",
        },
        nested("fill", inner, resourceGroup="rg-app", dependsOn=["rg-app"]),
    )
    told = azure.call("POST", deployment(SUBSCRIPTION_ID, "s") + "/whatIf", envelope(document, scope=SUBSCRIPTION_ID))[
        1
    ]
    assert [one["changeType"] for one in told["properties"]["changes"]] == ["Create", "Create"]
    record = azure.deploy(document, name="s", scope=SUBSCRIPTION_ID)
    assert record["properties"]["provisioningState"] == "Succeeded", record["properties"].get("error")
    assert record["location"] == "westeurope"
    assert names(azure) == ["id1"]
    told = azure.call("POST", deployment(SUBSCRIPTION_ID, "s") + "/whatIf", envelope(document, scope=SUBSCRIPTION_ID))[
        1
    ]
    assert {one["changeType"] for one in told["properties"]["changes"]} == {"NoChange"}


def test_complete_mode_takes_away_the_rest(azure: Azure) -> None:
    azure.group()
    azure.deploy(template(identity("keep"), identity("go")))
    document = template(identity("keep"), identity("new"))
    told = {one["resourceId"].rsplit("/", 1)[1]: one["changeType"] for one in azure.what_if(document, mode="Complete")}
    assert told == {"keep": "NoChange", "go": "Delete", "new": "Create"}
    told = {one["resourceId"].rsplit("/", 1)[1]: one["changeType"] for one in azure.what_if(document)}
    assert told == {"keep": "NoChange", "go": "Ignore", "new": "Create"}
    azure.deploy(document, mode="Complete")
    assert names(azure) == ["keep", "new"]


def test_secure_values_are_not_remembered(azure: Azure) -> None:
    azure.group()
    document = template(
        identity("id1", tags={"length": "[string(length(parameters('secret')))]"}),
        parameters={"secret": {"type": "securestring"}, "plain": {"type": "int"}},
        outputs={"secret": {"type": "securestring", "value": "[parameters('secret')]"}},
    )
    record = azure.deploy(document, {"secret": "hunter2-hunter2", "plain": 1})
    assert record["properties"]["parameters"] == {
        "secret": {"type": "SecureString"},
        "plain": {"type": "Int", "value": 1},
    }
    assert record["properties"]["outputs"] == {"secret": {"type": "SecureString"}}
    azure.world.store.close()
    kept = b"".join(path.read_bytes() for path in azure.world.folder.iterdir())
    assert b"hunter2" not in kept


def test_failure_leaves_what_was_made_and_says_why(azure: Azure) -> None:
    azure.group()
    document = template(
        identity("made"),
        identity("broken", dependsOn=["made"], tags={"x": "[reference('made').nothing]"}),
        identity("waiting", dependsOn=["broken"]),
        identity("beside"),
    )
    record = azure.deploy(document)
    properties = record["properties"]
    assert properties["provisioningState"] == "Failed"
    assert properties["error"]["code"] == "DeploymentFailed"
    [detail] = properties["error"]["details"]
    assert detail["target"] == f"{IDENTITIES}/broken"
    assert (
        "property 'nothing' doesn't exist, available properties are 'tenantId, principalId, clientId'"
        in detail["message"]
    )
    assert names(azure) == ["made", "beside"]
    status, body = azure.call("GET", deployment(GROUP_ID, "main") + "/operationStatuses/1")
    assert (status, body["status"], body["error"]["code"]) == (200, "Failed", "DeploymentFailed")
    operations = azure.call("GET", deployment(GROUP_ID, "main") + "/operations")[1]["value"]
    states = {
        one["properties"]["targetResource"]["resourceName"]: one["properties"]["provisioningState"]
        for one in operations
    }
    assert states == {"made": "Succeeded", "broken": "Failed", "beside": "Succeeded"}
    number = operations[0]["operationId"]
    assert azure.call("GET", deployment(GROUP_ID, "main") + f"/operations/{number}")[1] == operations[0]


def test_failure_inside_a_nested_deployment(azure: Azure) -> None:
    azure.group()
    broken = identity(
        "broken", tags={"x": "[reference(resourceId('Microsoft.KeyVault/vaults', 'no'), '2023-07-01').x]"}
    )
    record = azure.deploy(template(nested("inner", template(broken))))
    [outer] = record["properties"]["error"]["details"]
    assert outer["code"] == "DeploymentFailed"
    [detail] = outer["details"]
    assert "ResourceNotFound" in detail["message"]


def test_started_twice(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    azure.group()
    assert azure.call("PUT", deployment(GROUP_ID, "d"), envelope(template()))[0] == 201
    azure.call("GET", deployment(GROUP_ID, "d") + "/operationStatuses/1")
    assert azure.call("PUT", deployment(GROUP_ID, "d"), envelope(template()))[0] == 200
    azure.call("GET", deployment(GROUP_ID, "d") + "/operationStatuses/1")
    record = azure.call("GET", deployment(GROUP_ID, "d"))[1]
    record["properties"]["provisioningState"] = "Running"
    azure.world.store.collection("resource_manager/deployments")[record["id"].lower()] = record
    status, body = azure.call("PUT", deployment(GROUP_ID, "d"), envelope(template()))
    assert (status, body["error"]["code"]) == (409, "DeploymentActive")


def test_cancel(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cancellation comes while the first resource is made."""
    azure.group()
    put = UserAssignedIdentity.put

    def cancelling(self: UserAssignedIdentity, write: Any) -> dict[str, Any]:
        made = put(self, write)
        service.cancel(GROUP_ID, "d", azure.admin)
        return made

    monkeypatch.setattr(UserAssignedIdentity, "put", cancelling)
    service: Deployments = azure.app.state.deployments
    azure.call("PUT", deployment(GROUP_ID, "d"), envelope(template(identity("a"), identity("b"))))
    assert azure.call("GET", deployment(GROUP_ID, "d") + "/operationStatuses/1")[1]["status"] == "Canceled"
    assert names(azure) == ["a"]
    status, body = azure.call("POST", deployment(GROUP_ID, "d") + "/cancel")
    assert (status, body["error"]["code"]) == (409, "DeploymentCannotBeCancelled")


def test_interrupted_by_the_end_of_the_rehearsal(azure: Azure) -> None:
    azure.group()
    record = azure.deploy(template(), name="d")
    record["properties"]["provisioningState"] = "Running"
    azure.world.store.collection("resource_manager/deployments")[record["id"].lower()] = record
    Deployments(Operations(azure.world))
    found = azure.call("GET", deployment(GROUP_ID, "d"))[1]
    assert found["properties"]["provisioningState"] == "Failed"
    assert "stopped while this deployment ran" in found["properties"]["error"]["message"]


def test_history(azure: Azure) -> None:
    azure.group()
    for name in ("one", "two"):
        azure.clock.now += 1
        azure.deploy(template(), name=name)
    path = f"{GROUP_ID}/providers/Microsoft.Resources/deployments"
    assert [one["name"] for one in azure.call("GET", path)[1]["value"]] == ["two", "one"]
    assert [one["name"] for one in azure.call("GET", f"{path}?$top=1")[1]["value"]] == ["two"]
    assert azure.call("DELETE", f"{path}/two")[0] == 204
    assert azure.call("DELETE", f"{path}/two")[0] == 204
    assert azure.call("GET", f"{path}/two")[1]["error"]["code"] == "DeploymentNotFound"


def test_what_if_shows_lists_item_by_item_and_changes_nothing(azure: Azure) -> None:
    azure.group()
    storage = {
        "type": "Microsoft.Storage/storageAccounts",
        "apiVersion": "2023-05-01",
        "name": "stone",
        "location": "West Europe",
        "sku": {"name": "Standard_LRS"},
        "kind": "StorageV2",
        "properties": {"networkAcls": {"ipRules": [{"value": "1.1.1.1"}, {"value": "2.2.2.2"}]}},
    }
    azure.deploy(template(storage))
    before = azure.world.resources.below(GROUP_ID)
    storage["properties"] = {
        "networkAcls": {"ipRules": [{"value": "2.2.2.2"}, {"value": "3.3.3.3"}, {"value": "4.4.4.4"}]}
    }
    [change] = azure.what_if(template(storage))
    [delta] = change["delta"]
    assert (delta["path"], delta["propertyChangeType"]) == ("properties.networkAcls.ipRules", "Array")
    assert [(one["path"], one["propertyChangeType"]) for one in delta["children"]] == [("0", "Modify"), ("2", "Create")]
    assert azure.world.resources.below(GROUP_ID) == before


def test_what_if_shows_unresolved_references_as_azure_does(azure: Azure) -> None:
    azure.group()
    document = template(
        identity("a"), identity("b", tags={"t": "[concat('x', reference('a').clientId, concat('y', 'z'))]"})
    )
    azure.deploy(document)
    [change] = [one for one in azure.what_if(document) if one["changeType"] != "NoChange"]
    [delta] = change["delta"]
    assert delta["path"] == "tags.t"
    assert delta["after"] == "[concat('x', reference('a').clientId, 'yz')]"


def test_what_if_by_ids_only(azure: Azure) -> None:
    azure.group()
    body = envelope(template(identity("a")))
    body["properties"]["whatIfSettings"] = {"resultFormat": "ResourceIdOnly"}
    [change] = azure.call("POST", deployment(GROUP_ID, "d") + "/whatIf", body)[1]["properties"]["changes"]
    assert change["changeType"] == "Deploy"
    assert "after" not in change


def test_extension_resources_in_both_forms(azure: Azure) -> None:
    azure.group()
    lock = {
        "type": "Microsoft.Authorization/locks",
        "apiVersion": "2020-05-01",
        "properties": {"level": "CanNotDelete"},
    }
    document = template(
        identity("a"),
        {**lock, "name": "new", "scope": "Microsoft.ManagedIdentity/userAssignedIdentities/a", "dependsOn": ["a"]},
        {
            **lock,
            "type": "Microsoft.ManagedIdentity/userAssignedIdentities/providers/locks",
            "name": "a/Microsoft.Authorization/old",
            "dependsOn": ["a"],
        },
    )
    record = azure.deploy(document)
    assert record["properties"]["provisioningState"] == "Succeeded", record["properties"].get("error")
    for name in ("new", "old"):
        assert azure.world.resources.get(f"{IDENTITIES}/a/providers/Microsoft.Authorization/locks/{name}") is not None


def test_list_keys_in_outputs_and_environment(azure: Azure) -> None:
    azure.group()
    storage = {
        "type": "Microsoft.Storage/storageAccounts",
        "apiVersion": "2023-05-01",
        "name": "stone",
        "location": "westeurope",
        "sku": {"name": "Standard_LRS"},
        "kind": "StorageV2",
        "resources": [{"type": "blobServices/containers", "apiVersion": "2023-05-01", "name": "default/data"}],
    }
    record = azure.deploy(
        template(
            storage,
            outputs={
                "key": {"type": "string", "value": "[listKeys('stone', '2023-05-01').keys[0].value]"},
                "full": {"type": "string", "value": "[reference('stone', '2023-05-01', 'Full').location]"},
            },
        )
    )
    # A child without dependsOn may come before its parent: here it does not, because its parent stands first.
    assert record["properties"]["provisioningState"] == "Succeeded", record["properties"].get("error")
    assert record["properties"]["outputs"]["key"]["value"] == "stone-1"
    assert record["properties"]["outputs"]["full"]["value"] == "westeurope"
