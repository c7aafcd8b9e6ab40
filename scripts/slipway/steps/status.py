"""Shows what is live, what the slots hold, the jobs, who is releasing. Reads only."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway.command import Context, run_step
from slipway.domain import freeze as freezes
from slipway.domain.claim import ends
from slipway.domain.codec import encode, instant_to_text
from slipway.domain.job import pause_of
from slipway.domain.slot import SLOTS, Slot
from slipway.domain.state import SlotRecord, State
from slipway.errors import SlipwayError
from slipway.steps.jobs import Settings, read_jobs, some
from slipway.steps.session import Session, open_session
from slipway.steps.slot_reading import difference
from slipway.steps.text_table import text_table


def main() -> int:
    return run_step(run, description=__doc__ or "", changes=False, options=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as data")


def run(context: Context) -> None:
    show(open_session(context, "status"))


@dataclass(frozen=True)
class Seen:
    """What the workspace says: the jobs as they are, what changed in each slot. `error`: why it says nothing."""

    jobs: Mapping[str, Settings | None]
    changed: Mapping[str, str]
    error: SlipwayError | None = None


def show(session: Session) -> None:
    """Raises what the workspace answers, after everything that the state says is shown."""
    session.load()
    seen = look(session)
    data = describe(session, seen)
    if session.context.arguments.json:
        session.log.result(json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False))
    else:
        session.log.result(as_text(data))
    if seen.error is not None:
        raise seen.error


def look(session: Session) -> Seen:
    state = session.state
    try:
        jobs = read_jobs(session, {key: record.id for key, record in state.jobs.items()})
        changed: dict[str, str] = {
            slot: difference(session, slot, record.manifest)
            for slot in SLOTS
            if (record := state.slots.get(slot)) is not None and record.complete
        }
    except SlipwayError as error:
        return Seen({}, {}, error)
    return Seen(jobs, changed)


def describe(session: Session, seen: Seen | None = None) -> dict[str, Any]:
    """The state, and the jobs as they are now, as plain data; null where the workspace does not say it."""
    state = session.state
    seen = seen or look(session)
    jobs = {}
    for key, record in sorted(state.jobs.items()):
        settings = seen.jobs.get(key)
        jobs[key] = {
            "id": record.id,
            "slot": record.slot,
            "there": settings is not None if seen.error is None else None,
            "name": None if settings is None else settings.get("name"),
            "pause_status": None if settings is None else pause_of(settings),
            "meant_pause_status": record.pause,
            "left_the_release": record.retired,
        }
    entry = state.live_entry
    return {
        "app": state.app,
        "environment": state.environment,
        "live": state.live,
        "version": entry.version if entry else None,
        "workspace": seen.error.what if seen.error is not None else None,
        "slots": {slot: _slot(state, slot, seen) for slot in SLOTS},
        "jobs": jobs,
        "claim": encode(state.claim) if state.claim else None,
        "claim_expired": state.claim is not None
        and session.service_time() >= ends(state.claim, switching=state.switch is not None),
        "freeze": encode(state.freeze) if freezes.in_force(state.freeze, now=session.service_time()) else None,
        "switch": _switch(state),
        "watch": encode(state.watch) if state.watch else None,
        "history": [
            {key: value for key, value in encode(item).items() if key in ("version", "slot", "since", "outcome", "run")}
            for item in reversed(state.history)
        ],
    }


def _slot(state: State, slot: Slot, seen: Seen) -> dict[str, Any] | None:
    record = state.slots.get(slot)
    if record is None:
        return None
    return {
        "version": record.version,
        "commit": record.commit,
        "manifest": record.manifest,
        "complete": record.complete,
        "candidate": record.candidate,
        "files": len(record.files),
        "published": instant_to_text(record.published),
        "test": encode(record.test) if record.test else None,
        "role": _role(state, slot, record),
        "changed": seen.changed.get(slot, "") if seen.error is None else None,
    }


def _role(state: State, slot: str, record: SlotRecord) -> str:
    if slot == state.live:
        return "live"
    if not record.complete:
        return "being overwritten"
    return "candidate" if record.candidate else "released before"


def _switch(state: State) -> dict[str, Any] | None:
    journal = state.switch
    if journal is None:
        return None
    return {
        "kind": journal.kind,
        "version": journal.version,
        "target": journal.target,
        "direction": journal.direction,
        "started": instant_to_text(journal.started),
        "jobs": [action.key for action in journal.actions],
        "drift": list(journal.drift),
    }


def as_text(data: dict[str, Any]) -> str:
    """The same for a person."""
    live = f"{data['version']} in {data['live']}" if data["live"] else "nothing yet"
    lines = [f"{data['app']}, {data['environment']}: live is {live}", ""]
    rows = [["slot", "", "version", "manifest", "test", "published"]]
    for name, slot in data["slots"].items():
        if slot is None:
            rows.append([name, "empty", "", "", "", ""])
            continue
        test = slot["test"]
        outcome = "" if test is None else ("passed" if test["passed"] else f"failed: {some(test['failed'])}")
        rows.append([name, slot["role"], slot["version"], slot["manifest"][:12], outcome, slot["published"]])
    lines += [*text_table(rows), ""]
    if changed := [
        f"changed by hand: {slot['changed']}" for slot in data["slots"].values() if slot and slot["changed"]
    ]:
        lines += [*changed, ""]
    rows = [["job", "id", "slot", "starts by itself", ""]]
    for key, job in data["jobs"].items():
        rows.append([key, str(job["id"]), job["slot"] or "adopted", _starts(job), _remark(job)])
    lines += text_table(rows) if len(rows) > 1 else ["no jobs yet"]
    if data["workspace"]:
        lines += ["", f"The workspace does not say what slots and jobs are now: {data['workspace']}"]
    claim, switch = data["claim"], data["switch"]
    lines.append("")
    if claim:
        over = " (expired)" if data["claim_expired"] else ""
        lines.append(f"claim: {claim['who']}, {claim['release']}, {claim['run']}, until {claim['expires']}{over}")
    else:
        lines.append("claim: nobody is releasing")
    if data["freeze"]:
        held = data["freeze"]
        until = f"until {held['until']}" if held["until"] else "until --unfreeze"
        lines.append(f"frozen: by {held['who']} ({held['run']}) since {held['since']}, {until}: {held['message']}")
    if switch:
        lines.append(
            f"open switch: to {switch['version']} in {switch['target']}, {switch['direction']}, since {switch['started']}; "
            "run scripts/switch_slot.py again, or with --revert"
        )
    if data["watch"]:
        lines.append(_watch_line(data["watch"]))
    if data["history"]:
        rows = [["released", "slot", "since", "", "run"]]
        rows += [
            [e["version"], e["slot"], e["since"], e["outcome"].replace("_", " "), e["run"]] for e in data["history"]
        ]
        lines += ["", *text_table(rows)]
    return "\n".join(lines)


def _watch_line(watch: dict[str, Any]) -> str:
    seen = f", breached since {watch['breached']}" if watch["breached"] else ""
    return (
        f"watch: over {watch['release']} since {watch['since']}, until {watch['until']}{seen}; more than "
        f"{watch['max_failures']} failed first runs: {watch['on_breach']}; python scripts/watch_release.py looks"
    )


def _starts(job: dict[str, Any]) -> str:
    if job["there"] is None:
        return "not known"
    return {"PAUSED": "paused", "UNPAUSED": "yes", None: "no schedule"}.get(job["pause_status"], "")


def _remark(job: dict[str, Any]) -> str:
    if job["there"] is False:
        return "is gone"
    if job["left_the_release"]:
        return "left the release"
    if job["there"] is None:
        return ""
    if job["pause_status"] != job["meant_pause_status"]:
        return f"by hand; Slipway meant {job['meant_pause_status'] or 'no schedule'}"
    return ""
