"""The claim: who may change an environment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.claim import LIFETIME, MARGIN, Claim, Holder, ended, may_write_until, require, take
from slipway.errors import Conflict

ADA = Holder(id="run 1", release="1.0", run="https://x/1", who="ada")
GRACE = Holder(id="run 2", release="1.1", run="https://x/2", who="grace")


def test_the_first_takes_it_and_its_later_steps_renew_it() -> None:
    claim = take(None, 4, ADA, now=100)
    assert (claim.number, claim.expires) == (5, 100 + LIFETIME)
    again = take(claim, 5, ADA, now=500)
    assert (again.number, again.since, again.heartbeat, again.expires) == (6, 100, 500, 500 + LIFETIME)


def test_somebody_else_is_told_who_and_where() -> None:
    claim = take(None, 0, ADA, now=100)
    with pytest.raises(Conflict, match=r"ada is releasing 1\.0 \(https://x/1\)"):
        take(claim, 1, GRACE, now=200)
    assert take(claim, 1, GRACE, now=200, take_over=True).number == 2
    assert take(claim, 1, GRACE, now=100 + LIFETIME).number == 2


def test_what_lost_its_claim_may_not_go_on() -> None:
    mine = take(None, 0, ADA, now=100)
    require(mine, holder="run 1", number=1, now=200)
    theirs = take(mine, 1, GRACE, now=200, take_over=True)
    with pytest.raises(Conflict, match="grace has taken it over"):
        require(theirs, holder="run 1", number=1, now=200)
    with pytest.raises(Conflict, match="was released"):
        require(None, holder="run 1", number=1, now=200)
    with pytest.raises(Conflict, match="too soon"):
        require(mine, holder="run 1", number=1, now=100 + LIFETIME - MARGIN)


def test_an_own_claim_that_expired_is_taken_anew_under_a_higher_number() -> None:
    claim = take(None, 0, ADA, now=0)
    assert take(claim, 1, ADA, now=LIFETIME + 1).number == 2


def test_an_earlier_agent_of_the_same_run_may_not_go_on_either() -> None:
    first = take(None, 0, ADA, now=100)
    second = take(first, 1, ADA, now=200)
    with pytest.raises(Conflict, match="another step of the same run"):
        require(second, holder="run 1", number=1, now=201)


@pytest.mark.parametrize(
    ("silent", "waits"),
    [(0, 20), (290, 20), (310, 10), (330, -10), (LIFETIME - MARGIN + 30, -10 - (LIFETIME - MARGIN - 300))],
)
def test_how_long_one_whose_claim_was_taken_may_go_on(silent: float, waits: float) -> None:
    """20 seconds after its last look, and one at work would have given a sign of life every five minutes."""
    claim = take(None, 0, ADA, now=1000)
    now = 1000 + silent
    assert may_write_until(claim, now=now) - now == waits


def test_a_claim_says_whom_it_was_taken_from_until_it_is_given_back() -> None:
    mine = take(None, 0, ADA, now=100)
    theirs = take(mine, 1, GRACE, now=200, take_over=True)
    assert (mine.taken_from, theirs.taken_from) == ("", "https://x/1")
    assert take(theirs, 2, GRACE, now=300).taken_from == "https://x/1"
    assert take(None, 3, GRACE, now=400).taken_from == ""


@given(st.lists(st.tuples(st.sampled_from([ADA, GRACE]), st.floats(0, 2 * LIFETIME), st.booleans()), max_size=12))
def test_numbers_only_grow_and_one_holder_at_a_time(history: list[tuple[Holder, float, bool]]) -> None:
    claim: Claim | None = None
    fence, now = 0, 0.0
    for holder, passed, take_over in history:
        now += passed
        before = claim
        try:
            claim = take(claim, fence, holder, now=now, take_over=take_over)
        except Conflict:
            assert before is not None and before.holder != holder.id and now < before.expires and not take_over
            continue
        assert claim.number in (fence, fence + 1)
        if before is not None and claim.holder != before.holder:
            assert claim.number == fence + 1
        fence = max(fence, claim.number)


def test_a_step_of_the_same_run_that_did_not_end_may_still_write() -> None:
    first = take(None, 0, ADA, now=100)
    assert first.at_work
    assert take(first, 1, ADA, now=200).taken_from == ADA.run
    assert take(first, 1, ADA, now=200, mine=first.number).taken_from == "", "the same step asks once more"
    assert take(ended(first, first.number), 1, ADA, now=200).taken_from == ""
    assert ended(first, first.number + 1).at_work, "another one is at work under it"
