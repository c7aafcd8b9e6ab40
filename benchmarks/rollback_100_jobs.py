"""How long a rollback of 100 jobs from a whole slot takes, and for how long jobs are on two slots.

    PYTHONPATH=scripts:. .venv/bin/python benchmarks/rollback_100_jobs.py

Releases twice to the stand-ins, then rolls back with 50 ms added to every request, in a process of its own: from its start to
the last job's answer, and from the first job's request to the last one's answer. Stand-ins and step share the machine.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from rehearsal.gateway.faults import Fault
from tests.faults.cloud import Cloud
from tests.faults.project import NAME
from tests.unit.steps.conftest import REPOSITORY

JOBS = 100
LATENCY = 0.05
RUNS = 3
_STEP = """
import sys
from pathlib import Path
from slipway.command import run_step
from slipway.steps import rollback
sys.exit(run_step(rollback.run, description="", options=rollback._options, root=Path(sys.argv[1]), argv=sys.argv[2:]))
"""


def measure(cloud: Cloud) -> tuple[float, float, float]:
    """Seconds to the last job, to the end of the command, and between the first job and the last."""
    began: list[float] = []
    ended: list[float] = []
    cloud.strike(
        _at_resets(began, after=False),
        Fault(kind="latency", seconds=LATENCY, times=None),
        _at_resets(ended, after=True),
    )
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _STEP, str(cloud.root), "--environment", NAME],
        env={**cloud.as_pipeline(), "PYTHONPATH": str(REPOSITORY / "scripts"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    whole = time.perf_counter() - started
    cloud.mend()
    if done.returncode or len(ended) != JOBS:
        raise SystemExit(f"{len(ended)} jobs were set; exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return max(ended) - started, whole, max(ended) - min(began)


def _at_resets(times: list[float], *, after: bool) -> Fault:
    def note() -> None:
        times.append(time.perf_counter())

    return Fault(kind="call", callback=note, method="POST", path="/api/*/jobs/reset", times=None, after=after)


def main() -> int:
    names = [f"job{number:03}" for number in range(JOBS)]
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        Cloud(Path(folder), patch) as cloud,
    ):
        for version in ("1.0", "1.1"):
            cloud.build(version, *names)
            cloud.release(version)
        live = cloud.remember()
        for _ in range(RUNS):
            cloud.back_to(live)
            last, whole, window = measure(cloud)
            print(
                f"{JOBS} jobs, {LATENCY * 1000:.0f} ms per request: {last:.2f} s to the last job, {whole:.2f} s to the end, "
                f"jobs on two slots for {window:.2f} s"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
