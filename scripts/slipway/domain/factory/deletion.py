"""Which live objects go because the source no longer has them, in which order, and when that is not believable.

Microsoft's own script deleted whole factories when it was given the wrong file (reported in 2020 to 2026): here an
empty or implausible set is refused before anything changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from slipway.domain.factory.comparison import Change
from slipway.domain.factory.objects import FactoryObject, Key, Kind
from slipway.domain.factory.references import CycleError, graph, levels

DELETED = (
    Kind.TRIGGERS,
    Kind.PIPELINES,
    Kind.DATAFLOWS,
    Kind.DATASETS,
    Kind.LINKED_SERVICES,
    Kind.CREDENTIALS,
    Kind.CHANGE_DATA_CAPTURES,
)
"""What may be deleted. Integration runtimes (a self-hosted one has machines registered), managed networks and their
private endpoints (approved by others) never are."""


def removals(changes: Sequence[Change], only: Collection[Key] | None = None) -> tuple[list[Change], list[Change]]:
    """What to delete (of `only`, where it is given), users before what they use, and what stays although the source has
    not got it: kinds that are never deleted, and whatever those need."""
    candidates = {change.key: change.item for change in changes if change.action == "leave"}
    going = {key: item for key, item in candidates.items() if item.kind in DELETED and (only is None or key in only)}
    found = graph(change.item for change in changes)  # as the factory will be: wanted ones as they are wanted
    pending: list[Key] = [key for key in found.objects if key not in going]
    while pending:  # what stays keeps what it needs
        for edge in found.edges[pending.pop()]:
            if edge.target.key in going:
                del going[edge.target.key]
                pending.append(edge.target.key)
    try:
        ordered = [item for level in reversed(levels(graph(going.values()))) for item in level]
    except CycleError:  # the service has no rings; were there one, it would refuse the deletion itself
        ordered = list(going.values())
    left = [item for key, item in candidates.items() if key not in going]
    return [Change("remove", item, "not in the source") for item in ordered], [Change("leave", item) for item in left]


def implausible(
    removed: Sequence[Change], wanted: Iterable[FactoryObject], live: Iterable[FactoryObject], *, percent: int
) -> str:
    """Why this set of deletions is not believed; "" when it is. `percent`: the most of the factory that may go."""
    if not removed:
        return ""
    if not any(item.kind is Kind.PIPELINES for item in wanted):
        return "the source has no pipeline at all"
    total = sum(1 for item in live if item.kind in DELETED)
    if len(removed) * 100 > total * percent:
        return f"{len(removed)} of {total} objects would go, more than {percent} %"
    return ""
