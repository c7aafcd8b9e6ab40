"""Every id that the doctor can say has a piece that is taken away, or a reason why not; and a row in its page."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from rehearsal.pieces import PIECES
from slipway.domain.configuration import look_up
from slipway.domain.diagnosis import SUBJECTS
from slipway.domain.environment import load_environment

ROOT = Path(__file__).resolve().parents[3]
CHECKS = ROOT / "scripts" / "slipway" / "steps" / "doctor"
PAGE = ROOT / "docs" / "doctor.md"
_FORM = re.compile(r"[a-z]+\.[a-z_]+")
_DEVOPS = "mended in the portal or by an extension of az; tests/rehearsal/azure_devops/test_doctor.py finds it"
NO_PIECE = {
    "azure.tenant": "it is about who signs in: tests/first_hour/test_bad_input.py",
    "compute.quota": "mended in the portal: tests/first_hour/test_quota.py",
    "clock.skew": "mended on the machine itself: tests/first_hour/test_bad_input.py",
    **dict.fromkeys(
        (
            *("devops.agents", "devops.approvers", "devops.connection_issuer", "devops.connection_secret"),
            *(
                "devops.hosted_jobs",
                "devops.permission_pool",
                "devops.pipeline_disabled",
                "devops.pool",
                "devops.project",
            ),
            *("devops.variable", "devops.variable_open"),
        ),
        _DEVOPS,
    ),
}


def ids() -> set[str]:
    """The texts in the checks that have the form of an id, without those that are keys of the configuration."""
    values = load_environment(ROOT, "dev").values
    found = {
        node.value
        for path in CHECKS.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _FORM.fullmatch(node.value)
    }
    return {one for one in found if one.partition(".")[0] in SUBJECTS and not look_up(values, one)[0]}


def test_every_finding_has_a_piece_or_a_reason() -> None:
    taken = {piece.finding for piece in PIECES.values()} | {piece.first_step for piece in PIECES.values()}
    assert ids() - taken - NO_PIECE.keys() == set()
    assert (taken - {None}) - ids() == set(), "a piece expects what no check says"
    assert NO_PIECE.keys() & taken == set(), "it has a piece, and needs no reason"
    assert NO_PIECE.keys() - ids() == set(), "no check says that any more"


@pytest.mark.parametrize("name", sorted(ids()))
def test_the_page_has_a_row_for_it(name: str) -> None:
    row = next((line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{name}`")), "")
    pieces = [piece.name for piece in PIECES.values() if piece.finding == name]
    assert row, f"{name} has no row in docs/doctor.md"
    for piece in pieces:
        assert f"`{piece}`" in row, f"the row of {name} does not name the piece {piece}"
