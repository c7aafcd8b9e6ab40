"""The pieces that can be taken away: their names, and the options that speak of them."""

from __future__ import annotations

import re

import pytest

from rehearsal import options
from rehearsal.options import Refused
from rehearsal.pieces import PIECES
from rehearsal.pieces.command import main
from slipway.domain.diagnosis import SUBJECTS


def test_an_unknown_piece_is_refused_before_anything_starts() -> None:
    with pytest.raises(Refused, match="rolls: there is no such piece"):
        options.without(["root", "rolls"])
    assert [piece.name for piece in options.without(["root", "factory"])] == ["root", "factory"]


def test_the_list_names_every_piece(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    printed = capsys.readouterr().out
    for piece in PIECES.values():
        assert re.search(
            rf"^{piece.name}  .*{re.escape(piece.says)}.*{re.escape(piece.finding)}", printed, re.MULTILINE
        )


@pytest.mark.parametrize("piece", PIECES.values(), ids=lambda piece: piece.name)
def test_a_finding_belongs_to_a_subject_of_the_report(piece: object) -> None:
    assert getattr(piece, "finding", "").partition(".")[0] in SUBJECTS
