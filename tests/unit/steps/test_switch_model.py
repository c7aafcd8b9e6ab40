"""Any sequence of steps, cuts, take-overs and changes by hand keeps the rules of the switch (docs/rules.md).

SLIPWAY_MODEL_EXAMPLES says how many sequences are tried, SLIPWAY_MODEL_STEPS how long they are.
"""

from __future__ import annotations

import copy
import itertools
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from slipway.domain.claim import LIFETIME
from slipway.domain.factory.objects import Kind
from slipway.domain.transition import rollback_target
from slipway.errors import NotPossible, SlipwayError
from tests.unit.steps.conftest import job
from tests.unit.steps.fakes import Crash, failing_test, passing_test
from tests.unit.steps.release_catalogue import JOBS, OBJECTS, TRIGGERS, Catalogue, Desk
from tests.unit.steps.release_model import Held, Model, Open, Verdict
from tests.unit.steps.test_factory_switch import ROOT

EXAMPLES = int(os.environ.get("SLIPWAY_MODEL_EXAMPLES", "15"))
STEPS = int(os.environ.get("SLIPWAY_MODEL_STEPS", "25"))
TESTS = {True: passing_test, False: failing_test}
PEOPLE = ("ada", "grace")
RELEASES = st.sampled_from(sorted(JOBS))
WHO = st.sampled_from(PEOPLE)


def cuts(most: int) -> st.SearchStrategy[Any]:
    """Nothing, or at which change the step is cut, and how."""
    return st.none() | st.tuples(st.integers(0, most), st.sampled_from(["before", "after", "taken"]))


