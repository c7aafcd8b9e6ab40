"""Two releases and a rollback that begin in the same moment: one goes through, the others wait or stop, nothing is a mixture."""

from __future__ import annotations

import os
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from slipway.domain.manifest import sha256
from tests.faults.agents import Agent
from tests.faults.cloud import Cloud, Outcome
from tests.faults.conftest import Stages
from tests.unit.steps.conftest import NOTEBOOK

pytestmark = pytest.mark.faults

ROUNDS = int(os.environ.get("SLIPWAY_ROUNDS", "4"))
WAIT = ("--wait", "60")
PARTS = ("publish_slot", "run_integration_test", "switch_slot")
JOBS = {"1.0": {"score", "train"}, "1.1": {"score", "extra"}, "1.2": {"score", "extra"}, "1.4": {"score", "train"}}
GOES_BACK = re.compile(r"Going back to (\S+) ")
SHUFFLED_SECONDS = 0.03


@dataclass(frozen=True)
class Party:
    """Somebody who changes the environment; `version`: empty for a rollback."""

    agent: Agent
    run: int
    version: str

    def act(self, cloud: Cloud, words: tuple[str, ...], start: threading.Barrier) -> list[Outcome]:
        """As a pipeline does: a step that fails is the last."""
        start.wait()
        outcomes = []
        for step in PARTS if self.version else ("rollback",):
            outcomes.append(cloud.step(step, *words, version=self.version, run=self.run, agent=self.agent))
            if outcomes[-1].code != 0:
                break
        return outcomes

    def made_live(self, outcomes: list[Outcome]) -> set[str]:
        """The version that it made live, where it went through."""
        if outcomes[-1].code != 0:
            return set()
        return {self.version} if self.version else set(GOES_BACK.findall(outcomes[-1].text))


@pytest.fixture(scope="module")
def parties(cloud: Cloud, stages: Stages) -> Iterator[list[Party]]:
    cloud.build("1.4", *JOBS["1.4"])
    third = Agent(cloud.folder / "third agent")
    yield [Party(cloud.agent, 21, "1.2"), Party(cloud.other, 22, "1.4"), Party(third, 23, "")]
    third.close()


def meet(cloud: Cloud, stages: Stages, parties: list[Party], number: int) -> int:
    """One round; returns how many went through."""
    cloud.back_to(stages.to_publish)
    words = WAIT if number % 2 else ()
    cloud.storm(0.5, number, kinds=("silence",), silence=SHUFFLED_SECONDS)  # who is first is another one each time
    order = random.Random(number).sample(parties, len(parties))
    start = threading.Barrier(len(parties))
    with ThreadPoolExecutor(len(parties)) as pool:
        acts = [pool.submit(party.act, cloud, words, start) for party in order]
        results = [(party, act.result()) for party, act in zip(order, acts, strict=True)]
    cloud.mend()
    said = "\n".join(f"--- {party.run}: {each.code}\n{each.text}" for party, outcomes in results for each in outcomes)
    for _, outcomes in results:
        assert outcomes[-1].code in ((0,) if words else (0, 8)), said
        assert "Traceback" not in said, said
    made = [party.made_live(outcomes) for party, outcomes in results]
    check_one_of(cloud, set().union(*made), said)
    return sum(map(bool, made))


def check_one_of(cloud: Cloud, versions: set[str], said: str) -> None:
    """The environment is one of these, in full."""
    state = cloud.state
    assert (state.switch, state.claim) == (None, None), said
    entry = state.live_entry
    assert entry is not None
    assert state.live is not None
    assert entry.version in versions, said
    record, holds = state.slots[state.live], cloud.slot(state.live)
    assert (record.version, record.complete) == (entry.version, True), said
    assert sha256(holds["manifest.json"]) == record.manifest == entry.manifest, said
    assert holds["notebooks/score.py"].decode().strip() == NOTEBOOK.format(entry.version).strip(), said
    settings = cloud.jobs().values()
    keys = Counter(job["tags"]["slipway_job"] for job in settings)
    assert max(keys.values()) == 1, said
    retired = {key for key, job in state.jobs.items() if job.retired}
    assert keys.keys() - retired == JOBS[entry.version], said
    assert {place for key, (place, _) in cloud.slots_of_jobs().items() if key not in retired} == {state.live}, said


def test_two_releases_and_a_rollback_at_once(
    cloud: Cloud, stages: Stages, parties: list[Party], figure: Callable[[str], None]
) -> None:
    through = Counter(meet(cloud, stages, parties, number) for number in range(ROUNDS))
    figure(f"{ROUNDS} rounds; so many of the three went through: {dict(sorted(through.items()))}")
    assert 0 not in through
