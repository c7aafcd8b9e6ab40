"""An agent that slept through the loss of its claim must not go on writing."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.errors import Conflict
from tests.unit.steps.conftest import World


@pytest.mark.parametrize("method", ["import_notebook", "mkdirs"])
def test_one_that_wakes_up_after_the_claim_was_taken_over_writes_no_manifest(
    world: World, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """It stops before its next change: the slot that another release holds now gets no manifest from it."""
    world.build("1.0")
    original = getattr(world.workspace, method)

    def paused(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(world.workspace, method, original)
        world.variables = {**world.variables, "USER": "grace"}
        world.session("1.1", take_over=True).take_claim()
        world.time += 60
        return original(*arguments, **named)

    monkeypatch.setattr(world.workspace, method, paused)
    with pytest.raises(Conflict, match="grace has taken it over"):
        world.publish()
    assert not [path for path in world.workspace.objects if path.endswith("manifest.json")]
    assert world.state.claim is not None
    assert world.state.claim.who == "grace"
