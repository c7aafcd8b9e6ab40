"""The switch: what happens to each job, written down (the journal) before the first of them changes.

The service can't change several jobs at once, so a switch can be cut anywhere. The journal makes that harmless: from it
and from what the jobs are now, `steps` says what is left to do, forward or back, as often as it is asked. A switch that
has begun to go back never turns forward again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from slipway.domain.codec import Instant
from slipway.domain.drift import drift, same
from slipway.domain.factory.part import FactoryPart
from slipway.domain.job import TAG_VERSION, of_no_release, own_tags, pause_of, with_pause
from slipway.domain.merge import Policy, carry
from slipway.domain.slot import Slot

Direction = Literal["forward", "back"]


@dataclass(frozen=True, kw_only=True)
class Action:
    """One job's part: its whole settings before (None: there is no such job yet) and after. `pause` is the pause status
    that the release means it to have, which differs from the one in `after` where people changed it `by_hand`. `leaves`: the
    release has no such job; `returns`: neither has it, and the job goes back to what it was before Slipway adopted it."""

    key: str
    id: int | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    pause: str | None
    by_hand: str | None = None
    leaves: bool = False
    returns: bool = False


@dataclass(frozen=True, kw_only=True)
class Journal:
    """An open switch from slot `source` to `target`; `number` is the claim's under which it was begun.

    `settings` and `kept` are archived: the new settings, and the old ones as they were (with the pause status that was
    meant); `definitions`: the new ones with what the service keeps otherwise, where it does. `entry` is the place in the
    history that a rollback goes to. `adopted`: what adopted jobs were, that are set for the first time. An import changes
    the factory alone.
    """

    kind: Literal["release", "rollback", "import"]
    version: str
    manifest: str
    source: Slot | None
    target: Slot
    actions: tuple[Action, ...]
    settings: str
    kept: str | None
    started: Instant
    holder: str
    number: int
    direction: Direction = "forward"
    drift: tuple[str, ...] = ()
    entry: int | None = None
    definitions: str | None = None
    adopted: str | None = None
    factory: FactoryPart | None = None


@dataclass(frozen=True, kw_only=True)
class Known:
    """A job as Slipway knows it (`pause`, `base`: as the live release means it) and as it is now (None: it is gone).
    `by_hand`: the pause status that people gave it, as the last switch found it; `retired`: it is not the live release's,
    or not as that made it (a switch that was taken back did); `left`: what the release
    meant that it left; `waiting`: adopted, and no switch has set it yet;
    `original`: what to give back when its release is left."""

    id: int
    pause: str | None
    settings: Mapping[str, Any] | None
    retired: bool = False
    by_hand: str | None = None
    base: Mapping[str, Any] | None = None
    left: Mapping[str, Any] | None = None
    waiting: bool = False
    original: Mapping[str, Any] | None = None

    @property
    def chosen(self) -> str | None:
        """The pause status that people chose last; None: they left it to the release."""
        now = None if self.settings is None or self.retired else pause_of(self.settings)
        if now is None or self.pause is None or now == (self.by_hand or self.pause):
            return self.by_hand
        return now


@dataclass(frozen=True, kw_only=True)
class Step:
    """One request: create (id None) or reset a job."""

    key: str
    id: int | None
    settings: Mapping[str, Any]


def plan(
    wanted: Mapping[str, Mapping[str, Any]],
    known: Mapping[str, Known],
    *,
    policy: Policy = "overwrite",
    root: str = "",
    back: bool = False,
) -> tuple[Action, ...]:
    """The actions that give the jobs the `wanted` settings (by key), and pause the known jobs that are not wanted.

    What people changed by hand stays as far as `policy` says; `root` is the folder of both slots. `back`: to a release
    that was live before, whose definitions are no news.
    """
    actions = []
    for key in sorted(wanted.keys() | known.keys()):
        job = known.get(key)
        if key in wanted:
            actions.append(_stays(key, wanted[key], job, policy, root, back))
        elif job is not None and job.settings is not None and not job.retired and not job.waiting:
            actions.append(_leaves(key, job, job.settings))
    return tuple(actions)


def _stays(key: str, settings: Mapping[str, Any], job: Known | None, policy: Policy, root: str, back: bool) -> Action:
    pause = pause_of(settings)
    by_hand = None if job is None else _chosen(job, pause, back)
    after = _keep_by_hand(settings, job, policy, root)
    return Action(
        key=key,
        id=None if job is None or job.settings is None else job.id,
        before=None if job is None else job.settings,
        after=with_pause(after, by_hand) if by_hand else after,
        pause=pause,
        by_hand=by_hand,
    )


def _leaves(key: str, job: Known, before: Mapping[str, Any]) -> Action:
    returns = job.original is not None
    after = of_no_release(before) if job.original is None else job.original
    return Action(
        key=key,
        id=job.id,
        before=before,
        after=after,
        pause=job.pause,
        by_hand=job.chosen,
        leaves=not returns,
        returns=returns,
    )


def _keep_by_hand(settings: Mapping[str, Any], job: Known | None, policy: Policy, root: str) -> Mapping[str, Any]:
    """People's own schedule, and what else of theirs stays."""
    if job is None or job.settings is None or job.waiting:
        return settings
    if job.retired:
        return carry(settings, job.left, job.settings, "overwrite", root)
    return carry(settings, job.base, job.settings, policy, root)


