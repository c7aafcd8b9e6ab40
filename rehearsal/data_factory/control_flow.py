"""Activities that need nothing but the run itself.

One page each below learn.microsoft.com/azure/data-factory/: control-flow-if-condition-activity, -switch-, -for-each-, -until-,
-wait-, -fail-, -filter-, -set-variable-, -append-variable-activity.
"""

# ruff: noqa: ARG001 - every activity answers to the same call, whether it needs its arguments or not

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from rehearsal.data_factory.expressions.values import kind, text
from rehearsal.data_factory.outcome import ActivityFailed, Outcome, seconds
from rehearsal.data_factory.places import Place
from rehearsal.data_factory.runs import Run
from rehearsal.data_factory.walk import Activity, Handler, Walk

Json = Any
_BATCH, _MOST_AT_ONCE = 20, 50
_UNTIL_TIMEOUT = "7.00:00:00"
_RETURN = "pipelineReturnValue"
_TYPES = {
    "string": ("String",),
    "bool": ("Boolean",),
    "boolean": ("Boolean",),
    "integer": ("Integer",),
    "array": ("Array",),
}


def settings(activity: Activity) -> Mapping[str, Json]:
    found: Mapping[str, Json] = activity.get("typeProperties") or {}
    return found


def mapping(name: str, value: Json) -> dict[str, Json]:
    """An object after its evaluation; none is empty. Raises ActivityFailed."""
    if value is not None and not isinstance(value, dict):
        raise ActivityFailed(
            "InvalidTemplate", f"'{name}' must be an object and is of type '{kind(value)}'.", again=False
        )
    return value or {}


def _inner(outcome: Outcome) -> None:
    """Raises ActivityFailed when activities inside failed (the text is the service's, as public threads quote it)."""
    if outcome.failed:
        raise ActivityFailed(
            "ActionFailed",
            f"Activity failed because an inner activity failed; Inner activity name: {outcome.failed}, "
            f"Error: {outcome.message}",
            again=False,
        )


def _truth(name: str, value: Json) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ActivityFailed(
        "InvalidTemplate", f"The {name} must be a boolean and is of type '{kind(value)}'.", again=False
    )


async def _if(walk: Walk, activity: Activity, place: Place, record: Run) -> Json:
    given = settings(activity)
    chosen = _truth("condition of an If activity", place.value(given.get("expression")))
    branch = given.get("ifTrueActivities" if chosen else "ifFalseActivities") or []
    _inner(await walk.all_of(branch, place.inside()))
    return {}


async def _switch(walk: Walk, activity: Activity, place: Place, record: Run) -> Json:
    given = settings(activity)
    wanted = text(place.value(given.get("on")))
    case = next((one for one in given.get("cases") or [] if str(one.get("value")) == wanted), None)
    branch = given.get("defaultActivities") if case is None else case.get("activities")
    _inner(await walk.all_of(branch or [], place.inside()))
    return {}


async def _for_each(walk: Walk, activity: Activity, place: Place, record: Run) -> Json:
    """Every item's activities run, also after one failed; batchCount is how many items run at once."""
    given = settings(activity)
    items = _items(place.value(given.get("items")))
    record["input"] = {"itemsCount": len(items)}
    batch = place.value(given.get("batchCount"))
    at_once = (
        1
        if given.get("isSequential")
        else min(batch if isinstance(batch, int) and batch > 0 else _BATCH, _MOST_AT_ONCE)
    )
    places = asyncio.Semaphore(at_once)
    outcomes: dict[int, Outcome] = {}

    async def one(number: int, item: Json) -> None:
        async with places:
            outcomes[number] = await walk.all_of(given.get("activities") or [], place.inside((item,)))

    async with asyncio.TaskGroup() as group:
        for number, item in enumerate(items):
            group.create_task(one(number, item))
    _inner(next((outcomes[number] for number in sorted(outcomes) if outcomes[number].failed), Outcome()))
    return {}


async def _until(walk: Walk, activity: Activity, place: Place, record: Run) -> Json:
    """Runs at least once, and goes on when activities inside fail: the last round decides (unverified)."""
    given = settings(activity)
    limit = seconds(place.value(given.get("timeout") or _UNTIL_TIMEOUT))
    try:
        async with asyncio.timeout(limit):
            while True:
                inside = place.inside()
                outcome = await walk.all_of(given.get("activities") or [], inside)
                if _truth("condition of an Until activity", inside.value(given.get("expression"))):
                    break
                await asyncio.sleep(0)
    except TimeoutError:
        # Code and text unverified.
        raise ActivityFailed(
            "ActivityTimedOut", f"The loop did not end within {limit:g} seconds.", again=False
        ) from None
    _inner(outcome)
    return {}


