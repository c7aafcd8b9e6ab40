"""The state's JSON: what is written is read back the same; what is damaged or newer is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.archive import read_settings
from slipway.domain.audit import Row
from slipway.domain.claim import Claim
from slipway.domain.codec import Damaged, from_bytes, load, to_bytes
from slipway.domain.manifest import Manifest, make_manifest, read_manifest
from slipway.domain.state import Entry, JobRecord, SlotRecord, State, TestResult, read_state, write_state
from slipway.domain.switch import Action, Journal
from slipway.domain.watch import Watch, WatchedJob
from slipway.errors import NotPossible

words = st.text(max_size=12)
instants = st.floats(min_value=1, max_value=4_000_000_000).map(lambda seconds: round(seconds, 3))
slots = st.sampled_from(["blue", "green"])
settings_of_jobs = st.dictionaries(words, st.one_of(words, st.integers(), st.booleans(), st.none(), st.lists(words)))


def made(cls: type[Any], /, **given_: Any) -> st.SearchStrategy[Any]:
    return st.builds(cls, **given_)


tests = made(
    TestResult,
    manifest=words,
    passed=st.booleans(),
    at=instants,
    run=words,
    checks=st.integers(),
    failed=st.lists(words).map(tuple),
)
records = made(
    SlotRecord,
    version=words,
    commit=words,
    release=words,
    manifest=words,
    complete=st.booleans(),
    candidate=st.booleans(),
    files=st.dictionaries(words, words),
    archive=words,
    settings=words,
    published=instants,
    test=st.none() | tests,
)
claims = made(
    Claim,
    holder=words,
    release=words,
    run=words,
    who=words,
    since=instants,
    heartbeat=instants,
    expires=instants,
    number=st.integers(),
)
actions = made(
    Action,
    key=words,
    id=st.none() | st.integers(),
    before=st.none() | settings_of_jobs,
    after=settings_of_jobs,
    pause=st.none() | words,
    leaves=st.booleans(),
)
journals = made(
    Journal,
    kind=st.sampled_from(["release", "rollback"]),
    version=words,
    manifest=words,
    source=st.none() | slots,
    target=slots,
    actions=st.lists(actions, max_size=2).map(tuple),
    settings=words,
    kept=st.none() | words,
    started=instants,
    holder=words,
    number=st.integers(),
    direction=st.sampled_from(["forward", "back"]),
    drift=st.lists(words).map(tuple),
    entry=st.none() | st.integers(),
)
entries = made(
    Entry,
    version=words,
    commit=words,
    slot=slots,
    manifest=words,
    archive=words,
    settings=words,
    since=instants,
    outcome=st.sampled_from(["live", "stable", "rolled_back"]),
    run=words,
)
jobs = made(
    JobRecord,
    id=st.integers(),
    slot=slots,
    pause=st.none() | words,
    retired=st.booleans(),
    readers=st.none() | st.lists(words).map(tuple),
)
rows = made(
    Row,
    id=words,
    time=instants,
    app=words,
    environment=words,
    release=words,
    action=words,
    result=words,
    seconds=st.none() | st.floats(0, 1e6),
    detail=words,
)
watches = made(
    Watch,
    release=words,
    slot=slots,
    published=instants,
    since=instants,
    until=instants,
    max_failures=st.integers(),
    on_breach=st.sampled_from(["rollback", "report"]),
    jobs=st.lists(made(WatchedJob, key=words, id=st.integers(), restarted=st.booleans())).map(tuple),
    pipelines=st.lists(words).map(tuple),
    breached=st.none() | instants,
)
states = made(
    State,
    app=st.just("app"),
    environment=st.just("dev"),
    live=st.none() | slots,
    fence=st.integers(0),
    claim=st.none() | claims,
    slots=st.dictionaries(slots, records),
    jobs=st.dictionaries(words, jobs, max_size=2),
    history=st.lists(entries, max_size=2).map(tuple),
    archived=st.lists(words).map(tuple),
    switch=st.none() | journals,
    audit=st.lists(rows, max_size=3).map(tuple),
    watch=st.none() | watches,
    serial=st.integers(0),
    written_by=words,
    format=st.just(2),
)


@given(states)
def test_what_is_written_is_read_back_the_same(state: State) -> None:
    data = write_state(state)
    assert read_state(data, app="app", environment="dev") == state
    assert write_state(read_state(data, app="app", environment="dev")) == data


def sample() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(write_state(State(app="app", environment="dev", fence=3)))
    return data


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"format": 3}, "has format 3; this Slipway knows formats up to 2"),
        ({"live": "red"}, r"damaged: live: 'red' is not one of"),
        ({"surprise": 1}, r"damaged: surprise: unknown field"),
        ({"fence": "3"}, r"damaged: fence: must be int, not str"),
        ({"fence": True}, r"damaged: fence: must be int, not bool"),
        ({"jobs": []}, r"damaged: jobs: must be dict, not list"),
        ({"claim": {"holder": "x"}}, r"damaged: claim\.release: is missing"),
        ({"slots": {"blue": {"version": 1}}}, r"damaged: slots\.blue\.version"),
        ({"environment": "prod"}, "belongs to app/prod"),
    ],
)
def test_other_formats_and_damage_are_refused(change: dict[str, Any], expected: str) -> None:
    data = json.dumps({**sample(), **change}).encode()
    with pytest.raises(NotPossible, match=expected):
        read_state(data, app="app", environment="dev")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'"x"', b"null", b'{"format": 1}', b"[" * 100_000])
def test_what_is_no_state_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(NotPossible, match="damaged"):
        read_state(data, app="app", environment="dev")


@given(st.data())
def test_a_cut_blob_is_always_refused(data: st.DataObject) -> None:
    whole = write_state(State(app="app", environment="dev"))
    cut = whole[: data.draw(st.integers(0, len(whole) - 3))]
    with pytest.raises(NotPossible):
        read_state(cut, app="app", environment="dev")


def test_a_state_from_before_the_audit_and_the_watch_is_read() -> None:
    data = sample()
    assert (data.pop("audit"), data.pop("watch")) == ([], None)
    state = read_state(json.dumps(data).encode(), app="app", environment="dev")
    assert (state.audit, state.watch) == ((), None)


def test_a_time_without_a_zone_is_refused() -> None:
    claim = {"holder": "", "release": "", "run": "", "who": "", "number": 1, "since": "2026-01-01T00:00:00"}
    claim.update(heartbeat="2026-01-01T00:00:00Z", expires="2026-01-01T00:00:00Z")
    with pytest.raises(NotPossible, match="has no time zone"):
        read_state(json.dumps({**sample(), "claim": claim}).encode(), app="app", environment="dev")


def test_equal_slots_have_equal_manifests_and_others_do_not() -> None:
    given_ = {"app": "a", "environment": "dev", "version": "1", "commit": "c", "files": []}
    one = make_manifest(slot="blue", **given_)  # type: ignore[arg-type]
    assert one == make_manifest(slot="blue", **given_)  # type: ignore[arg-type]
    assert one[1] != make_manifest(slot="green", **given_)[1]  # type: ignore[arg-type]
    manifest = read_manifest(one[0])
    assert from_bytes(Manifest, to_bytes(manifest)) == manifest
    with pytest.raises(Damaged):
        read_manifest(one[0].replace(b'"blue"', b'"red"'))


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59.9999Z"]
)
def test_a_time_that_can_not_be_written_again_is_refused(moment: str) -> None:
    entry = {
        "version": "1",
        "commit": "",
        "slot": "blue",
        "manifest": "",
        "archive": "",
        "settings": "",
        "since": moment,
    }
    with pytest.raises(NotPossible, match=r"history\[0\]\.since: .* is not of the years 1 to 9999"):
        read_state(
            json.dumps({**sample(), "history": [{**entry, "outcome": "live"}]}).encode(), app="app", environment="dev"
        )


@pytest.mark.parametrize("seconds", ["1" + "0" * 400, "1" + "0" * 5000, "1e999", "-1e999", "NaN"])
def test_a_number_that_can_not_be_written_again_is_refused(seconds: str) -> None:
    told = {"id": "x", "time": "2026-01-01T00:00:00Z", "app": "b", "environment": "dev", "action": "a", "result": "r"}
    text = json.dumps({**sample(), "audit": [{**told, "seconds": "SECONDS"}]}).replace('"SECONDS"', seconds)
    with pytest.raises(NotPossible, match="damaged"):
        read_state(text.encode(), app="app", environment="dev")


def test_half_a_character_is_refused_and_a_whole_one_is_not() -> None:
    with pytest.raises(Damaged):
        load(b'{"a": "\\ud83d"}')
    with pytest.raises(Damaged):
        load(b'{"\\uDE00": 1}')
    assert load(b'{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


@pytest.mark.parametrize("settings", [[], 5, {"tags": []}, {"tasks": {}}, {"tasks": ["x"]}, {"name": 1}])
def test_archived_settings_that_are_no_jobs_are_refused(settings: Any) -> None:
    with pytest.raises(Damaged, match="score"):
        read_settings(json.dumps({"format": 1, "jobs": {"score": settings}}).encode())
    assert read_settings(b'{"format": 1, "jobs": {"score": {"name": "x"}}}') == {"score": {"name": "x"}}
