"""Planning a switch, and going on after it was cut, on a model of jobs that knows nothing of the steps."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.switch import Journal, Known, creates, forget_lost, plan, resets, turn_back, unfinished, with_ids

KEYS = ["a", "b", "c", "d"]


def job(slot: str, pause: str | None, note: int = 0) -> dict[str, Any]:
    settings: dict[str, Any] = {"name": "n", "tasks": [{"task_key": "t", "path": f"/{slot}"}], "note": note}
    if pause is not None:
        settings["schedule"] = {"pause_status": pause}
    return settings


pauses = st.sampled_from(["PAUSED", "UNPAUSED"])
wanted_jobs = st.dictionaries(st.sampled_from(KEYS), st.builds(job, st.just("green"), pauses, st.integers(0, 3)))
known_jobs = st.dictionaries(
    st.sampled_from(KEYS),
    st.builds(
        Known,
        id=st.just(0),
        pause=st.none() | pauses,
        settings=st.none() | st.builds(job, st.just("blue"), pauses, st.integers(0, 3)),
        retired=st.booleans(),
    ),
)


class Service:
    """Jobs by id; every call may be the last one before the process dies."""

    def __init__(self, known: dict[str, Known]) -> None:
        self.jobs = {job.id: dict(job.settings) for job in known.values() if job.settings is not None}
        self.owner = {job.id: key for key, job in known.items()}

    def now(self, journal: Journal) -> dict[str, Any]:
        return {a.key: self.jobs.get(a.id) for a in journal.actions if a.id is not None}

    def create(self, key: str, settings: Any) -> int:
        new = 1000 + len(self.owner)
        self.jobs[new], self.owner[new] = dict(settings), key
        return new

    def find(self, key: str, journal: Journal) -> dict[str, int]:
        taken = {a.id for a in journal.actions}
        found = [i for i, k in self.owner.items() if k == key and i in self.jobs and i not in taken and i >= 1000]
        return {key: min(found)} if found else {}


def work(service: Service, journal: Journal, budget: int) -> tuple[Journal, bool]:
    """Carries the journal out for at most `budget` calls. Returns the journal as it was last saved, and whether done."""
    for _ in range(3):
        journal = forget_lost(journal, service.now(journal))
        for action in journal.actions:
            if action.id is None:
                journal = with_ids(journal, service.find(action.key, journal))
        made: dict[str, int] = {}
        for step in creates(journal):
            if budget <= 0:
                return journal, False  # those in `made` are found again by their tags
            budget -= 1
            made[step.key] = service.create(step.key, step.settings)
        journal = with_ids(journal, made)
        for step in resets(journal, service.now(journal)):
            if budget <= 0:
                return journal, False
            budget -= 1
            assert step.id is not None
            service.jobs[step.id] = dict(step.settings)
        if not unfinished(journal, service.now(journal)):
            return journal, True
    raise AssertionError("does not come to an end")


def opened(wanted: Any, known: dict[str, Known]) -> tuple[Service, Journal]:
    numbered = {
        key: Known(id=index, pause=item.pause, settings=item.settings, retired=item.retired)
        for index, (key, item) in enumerate(known.items(), 1)
    }
    journal = Journal(
        kind="release",
        version="1",
        manifest="m",
        source="blue",
        target="green",
        actions=plan(wanted, numbered),
        settings="s",
        kept=None,
        started=0.0,
        holder="h",
        number=1,
    )
    return Service(numbered), journal


@given(wanted_jobs, known_jobs, st.lists(st.integers(0, 5), max_size=4), st.booleans(), st.integers(0, 4))
def test_cut_anywhere_it_ends_all_new_or_all_old(
    wanted: Any, known: dict[str, Known], cuts: list[int], back: bool, turn: int
) -> None:
    service, journal = opened(wanted, known)
    before = {i: dict(settings) for i, settings in service.jobs.items()}
    done = False
    for index, budget in enumerate(cuts):
        if back and index == turn:
            journal = turn_back(journal)
        journal, done = work(service, journal, budget)
        if done:
            break
    if back and not done:
        journal = turn_back(journal)
    if not done:
        journal, done = work(service, journal, 1000)
    assert done
    if journal.direction == "forward":
        for action in journal.actions:
            assert action.id is not None
            assert service.jobs[action.id] == action.after
        assert {a.key for a in journal.actions if not a.leaves} == set(wanted)
    else:
        assert {i: s for i, s in service.jobs.items() if i in before} == before
        assert all(s["schedule"]["pause_status"] == "PAUSED" for i, s in service.jobs.items() if i not in before)
    assert len(service.jobs) <= len(before) + len(wanted), "a job was made twice"


@given(wanted_jobs, known_jobs)
def test_people_decide_about_pausing(wanted: Any, known: dict[str, Known]) -> None:
    _, journal = opened(wanted, known)
    for action in journal.actions:
        item = known.get(action.key)
        if action.leaves:
            assert action.after["schedule"]["pause_status"] == "PAUSED"
            continue
        meant = wanted[action.key]["schedule"]["pause_status"]
        by_hand = item is not None and item.settings is not None and not item.retired and item.pause is not None
        if (
            item is not None
            and by_hand
            and item.settings is not None
            and item.settings["schedule"]["pause_status"] != item.pause
        ):
            assert action.after["schedule"]["pause_status"] == item.settings["schedule"]["pause_status"]
        else:
            assert action.after["schedule"]["pause_status"] == meant
        assert action.pause == meant


def test_jobs_are_made_paused() -> None:
    _, journal = opened({"a": job("green", "UNPAUSED")}, {})
    (step,) = creates(journal)
    assert step.settings["schedule"]["pause_status"] == "PAUSED"
    assert creates(turn_back(journal)) == []


def test_a_retired_job_comes_back_as_the_release_means_it() -> None:
    known = {"a": Known(id=1, pause="UNPAUSED", settings=job("blue", "PAUSED"), retired=True)}
    (action,) = plan({"a": job("green", "UNPAUSED")}, known)
    assert action.after["schedule"]["pause_status"] == "UNPAUSED" and not action.leaves
    assert plan({}, known) == ()