async def _filter(walk: Walk, activity: Activity, place: Place, record: Run) -> Json:
    given = settings(activity)
    items = _items(place.value(given.get("items")))
    kept = [
        item for item in items if _truth("condition of a Filter", place.inside((item,)).value(given.get("condition")))
    ]
    return {"ItemsCount": len(items), "FilteredItemsCount": len(kept), "Value": kept}


def _items(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise ActivityFailed(
            "InvalidTemplate",
            f"The function 'length' expects its parameter to be an array or a string. The provided value is of type "
            f"'{kind(value)}'.",
            again=False,
        )
    return value


async def _wait(walk: Walk, activity: Activity, place: Place, record: Run) -> Json:
    asked = place.value(settings(activity).get("waitTimeInSeconds"))
    if isinstance(asked, str) and asked.isdigit():
        asked = int(asked)
    if isinstance(asked, bool) or not isinstance(asked, int) or asked < 0:
        raise ActivityFailed("InvalidTemplate", f"'{asked}' is no number of seconds to wait.", again=False)
    record["input"] = {"waitTimeInSeconds": asked}
    await walk.sleep(asked)
    return {}


async def _fail(walk: Walk, activity: Activity, place: Place, record: Run) -> Json:
    given = settings(activity)
    message, code = text(place.value(given.get("message"))), text(place.value(given.get("errorCode")))
    record["input"] = {"message": message, "errorCode": code}
    raise ActivityFailed(code, message, again=False)


async def _set(walk: Walk, activity: Activity, place: Place, record: Run) -> Json:
    given = settings(activity)
    name = str(given.get("variableName"))
    if given.get("setSystemVariable") and name == _RETURN:
        place.running.returned.update(_returned(place, given.get("value") or []))
        record["input"] = {"variableName": name, "value": dict(place.running.returned)}
        return {}
    value = place.value(given.get("value"))
    record["input"] = {"variableName": name, "value": value}
    _check(place, name, value)
    place.running.variables[name.lower()] = value
    return {}


def _returned(place: Place, pairs: Json) -> dict[str, Json]:
    """Pipeline return values: {key, value: {type, content}} (…/data-factory/tutorial-pipeline-return-value)."""
    found: dict[str, Json] = {}
    for pair in pairs:
        given = pair.get("value") or {}
        content = given.get("content")
        if given.get("type") == "Array" and isinstance(content, list):
            found[str(pair.get("key"))] = [place.value(one.get("content")) for one in content]
        elif given.get("type") == "Null":
            found[str(pair.get("key"))] = None
        else:
            found[str(pair.get("key"))] = place.value(content)
    return found


async def _append(walk: Walk, activity: Activity, place: Place, record: Run) -> Json:
    given = settings(activity)
    name, value = str(given.get("variableName")), place.value(given.get("value"))
    record["input"] = {"variableName": name, "value": value}
    before = place.running.variables.get(name.lower())
    _check(place, name, [] if before is None else before, only="array")
    place.running.variables[name.lower()] = [*(before or []), value]
    return {}


def _check(place: Place, name: str, value: Json, only: str = "") -> None:
    """Raises ActivityFailed for a variable that is not declared, or of another type (texts after Logic Apps; unverified)."""
    declared = place.running.declared(name)
    if declared is None:
        raise ActivityFailed("ActionFailed", f"The variable '{name}' is not defined in the pipeline.", again=False)
    wanted = str(declared.get("type"))
    found = kind(value)
    if found not in _TYPES.get(wanted.lower(), (found,)) or (only and wanted.lower() != only):
        raise ActivityFailed(
            "ActionFailed",
            f"The variable '{name}' of type '{wanted}' cannot be initialized or updated with value of type '{found}'. "
            f"The variable '{name}' only supports values of types '{', '.join(_TYPES.get(wanted.lower(), (wanted,)))}'.",
            again=False,
        )


HANDLERS: Mapping[str, Handler] = {
    "ifcondition": _if,
    "switch": _switch,
    "foreach": _for_each,
    "until": _until,
    "filter": _filter,
    "wait": _wait,
    "fail": _fail,
    "setvariable": _set,
    "appendvariable": _append,
}
