"""How long the doctor takes over a healthy environment that was released to, with and without 50 ms added to every request.

    PYTHONPATH=scripts:library/src:. .venv/bin/python benchmarks/doctor.py

Side by side in one run: the whole doctor as an admin, and its short form as the release identity, each as a process of its own,
from its start to its end. Stand-ins and doctor share the machine.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import pytest

from rehearsal.gateway.faults import Fault
from tests.faults.agents import Agent
from tests.faults.project import NAME
from tests.first_hour.estate import Estate, set_up
from tests.unit.steps.conftest import REPOSITORY

LATENCY = 0.05
RUNS = 5


def measure(estate: Estate, variables: Mapping[str, str], *arguments: str) -> tuple[float, int]:
    """Seconds from start to end, and how many requests were made."""
    gateway = estate.server.azure.gateway
    before = gateway.requests.total()
    started = time.perf_counter()
    done = subprocess.run(
        [str(REPOSITORY / ".venv-release/bin/python"), "scripts/doctor.py", "--environment", NAME, *arguments],
        cwd=estate.root,
        env=estate.whole(variables),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return seconds, gateway.requests.total() - before


def compare(estate: Estate, latency: float) -> None:
    """Both forms, with so many seconds added to every request."""
    faults = estate.server.azure.gateway.faults
    estate.server.call(faults.clear)
    if latency:
        estate.server.call(lambda: faults.add(Fault(kind="latency", seconds=latency, times=None)))
    forms = {"whole": (estate.admin, ()), "--short": (estate.pipeline(), ("--short",))}
    for title, (variables, arguments) in forms.items():
        runs = [measure(estate, variables, *arguments) for _ in range(RUNS)]
        seconds, requests = median(one for one, _ in runs), runs[-1][1]
        print(f"{title}, {latency * 1000:.0f} ms per request: {seconds:.2f} s (median of {RUNS}), {requests} requests")


def main() -> int:
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        folder = Path(place) / "estate"
        folder.mkdir()
        agent = Agent(Path(place) / "agent")
        set_up(folder, agent, patch)
        with Estate(folder, agent, patch) as estate:
            estate.release("1.0")
            for latency in (0.0, LATENCY):
                compare(estate, latency)
        agent.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
