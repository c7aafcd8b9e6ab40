"""The audit of an environment whose steps are cut: what was done is told, wherever the agent was lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.faults.cloud import Cloud
from tests.faults.conftest import Stages
from tests.faults.project import NAME
from tests.unit.steps.conftest import REPOSITORY

pytestmark = pytest.mark.faults

HISTORY = "import sys; from pathlib import Path; from slipway.steps import history; "
HISTORY += "sys.exit(history.main(sys.argv[2:], root=Path(sys.argv[1])))"
RUN = 77
"""Other tests release to the same environment; theirs is another run."""


def history(cloud: Cloud, *arguments: str) -> str:
    """What scripts/history.py prints, in a process of its own as always."""
    done = subprocess.run(
        [sys.executable, "-c", HISTORY, str(cloud.root), *arguments],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY / "scripts"),
            **cloud.signed_in(),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(cloud: Cloud) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(history(cloud, "--environment", NAME, "--json"))
    assert len({row["id"] for row in found}) == len(found)
    return found


def told(cloud: Cloud, run: int) -> list[tuple[str, str]]:
    return [(row["action"], row["result"]) for row in rows(cloud) if row["link"].endswith(f"buildId={run}")]


def test_a_release_whose_steps_are_killed_is_told(cloud: Cloud, stages: Stages) -> None:
    cloud.back_to(stages.to_publish)
    cloud.cut("killed after", 25)
    assert cloud.step("publish_slot", version="1.2", run=RUN).code == -9
    cloud.mend()
    assert told(cloud, RUN) == [("claim", "taken"), ("publish", "begun")], "they wait in the state"
    cloud.done("publish_slot", version="1.2", run=RUN)
    assert cloud.state.audit == ()
    expected = [("claim", "taken"), ("publish", "begun"), ("publish", "begun"), ("publish", "done")]
    assert told(cloud, RUN) == expected
    chosen = json.loads(history(cloud, "--action", "publish", "--json"))
    assert {row["action"] for row in chosen} == {"publish"} and "1.2" in {row["release"] for row in chosen}


def test_a_table_that_can_not_be_written_holds_nobody_up(cloud: Cloud, stages: Stages) -> None:
    """A refusal from the first request on that goes to the audit; the rows wait, and the next step writes them."""
    cloud.back_to(stages.to_publish)
    cloud.refuse("/audit/")
    done = cloud.done("publish_slot", version="1.2", run=RUN + 1)
    assert "3 rows of the audit wait in the state of dev; the next step writes them" in done.text
    assert "Traceback" not in done.text
    cloud.mend()
    expected = [("claim", "taken"), ("publish", "begun"), ("publish", "done")]
    assert told(cloud, RUN + 1) == expected
    cloud.done("run_integration_test", version="1.2", run=RUN + 1)
    assert told(cloud, RUN + 1) == [*expected, ("test", "passed")]
    assert cloud.state.audit == ()


def test_a_switch_killed_anywhere_is_told(cloud: Cloud, stages: Stages) -> None:
    cloud.back_to(stages.to_switch)
    for at in range(0, cloud.done("switch_slot", version="1.1").requests, 14):
        cloud.back_to(stages.to_switch)
        known = {row["id"] for row in rows(cloud)}
        cloud.cut("killed after", at)
        cloud.step("switch_slot", version="1.1")
        cloud.mend()
        state = cloud.state
        cloud.done("switch_slot", version="1.1")
        new = [(row["action"], row["result"], row["id"]) for row in rows(cloud) if row["id"] not in known]
        assert [each[:2] for each in new] == [("switch", "opened"), ("switch", "done")]
        if state.switch is not None:
            assert [row.id for row in state.audit] == [new[0][2]], "told when it was opened, not afterwards"
