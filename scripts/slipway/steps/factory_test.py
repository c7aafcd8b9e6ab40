"""The factory's part of the integration test: candidate copies of the configured pipelines run on what the notebook made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slipway.domain.check_report import Check
from slipway.domain.factory.candidate import candidate_id, candidate_name
from slipway.domain.factory.objects import Kind
from slipway.domain.factory.pipeline_test import (
    PipelineRun,
    called_run,
    check_parameters,
    checks_of,
    declared_by,
    given_parameters,
)
from slipway.domain.manifest import candidate_prefix
from slipway.errors import AuthenticationError, Conflict, Finding, NotPossible, ReleaseError, ServiceError
from slipway.services.data_factory_runs import ENDED, PipelineRuns
from slipway.steps.session import Session

_FIRST_PAUSE, _LONGEST_PAUSE = 0.3, 10.0
_CANCEL_SECONDS = 300.0
_NOTHING_RUN = "No pipeline was started."


def runs_of(session: Session) -> PipelineRuns | None:
    """The factory's runs, where the environment's test has a part for it; no request yet."""
    environment = session.environment
    if environment.data_factory.source == "none" or not environment.integration_test.factory_pipelines:
        return None
    return PipelineRuns(session.factory)


class FactoryTest:
    """The test of one candidate. `manifest`: its slot's manifest hash."""

    def __init__(self, session: Session, runs: PipelineRuns, manifest: str) -> None:
        self._session, self._runs = session, runs
        self._prefix = candidate_prefix(manifest)
        self._limit = session.environment.integration_test.timeout_minutes * 60
        identity = candidate_id(manifest)
        wanted = session.environment.integration_test.factory_pipelines
        self._wanted = {candidate_name(Kind.PIPELINES, name, identity): (name, given) for name, given in wanted.items()}
        self._suffix = candidate_name(Kind.PIPELINES, "", identity)
        self._parameters: dict[str, Mapping[str, str]] = {}

    def prepare(self) -> None:
        """Looks whether all copies are there and take their parameters, and ends runs that an earlier start of this
        test left behind. Raises NotPossible, ReleaseError, Conflict."""
        findings: list[Finding] = []
        missing = []
        for copy, (name, given) in self._wanted.items():
            found = self._runs.factory.ask("GET", f"/pipelines/{copy}", f"reading pipeline {copy}", missing=True)
            if found is None:
                missing.append(name)
                continue
            declared = declared_by(found.get("properties") or {})
            findings += check_parameters(name, declared, given)
            self._parameters[copy] = given_parameters(declared, given, self._prefix)
        factory = self._runs.factory.name
        if missing:
            raise NotPossible(
                f"Data factory {factory} has no copy of {', '.join(missing)} for this candidate.",
                changed=_NOTHING_RUN,
                next_step="Run scripts/publish_factory_candidate.py --environment "
                f"{self._session.environment.name} first.",
            )
        if findings:
            raise ReleaseError(f"The pipelines of the test in data factory {factory} can't be started.", findings)
        self._end_lost_runs()

    def run(self) -> list[Check]:
        """Runs the pipelines, one after the other in the configuration's order, also when one fails."""
        return [check for copy in self._wanted for check in self._run_one(copy)]

    def _run_one(self, copy: str) -> list[Check]:
        session, name = self._session, self._wanted[copy][0]
        session.guard()
        try:
            run_id = self._runs.start(copy, self._parameters[copy])
        except (AuthenticationError, Conflict):
            raise
        except ServiceError as error:
            return [Check(name=name, outcome="error", message=f"it could not be started: {error.what}")]
        page = self._runs.page(run_id)
        session.log.info(f"pipeline {name}: run {run_id} {page}")
        try:
            ended = self._wait(run_id, session.now() + self._limit)
            if ended is None:
                return self._given_up(name, run_id)
            return checks_of(ended)
        except BaseException:
            self._runs.cancel(run_id)
            raise

    def _given_up(self, name: str, run_id: str) -> list[Check]:
        """Cancels a run that took too long; what its activities did until then."""
        self._runs.cancel(run_id)
        minutes = self._limit // 60
        ended = self._wait(run_id, self._session.now() + _CANCEL_SECONDS)
        text = f"did not end within {minutes} minutes (integration_test.timeout_minutes); it was cancelled"
        if ended is None:
            text += f", and has not ended {_CANCEL_SECONDS / 60:.0f} minutes later"
        late = Check(
            name=name,
            outcome="error",
            seconds=float(self._limit),
            message=text,
            links={"Data Factory": self._runs.page(run_id)},
        )
        return [*(checks_of(ended) if ended is not None else ()), late]

    def _wait(self, run_id: str, until: float) -> PipelineRun | None:
        """The run when it has ended, and with it those that it started; None when `until` comes first."""
        run = self._ended(run_id, until)
        if run is None:
            return None
        activities = self._runs.activities(run_id, now=self._session.service_time())
        called: dict[str, PipelineRun] = {}
        for activity in activities:
            below = called_run(activity)
            if below is not None:
                # Also one that nobody waited for: it works on the candidate's data.
                found = self._wait(below, until)
                if found is None:
                    return None
                called[str(activity.get("activityRunId"))] = found
        return PipelineRun(
            pipeline=self._name(str(run.get("pipelineName") or "")),
            status=str(run.get("status")),
            message=str(run.get("message") or ""),
            page=self._runs.page(run_id),
            seconds=float(run.get("durationInMs") or 0) / 1000,
            activities=activities,
            called=called,
        )

    def _ended(self, run_id: str, until: float) -> Mapping[str, Any] | None:
        session, pause, told = self._session, _FIRST_PAUSE, ""
        while True:
            run = self._runs.get(run_id)  # None: made a moment ago, and not to be seen yet
            status = str((run or {}).get("status") or "Queued")
            if run is not None and status in ENDED:
                return run
            if status != told:
                session.log.detail(f"run {run_id}: {status}")
                told = status
            if session.now() > until:
                return None
            session.guard()
            session.context.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 1.3)

    def _name(self, pipeline: str) -> str:
        """A pipeline's own name, for a copy's too."""
        if pipeline in self._wanted:
            return self._wanted[pipeline][0]
        return pipeline.removesuffix(self._suffix)

    def _end_lost_runs(self) -> None:
        """Cancels runs of a start of this test whose agent was killed: two at once would write over each other."""
        session = self._session
        limit = session.now() + _CANCEL_SECONDS
        lost = self._active()
        for run in lost:
            session.guard()
            session.log.info(
                "An earlier start of this test goes on without anybody waiting for it; cancelled: run "
                f"{run.get('runId')} of pipeline {run.get('pipelineName')}"
            )
            self._runs.cancel(str(run.get("runId")))
        while lost and (lost := self._active()):
            if session.now() > limit:
                raise Conflict(
                    f"An earlier run of this test does not end: {self._runs.page(str(lost[0].get('runId')))}",
                    changed=_NOTHING_RUN,
                    next_step="Cancel it in Data Factory Studio, then run the step again.",
                )
            session.context.sleep(_FIRST_PAUSE)

    def _active(self) -> Sequence[Mapping[str, Any]]:
        return self._runs.active(list(self._wanted), now=self._session.service_time())
