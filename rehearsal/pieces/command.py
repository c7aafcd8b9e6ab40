"""`python -m rehearsal pieces`: what an environment needs before its first release, as names for `--without`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rehearsal.pieces import PIECES

_HEAD = ("name", "what is lost", "the doctor says", "the first step of a release says")


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the table. Exit code: 0."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal pieces", description=__doc__, allow_abbrev=False)
    parser.parse_args(argv)
    rows = [_HEAD, *((one.name, one.says, one.finding, one.first_step or "-") for one in PIECES.values())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")
    sys.stdout.write(
        f'\n{len(PIECES)} pieces. make rehearse ARGS="--without NAME" takes one away after the bootstrap.\n'
    )
    return 0
