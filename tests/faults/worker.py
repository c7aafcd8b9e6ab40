"""Runs steps as real processes that can be killed, without paying for Python's start and the imports each time.

One process imports the release code and then forks for each request on its standard input: a line of JSON with `step`,
`arguments`, `variables` (the whole environment), `root`, `output` (a file for both streams). It answers with the process's
`pid`, and when that has ended with its `code` (negative: the signal that killed it). The file that it is started with holds
the seconds by which its clock is ahead.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Mapping
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

# Waiting between attempts is the same with every factor; only tests would last longer.
FASTER = 50.0

_CLIENTS = (
    "azure.identity",
    "azure.storage.blob",
    "azure.mgmt.resource.resources",
    "slipway.services.databricks",
    "slipway.services.storage",
)
_STEPS = (
    "deploy_resources",
    "publish_slot",
    "run_integration_test",
    "switch_slot",
    "rollback",
    "adopt_job",
    "watch_release",
    "provision_secrets",
    "publish_factory_candidate",
    "bootstrap_environment",
    "remove_environment",
    "doctor",
)


def _wait_less() -> None:
    """Before the clients are imported: some keep `time.sleep` as a default argument."""
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(float(seconds) / FASTER)


def _shift_clock(ahead: Path) -> None:
    clock = time.time
    time.time = lambda: clock() + float(ahead.read_text())


def _run(request: Mapping[str, Any]) -> int:
    """In the child: one step, as its script would run it."""
    from slipway.command import run_step

    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.clear()
    os.environ.update(request["variables"])
    step = import_module(f"slipway.steps.{request['step']}")
    root = Path(request["root"])
    if "argv" in signature(step.main).parameters:  # a script that is not for one environment has a door of its own
        return int(step.main(request["arguments"], variables=request["variables"], root=root))
    return run_step(
        getattr(step, "run", None) or getattr(step, request["step"]),
        description="",
        options=getattr(step, "_options", None),
        argv=request["arguments"],
        variables=request["variables"],
        root=root,
    )


def _serve() -> None:
    _wait_less()
    _shift_clock(Path(sys.argv[1]))
    for name in (*_CLIENTS, *(f"slipway.steps.{step}" for step in _STEPS)):
        import_module(name)

    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = _run(request)
            except BaseException:  # a child must never go on as a second server
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        _say({"pid": pid})
        _say({"code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])})


def _say(answer: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _serve()