class Switching(RuleBasedStateMachine):
    catalogue: Catalogue

    @initialize()
    def begin(self) -> None:
        self.world = Desk(self.catalogue.root)
        self.world.workspace.groups = ["admins"]
        self.model = Model()
        self.strangers = {
            90: {**job("score"), "name": "bikeshare prod: score"},
            91: {
                **job("score"),
                "tags": {"slipway_app": "bikeshare", "slipway_environment": "test", "slipway_job": "score"},
            },
        }
        self.world.workspace.jobs.update(copy.deepcopy(self.strangers))
        self.by_hand = {"mine": {"type": "int", "value": 5}}
        self.world.factory.globals.update(copy.deepcopy(self.by_hand))
        self.numbers = itertools.count(1)

    # The steps of a release

    @rule(release=RELEASES, who=WHO, over=st.booleans(), cut=cuts(40))
    def publish(self, release: str, who: str, over: bool, cut: Any) -> None:
        before = self.model.settled()
        verdict: Verdict = "must"
        if not self._may(who, over) or before.frozen or (self._read(before.idle) and not before.holds(release)):
            verdict = "must not"
        elif self._read(before.idle) and self._taken(who):
            verdict = "may"  # whose claim was taken may have written late: the slot may be written again, so runs count
        self._step(
            lambda: self.world.publish(drift="overwrite", take_over=over),
            release,
            who,
            before,
            before.published(release),
            verdict,
            cut,
        )

    @rule(release=RELEASES, who=WHO, passes=st.booleans(), cut=cuts(8))
    def test(self, release: str, who: str, passes: bool, cut: Any) -> None:
        held, before = self.model.slots[self.model.idle], self.model
        fits = held is not None and held.release == release and held.candidate and not held.spoilt
        self.world.workspace.answer = TESTS[passes]
        after = before.tested(passes) if fits else before
        verdict: Verdict = "must" if fits and self._may(who, False) and not before.frozen else "must not"
        if verdict == "must" and not passes:
            before, verdict = after, "must not"
        self._step(self.world.test, release, who, before, after, verdict, cut, kept=True)

    @rule(release=RELEASES, who=WHO, over=st.booleans(), cut=cuts(60))
    def switch(self, release: str, who: str, over: bool, cut: Any) -> None:
        self._switch(release, who, over, cut)

    @precondition(lambda self: self._candidate() is not None)
    @rule(cut=cuts(60))
    def switch_what_is_there(self, cut: Any) -> None:
        self._switch(self._candidate() or "", PEOPLE[0], True, cut)

    @rule(release=RELEASES, cut=cuts(60))
    def release(self, release: str, cut: Any) -> None:
        """A whole release by one who may."""
        self.publish(release, PEOPLE[0], True, None)
        self.test(release, PEOPLE[0], True, None)
        self._switch(release, PEOPLE[0], True, cut)

    def _switch(self, release: str, who: str, over: bool, cut: Any) -> None:
        before = self.model.settled()
        held, opened = before.slots[before.idle], self.model.open
        verdict: Verdict = "must" if self._may(who, over) and not before.frozen else "must not"
        after = before
        if opened is None and before.release == release and not (held and held.candidate and held.release == release):
            verdict = "must"  # it is live already, which is said
        elif opened is not None and opened.kind == "release" and not opened.back and opened.release == release:
            after = opened.after
        elif before.ready(release):
            after = before.switched(TRIGGERS[release])
        else:
            verdict = "must not"
        self._step(
            lambda: self.world.switch(drift="overwrite", take_over=over),
            release,
            who,
            before,
            after,
            verdict,
            cut,
            "release",
        )

    @rule(to=st.none() | RELEASES, who=WHO, over=st.booleans(), despite=st.booleans(), cut=cuts(60))
    def rollback(self, to: str | None, who: str, over: bool, despite: bool, cut: Any) -> None:
        opened, before = self.model.open, self.model.settled()
        after, verdict = before, "must"
        if not self._may(who, over) or (before.frozen and not despite):
            verdict = "must not"
        elif opened is not None and opened.kind == "rollback" and not opened.back and to in (None, opened.release):
            after = opened.after
        elif (opened is not None and opened.kind == "release" and to is None) or (
            to is not None and to == before.release
        ):
            pass  # taking back was the way back; or it is live
        elif (
            before.live is None
            or (place := before.place_of(to)) is None
            or (self._read(before.idle) and not before.holds(before.past[place].release))
        ):
            verdict = "must not"
        else:
            after = before.rolled_back(place, TRIGGERS[before.release or ""])
            verdict = "may" if self._read(before.idle) and self._taken(who) else "must"
        self._step(
            lambda: self.world.rollback(to, take_over=over, despite_freeze=despite),
            "a",
            who,
            before,
            after,
            verdict,
            cut,
            "rollback",
        )

    @rule(who=WHO, over=st.booleans(), if_free=st.booleans(), cut=cuts(60))
    def revert(self, who: str, over: bool, if_free: bool, cut: Any) -> None:
        verdict, after = "must", self.model.settled()
        if self.model.open is not None and not self._may(who, over):
            after = self.model
            verdict = "must" if if_free else "must not"
        self._step(lambda: self.world.revert(take_over=over, if_free=if_free), "a", who, after, after, verdict, cut)

    # What else happens

    @rule(minutes=st.sampled_from([1, 10, 20, 65]))
    def time_passes(self, minutes: int) -> None:
        self.world.time += minutes * 60

    @precondition(lambda self: self._quiet())
    @rule(data=st.data(), status=st.sampled_from(["PAUSED", "UNPAUSED"]))
    def pause_by_hand(self, data: st.DataObject, status: str) -> None:
        key = data.draw(st.sampled_from(self._jobs()))
        self._job(key)["schedule"]["pause_status"] = status
        self.model.paused[key] = status

    @precondition(lambda self: self.model.live is not None and self.model.open is not None)
    @rule(data=st.data())
    def pause_by_hand_while_a_switch_is_open(self, data: st.DataObject) -> None:
        """Or start; people change what they see."""
        opened, state = self.model.open, self.world.state
        assert opened is not None
        there = {action.key: self.world.workspace.jobs.get(action.id) for action in state.switch.actions}
        ours = [key for key, job_ in there.items() if job_ is not None and job_["tags"]]
        both = [key for key in ours if key in self._jobs() or key in JOBS[opened.release]]
        if not both:
            return
        key = data.draw(st.sampled_from(both))
        schedule = (there[key] or {})["schedule"]
        schedule["pause_status"] = status = "UNPAUSED" if schedule["pause_status"] == "PAUSED" else "PAUSED"
        self.model.paused[key] = opened.after.paused[key] = status

    @precondition(lambda self: self._quiet())
    @rule(data=st.data(), how=st.sampled_from(["setting", "tags", "delete"]))
    def change_by_hand(self, data: st.DataObject, how: str) -> None:
        key = data.draw(st.sampled_from(self._jobs()))
        if how == "setting":
            self._job(key)["max_concurrent_runs"] = next(self.numbers) + 1
        elif how == "tags":
            self._job(key)["tags"] = {}
        else:
            del self.world.workspace.jobs[self.world.state.jobs[key].id]
            self.model.lost.add(key)
            self.model.paused.pop(key, None)

    @precondition(lambda self: self._quiet())
    @rule(data=st.data(), runs=st.booleans())
    def trigger_by_hand(self, data: st.DataObject, runs: bool) -> None:
        name = data.draw(st.sampled_from(sorted(TRIGGERS[self.model.release or ""])))
        (self.world.factory.start if runs else self.world.factory.stop)(name)
        self.model.hand.pop(name, None)
        if runs != TRIGGERS[self.model.release or ""][name]:
            self.model.hand[name] = runs
        self.model.unsure.discard(name)

    @rule()
    def global_parameter_by_hand(self) -> None:
        name = f"hand{next(self.numbers)}"
        self.by_hand[name] = self.world.factory.globals[name] = {"type": "string", "value": "x"}

    @precondition(lambda self: self.model.open is None and self._candidate() is not None)
    @rule()
    def write_into_the_idle_slot(self) -> None:
        held = self.model.slots[self.model.idle]
        assert held is not None
        held.spoilt = True
        self.world.workspace.objects[f"{ROOT}/{self.model.idle}/notebooks/score"] = ("NOTEBOOK", b"somebody's")

    @rule(slot=st.sampled_from(["blue", "green"]))
    def a_run_begins(self, slot: str) -> None:
        task = {"task_key": "t", "notebook_task": {"notebook_path": f"{ROOT}/{slot}/notebooks/score"}}
        run = {
            "run_id": 5000 + next(self.numbers),
            "job_id": 90,
            "tasks": [task],
            "state": {"life_cycle_state": "RUNNING"},
        }
        self.world.workspace.active.append(run)

    @rule()
    def all_runs_end(self) -> None:
        self.world.workspace.active.clear()

    @rule(hours=st.none() | st.just(24.0))
    def freeze(self, hours: float | None) -> None:
        self._as(PEOPLE[0])
        if hours is None:
            self.world.unfreeze()
        else:
            self.world.freeze("holidays", hours=100_000)
        self.model.frozen = hours is not None

    # What must hold

    @invariant()
    def rules_hold(self) -> None:
        state, model = self.world.state, self.model
        assert (state.switch is not None) == (model.open is not None)
        assert {i: self.world.workspace.jobs.get(i) for i in self.strangers} == self.strangers, "jobs that are not ours"
        assert self.by_hand.items() <= self.world.factory.globals.items(), "global parameters made by hand"
        assert state.claim is None or state.claim.expires <= self.world.time + LIFETIME
        keys = [
            s["tags"]["slipway_job"]
            for i, s in self.world.workspace.jobs.items()
            if i not in self.strangers and s["tags"]
        ]
        assert len(keys) == len(set(keys)), "no job is doubled"
        assert state.live == model.live
        if model.live is None:
            return
        assert [entry.version for entry in state.history] == [once.release for once in model.past]
        assert state.live_entry is not None
        assert state.live_entry.version == model.release
        assert dict(self.world.slot_objects(model.live)) == self.catalogue.slots[model.release or "", model.live]
        if model.open is None:
            self._whole(state)

    def _whole(self, state: Any) -> None:
        """Everything is of one release, and the way back is the last stable one."""
        model, release = self.model, self.model.release or ""
        for key in JOBS[release]:
            if key in model.lost:
                continue
            there = self._job(key)
            assert there["tasks"][0]["notebook_task"]["notebook_path"] == f"{ROOT}/{model.live}/notebooks/{key}"
            assert there["timeout_seconds"] == 100 + ord(release)
            assert there["schedule"]["pause_status"] == model.paused.get(key, "UNPAUSED"), key
        for job_id, settings_ in self.world.workspace.jobs.items():
            ours = [key for key, record in state.jobs.items() if record.id == job_id]
            if job_id not in self.strangers and not set(ours) & set(JOBS[release]):
                assert settings_["schedule"]["pause_status"] == "PAUSED", (
                    "a job that is not the live release's may start"
                )
        factory = self.world.factory
        assert factory.globals["releaseFolder"]["value"] == f"{ROOT}/{model.live}"
        for name, runs in TRIGGERS[release].items():
            if name not in model.unsure:
                assert factory.running(name) == model.hand.get(name, runs), name
        for item in OBJECTS[release]:
            assert item.key in factory.there, item
            if item.kind is Kind.PIPELINES:
                assert factory.there[item.key].properties == item.properties
        place = model.way_back()
        try:
            assert rollback_target(state, None) == place
        except NotPossible:
            assert place is None

    def teardown(self) -> None:
        """Whatever was left: an hour later somebody else ends it, and releases."""
        if not hasattr(self, "model"):
            return
        self.world.time += LIFETIME
        self.world.workspace.active.clear()
        self._as("heidi")
        self.world.unfreeze()
        self.model.frozen = False
        self.revert("heidi", False, False, None)
        self.rules_hold()
        for release in ("b", "a"):
            self.publish(release, "heidi", False, None)
            self.test(release, "heidi", True, None)
            self._switch(release, "heidi", False, None)
            self.rules_hold()

    # How it is done

    def _step(
        self,
        act: Callable[[], None],
        release: str,
        who: str,
        before: Model,
        after: Model,
        verdict: str,
        cut: Any,
        kind: Any = None,
        *,
        kept: bool = False,
    ) -> None:
        """Runs a step as `who`. `before`: what the model is where it is refused; `after`: where it succeeds; cut short
        it is one of the two, or an open switch from one to the other."""
        self._as(who)
        world, old = self.world, self.model
        world.chosen = release
        if cut is not None:
            self._arm(*cut)
        ended, said = "done", ""
        try:
            act()
        except Crash:
            ended = "cut"
        except SlipwayError as error:
            ended = "refused"
            said = error.what
        finally:
            world.changes.revive()
            world.changes.watch = lambda _: None
        if cut is None:
            assert verdict == "may" or (verdict == "must") == (ended == "done"), said or "not refused"
        state = world.state
        if ended == "done":
            self.model = after
        elif verdict == "must not" and cut is None:
            self.model = before if kept or state.switch is None else old
        else:
            self.model = self._after_a_cut(state, old, before, after, kind)

    def _after_a_cut(self, state: Any, old: Model, before: Model, after: Model, kind: Any) -> Model:
        if state.switch is not None:
            if old.open is not None and state.switch.kind == old.open.kind and state.switch.version == old.open.release:
                model = old.copy()
                assert model.open is not None
            else:
                model = before.copy()
                model.open = Open(kind, state.switch.version, after)
            model.open.back = state.switch.direction == "back"
        else:
            finished = state.live != before.live
            model = (after if finished else before).copy()
            model.open = None
        idle = model.slots[model.idle]
        record = state.slots.get(model.idle)
        if record is None or not record.complete:
            model.slots[model.idle] = None
        elif idle is None or idle.release != record.version or (record.test is None) != (idle.passed is None):
            passed = None if record.test is None else record.test.passed
            model.slots[model.idle] = Held(record.version, record.candidate, passed)
        return model

    def _arm(self, at: int, how: str) -> None:
        """The step ends at its change number `at`: the agent is gone before or after it, or somebody takes the claim."""
        world = self.world
        place = len(world.changes.log) + at
        if how != "taken":
            world.changes.stop_at, world.changes.after = place, how == "after"
            return

        def taken(_: str) -> None:
            if len(world.changes.log) >= place and world.state.claim is not None:
                world.changes.watch = lambda _: None
                mine, world.variables = world.variables, {**world.variables, "USER": "heidi"}
                world.session("x", take_over=True).take_claim(despite_freeze=True)
                world.variables = mine
                world.time += 60

        world.changes.watch = taken

    def _as(self, who: str) -> None:
        self.world.variables = {**self.world.variables, "USER": who}

    def _may(self, who: str, over: bool) -> bool:
        """Whether the claim is free for `who`: nobody else gave a sign of life lately."""
        claim = self.world.state.claim
        if claim is None or over or claim.who == who:
            return True
        silent = self.world.time - claim.heartbeat
        return bool(silent >= (15 * 60 if self.model.open else 60 * 60))

    def _taken(self, who: str) -> bool:
        """Whether `who` has, or would take, the claim from somebody who did not give it back."""
        claim = self.world.state.claim
        return claim is not None and (claim.who != who or bool(claim.taken_from))

    def _read(self, slot: str) -> bool:
        paths = [run["tasks"][0]["notebook_task"]["notebook_path"] for run in self.world.workspace.active]
        return any(path.startswith(f"{ROOT}/{slot}/") for path in paths)

    def _candidate(self) -> str | None:
        held = self.model.slots[self.model.idle]
        return held.release if held is not None and held.candidate else None

    def _quiet(self) -> bool:
        return self.model.live is not None and self.model.open is None and bool(self._jobs())

    def _jobs(self) -> list[str]:
        return [key for key in JOBS[self.model.release or ""] if key not in self.model.lost]

    def _job(self, key: str) -> Any:
        return self.world.workspace.jobs[self.world.state.jobs[key].id]


def test_any_sequence_keeps_the_rules(tmp_path_factory: pytest.TempPathFactory) -> None:
    Switching.catalogue = Catalogue(tmp_path_factory.mktemp("model"))
    run_state_machine_as_test(
        Switching,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            phases=[
                Phase.explicit,
                Phase.reuse,
                Phase.generate,
            ],  # shrinking takes minutes; fewer steps find short ones
        ),
    )
