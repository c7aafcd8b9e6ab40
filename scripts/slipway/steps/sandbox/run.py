"""Runs a notebook of a sandbox: submits it, waits, prints what it said."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from slipway.domain.sandbox import Comparison, compare
from slipway.domain.sandbox_names import bad_part, prefix_of
from slipway.domain.sandbox_text import shown
from slipway.errors import NotPossible, TestFailed, UsageError
from slipway.steps.sandbox.place import Place
from slipway.steps.sandbox.reading import LIBRARY, NOTEBOOKS, read_here
from slipway.steps.submitted_run import follow, output_of

TASK = "sandbox"
_PREFIX = "output_prefix"
_UNTOUCHED = "Jobs and slots were not touched."


def run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("notebook", metavar="NOTEBOOK", help="its file, or its name below notebooks/")
    parser.add_argument(
        "--parameter", action="append", default=[], metavar="KEY=VALUE", help="of the notebook; repeatable"
    )
    parser.add_argument("--cluster", metavar="ID", help="a cluster that is there (default: a new one, as the test's)")


def run_notebook(place: Place) -> None:
    """Raises TestFailed with the notebook's error, NotPossible where it does not lie in the sandbox."""
    key = _key(place.context.arguments.notebook)
    parameters = _parameters(place, key)
    _warn_of_unpushed(place)
    info = place.workspace.get_status(f"{place.folder}/{key}") if place.exists else None
    if info is None or info.object_type != "NOTEBOOK":
        raise NotPossible(
            f"{place.folder} holds no notebook {shown(key)}" + (f" (it is a {info.object_type})." if info else "."),
            changed="Nothing was run.",
            next_step="python scripts/sandbox.py push brings it there. A notebook begins with `# Databricks notebook source`.",
        )
    body = _body(place, key, parameters)
    if place.context.what_if:
        place.log.info(f"Would run {body['tasks'][0]['notebook_task']['notebook_path']} with {parameters}.")
        return
    _run(place, key, body)


def _key(asked: str) -> str:
    """`score`, `./notebooks/score` and `notebooks/score.py` are all notebooks/score. Raises UsageError."""
    path = asked.removeprefix("./").removeprefix(f"{NOTEBOOKS}/")
    for ending in (".py", ".sql", ".scala", ".r", ".R"):
        path = path.removesuffix(ending)
    if any(bad_part(part) for part in path.split("/")):
        raise UsageError(f"{asked!r} names no notebook of the sandbox.", changed="Nothing was run.")
    return f"{NOTEBOOKS}/{path}"


def _parameters(place: Place, key: str) -> dict[str, str]:
    """What the notebook is given: those of the integration test where it is that, a prefix of the developer's own for what it
    writes, and what was named. Raises UsageError."""
    test = place.context.environment.integration_test
    own = prefix_of(place.who.partition("@")[0])
    parameters = {_PREFIX: f"sandbox/{own}"}
    if key == test.notebook.removeprefix("./"):
        # It takes everything below its prefix away, and wants it below candidate/; a slot's has the manifest's hash there.
        parameters = {**test.parameters, _PREFIX: f"candidate/sandbox-{own}"}
    for text in place.context.arguments.parameter:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise UsageError(f"--parameter {text!r} is not KEY=VALUE.", changed="Nothing was run.")
        parameters[name] = value
    return parameters


def _warn_of_unpushed(place: Place) -> None:
    """Without a request: what differs here from what was last in step."""
    here = read_here(place.root)
    known = {key: pair for key, pair in place.record.objects.items() if key.startswith(f"{NOTEBOOKS}/")}
    compared: Mapping[str, Comparison] = compare(here.items, {key: pair.there for key, pair in known.items()}, known)
    changed = [here.paths.get(key) or key for key, one in compared.items() if one.outcome == "here"]
    if changed:
        more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
        place.log.warning(f"Changed here and not pushed, so not run: {', '.join(map(shown, changed[:5]))}{more}.")


def _body(place: Place, key: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    """The request of jobs/runs/submit. It runs as the caller."""
    environment, cluster = place.context.environment, place.context.arguments.cluster
    test = environment.integration_test
    wheels = sorted(
        info.path for info in place.workspace.list(f"{place.folder}/{LIBRARY}") if info.path.endswith(".whl")
    )
    task = {
        "task_key": TASK,
        "notebook_task": {
            "notebook_path": f"{place.folder}/{key}",
            "source": "WORKSPACE",
            "base_parameters": dict(parameters),
        },
        "libraries": [{"whl": path if path.startswith("/Workspace/") else f"/Workspace{path}"} for path in wheels],
        "timeout_seconds": test.timeout_minutes * 60,
    }
    if cluster:
        if wheels:
            place.log.info(
                "A cluster that runs keeps the wheel that it installed first: restart it after the library changed."
            )
        task["existing_cluster_id"] = cluster
    else:
        task["new_cluster"] = dict(test.cluster)
    return {"run_name": f"{environment.app}: {key} in the sandbox of {place.who}", "tasks": [task]}


def _run(place: Place, key: str, body: dict[str, Any]) -> None:
    log, workspace = place.log, place.workspace
    with log.section(f"Running {shown(key)}"):
        log.info(
            f"with {', '.join(f'{k}={v}' for k, v in body['tasks'][0]['notebook_task']['base_parameters'].items())}"
        )
        run = follow(
            workspace,
            workspace.submit_run(body),
            log=log,
            now=place.context.clock,
            sleep=place.context.sleep,
            # A cluster takes some minutes to start, before the task's own limit begins.
            limit=body["tasks"][0]["timeout_seconds"] + 15 * 60,
        )
        output, message = output_of(workspace, run)
    result = (output.get("notebook_output") or {}).get("result")
    if result:
        log.result(str(result))
    state = (run.get("state") or {}).get("result_state", "")
    if state == "SUCCESS":
        return
    if output.get("error_trace"):
        log.info(str(output["error_trace"]))
    raise TestFailed(
        f"{shown(key)} ended as {state or 'unknown'}: {output.get('error') or message or 'no reason was given'}",
        changed=_UNTOUCHED,
        next_step=f"Look at {run.get('run_page_url') or 'the run in the workspace'}.",
    )
