"""Resource providers: one that a subscription does not have refuses what would be made, until it is registered."""

from __future__ import annotations

from tests.rehearsal.resource_manager.local_azure import GROUP_ID, SUBSCRIPTION, SUBSCRIPTION_ID, Azure, template

NAMESPACE = "Microsoft.ManagedIdentity"
PROVIDER = f"{SUBSCRIPTION_ID}/providers/{NAMESPACE}"
IDENTITY = f"{GROUP_ID}/providers/{NAMESPACE}/userAssignedIdentities/id1"
BODY = {"location": "westeurope"}
RESOURCE = {
    "type": f"{NAMESPACE}/userAssignedIdentities",
    "apiVersion": "2023-01-31",
    "name": "id1",
    "location": "westeurope",
}


def unregistered(azure: Azure) -> None:
    azure.group()
    azure.world.resources.set_registration(SUBSCRIPTION, NAMESPACE, "NotRegistered")


def test_it_refuses_until_it_is_registered(azure: Azure) -> None:
    unregistered(azure)
    assert azure.call("GET", PROVIDER)[1]["registrationState"] == "NotRegistered"
    status, body = azure.call("PUT", IDENTITY, BODY)
    message = (
        f"The subscription is not registered to use namespace '{NAMESPACE}'. See https://aka.ms/rps-not-found for how to "
        "register subscriptions."
    )
    assert status == 409
    assert body["error"]["code"] == "MissingSubscriptionRegistration"
    assert body["error"]["message"] == message
    assert body["error"]["details"] == [
        {"code": "MissingSubscriptionRegistration", "target": NAMESPACE, "message": message}
    ]
    assert azure.call("POST", f"{PROVIDER}/register")[1]["registrationState"] == "Registering"
    assert azure.call("GET", PROVIDER)[1]["registrationState"] == "Registered"
    assert azure.call("PUT", IDENTITY, BODY)[0] == 201
    assert azure.call("POST", f"{PROVIDER}/register")[1]["registrationState"] == "Registered"


def test_registering_takes_a_right_on_the_subscription(azure: Azure) -> None:
    unregistered(azure)
    contributor = azure.directory.add("contributor of the group")
    azure.world.roles.assign(
        scope=GROUP_ID, principal_id=contributor.object_id, role_name="Contributor", immediately=True
    )
    status, body = azure.call("POST", f"{PROVIDER}/register", caller=contributor)
    assert status == 403
    assert f"'{NAMESPACE}/register/action'" in body["error"]["message"]
    deployment = {"properties": {"mode": "Incremental", "template": template(RESOURCE)}}
    path = f"{GROUP_ID}/providers/Microsoft.Resources/deployments/d"
    status, body = azure.call("PUT", path, deployment, caller=contributor)
    assert status == 400
    assert body["error"]["details"][0]["code"] == "MissingSubscriptionRegistration"
    assert azure.call("PUT", path, deployment)[0] in (200, 201)
    assert azure.call("GET", PROVIDER)[1]["registrationState"] == "Registered"


def test_a_disabled_subscription_takes_no_change_until_it_is_enabled(azure: Azure) -> None:
    azure.group()
    azure.world.resources.set_subscription_state(SUBSCRIPTION, "Disabled")
    assert azure.call("GET", SUBSCRIPTION_ID)[1]["state"] == "Disabled"
    for method, body in (("PUT", BODY), ("DELETE", None)):
        status, answer = azure.call(method, IDENTITY, body)
        assert (status, answer["error"]["code"]) == (409, "ReadOnlyDisabledSubscription")
    assert azure.call("POST", f"{SUBSCRIPTION_ID}/providers/Microsoft.Subscription/enable")[0] == 200
    assert azure.call("PUT", IDENTITY, BODY)[0] == 201
