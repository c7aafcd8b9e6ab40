"""Runs the integration test from the idle slot, the notebook and then the factory's candidate copies, and notes the result
for exactly the manifest that the notebook read."""

from __future__ import annotations

import argparse
from typing import Any

from slipway.command import Context, run_step
from slipway.domain.check_report import Report, junit, markdown, parse_result
from slipway.domain.environment import Environment
from slipway.domain.job import slot_libraries
from slipway.domain.manifest import candidate_prefix
from slipway.domain.slot import Slot
from slipway.domain.state import SlotRecord, TestResult
from slipway.domain.transition import tested
from slipway.errors import Conflict, NotPossible, SlipwayError, TestFailed, saying
from slipway.services.data_factory_runs import PipelineRuns
from slipway.steps.auditing import audited, noted, row
from slipway.steps.claiming import claim_options
from slipway.steps.factory_test import FactoryTest, runs_of
from slipway.steps.release_source import release_of, target_of
from slipway.steps.runs import describe, runs_reading
from slipway.steps.session import Session, open_session
from slipway.steps.slot_reading import why_not_whole
from slipway.steps.submitted_run import follow, output_of

TASK = "integration_test"
_GRACE_MINUTES = 15
"""How much longer than the test's own limit the run may take, for its cluster to start."""
_FIRST_PAUSE = 0.3
_CANCEL_SECONDS = 300.0
_UNTOUCHED = "Jobs and the live slot were not touched."


