"""Starting and stopping triggers, and the subscriptions of those that wait for events.

Operations: azure-mgmt-datafactory 10.0.0 (TriggersOperations). Starting and stopping are answered at once, subscribing is not.
"""

from __future__ import annotations

import uuid
from typing import Any

from starlette.responses import Response

from rehearsal.data_factory.routes import FACTORY, check_factory
from rehearsal.data_factory.trigger_states import RESTLESS, TriggerStates
from rehearsal.resource_manager.access import require
from rehearsal.resource_manager.errors import ServiceError, not_found, not_here
from rehearsal.resource_manager.exchange import POLL, Exchange, Rule, answer, nothing, rule
from rehearsal.resource_manager.identifiers import group_of

Json = Any
WITH_EVENTS = ("blobeventstrigger", "customeventstrigger")
_TRIGGER = FACTORY + r"/triggers/(?P<name>[^/]+)"
_TYPE = "Microsoft.DataFactory/factories/triggers"


def _trigger(exchange: Exchange, action: str) -> dict[str, Json]:
    """The trigger of a request. Raises ServiceError: 403, 404."""
    own = f"{exchange.values['factory']}/triggers/{exchange.values['name']}"
    require(exchange.world, exchange.caller, own, f"{_TYPE}/{action}/action")
    check_factory(exchange)
    found = exchange.world.resources.get(own)
    if found is None:
        raise not_found(_TYPE, f"{exchange.values['factory_name']}/{exchange.values['name']}", group_of(own))
    return found


def _with_events(trigger: dict[str, Json]) -> bool:
    return str(trigger["properties"].get("type")).lower() in WITH_EVENTS


async def _start(exchange: Exchange) -> Response:
    """Only a trigger with a pipeline can be started, and one with events only when it is subscribed (texts unverified)."""
    trigger = _trigger(exchange, "start")
    states = TriggerStates(exchange.world.store)
    subscription = states.subscription(trigger["id"])
    if _with_events(trigger) and subscription in RESTLESS:
        raise ServiceError(400, "BadRequest", "Resource cannot be updated during provisioning")
    properties = trigger["properties"]
    if properties["runtimeState"] == "Started":
        return nothing(200)
    if not properties.get("pipelines") and not properties.get("pipeline"):
        raise ServiceError(
            400, "TriggerNotAssociatedWithPipeline", f"The trigger '{trigger['name']}' has no pipeline to start."
        )
    if _with_events(trigger) and subscription != "Enabled":
        raise ServiceError(
            400, "TriggerNotSubscribed", f"The trigger '{trigger['name']}' is not subscribed to its events."
        )
    _set_state(exchange, trigger, "Started")
    # Not for moments that have passed: not by the clock, and not by a clock that was moved before.
    states.set_fired_until(trigger["id"], max(exchange.world.clock(), states.moved_to()))
    return nothing(200)


async def _stop(exchange: Exchange) -> Response:
    trigger = _trigger(exchange, "stop")
    if TriggerStates(exchange.world.store).subscription(trigger["id"]) in RESTLESS:
        raise ServiceError(400, "BadRequest", "Resource cannot be updated during provisioning")
    _set_state(exchange, trigger, "Stopped")
    return nothing(200)


def _set_state(exchange: Exchange, trigger: dict[str, Json], state: str) -> None:
    trigger["properties"]["runtimeState"] = state
    trigger["etag"] = f"{exchange.world.store.next_id('data_factory/etags'):08x}-0000-0d00-0000-000000000000"
    exchange.world.resources.put(trigger)


def _subscribing(action: str, between: str, end: str) -> Any:
    async def serve(exchange: Exchange) -> Response:
        trigger = _trigger(exchange, action.lower())
        if not _with_events(trigger):
            # Text unverified.
            raise ServiceError(400, "BadRequest", f"The trigger '{trigger['name']}' has no events to subscribe to.")
        states = TriggerStates(exchange.world.store)
        now = states.subscription(trigger["id"])
        if now in RESTLESS and now != between:
            raise ServiceError(400, "BadRequest", "Resource cannot be updated during provisioning")
        if now not in (between, end):
            states.begin(trigger["id"], between)
        number = str(uuid.uuid4())
        exchange.world.store.collection("data_factory/subscribing")[number] = trigger["id"]
        place = exchange.address(f"{exchange.values['factory']}/operationresults/{number}")
        return answer(_status(trigger, states.subscription(trigger["id"])), 202, {"Location": place, **POLL})

    return serve


async def _result(exchange: Exchange) -> Response:
    """Where a subscription is awaited: 202 as long as it is between two states."""
    factory = exchange.values["factory"]
    require(exchange.world, exchange.caller, factory, f"{_TYPE}/read")
    trigger_id = exchange.world.store.collection("data_factory/subscribing").get(exchange.values["number"])
    trigger = None if trigger_id is None else exchange.world.resources.get(trigger_id)
    if trigger is None:
        raise ServiceError(404, "OperationNotFound", "The operation could not be found.")
    told = TriggerStates(exchange.world.store).ask(trigger["id"])
    if told in RESTLESS:
        return nothing(202, {"Location": exchange.address(exchange.path), **POLL})
    return answer(_status(trigger, told))


async def _ask(exchange: Exchange) -> Response:
    trigger = _trigger(exchange, "geteventsubscriptionstatus")
    return answer(_status(trigger, TriggerStates(exchange.world.store).ask(trigger["id"])))


def _status(trigger: dict[str, Json], status: str) -> dict[str, Json]:
    return {"triggerName": trigger["name"], "status": status}


async def _query(exchange: Exchange) -> Response:
    """POST querytriggers: triggers, of one parent when it is named (TriggerFilterParameters)."""
    factory = exchange.values["factory"]
    require(exchange.world, exchange.caller, factory, "Microsoft.DataFactory/factories/querytriggers/action")
    check_factory(exchange)
    body = exchange.body() or {}
    if body.get("parentTriggerName"):
        raise not_here("query of the triggers below a parent trigger")
    return answer({"value": exchange.world.resources.below(factory, _TYPE)})


RULES: tuple[Rule, ...] = (
    rule("POST", _TRIGGER + "/start", _start),
    rule("POST", _TRIGGER + "/stop", _stop),
    rule("POST", _TRIGGER + "/subscribeToEvents", _subscribing("subscribeToEvents", "Provisioning", "Enabled")),
    rule(
        "POST", _TRIGGER + "/unsubscribeFromEvents", _subscribing("unsubscribeFromEvents", "Deprovisioning", "Disabled")
    ),
    rule("POST", _TRIGGER + "/getEventSubscriptionStatus", _ask),
    rule("POST", FACTORY + "/querytriggers", _query),
    rule("GET", FACTORY + r"/operationresults/(?P<number>[^/]+)", _result),
)
