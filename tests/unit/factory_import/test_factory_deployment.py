"""A deployment does what its plan says, touches nothing else, and leaves every trigger as it should be, however it ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.domain.factory.comparison import body, merge_global_parameters
from slipway.domain.factory.export import Definition
from slipway.domain.factory.export_parameters import Secret
from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.domain.factory.planning import Goal, Plan, Rules
from slipway.domain.factory.references import references
from slipway.domain.factory.trigger_moves import TriggerRules
from slipway.domain.state import STATE_BLOB
from slipway.errors import Conflict, NotPossible, ServiceError, SlipwayError
from slipway.steps.factory_deployment import kinds_of
from slipway.steps.factory_switch import FactoryWork, Target
from slipway.steps.import_factory_export import deploy_alone, settle_import
from tests.unit.factory_import import made
from tests.unit.steps.conftest import World
from tests.unit.steps.fakes import Crash

REPOSITORY = Path(__file__).parents[3]
RULES = Rules()
DELETE = Rules(delete_removed=True, delete_limit_percent=60)


class Bench:
    """An environment of its own, whose factory is deployed to as an import does."""

    def __init__(self) -> None:
        self.world = World(REPOSITORY, "test")
        self.changes, self.store, self.factory = self.world.changes, self.world.store, self.world.factory

    def work(self, definition: Definition, rules: Rules = RULES) -> FactoryWork:
        target = Target(lambda _: Goal(definition=definition), rules, kinds_of(definition, rules))
        return FactoryWork(self.world.session("1"), cast(Any, self.factory), target)

    def plan(self, definition: Definition, rules: Rules = RULES) -> Plan:
        return self.work(definition, rules).plan()[0]

    def deploy(self, definition: Definition, rules: Rules = RULES) -> None:
        work = self.work(definition, rules)
        with work.session.claimed():
            settle_import(work.session)
            deploy_alone(work.session, work, "1", "blue")

    @property
    def said(self) -> str:
        return self.world.output.getvalue()

    @property
    def switch_is_open(self) -> bool:
        return STATE_BLOB in self.store.blobs and self.world.state.switch is not None

    def made(self) -> list[str]:
        """What was changed in the factory."""
        return [
            change for change in self.changes.log if not change.startswith(("state ", "put archive/", "put factory/"))
        ]


def definition(*objects: FactoryObject, **globals_: Any) -> Definition:
    return Definition(objects, {name: {"type": "string", "value": value} for name, value in globals_.items()})


BASE = [
    made.linked_service("ls", domain="https://adb-1.azuredatabricks.net"),
    made.dataset("ds", "ls"),
    made.pipeline("inner", datasets=["ds"]),
    made.pipeline("outer", calls=["inner"]),
    made.pipeline("other"),
    made.trigger("tr_outer", "outer"),
    made.trigger("tr_other", "other"),
    made.trigger("tr_blob", "inner", kind="BlobEventsTrigger"),
    made.trigger("tr_stopped", "outer", state="Stopped"),
]
CHANGED = [*BASE[:2], made.pipeline("inner", datasets=["ds"], description="new"), *BASE[3:]]


def started() -> Bench:
    bench = Bench()
    bench.deploy(definition(*BASE, env="test"))
    bench.changes.log.clear()
    bench.factory.writes.clear()
    bench.factory.stops.clear()
    return bench


def changed_by(definition: Definition, rules: Rules = RULES) -> int:
    """How many changes, of the state too, the deployment makes."""
    bench = started()
    bench.deploy(definition, rules)
    return len(bench.changes.log)


def test_the_first_deployment_brings_everything_in_order_and_starts_what_should_run() -> None:
    bench = Bench()
    bench.deploy(definition(*BASE, env="test"))
    for item in BASE:
        assert bench.factory.there[item.key].properties == {**item.properties, **_state(item)}
    assert bench.factory.globals == {"env": {"type": "string", "value": "test"}}
    assert [bench.factory.running(name) for name in ("tr_outer", "tr_other", "tr_blob", "tr_stopped")] == [True] * 3 + [
        False
    ]
    assert bench.factory.subscription("tr_blob") == "Enabled"
    assert not bench.switch_is_open


def _state(item: FactoryObject) -> dict[str, str]:
    return {"runtimeState": str(item.properties["runtimeState"])} if item.kind is Kind.TRIGGERS else {}


def test_the_same_again_changes_nothing() -> None:
    bench = started()
    bench.deploy(definition(*BASE, env="test"))
    assert bench.made() == []
    assert "Nothing to do." in bench.said


def test_only_triggers_of_changed_pipelines_are_stopped_callers_included() -> None:
    bench = started()
    bench.deploy(definition(*CHANGED, env="test"))
    assert bench.factory.writes == ["pipelines/inner"]
    assert bench.factory.stops == {"tr_outer": 1, "tr_blob": 1}
    assert bench.made() == [
        "unsubscribe tr_blob",
        "stop tr_blob",
        "stop tr_outer",
        "put pipelines/inner",
        "subscribe tr_blob",
        "start tr_blob",
        "start tr_outer",
    ]


def test_a_trigger_that_was_stopped_by_hand_runs_again_as_the_release_says() -> None:
    bench = started()
    bench.factory.stop("tr_other")
    bench.deploy(definition(*BASE, env="test"))
    assert bench.factory.running("tr_other")
    assert bench.factory.writes == []


def test_an_environment_may_keep_triggers_stopped() -> None:
    bench = started()
    bench.deploy(definition(*BASE, env="test"), replace(RULES, triggers=TriggerRules(keep_stopped=True)))
    assert not any(bench.factory.running(item.name) for item in BASE)
    assert bench.factory.writes == []


def test_a_trigger_without_pipelines_is_not_started() -> None:
    bench = Bench()
    bench.deploy(definition(*BASE, made.trigger("tr_empty")))
    assert not bench.factory.running("tr_empty")


def test_a_trigger_that_is_not_in_the_source_runs_on() -> None:
    bench = started()
    bench.factory.seed(made.trigger("by_hand", "inner"))
    bench.deploy(definition(*CHANGED, env="test"))
    assert bench.factory.running("by_hand")
    assert bench.factory.stops["by_hand"] == 1


def test_global_parameters_made_by_hand_survive() -> None:
    bench = started()
    bench.factory.globals["mine"] = {"type": "int", "value": 5}
    bench.deploy(definition(*BASE, env="test2", more="x"))
    assert bench.factory.globals == {
        "env": {"type": "string", "value": "test2"},
        "mine": {"type": "int", "value": 5},
        "more": {"type": "string", "value": "x"},
    }
    assert bench.factory.stops == {}


def test_global_parameters_that_do_not_stay_are_an_error() -> None:
    bench = started()
    bench.factory.put_global_parameters = lambda values: None  # type: ignore[method-assign]
    with pytest.raises(ServiceError, match="do not stay as they were written"):
        bench.deploy(definition(*BASE, env="other"))


def test_an_object_with_a_secret_is_written_each_time() -> None:
    secret = made.linked_service("ls", accessToken={"type": "SecureString", "value": Secret("planted")})
    bench = Bench()
    bench.deploy(definition(secret))
    bench.deploy(definition(secret))
    assert bench.factory.writes == ["linkedServices/ls"] * 2
    assert "planted" not in str(bench.store.blobs) + bench.said


def test_what_the_service_writes_otherwise_is_not_deployed_again() -> None:
    bench = started()
    key = (Kind.PIPELINES, "inner")
    found = bench.factory.there[key]
    bench.factory.there[key] = replace(found, properties={**found.properties, "concurrency": 1})
    assert bench.plan(definition(*BASE, env="test")).empty
    bench.factory.there[key] = replace(bench.factory.there[key], extra={"etag": "by hand"})
    assert [change.why for change in bench.plan(definition(*BASE, env="test")).puts] == ["properties.concurrency"]


REST = [item for item in BASE if item.name not in ("other", "tr_other")]


def test_what_left_the_source_stays_unless_the_environment_says_otherwise() -> None:
    bench = started()
    bench.deploy(definition(*REST, env="test"))
    assert bench.factory.running("tr_other")
    bench.deploy(definition(*REST, env="test"), DELETE)
    assert bench.made() == ["stop tr_other", "delete triggers/tr_other", "delete pipelines/other"]
    assert not bench.switch_is_open


def test_runtimes_networks_and_what_they_need_are_never_deleted() -> None:
    bench = started()
    runtime = FactoryObject(
        Kind.INTEGRATION_RUNTIMES, "ssis", {"type": "Managed", "x": made.reference("LinkedService", "ls_staging")}
    )
    bench.factory.seed(
        made.linked_service("ls_staging"), runtime, FactoryObject(Kind.MANAGED_VIRTUAL_NETWORKS, "default", {})
    )
    plan = bench.plan(definition(*BASE, runtime, env="test"), DELETE)
    assert plan.removals == ()
    bench.factory.seed(made.linked_service("ls_old"))
    wanted = definition(*BASE, made.linked_service("ls_staging"), runtime, env="test")
    plan = bench.plan(wanted, DELETE)
    assert [str(change.item) for change in plan.removals] == ["linkedServices/ls_old"]


@pytest.mark.parametrize(
    ("objects", "rules", "text"),
    [
        (BASE[:2], DELETE, "the source has no pipeline at all"),
        ([made.pipeline("new")], DELETE, "9 of 9 objects would go, more than 60 %"),
        (REST[:4], replace(DELETE, delete_limit_percent=10), "more than 10 %"),
    ],
)
def test_deletions_that_can_not_be_meant_are_refused(objects: list[FactoryObject], rules: Rules, text: str) -> None:
    bench = started()
    with pytest.raises(NotPossible, match=text):
        bench.deploy(definition(*objects), rules)
    assert bench.made() == []


def running(bench: Bench) -> set[str]:
    return {item.name for item in BASE if item.kind is Kind.TRIGGERS and bench.factory.running(item.name)}


NEW = [*[item for item in CHANGED if item.name != "tr_other"], made.trigger("tr_other", "other", interval=2)]
FINAL = {"tr_outer", "tr_other", "tr_blob"}


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_change_is_repaired_by_the_next_run(after: bool) -> None:
    for place in range(changed_by(definition(*NEW, env="2"), DELETE)):
        bench = started()
        bench.changes.stop_at, bench.changes.after = place, after
        with pytest.raises(Crash):
            bench.deploy(definition(*NEW, env="2"), DELETE)
        bench.changes.revive()
        bench.deploy(definition(*NEW, env="2"), DELETE)
        assert running(bench) == FINAL
        assert bench.factory.subscription("tr_blob") == "Enabled"
        assert bench.plan(definition(*NEW, env="2"), DELETE).empty
        assert not bench.switch_is_open


def test_a_crash_at_any_change_is_taken_back_by_who_comes_next() -> None:
    for place in range(changed_by(definition(*NEW, env="2"))):
        bench = started()
        before = there(bench)
        bench.changes.stop_at = place
        with pytest.raises(Crash):
            bench.deploy(definition(*NEW, env="2"))
        bench.changes.revive()
        open_ = bench.switch_is_open
        bench.world.revert()
        assert running(bench) == FINAL
        assert not bench.switch_is_open
        assert there(bench) == before or not open_


def there(bench: Bench) -> dict[Any, Any]:
    objects = {key: dict(item.properties) for key, item in bench.factory.there.items()}
    return {**objects, "globals": dict(bench.factory.globals), "subscribed": set(bench.factory.subscribed)}


def test_a_refusal_at_any_change_is_taken_back() -> None:
    whole = started()
    whole.deploy(definition(*NEW, env="2"))
    for what in dict.fromkeys(whole.made()):
        if what.split()[0] in ("start", "subscribe"):
            continue
        bench = started()
        before = there(bench)
        refusals = iter([True])
        bench.changes.refuse = lambda change, what=what, left=refusals: change == what and next(left, False)  # type: ignore[misc]
        with pytest.raises(SlipwayError, match="refused") as caught:
            bench.deploy(definition(*NEW, env="2"))
        assert there(bench) == before, what
        assert "The switch was taken back" in caught.value.changed
        assert not bench.switch_is_open


def test_a_trigger_that_will_not_start_keeps_no_other_waiting() -> None:
    bench = started()
    bench.changes.refuse = lambda change: change == "start tr_outer"
    with pytest.raises(ServiceError, match=r"1 triggers .* do not run: tr_outer: refused") as caught:
        bench.deploy(definition(*NEW, env="2"))
    assert "taking it back failed as well" in caught.value.changed
    assert running(bench) == FINAL - {"tr_outer"}
    assert bench.switch_is_open
    bench.changes.refuse = lambda _: False
    bench.deploy(definition(*NEW, env="2"))
    assert running(bench) == FINAL


def test_who_lost_the_claim_leaves_the_triggers_to_the_one_who_has_it() -> None:
    bench = started()
    work = bench.work(definition(*NEW, env="2"))
    guard = work.session.guard

    def lost() -> None:
        if "stop tr_outer" in bench.changes.log:
            raise Conflict("the claim is lost")
        guard()

    work.session.guard = lost  # type: ignore[method-assign]
    with pytest.raises(Conflict), work.session.claimed():
        deploy_alone(work.session, work, "1", "blue")
    assert not bench.factory.running("tr_outer")
    bench.deploy(definition(*BASE, env="test"))
    assert running(bench) == FINAL


def test_what_was_kept_and_is_damaged_is_not_guessed() -> None:
    bench = started()
    bench.changes.stop_at = next(i for i, c in enumerate(whole_log()) if c.startswith("put pipelines/"))
    with pytest.raises(Crash):
        bench.deploy(definition(*NEW, env="2"))
    bench.changes.revive()
    name = next(name for name in bench.store.blobs if name.startswith("archive/factory/"))
    for name in [name for name in bench.store.blobs if name.startswith("archive/factory/")]:
        bench.store.blobs[name] = b"{"
    with pytest.raises(NotPossible, match="is damaged"):
        bench.world.revert()
    assert bench.switch_is_open


def whole_log() -> list[str]:
    bench = started()
    bench.deploy(definition(*NEW, env="2"))
    return bench.changes.log


@st.composite
def factories(draw: st.DrawFn) -> list[FactoryObject]:
    """Any factory without rings: each pipeline calls only earlier ones."""
    names = [f"p{number}" for number in range(draw(st.integers(1, 6)))]
    objects = [made.linked_service("ls", domain=draw(st.sampled_from("ab"))), made.dataset("ds", "ls")]
    for number, name in enumerate(names):
        calls = draw(st.lists(st.sampled_from(names[:number]), max_size=2)) if number else []
        objects.append(made.pipeline(name, calls=calls, datasets=["ds"], description=draw(st.sampled_from("ab"))))
    for number in range(draw(st.integers(0, 3))):
        state = draw(st.sampled_from(["Started", "Stopped"]))
        kind = draw(st.sampled_from(["ScheduleTrigger", "BlobEventsTrigger"]))
        objects.append(made.trigger(f"t{number}", draw(st.sampled_from(names)), state=state, kind=kind))
    return draw(st.permutations(objects))


@settings(max_examples=60, deadline=None)
@given(factories(), factories())
def test_from_any_factory_to_any_other(before: list[FactoryObject], after: list[FactoryObject]) -> None:
    bench = Bench()
    rules = replace(DELETE, delete_limit_percent=100)
    bench.deploy(definition(*before), rules)
    states = {item.name: bench.factory.running(item.name) for item in before if item.kind is Kind.TRIGGERS}
    bench.factory.stops.clear()
    same = {item.key for item in before if body(item) in [body(other) for other in after if other.key == item.key]}
    pipelines = {key for key in same if key[0] is Kind.PIPELINES}
    plan = bench.plan(definition(*after), rules)
    bench.deploy(definition(*after), rules)
    assert set(bench.factory.there) == {item.key for item in after}
    for item in after:
        assert bench.factory.there[item.key].properties == {**item.properties, **_state(item)}
        if (
            item.kind is Kind.TRIGGERS
            and item.key in same
            and states.get(item.name)
            and bench.factory.stops.get(item.name)
        ):
            reached = {needed.key for needed in references(item)}
            callers = {caller.key for caller in after if caller.kind is Kind.PIPELINES and caller.key not in pipelines}
            assert (
                reached & callers
                or any(change.key in callers for change in plan.puts)
                or not bench.factory.running(item.name)
            )
    assert bench.plan(definition(*after), rules).empty


@given(
    *[
        st.dictionaries(
            st.sampled_from("abcd"), st.fixed_dictionaries({"type": st.just("int"), "value": st.integers(0, 2)})
        )
    ]
    * 2
)
def test_merging_global_parameters(wanted: dict[str, Any], live: dict[str, Any]) -> None:
    merged, lines = merge_global_parameters(wanted, live)
    result = live if merged is None else dict(merged)
    assert result == {**live, **wanted}
    assert (merged is None) == (not lines)
    assert merge_global_parameters(wanted, result) == (None, [])