def main() -> int:
    return run_step(run, description=__doc__ or "", options=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    claim_options(parser)


def run(context: Context) -> None:
    release = release_of(context)
    session = open_session(context, release.version)
    wheels = slot_libraries(target_of(release, context.environment, session.load().idle))
    run_test(session, release.version, wheels, runs_of(session))


def run_test(session: Session, version: str, libraries: list[dict[str, str]], runs: PipelineRuns | None = None) -> None:
    """The notebook's test, and then the factory's where there are `runs`. Raises TestFailed naming each failed check,
    NotPossible when the idle slot holds no complete `version`, or the factory no copies for it."""
    slot = session.state.idle
    record = candidate_in(session, slot, version)
    body = run_body(session.environment, slot, record, libraries, clean_up=None if runs is None else "later")
    if session.context.what_if:
        session.log.info(f"Would run {body['tasks'][0]['notebook_task']['notebook_path']} for {record.manifest[:12]}.")
        if runs is not None:
            named = ", ".join(session.environment.integration_test.factory_pipelines)
            session.log.info(f"Would then run the candidate copies of {named} in data factory {runs.factory.name}.")
        return
    with audited(session, "test"), session.claimed(), saying(_UNTOUCHED):
        _require_same(session, slot, record)
        factory = None if runs is None else FactoryTest(session, runs, record.manifest)
        if factory is not None:
            factory.prepare()
        with session.log.section(f"Integration test of {version} in {slot}"):
            _end_lost_runs(session, body["run_name"], session.slot_folder(slot))
            if factory is None:
                finished = _run(session, body)
                report = _report(session, finished, record)
            else:
                clean = run_body(session.environment, slot, record, libraries, clean_up="only")
                finished, report = _with_factory(session, factory, body, clean, record)
        _publish_report(session, report, version)
        result = TestResult(
            manifest=record.manifest,
            passed=report.passed,
            at=session.service_time(),
            run=str(finished.get("run_page_url") or f"run {finished.get('run_id')}"),
            checks=len(report.checks),
            failed=tuple(check.name for check in report.failed),
        )
        told = row(
            session,
            "test",
            "passed" if report.passed else "failed",
            commit=record.commit,
            to_slot=slot,
            manifest=record.manifest,
            seconds=session.now() - session.began,
            detail=f"{result.run}: {len(report.checks)} checks; failed: {', '.join(result.failed) or 'none'}",
        )
        session.update_ours(noted(session, lambda state: tested(state, slot, result), told))
        if not report.passed:
            raise _failure(report, version, result.run)
        session.log.info(f"Passed: {len(report.checks)} checks, for manifest {record.manifest[:12]}.")


def _with_factory(
    session: Session, factory: FactoryTest, body: dict[str, Any], clean: dict[str, Any], record: SlotRecord
) -> tuple[dict[str, Any], Report]:
    """The notebook's run and report, with the factory's checks behind it. The notebook keeps what it made when it
    passes; the run `clean` removes it, whatever happens in between."""
    try:
        finished = _run(session, body)
        report = _report(session, finished, record)
        if report.passed:
            report = report.and_then(factory.run())
    except BaseException:
        # An agent that is being stopped has no time to wait; the run ends by itself.
        try:
            session.log.warning(f"The candidate's data is being removed by run {session.workspace.submit_run(clean)}.")
        except SlipwayError as error:
            session.log.warning(f"The candidate's data stays, below {candidate_prefix(record.manifest)}: {error.what}")
        raise
    cleaned = _report(session, _run(session, clean), record)
    known = {check.name for check in report.checks}
    return finished, report.and_then(
        check for check in cleaned.checks if check.outcome != "passed" or check.name not in known
    )


def candidate_in(session: Session, slot: Slot, version: str) -> SlotRecord:
    """The record of the slot, where it is a complete candidate of this version. Raises NotPossible."""
    record = session.state.slots.get(slot)
    if record is None or not record.complete or not record.candidate or record.version != version:
        holds = "nothing complete" if record is None or not record.complete else f"{record.version}"
        if record is not None and record.complete and not record.candidate:
            holds += ", which was switched to already"
        raise NotPossible(
            f"The idle slot of {session.environment.name} ({slot}) does not hold a candidate of {version}: "
            f"it holds {holds}.",
            changed="Nothing was changed.",
            next_step="Publish the release first (scripts/publish_slot.py).",
        )
    return record


def _require_same(session: Session, slot: Slot, record: SlotRecord) -> None:
    """After waiting for the claim: nobody switched or published meanwhile."""
    if session.state.idle != slot or session.state.slots.get(slot) != record:
        raise Conflict(
            f"The slots of {session.environment.name} changed while this test was waiting for the claim.",
            next_step="Look at scripts/status.py; publish and test again.",
        )
    if why := why_not_whole(session, slot, record.manifest):
        raise NotPossible(
            f"Nothing is tested: {why}.",
            next_step="Publish the release again (scripts/publish_slot.py): it puts back what is not as published.",
        )


def run_body(
    environment: Environment,
    slot: Slot,
    record: SlotRecord,
    libraries: list[dict[str, str]],
    *,
    clean_up: str | None = None,
) -> dict[str, Any]:
    """The request of jobs/runs/submit (Jobs API 2.2). `clean_up`, where it is given, is told to the notebook: later (keep
    what a passed test made, for the factory's), only (nothing but clean up)."""
    test = environment.integration_test
    path = f"{environment.databricks.root}/{slot}/{test.notebook.removeprefix('./')}"
    seconds = test.timeout_minutes * 60
    own = {"output_prefix": candidate_prefix(record.manifest)} | ({"clean_up": clean_up} if clean_up else {})
    task = {
        "task_key": TASK,
        "notebook_task": {
            "notebook_path": path,
            "source": "WORKSPACE",
            "base_parameters": {**test.parameters, **own},
        },
        "new_cluster": dict(test.cluster),
        "libraries": libraries,
        "timeout_seconds": seconds,
    }
    return {
        "run_name": f"{environment.app} {environment.name}: integration test of {record.version}",
        "run_as": dict(environment.jobs.run_as),
        "timeout_seconds": seconds + _GRACE_MINUTES * 60,
        "tasks": [task],
    }


def _end_lost_runs(session: Session, name: str, folder: str) -> None:
    """Cancels a run of this test whose agent was killed: two at once would clean up under each other."""
    limit = session.now() + _CANCEL_SECONDS
    lost = _lost_runs(session, name, folder)
    for run in lost:
        session.guard()
        session.log.info(
            f"An earlier start of this test goes on without anybody waiting for it; cancelled: {describe(run)}"
        )
        session.workspace.cancel_run(int(run["run_id"]))
    while lost and (lost := _lost_runs(session, name, folder)):
        if session.now() > limit:
            raise Conflict(
                f"An earlier run of this test does not end: {describe(lost[0])}.",
                changed=_UNTOUCHED,
                next_step="Cancel it in the workspace, then run the step again.",
            )
        session.context.sleep(_FIRST_PAUSE)


def _lost_runs(session: Session, name: str, folder: str) -> list[dict[str, Any]]:
    return [run for run in runs_reading(session, folder) if run.get("run_name") == name]


def _run(session: Session, body: dict[str, Any]) -> dict[str, Any]:
    """Starts the run and waits for its end; a run that is given up is cancelled."""
    session.guard()
    return follow(
        session.workspace,
        session.workspace.submit_run(body),
        log=session.log,
        now=session.now,
        sleep=session.context.sleep,
        limit=body["timeout_seconds"] + 60,
        guard=session.guard,
    )


def _report(session: Session, run: dict[str, Any], record: SlotRecord) -> Report:
    """What the notebook said; a run that ended otherwise is a report with one failed check. Raises ServiceError where the
    service does not say which: nobody knows then whether the test passed."""
    output, message = output_of(session.workspace, run)
    said = (output.get("notebook_output") or {}).get("result")
    trace = output.get("error_trace")
    if trace:
        session.log.info(str(trace))
    return parse_result(
        said, manifest=record.manifest, error=str(output.get("error") or message or "no reason was given")
    )


def _publish_report(session: Session, report: Report, version: str) -> None:
    """The JUnit file for the Tests tab, and the summary on the run's page."""
    log, name = session.log, session.environment.name
    log.results.mkdir(parents=True, exist_ok=True)
    (log.results / f"TEST-integration-{name}.xml").write_bytes(junit(report, suite=f"integration test, {name}"))
    log.summary(markdown(report, environment=name, version=version), name=f"integration-test-{name}")
    for check in report.checks:
        mark = "✓" if check.outcome == "passed" else "✕"
        log.info(f"{mark} {check.name} ({check.seconds:.1f} s) {check.message}".rstrip())


def _failure(report: Report, version: str, run: str) -> TestFailed:
    listed = "".join(f"\n  {check.name}: {check.message or check.outcome}" for check in report.failed)
    pages = dict.fromkeys(url for check in report.failed for url in check.links.values())
    mend = "the pipeline, the notebook or the library" if pages else "the notebook or the library"
    return TestFailed(
        f"The integration test of {version} failed: {len(report.failed)} of {len(report.checks)} checks.{listed}",
        changed=_UNTOUCHED,
        next_step=f"Look at {' and '.join(pages) or run}, correct {mend}, and release again.",
    )
