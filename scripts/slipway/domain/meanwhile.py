"""What people change in the jobs while a switch is open (its agent died in the middle, say), which is none of its doing.

A switch sets a job whole, its slipway_ tags with the rest. So these tell whether a job is still as it was before, or is as
the switch made it; a pause status or schedule that is not of that side was given by people, and goes with the job wherever
the switch ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from slipway.domain.drift import Difference, differences
from slipway.domain.job import STARTERS, Settings, is_of_no_release, of_no_release, own_tags, pause_of, with_pause
from slipway.domain.merge import carry, starter_of
from slipway.domain.switch import Action, Journal

Side = Literal["before", "after"]


def noticed(
    journal: Journal, now: Mapping[str, Settings | None], *, only_pausing: bool
) -> tuple[Journal, tuple[str, ...]]:
    """The journal with what people changed since it was written, and a line for each. `only_pausing`: the switch has just
    set the jobs itself, so that another difference is what the service made of it."""
    actions: list[Action] = []
    lines: list[str] = []
    for action in journal.actions:
        there = now.get(action.key)
        side = None if there is None or action.id is None else _side(action, there)
        if there is not None and side is not None:
            said, action = _look(action, side, there, only_pausing)
            lines += [f"job {action.key}: {line}" for line in said]
        actions.append(action)
    if not lines:
        return journal, ()
    kept = tuple(dict.fromkeys((*journal.drift, *lines)))
    return replace(journal, actions=tuple(actions), drift=kept), tuple(lines)


def _side(action: Action, there: Settings) -> Side | None:
    """None: the tags are of neither, or can't tell."""
    tags = own_tags(there)
    before = action.before is not None and tags == own_tags(action.before)
    after = tags == own_tags(action.after)
    return None if before == after else "before" if before else "after"


def _look(action: Action, side: Side, there: Settings, only_pausing: bool) -> tuple[list[str], Action]:
    expected = action.after if side == "after" else action.before or {}
    lines: list[str] = []
    result = action
    if not only_pausing and (changes := _changes(expected, there, side)):
        result = _with_starter(result, expected, there)
        kept = starter_of(result.before or {}), starter_of(result.after)
        for change in changes:
            starts = change.path.split(".")[0] in STARTERS
            stays = starts and all(item in (starter_of(there), {}) for item in kept)
            lines.append(f"{change}; {'it is left so' if stays else 'it is set again'}")
    was, status = pause_of(expected), pause_of(there)
    if status is not None and was is not None and status != was:
        result = _with_pause(result, status)
        lines.append(f"pause_status was set to {was}, is {status}; it is left so")
    return lines, result


def _changes(expected: Settings, there: Settings, side: Side) -> list[Difference]:
    """All but pausing. What the switch set the service may have completed: what only the job has counts where the whole
    job was read before."""
    status = pause_of(there)
    known = expected if status is None else with_pause(expected, status)
    found = list(differences(known, there))
    if side == "before":
        paths = {change.path for change in found}
        more = (Difference(change.path, change.now, change.was) for change in differences(there, known))
        found += [change for change in more if change.path not in paths]
    return found


def _with_starter(action: Action, expected: Settings, there: Settings) -> Action:
    before = None if action.before is None else carry(action.before, expected, there, "overwrite", "")
    after = carry(action.after, expected, there, "overwrite", "")
    return replace(action, before=before, after=of_no_release(after) if action.leaves else after)


def _with_pause(action: Action, status: str) -> Action:
    """A job that leaves, or had left, is paused in any case; one that leaves comes back as people wanted it."""
    before: Mapping[str, Any] | None = action.before
    if before is not None and not is_of_no_release(before):
        before = with_pause(before, status)
    after = action.after if action.leaves else with_pause(action.after, status)
    return replace(action, before=before, after=after, by_hand=status)
