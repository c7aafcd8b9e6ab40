"""queryPipelineRuns, queryActivityruns, queryTriggerRuns: filters, order and pages (RunFilterParameters of the SDK)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rehearsal.data_factory.runs import Run, shown
from rehearsal.resource_manager.errors import ServiceError

Json = Any
PAGE = 100
# RunQueryFilterOperand and RunQueryOrderByField, with the field of a record; LatestOnly lets through what is there.
PIPELINE_FIELDS = {
    "PipelineName": "pipelineName", "Status": "status", "RunStart": "runStart", "RunEnd": "runEnd",
    "RunGroupId": "runGroupId",
}  # fmt: skip
ACTIVITY_FIELDS = {
    "ActivityName": "activityName", "ActivityType": "activityType", "Status": "status",
    "ActivityRunStart": "activityRunStart", "ActivityRunEnd": "activityRunEnd", "PipelineName": "pipelineName",
}  # fmt: skip
TRIGGER_FIELDS = {
    "TriggerName": "triggerName", "Status": "status", "TriggerRunTimestamp": "triggerRunTimestamp",
}  # fmt: skip


def answer(body: Json, records: Sequence[Run], fields: Mapping[str, str], updated: str) -> dict[str, Json]:
    """The page that the body asks for. updated: the field that lastUpdatedAfter and -Before are about. Raises ServiceError."""
    if not isinstance(body, dict):
        raise _bad("The request needs a body.")
    after, before = _moment(body, "lastUpdatedAfter"), _moment(body, "lastUpdatedBefore")
    found = [run for run in records if run.get(updated) and after <= _read(run[updated]) <= before]
    for one in body.get("filters") or []:
        found = [run for run in found if _fits(run, one, fields)]
    for one in reversed(body.get("orderBy") or []):
        name = fields.get(str(one.get("orderBy")))
        if name is None:
            raise _bad(f"The results can't be ordered by '{one.get('orderBy')}'.")
        found.sort(key=lambda run: str(run.get(name) or ""), reverse=str(one.get("order")).upper() == "DESC")
    token = str(body.get("continuationToken") or "0")
    if not token.isdigit():
        raise _bad("The continuation token is invalid.")
    start = int(token)
    page: dict[str, Json] = {"value": [shown(run) for run in found[start : start + PAGE]]}
    if len(found) > start + PAGE:
        page["continuationToken"] = str(start + PAGE)
    return page


def _fits(run: Run, one: Mapping[str, Json], fields: Mapping[str, str]) -> bool:
    operand, values = str(one.get("operand")), [str(value) for value in one.get("values") or []]
    if operand == "LatestOnly":
        return True
    name = fields.get(operand)
    if name is None:
        raise ServiceError(
            501, "NotImplementedInRehearsal", f"This rehearsal has no run filter by '{operand}' for this query."
        )
    inside = str(run.get(name) or "").lower() in [value.lower() for value in values]
    operator = str(one.get("operator"))
    if operator in ("Equals", "In"):
        return inside
    if operator in ("NotEquals", "NotIn"):
        return not inside
    raise _bad(f"The filter's operator '{operator}' is invalid.")


def _moment(body: Mapping[str, Json], name: str) -> datetime:
    given = body.get(name)
    if not isinstance(given, str):
        raise _bad(f"The parameter '{name}' is required.")
    try:
        return _read(given)
    except ValueError as error:
        raise _bad(f"The parameter '{name}' is no date and time.") from error


def _read(given: str) -> datetime:
    found = datetime.fromisoformat(given[:26] + "+00:00" if given.endswith("Z") and len(given) > 27 else given)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _bad(text: str) -> ServiceError:
    return ServiceError(400, "BadRequest", text)
