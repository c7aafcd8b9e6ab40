"""What a step tells the audit: each row once in the table or waiting in the state, wherever the step is cut."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from slipway.domain.audit import SPOOL, Row
from slipway.errors import Conflict, NotPossible, ServiceError, SlipwayError, TestFailed
from slipway.steps.auditing import flush, note, row
from tests.unit.steps.conftest import World
from tests.unit.steps.fakes import Crash, failing_test

RELEASE = [
    ("claim", "taken"),
    ("publish", "begun"),
    ("publish", "done"),
    ("test", "passed"),
    ("switch", "opened"),
    ("switch", "done"),
]


def told(world: World) -> list[tuple[str, str]]:
    """Action and result of every row, wherever it is, each once."""
    rows: dict[str, Row] = {each.id: each for each in (*world.audit.rows, *world.state.audit)}
    return [(each.action, each.result) for each in sorted(rows.values(), key=lambda each: each.time)]


def no_table(what: str) -> bool:
    return what.startswith("audit")


def test_a_release_is_told(world: World) -> None:
    world.deploy("1.0")
    assert told(world) == RELEASE
    assert world.state.audit == (), "what is in the table does not wait any more"
    done = world.audit.rows[-1]
    assert (done.app, done.environment, done.release, done.commit) == ("bikeshare", "prod", "1.0", "c" * 40)
    assert (done.from_slot, done.to_slot, done.manifest) == ("", "blue", world.state.slots["blue"].manifest)
    assert done.who == "ada" and done.link.startswith("by hand, ada on ")
    assert done.seconds is not None and done.seconds > 0
    assert {each.commit for each in world.audit.rows} == {"c" * 40}
    assert len({each.time for each in world.audit.rows}) == len(RELEASE)


def test_each_step_writes_to_the_table_once(world: World) -> None:
    world.deploy("1.0")
    assert [line for line in world.changes.log if line.startswith("audit")] == ["audit 3", "audit 1", "audit 2"]


def test_a_rollback_is_told(world: World) -> None:
    for version in ("1.0", "1.1"):
        world.change_notebook(version)
        world.deploy(version)
    world.change_notebook("1.2")
    world.build("1.2")
    world.publish()
    world.test()
    before = len(told(world))
    world.rollback()
    assert told(world)[before:] == [
        ("publish", "begun"),
        ("publish", "done"),
        ("rollback", "opened"),
        ("rollback", "done"),
    ]
    assert {(each.release, each.commit) for each in world.audit.rows[-4:]} == {("1.0", "c" * 40)}
    assert world.audit.rows[-3].detail == "from the archive"
    assert (world.audit.rows[-1].from_slot, world.audit.rows[-1].to_slot) == ("green", "blue")


def test_a_failed_test_is_told_once(world: World) -> None:
    world.build("1.0")
    world.publish()
    world.workspace.answer = failing_test
    with pytest.raises(TestFailed):
        world.test()
    assert told(world)[3:] == [("test", "failed")]
    assert "failed: rows" in world.audit.rows[-1].detail
    assert world.state.claim is None


def test_a_refused_claim_is_no_row(world: World) -> None:
    world.build("1.0")
    world.publish()
    before = told(world)
    world.variables["USER"] = "grace"
    with pytest.raises(Conflict):
        world.publish()
    assert told(world) == before
    world.publish(take_over=True)
    assert told(world)[len(before)] == ("claim", "taken over")
    assert "from ada, releasing 1.0" in next(each.detail for each in world.audit.rows if each.result == "taken over")


def test_a_step_that_can_not_begin_is_told(world: World) -> None:
    world.build("1.0")
    world.publish()
    with pytest.raises(NotPossible, match="not tested"):
        world.switch()
    assert told(world)[3:] == [("switch", "failed")]
    assert "was not tested" in world.audit.rows[-1].detail


def test_a_switch_that_is_taken_back_is_told(world: World) -> None:
    world.deploy("1.0")
    world.change_notebook("1.1")
    world.build("1.1")
    world.publish()
    world.test()
    before = len(told(world))
    world.changes.refuse = lambda what: what.startswith("reset") and world.state.switch.direction == "forward"
    with pytest.raises(ServiceError):
        world.switch()
    assert told(world)[before:] == [("switch", "opened"), ("switch", "taken back")]


def test_an_open_switch_that_is_reverted_is_told(world: World) -> None:
    world.build("1.0")
    world.publish()
    world.test()
    world.changes.refuse = lambda what: what.startswith("create")
    world.changes.stop_at = len(world.changes.log) + 5
    with pytest.raises((Crash, ServiceError)):
        world.switch()
    world.changes.revive()
    assert world.state.switch is not None
    world.revert()
    assert told(world)[4:] == [("switch", "opened"), ("revert", "taken back")]


def test_without_the_table_a_release_goes_on_and_its_rows_wait(world: World) -> None:
    world.changes.refuse = no_table
    world.deploy("1.0")
    assert world.audit.rows == []
    assert told(world) == RELEASE
    assert "6 rows of the audit wait in the state of prod; the next step writes them." in world.output.getvalue()
    world.changes.refuse = lambda _: False
    world.change_notebook("1.1")
    world.build("1.1")
    world.publish()
    assert world.state.audit == ()
    assert told(world) == [*RELEASE, *RELEASE[:3]]


def test_an_interrupted_step_leaves_its_rows_to_the_next(world: World) -> None:
    world.build("1.0")
    world.publish()

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    world.workspace.answer = interrupted
    with pytest.raises(KeyboardInterrupt):
        world.test()
    assert [(each.action, each.result) for each in world.state.audit] == [("test", "interrupted")]
    world.workspace.answer = lambda *_: {}
    with pytest.raises(TestFailed):
        world.test()
    assert told(world)[3:] == [("test", "interrupted"), ("claim", "taken"), ("test", "failed")]
    assert world.state.audit == ()


@pytest.mark.parametrize("after", [False, True])
def test_a_release_killed_anywhere_tells_what_it_did(world: World, after: bool) -> None:
    """Every change of the state that counts has its row, whenever the agent goes."""
    world.build("1.0")
    world.publish()
    world.test()
    start = len(world.changes.log)
    kept = dict(world.store.blobs), dict(world.store.etags), deepcopy(world.workspace.objects), list(world.audit.rows)
    for at in range(40):
        world.store.blobs, world.store.etags = dict(kept[0]), dict(kept[1])
        world.workspace.objects, world.workspace.jobs = deepcopy(kept[2]), {}
        world.audit.rows = list(kept[3])
        world.changes.log = world.changes.log[:start]
        world.changes.stop_at, world.changes.after = start + at, after
        try:
            world.switch()
        except (Crash, SlipwayError):
            pass
        else:
            assert at > 5
            return
        world.changes.revive()
        if world.state.switch is not None:
            assert ("switch", "opened") in told(world)
        if world.state.live is not None:
            assert ("switch", "done") in told(world)
        world.switch()
        assert told(world)[3:] == [("test", "passed"), ("switch", "opened"), ("switch", "done")]
    raise AssertionError("the switch did not end")


def test_rows_that_can_not_be_noted_are_in_the_log(world: World) -> None:
    session = world.session("1.0")
    session.load()
    world.changes.refuse = lambda what: what.startswith("state")
    note(session, row(session, "watch", "breached", detail="two runs failed"))
    assert "action=watch; result=breached; detail=two runs failed" in world.output.getvalue()


def test_too_many_waiting_rows_are_in_the_log(world: World) -> None:
    world.changes.refuse = no_table
    session = world.session("1.0")
    session.load()
    session.update(lambda state: replace(state, audit=tuple(row(session, "watch", f"n{i}") for i in range(SPOOL))))
    note(session, row(session, "watch", "last"))
    flush(session)
    waiting = world.state.audit
    assert (len(waiting), waiting[0].result, waiting[-1].result) == (SPOOL, "n1", "last")
    assert "this one is left out" in world.output.getvalue() and "result=n0" in world.output.getvalue()


def test_no_secret_is_in_a_row(world: World) -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.planted-0001.planted-0002"
    secrets = {
        "planted-signature-0003": "sig=planted-signature-0003",
        token: token,
        "dapi" + "0" * 32: "dapi" + "0" * 32,
    }
    world.build("1.0")
    for planted, said in secrets.items():

        def refuse(what: str, said: str = said) -> bool:
            if what.startswith("import"):
                raise ServiceError(f"The service said: {said}")
            return False

        world.changes.refuse = refuse
        with pytest.raises(ServiceError):
            world.publish()
        assert world.audit.rows[-1].result == "failed"
        assert "The service said" in world.audit.rows[-1].detail
        assert all(planted not in str(each) for each in world.audit.rows)
        assert planted.encode() not in world.store.blobs["state.json"]


def test_a_freeze_is_told(world: World) -> None:
    from slipway.steps.freeze import freeze, unfreeze

    freeze(world.session("freeze", message="holidays", until=None, hours=None))
    unfreeze(world.session("freeze", message=None, until=None, hours=None))
    assert told(world) == [("freeze", "frozen"), ("freeze", "ended")]
    assert "holidays" in world.audit.rows[0].detail


def test_a_rollback_whose_publishing_fails_is_told_with_its_version(world: World) -> None:
    for version in ("1.0", "1.1", "1.2"):
        world.change_notebook(version)
        world.deploy(version)
    world.rollback()
    world.changes.refuse = lambda what: what.startswith("import") and "score" in what
    with pytest.raises(ServiceError):
        world.rollback()
    rows = world.audit.rows[-4:]
    assert [(each.action, each.result, each.release) for each in rows[1:]] == [
        ("publish", "begun", "1.0"),
        ("publish", "failed", "1.0"),
        ("rollback", "failed", "1.0"),
    ]
    assert {each.commit for each in rows[1:]} == {"c" * 40}
