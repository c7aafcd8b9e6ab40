"""Looks at the first runs of the release that is live. On too many failures it rolls back, or reports, as the watch says."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from slipway.command import Context, run_step
from slipway.domain import freeze as freezes
from slipway.domain import watch as watches
from slipway.domain.codec import instant_to_text
from slipway.domain.state import State
from slipway.domain.transition import rollback_target
from slipway.domain.watch import Sight, Watch
from slipway.errors import NotBootstrapped, NotPossible, SlipwayError, WatchBreached
from slipway.steps.auditing import flush, noted, row
from slipway.steps.claiming import minutes
from slipway.steps.first_runs import look
from slipway.steps.jobs import some
from slipway.steps.publish_slot import wait_option
from slipway.steps.rollback import roll_back
from slipway.steps.session import Session, open_session

_PAUSE = 10.0
"""Seconds between two looks at what the switch started."""


def main() -> int:
    return run_step(run, description=__doc__ or "", options=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--once", action="store_true", help="look once, for a schedule (the default)")
    how.add_argument(
        "--settle",
        type=minutes,
        default=0.0,
        metavar="MINUTES",
        help="look until the continuous jobs that the switch restarted run again or have failed, so long at most",
    )
    how.add_argument("--end", action="store_true", help="end the watch: what it saw is accepted")
    parser.add_argument("--report", action="store_true", help="never roll back, whatever the watch says")
    wait_option(parser)


def run(context: Context) -> None:
    watch_release(open_session(context, "watch"))


def watch_release(session: Session) -> None:
    """Raises WatchBreached, after rolling back or instead of it; ServiceError where it could not look."""
    name = session.environment.name
    try:
        state = session.load()
    except NotBootstrapped as error:
        session.log.info(f"Nothing was ever released to {name}: {error.what}")
        return
    watch = state.watch
    if watch is None:
        session.log.info(f"No release is being watched in {name}.")
    elif state.switch is not None:
        session.log.info(
            f"A switch to {state.switch.version} is open in {name}; {watch.release} is looked at when it has ended."
        )
    elif session.context.arguments.end:
        _end_by_hand(session, watch)
    elif watch.slot != state.live:
        session.log.info(
            f"A drill has gone back in {name}; {watch.release} is looked at when it has come forward again."
        )
    else:
        sights = _look(session, watch)
        if watches.is_breached(watch, sights):
            _breached(session, watch, sights)
        else:
            _fine(session, watch, sights)


def _look(session: Session, watch: Watch) -> list[Sight]:
    """Looks once, or until what the switch restarted has settled."""
    limit = session.now() + session.context.arguments.settle * 60
    while True:
        sights = look(session, watch)
        waiting = [sight.name for sight in sights if not sight.settled]
        left = limit - session.now()
        if not waiting or left <= 0 or watches.is_breached(watch, sights):
            break
        session.log.info(f"Waiting for the first run of {some(waiting)}.")
        session.context.sleep(min(_PAUSE, left))
    with session.log.section(f"First runs of {watch.release} in {session.environment.name} ({watch.slot})"):
        for sight in sights:
            (session.log.warning if sight.counts or sight.unknown else session.log.info)(str(sight))
        if not sights:
            session.log.info("The release has no jobs and no pipelines.")
    return sights


def _fine(session: Session, watch: Watch, sights: Sequence[Sight]) -> None:
    said = _counted(sights)
    if watches.is_over(watch, session.service_time()):
        session.log.info(f"The watch over {watch.release} is over: {said}.")
        _write(session, watch, None, "ended", said)
        return
    if watch.breached is not None:
        session.log.info("There were too many failures before; there are not any more.")
        _write(session, watch, replace(watch, breached=None), "breach ended", said)
    session.log.info(f"{watch.release}: {said}. It is watched until {instant_to_text(watch.until)}.")


def _breached(session: Session, watch: Watch, sights: Sequence[Sight]) -> None:
    """Notes the breach, then rolls back where that is asked for and possible. A crash in between loses nothing: the next
    look sees the same runs, and after a rollback there is no watch any more."""
    failed = watches.failures(sights)
    text = (
        f"{watch.release} breached its watch: {len(failed)} first run{'s' * (len(failed) > 1)} failed, and not before "
        f"(allowed: {watch.max_failures}): {some([sight.name for sight in failed], 5)}."
    )
    over = watches.is_over(watch, session.service_time())
    if watch.breached is None:
        detail = f"{_counted(sights)}; failed: {some([sight.name for sight in failed], 10)}"
        _write(session, watch, replace(watch, breached=session.service_time()), "breached", detail)
    why_not = _why_no_rollback(session, watch)
    if not why_not:
        _roll_back(session, watch, text)
        return
    if over:
        session.log.info("The watch is over.")
        _write(session, watch, None, "ended", "breached")
    name = session.environment.name
    raise WatchBreached(
        text,
        changed=f"Nothing was rolled back: {why_not}",
        next_step=f"Look at the runs. python scripts/rollback.py --environment {name} goes back; "
        + ("" if over else f"python scripts/watch_release.py --environment {name} --end accepts what failed; ")
        + "a new release ends the watch too.",
    )


def _why_no_rollback(session: Session, watch: Watch) -> str:
    state, now = session.state, session.service_time()
    if watch.on_breach == "report":
        return "watch.on_breach was report when it was released."
    if session.context.what_if or session.context.arguments.report:
        return "only a report was asked for; else it would be rolled back."
    if now >= watch.until + watches.GRACE:
        return f"the watch ended {instant_to_text(watch.until)}, and people have gone on since."
    if freezes.in_force(state.freeze, now=now) and state.freeze is not None:
        return f"{session.environment.name} is {freezes.describe(state.freeze)}."
    try:
        rollback_target(state, None)
    except NotPossible as error:
        return error.what
    return ""


def _roll_back(session: Session, watch: Watch, text: str) -> None:
    """Raises WatchBreached, however it ends."""
    session.log.error(text)
    try:
        roll_back(session, None, still=lambda state: watch.same(state.watch))
    except SlipwayError as error:
        raise WatchBreached(
            f"{text} It could not be rolled back: {error.what}", changed=error.changed, next_step=error.next_step
        ) from error
    entry = session.state.live_entry
    live = entry.version if entry is not None else "nothing"
    if watch.same(session.state.watch):
        raise WatchBreached(
            f"{text} It is not rolled back yet: another switch was open, and was taken back first.",
            changed=f"{live} is live in {session.environment.name}.",
            next_step="Run the step again; the schedule does.",
        )
    raise WatchBreached(
        f"{text} It was rolled back.",
        changed=f"{live} is live in {session.environment.name}.",
        next_step="Look at the runs, correct the cause, and release again.",
    )


def _end_by_hand(session: Session, watch: Watch) -> None:
    if session.context.what_if:
        session.log.info(f"Would end the watch over {watch.release}.")
        return
    _write(session, watch, None, "ended", "by hand")
    session.log.info(f"The watch over {watch.release} has ended by hand.")


def _write(session: Session, watch: Watch, after: Watch | None, result: str, detail: str) -> None:
    """Writes what became of the watch, where the state still has it, with a row for the audit."""
    if session.context.what_if:
        return

    def changed(state: State) -> State:
        return replace(state, watch=after) if watch.same(state.watch) else state

    told = row(session, "watch", result, release=watch.release, to_slot=watch.slot, detail=detail)
    session.update(lambda state: noted(session, changed, told)(state) if watch.same(state.watch) else state)
    flush(session)


def _counted(sights: Sequence[Sight]) -> str:
    """All of them in one line."""
    counts: dict[str, int] = {}
    for sight in sights:
        outcome = sight.run.outcome if sight.run is not None else ""
        words = {"active": "running", "succeeded": "succeeded", "failed": "failed as before the switch"}
        said = "failed" if sight.counts else "not known" if sight.unknown else words.get(outcome, "without a run")
        counts[said] = counts.get(said, 0) + 1
    listed = ", ".join(f"{number} {said}" for said, number in counts.items())
    return f"{listed} (of {len(sights)} jobs and pipelines)" if sights else "nothing to watch"
