"""Permissions in a job's definition: what they may be, and what is never among them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.job_permissions import LEVELS, direct, rendered, to_put

IDENTITY = "4e1b2a3c-0d5f-4a6b-8c7d-9e8f7a6b5c4d"


def refused(entries: Any) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    rendered(entries, ["users"], lambda path, text: found.append((path, text)))
    return found


@pytest.mark.parametrize(
    ("entries", "path", "says"),
    [
        ({"group_name": "ops"}, "access_control_list", "must be a list"),
        (["ops"], "access_control_list[0]", "exactly one of"),
        ([{"permission_level": "CAN_VIEW"}], "access_control_list[0]", "exactly one of"),
        ([{"group_name": "a", "user_name": "b", "permission_level": "CAN_VIEW"}], "access_control_list[0]", "exactly"),
        ([{"group_name": "a", "permission_level": "CAN_VIEW", "level": 1}], "access_control_list[0]", "nothing else"),
        ([{"user_name": "eve", "permission_level": "IS_OWNER"}], "access_control_list[0].permission_level", "never"),
        ([{"user_name": "eve"}], "access_control_list[0].permission_level", "None is not one of"),
        ([{"group_name": "a", "permission_level": "CAN_VIEW"}] * 2, "access_control_list[1]", "named twice"),
    ],
)
def test_what_a_definition_may_not_say(entries: Any, path: str, says: str) -> None:
    ((where, text),) = refused(entries)
    assert where == path and says in text


def test_readers_see_the_job_and_keep_a_higher_level() -> None:
    one = [{"user_name": "eve", "permission_level": "CAN_MANAGE"}]
    assert rendered(one, ["users"], print) == [{"group_name": "users", "permission_level": "CAN_VIEW"}, *one]
    higher = [{"group_name": "users", "permission_level": "CAN_MANAGE_RUN"}]
    assert rendered(higher, ["users"], print) == higher
    assert rendered([], [], print) == []


names = st.sampled_from(["ops", "data", "eve", IDENTITY])
kinds = st.sampled_from(["user_name", "group_name", "service_principal_name"])
granted = st.dictionaries(st.tuples(kinds, names), st.tuples(st.sampled_from([*LEVELS, "IS_OWNER"]), st.booleans()))


@given(granted, st.dictionaries(st.tuples(kinds, names), st.sampled_from(LEVELS)))
def test_owner_and_release_identity_stay_and_inheritance_is_not_copied(there: Any, asked: Any) -> None:
    answer = {
        "access_control_list": [
            {kind: name, "all_permissions": [{"permission_level": level, "inherited": inherited}]}
            for (kind, name), (level, inherited) in there.items()
        ]
    }
    wanted = [{kind: name, "permission_level": level} for (kind, name), level in asked.items()]
    put = {
        next((kind, name) for kind, name in entry.items() if kind != "permission_level"): entry["permission_level"]
        for entry in to_put(answer, wanted, IDENTITY)
    }
    own = ("service_principal_name", IDENTITY)
    for principal, (level, inherited) in there.items():
        if not inherited and (level == "IS_OWNER" or principal == own):
            assert put[principal] == level
        elif principal not in asked:
            assert principal not in put
    assert all(put[principal] == level for principal, level in asked.items() if principal not in there)
    assert all(entry["permission_level"] in LEVELS for entry in direct(answer, IDENTITY))
