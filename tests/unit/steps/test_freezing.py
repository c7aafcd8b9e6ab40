"""A person holds an environment on purpose: what is refused, what is not, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from slipway.domain.state import STATE_BLOB
from slipway.errors import Conflict, UsageError
from slipway.steps import freeze, status
from tests.unit.steps.conftest import World
from tests.unit.steps.fakes import Crash


@pytest.fixture
def frozen(world: World) -> World:
    """1.1 is tested in green, 1.0 is live in blue, and grace has frozen it."""
    world.deploy("1.0")
    assert world.build("1.1") == 0
    world.publish()
    world.test()
    world.revert()  # gives the claim back
    by(world, "grace")
    world.freeze("migration of the warehouse")
    by(world, "ada")
    return world


def by(world: World, who: str) -> None:
    world.variables = {**world.variables, "USER": who}


STEPS: list[Callable[..., None]] = [World.publish, World.test, World.switch, World.rollback]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("options", [{}, {"take_over": True}, {"wait": 30.0}])
def test_every_step_is_refused_with_who_and_why(
    frozen: World, step: Callable[..., None], options: dict[str, object]
) -> None:
    before, changes = dict(frozen.store.blobs), len(frozen.changes.log)
    with pytest.raises(Conflict, match=r"prod is frozen by grace .*migration of the warehouse") as caught:
        step(frozen, **options)
    assert caught.value.changed == "Nothing was changed."
    assert "--unfreeze" in caught.value.next_step
    assert (frozen.store.blobs, len(frozen.changes.log)) == (before, changes)


@pytest.mark.parametrize("step", STEPS[:3])
def test_what_would_change_can_still_be_asked(frozen: World, step: Callable[..., None]) -> None:
    step(frozen, what_if=True)


def test_a_person_can_roll_back_through_it_and_it_stays(frozen: World) -> None:
    frozen.unfreeze()
    frozen.switch()
    by(frozen, "grace")
    frozen.freeze("hands off")
    by(frozen, "ada")
    frozen.rollback(despite_freeze=True)
    assert frozen.state.live == "blue"
    assert frozen.state.freeze.message == "hands off"
    assert "This goes on despite it." in frozen.output.getvalue()


def test_a_switch_that_was_cut_is_taken_back_in_a_freeze(frozen: World) -> None:
    frozen.unfreeze()
    frozen.changes.stop_at = len(frozen.changes.log) + 6
    with pytest.raises(Crash):
        frozen.switch()
    frozen.changes.revive()
    assert frozen.state.switch is not None
    by(frozen, "grace")
    frozen.freeze("hands off")
    by(frozen, "ada")
    with pytest.raises(Conflict, match="hands off"):
        frozen.switch()
    frozen.revert()
    assert (frozen.state.switch, frozen.state.claim) == (None, None)
    assert set(frozen.slots_of_jobs().values()) == {"blue"}
    frozen.revert()  # none is open now: gives back, changes nothing


def test_it_ends_by_itself(frozen: World) -> None:
    frozen.unfreeze()
    frozen.freeze("lunch", hours=1)
    frozen.time += 3500
    with pytest.raises(Conflict, match="lunch"):
        frozen.switch()
    frozen.time += 101
    frozen.switch()
    assert frozen.state.live == "green"


def test_anybody_can_end_it_and_is_told_whose_it_was(frozen: World) -> None:
    frozen.unfreeze()
    assert frozen.state.freeze is None
    assert "No longer in force: prod was frozen by grace" in frozen.output.getvalue()
    frozen.unfreeze()
    assert "not frozen; nothing to do" in frozen.output.getvalue()


def test_somebody_elses_is_not_overwritten_ones_own_is(frozen: World) -> None:
    with pytest.raises(Conflict, match="frozen by grace"):
        frozen.freeze("mine")
    by(frozen, "grace")
    frozen.freeze("until Monday", until=frozen.time + 100)
    assert (frozen.state.freeze.message, frozen.state.freeze.until is not None) == ("until Monday", True)
    by(frozen, "ada")
    frozen.time += 200
    frozen.freeze("mine now")
    assert frozen.state.freeze.who == "ada"


def test_a_release_under_way_is_named_and_its_next_step_refused(world: World) -> None:
    assert world.build("1.0") == 0
    world.publish()
    by(world, "grace")
    world.freeze("stop")
    assert "ada is releasing 1.0" in world.output.getvalue()
    by(world, "ada")
    with pytest.raises(Conflict, match="stop"):
        world.test()
    world.revert()  # what on.failure runs
    assert world.state.claim is None


def test_what_if_changes_nothing(frozen: World) -> None:
    before = dict(frozen.store.blobs)
    frozen.unfreeze(what_if=True)
    by(frozen, "grace")
    frozen.freeze("other", what_if=True)
    assert frozen.store.blobs == before


@pytest.mark.parametrize("message", ["", "  \n ", "x" * 501])
def test_a_message_is_needed(world: World, message: str) -> None:
    with pytest.raises(UsageError, match="needs a message"):
        world.freeze(message)


def test_an_end_in_the_past_is_refused(world: World) -> None:
    with pytest.raises(UsageError, match="is over already"):
        world.freeze("x", until=world.time - 1)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--message", "x", "--unfreeze"],
        ["--message", "x", "--until", "2026-12-24T08:00"],
        ["--message", "x", "--until", "tomorrow"],
        ["--message", "x", "--hours", "-1"],
        ["--message", "x", "--hours", "1", "--until", "2026-12-24T08:00Z"],
        ["--unfreeze", "--hours", "1"],
    ],
)
def test_what_the_command_line_refuses(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["freeze.py", "--environment", "prod", *words])
    try:
        code: object = freeze.main()
    except SystemExit as ended:
        code = ended.code
    assert code == 2


def test_status_shows_it_while_it_is_in_force(frozen: World) -> None:
    assert status.describe(frozen.session("look"))["freeze"]["message"] == "migration of the warehouse"
    text = status.as_text(status.describe(frozen.session("look")))
    assert "frozen: by grace" in text and "until --unfreeze: migration of the warehouse" in text
    frozen.unfreeze()
    frozen.freeze("lunch", hours=1)
    frozen.time += 3601
    assert status.describe(frozen.session("look"))["freeze"] is None
    assert "frozen" not in status.as_text(status.describe(frozen.session("look")))


def test_a_state_written_before_there_were_freezes_is_read(frozen: World) -> None:
    data = json.loads(frozen.store.blobs[STATE_BLOB])
    del data["freeze"]
    frozen.store.blobs[STATE_BLOB] = json.dumps(data).encode()
    assert frozen.state.freeze is None
    frozen.switch()
