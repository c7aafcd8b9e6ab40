"""Every piece is taken away in turn: the doctor names it, its mend is run as printed, and then a release goes through."""

from __future__ import annotations

import pytest

from rehearsal.pieces import PIECES
from tests.first_hour.estate import Estate

pytestmark = pytest.mark.first_hour
# Some mends uncover what lay behind: a container in an account that was not there, a member of a workspace that is new.
ROUNDS = 4


def ids(diagnosis: dict[str, object]) -> list[str]:
    findings = diagnosis["findings"]
    assert isinstance(findings, list)
    return sorted({str(finding["id"]) for finding in findings})


def test_nothing_is_missing_after_the_set_up(estate: Estate) -> None:
    assert estate.doctor()["findings"] == []
    first = estate.first_step()
    assert (first["findings"], first["unknown"]) == ([], [])
    estate.release("1.0")
    assert estate.doctor()["findings"] == []


@pytest.mark.parametrize("name", PIECES)
def test_a_piece_is_missed_and_mended(estate: Estate, name: str) -> None:
    piece = PIECES[name]
    piece.prepare(estate.hand)
    if piece.released:
        estate.release("0.9")
        estate.age_roles()
    piece.lose(estate.hand)
    estate.configure(piece.spoils)
    found = estate.doctor()
    assert ids(found) == [piece.finding]
    if piece.starts:
        first = estate.first_step()
        assert ids(first) == ([] if piece.first_step is None else [piece.first_step])
    mends = 0
    while found["findings"]:
        mends += 1
        assert mends <= ROUNDS, found["findings"]
        mend = found["findings"][0]["mend"]
        done = estate.mend(mend)
        assert done.code == 0, f"{mend}\n{done.text}"
        if piece.finding != "roles.new":
            estate.age_roles()  # whoever mends waits until what was given works
        found = estate.doctor()
    estate.release("1.0")
