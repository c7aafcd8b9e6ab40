"""The pieces of a first hour: what an environment needs before its first release, each with how it is lost in the stand-ins.

`python -m rehearsal pieces` lists them; `make rehearse ARGS="--without NAME"` takes one away after the bootstrap; tests/first_hour
takes away each in turn.
"""

from __future__ import annotations

from rehearsal.pieces import azure, azure_devops, configured, names, workspace
from rehearsal.pieces.hand import Hand
from rehearsal.pieces.piece import NotThere, Piece

_ALL = (*azure.PIECES, *azure_devops.PIECES, *names.PIECES, *workspace.PIECES, *configured.PIECES)
PIECES: dict[str, Piece] = {piece.name: piece for piece in _ALL}
if len(PIECES) < len(_ALL):
    raise ValueError("two pieces have one name")

__all__ = ["PIECES", "Hand", "NotThere", "Piece"]
