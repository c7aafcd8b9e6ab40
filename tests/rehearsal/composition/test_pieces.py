"""The pieces that can be taken away: their names, and the options that speak of them."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import cast

import pytest

from rehearsal import options
from rehearsal.options import Refused
from rehearsal.pieces import PIECES, Hand, NotThere, Piece
from rehearsal.pieces.command import main
from slipway.domain.diagnosis import SUBJECTS


def test_an_unknown_piece_is_refused_before_anything_starts() -> None:
    with pytest.raises(Refused, match="rolls: there is no such piece"):
        options.without(["root", "rolls"])
    assert [piece.name for piece in options.without(["root", "factory"])] == ["root", "factory"]


def test_a_piece_that_is_about_the_configuration_is_refused_with_what_to_write() -> None:
    with pytest.raises(Refused, match=r"--without configured-region: .* Write azure\.location: northeurope into"):
        options.without(["configured-region"])


def test_what_is_not_there_can_not_be_taken_and_says_what_it_takes() -> None:
    def lose(_: Hand) -> None:
        raise LookupError("no job")

    piece = Piece(name="jobs", says="the jobs", finding="jobs.manage", lose=lose, released=True)
    hand = cast(Hand, SimpleNamespace(environment=SimpleNamespace(name="dev")))
    with pytest.raises(
        NotThere, match=r"jobs can't be taken away from dev: LookupError: no job\. It takes a release before"
    ):
        piece.take(hand)


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
