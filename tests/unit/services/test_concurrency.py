"""Requests in flight: bounded, fewer when throttled, and nothing new after a failure."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from slipway.services.databricks.concurrency import Budget, concurrently
from tests.unit.services.conftest import Moment


def test_results_in_order() -> None:
    assert concurrently([partial(pow, one, 2) for one in range(50)], limit=8) == [one * one for one in range(50)]


def test_nothing_to_do() -> None:
    assert concurrently([]) == []


def test_never_more_than_the_limit_at_once() -> None:
    full = threading.Barrier(3)
    active: list[int] = []
    most: list[int] = []
    lock = threading.Lock()

    def call() -> None:
        with lock:
            active.append(1)
            most.append(len(active))
        full.wait(5)  # each round of three ends only when three are in
        with lock:
            active.pop()

    concurrently([call] * 9, limit=3)
    assert max(most) == 3


def test_the_earliest_failure_is_raised_and_the_rest_not_started() -> None:
    started: list[int] = []
    gate = threading.Event()

    def call(number: int) -> None:
        started.append(number)
        if number == 0:
            gate.wait(5)
            raise ValueError("the first")
        gate.set()
        raise KeyError("the second")

    with pytest.raises(ValueError, match="the first"):
        concurrently([partial(call, one) for one in range(100)], limit=2)
    assert sorted(started) == [0, 1]


def test_the_budget_halves_once_per_round_and_recovers(moment: Moment) -> None:
    budget = Budget(moment.clock, most=16)
    sent_at = moment.clock()
    moment.sleep(1)
    budget.throttled(sent_at, None)
    budget.throttled(sent_at, None)  # went out together with the first: says nothing new
    assert budget.allowed == 8
    moment.sleep(1)
    budget.throttled(moment.clock(), None)
    assert budget.allowed == 4
    for _ in range(1000):
        budget.succeeded()
    assert budget.allowed == 16


def test_everybody_waits_when_one_was_told_to(moment: Moment) -> None:
    budget = Budget(moment.clock)
    budget.throttled(moment.clock(), 9.0)
    with budget.one() as delay:
        assert delay == 9.0


def test_the_budget_never_reaches_zero(moment: Moment) -> None:
    budget = Budget(moment.clock, most=4)
    for _ in range(20):
        moment.sleep(1)
        budget.throttled(moment.clock(), None)
    assert budget.allowed == 1
    with budget.one():
        pass