def _chosen(job: Known, wanted: str | None, back: bool) -> str | None:
    """People's pausing (or starting) of a job survives. Where the definition has come to say the same, the next one that
    says otherwise counts again; on the way back it has not."""
    chosen = job.chosen
    taken_over = chosen == job.pause != wanted
    return None if taken_over and not back else chosen


def goal(action: Action, direction: Direction) -> Mapping[str, Any] | None:
    """What the job must be in the end; None: nothing must be done (a job that was not there, when going back)."""
    if direction == "forward":
        return action.after
    if action.before is None:
        return None if action.id is None else of_no_release(action.after)
    return action.before


def creates(journal: Journal) -> list[Step]:
    """Jobs still to be made: new ones paused, for they start with the switch, together; going back only those that
    somebody deleted meanwhile, as they were."""
    if journal.direction == "back":
        lost = [action for action in journal.actions if action.id is None and action.before is not None]
        return [Step(key=action.key, id=None, settings=action.before or {}) for action in lost]
    return [
        Step(key=action.key, id=None, settings=_before_its_start(action))
        for action in journal.actions
        if action.id is None
    ]


def _before_its_start(action: Action) -> Mapping[str, Any]:
    return of_no_release(action.after) if pause_of(action.after) == "UNPAUSED" else action.after


def forget_lost(journal: Journal, now: Mapping[str, Mapping[str, Any] | None]) -> Journal:
    """The journal without the ids of jobs that are gone: `creates` makes them again."""
    actions = tuple(
        replace(action, id=None) if action.id is not None and now.get(action.key) is None else action
        for action in journal.actions
    )
    return replace(journal, actions=actions)


def with_ids(journal: Journal, ids: Mapping[str, int]) -> Journal:
    """The journal with the ids of jobs that were made (or found again by their tags)."""
    actions = tuple(
        replace(action, id=ids[action.key]) if action.id is None and action.key in ids else action
        for action in journal.actions
    )
    return replace(journal, actions=actions)


def resets(journal: Journal, now: Mapping[str, Mapping[str, Any] | None]) -> list[Step]:
    """The resets that are left to do, from what the jobs are `now` (None or absent: gone). Starting comes last."""
    steps = []
    for action in journal.actions:
        wanted = goal(action, journal.direction)
        there = now.get(action.key)
        if wanted is None or action.id is None or there is None:
            continue
        exact = journal.direction == "back"
        if (there != wanted) if exact else not (same(wanted, there) and _as_tagged(wanted, there)):
            steps.append(Step(key=action.key, id=action.id, settings=wanted))
    return steps


def unfinished(journal: Journal, now: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    """Keys of jobs that are not what they must be in the end, in what makes a release: what they run, whether they
    start, which release they say they are of."""
    keys = []
    for action in journal.actions:
        wanted = goal(action, journal.direction)
        there = now.get(action.key)
        if wanted is None:
            continue
        done = there is not None and same(essence(wanted), essence(there)) and _as_tagged(wanted, there)
        if action.id is None or not done:
            keys.append(action.key)
    return keys


def _as_tagged(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    """A job of no release does not say that it is of one."""
    return TAG_VERSION in own_tags(wanted) or TAG_VERSION not in own_tags(there)


def remarks(journal: Journal, now: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    """What the service made of the settings otherwise: a field that it does not know, a value that it corrects."""
    lines = []
    for action in journal.actions:
        wanted, there = goal(action, journal.direction), now.get(action.key)
        if wanted is not None and there is not None:
            lines += [f"job {action.key}: {line}" for line in drift(wanted, there)]
    return lines


def essence(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a job's settings that may not be of another release."""
    return {
        "tasks": [_essence_of_task(task) for task in settings.get("tasks") or []],
        "environments": [_pick(item, "environment_key", "spec") for item in settings.get("environments") or []],
        "tags": own_tags(settings),
        "pause": pause_of(settings),
    }


def _essence_of_task(task: Mapping[str, Any]) -> dict[str, Any]:
    result = _pick(task, "task_key", "libraries")
    result["notebook_task"] = _pick(task.get("notebook_task") or {}, "notebook_path")
    nested = (task.get("for_each_task") or {}).get("task")
    if nested:
        result["nested"] = _essence_of_task(nested)
    return result


def _pick(value: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value[key] for key in keys if key in value}


def turn_back(journal: Journal) -> Journal:
    return replace(journal, direction="back")
