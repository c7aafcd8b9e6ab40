"""What a rollback does with a switch that it finds open."""

from __future__ import annotations

from typing import Literal

from slipway.domain.switch import Journal

Course = Literal["go", "go on", "take back, then go", "take back, then stop"]


def course(journal: Journal | None, version: str | None) -> Course:
    """What a rollback to `version` (None: the last stable release) does first.

    Taking back a release's switch is itself the way back from that release. An open rollback is gone on with where it
    leads to what is asked for; anything else is taken back, and then the way begins from what is live.
    """
    if journal is None:
        return "go"
    if journal.kind == "rollback" and journal.direction == "forward" and version in (None, journal.version):
        return "go on"
    if journal.kind == "release" and version is None:
        return "take back, then stop"
    return "take back, then go"
