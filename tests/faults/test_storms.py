"""Releases in storms: each request may meet trouble. Each step ends right or stops with a message, and run again in calm
weather the release ends whole: no file, job, secret or row of the audit is lost."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from rehearsal.gateway.storm import Storm
from slipway.domain.state import State
from tests.faults.cloud import Cloud, Memory, Outcome
from tests.faults.conftest import Stages
from tests.faults.project import NAME
from tests.faults.test_what_is_told import rows

pytestmark = pytest.mark.faults

SEEDS = int(os.environ.get("SLIPWAY_STORMS", "3"))
"""Releases for each share of troubled requests."""
STEPS = ("provision_secrets", "publish_slot", "run_integration_test", "switch_slot")
VERSION = "1.5"
"""Has a job that is made, one that stays, and one that leaves."""
SAID = (0, 5, 6, 7, 8, 9)
"""Exit codes that a step may end with in a storm: the documented ones, and never a bug."""


@dataclass(frozen=True)
class Whole:
    """What an environment is, as far as a release may change it."""

    blue: dict[str, bytes]
    green: dict[str, bytes]
    jobs: dict[str, tuple[str, str]]
    """Slot and pause status by key."""
    kept: int
    """The id of the job that every release has."""
    secrets: dict[str, str]
    history: list[tuple[str, str]]
    live: str | None


@dataclass
class Figures:
    """What became of the releases of one strength."""

    right: int = 0
    wrong: list[str] = field(default_factory=list)
    stopped: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    told: dict[int, set[tuple[str, str, str, str]]] = field(default_factory=dict)
    """What waited in the state when a release had ended, by run: id, action, result, manifest."""
    manifests: dict[int, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def start(cloud: Cloud, stages: Stages) -> Memory:
    """1.1 is live, 1.0 lies in the idle slot, and the secret is what it was some time ago."""
    cloud.build(VERSION, "score", "train")
    cloud.back_to(stages.to_publish)
    cloud.done("deploy_resources", version="1.1")
    cloud.done("provision_secrets", version="1.1")
    cloud.change_secrets("former")
    cloud.done("switch_slot", "--revert")  # gives the claim back
    return cloud.remember()


@pytest.fixture(scope="module")
def goal(cloud: Cloud, start: Memory) -> Whole:
    """What a release makes of it in calm weather."""
    cloud.back_to(start)
    for step in STEPS:
        cloud.done(step, version=VERSION)
    return whole(cloud)


def whole(cloud: Cloud) -> Whole:
    state = cloud.state
    assert len(cloud.jobs()) == len(cloud.slots_of_jobs()), "a job is there twice"
    return Whole(
        blue=cloud.slot("blue"),
        green=cloud.slot("green"),
        jobs=cloud.slots_of_jobs(),
        kept=cloud.job_id("score"),
        secrets=cloud.secrets(),
        history=[(entry.version, entry.outcome) for entry in state.history],
        live=state.live,
    )


def release(cloud: Cloud, share: float, seed: int, run: int) -> tuple[list[Outcome], Storm]:
    """As the pipeline does: a step that fails is the last. The storm rises with one of the steps in turn, or the later ones
    would never meet a strong one."""
    first = seed % len(STEPS)
    for step in STEPS[:first]:
        cloud.done(step, version=VERSION, run=run)
    storm, outcomes = cloud.storm(share, seed), []
    for step in STEPS[first:]:
        outcomes.append(cloud.step(step, version=VERSION, run=run))
        if outcomes[-1].code != 0:
            break
    cloud.mend()
    return outcomes, storm


def check_outcome(outcome: Outcome) -> None:
    assert outcome.code in SAID, outcome.text
    assert "Traceback" not in outcome.text, outcome.text
    if outcome.code != 0:
        assert f"[{NAME}]" in outcome.text, outcome.text


def check_between(cloud: Cloud, before: Whole, goal: Whole) -> None:
    """When the storm is over: the live slot is untouched, nothing is lost, jobs of two releases only under a journal."""
    now, state = whole(cloud), cloud.state
    assert now.green == before.green
    assert {"score", "extra"} <= now.jobs.keys()
    assert now.kept == before.kept
    assert now.secrets.keys() == goal.secrets.keys()
    for name, value in now.secrets.items():
        assert value in (before.secrets[name], goal.secrets[name])
    if state.switch is None:
        retired = {key for key, job in state.jobs.items() if job.retired}
        assert {slot for key, (slot, _) in now.jobs.items() if key not in retired} == {state.live}


def one(cloud: Cloud, start: Memory, goal: Whole, share: float, seed: int, figures: Figures) -> None:
    run = round(share * 100) * 1000 + seed + 1
    cloud.back_to(start)
    before = whole(cloud)
    outcomes, storm = release(cloud, share, seed, run)
    try:
        for outcome in outcomes:
            check_outcome(outcome)
        check_between(cloud, before, goal)
        figures.struck += storm.struck
        if outcomes[-1].code == 0:
            figures.right += 1
        else:
            failed = STEPS[seed % len(STEPS) + len(outcomes) - 1]
            figures.stopped[f"{failed}: {outcomes[-1].code}"] += 1
            for step in STEPS:
                again = cloud.step(step, version=VERSION, run=run)
                assert again.code == 0, again.text
        assert whole(cloud) == goal
        assert (cloud.state.switch, cloud.state.claim) == (None, None)
    except AssertionError as error:
        said = "\n".join(f"--- {outcome.code}\n{outcome.text}" for outcome in outcomes)
        figures.wrong.append(f"{share:.0%}, seed {seed}: {error}\n{dict(storm.struck)}\n{said}")
        return
    keep_told(cloud.state, run, figures)


def keep_told(state: State, run: int, figures: Figures) -> None:
    figures.told[run] = {(row.id, row.action, row.result, row.manifest) for row in state.audit}
    live = state.live_entry
    assert live is not None
    figures.manifests[run] = live.manifest


def check_audit(cloud: Cloud, figures: Figures) -> None:
    """Whatever took effect is told: in the table, or it waited in the state when the release ended."""
    for row in rows(cloud):
        run = int(row["link"].rpartition("buildId=")[2] or 0) if "buildId=" in row["link"] else 0
        if run in figures.told:
            figures.told[run].add((row["id"], row["action"], row["result"], row.get("manifest", "")))
    for run, found in figures.told.items():
        told = Counter((action, result) for _, action, result, _ in found)
        manifest = figures.manifests[run]
        assert told["claim", "taken"] >= 1, (run, told)
        assert ("publish", "done", manifest) in {one[1:] for one in found}, (run, told)
        assert ("test", "passed", manifest) in {one[1:] for one in found}, (run, told)
        assert ("switch", "done", manifest) in {one[1:] for one in found}, (run, told)
        assert told["switch", "done"] == 1, (run, told)
        assert told["switch", "opened"] == told["switch", "done"] + told["switch", "taken back"], (run, told)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3], ids=["1%", "10%", "30%"])
def test_releases_in_a_storm(
    cloud: Cloud, start: Memory, goal: Whole, share: float, figure: Callable[[str], None]
) -> None:
    figures = Figures()
    for seed in range(SEEDS):
        one(cloud, start, goal, share, seed, figures)
    assert not figures.wrong, "\n\n".join(figures.wrong)
    check_audit(cloud, figures)
    stopped = sum(figures.stopped.values())
    figure(f"{share:.0%}: {figures.right} of {SEEDS} ended right, {stopped} stopped cleanly {dict(figures.stopped)}")
    figure(f"{share:.0%} met: {dict(figures.struck)}")
    assert figures.right + stopped == SEEDS
