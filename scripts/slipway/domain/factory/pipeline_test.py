"""The factory's part of a release's test: what its pipelines are started with, and what their runs say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from slipway.domain.check_report import Check
from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.errors import Finding

CONFIGURED = "integration_test.factory_pipelines"
# Parameters that get the candidate's own prefix by themselves, in any case.
_PREFIX = frozenset({"outputprefix", "output_prefix"})


def given_parameters(declared: Mapping[str, Any], given: Mapping[str, str], prefix: str) -> dict[str, str]:
    """What a run is started with: what is `given`, and `prefix` where the pipeline has a parameter for it that is not."""
    taken = {name.lower() for name in given}
    own = {name: prefix for name in declared if name.lower() in _PREFIX and name.lower() not in taken}
    return {**own, **given}


def check_parameters(pipeline: str, declared: Mapping[str, Any], given: Mapping[str, str]) -> list[Finding]:
    """Parameters that the pipeline does not have (the service says nothing of them), and those that nothing gives."""
    known = {name.lower() for name in declared}
    where, has = f"{CONFIGURED}.{pipeline}", ", ".join(declared) or "none"
    findings = [
        Finding("the configuration", f"{where}.{name}", f"the pipeline has no such parameter; it has {has}")
        for name in given
        if name.lower() not in known
    ]
    filled = {name.lower() for name in given_parameters(declared, given, "")}
    return findings + [
        Finding("the configuration", f"{where}.{name}", "is missing: the pipeline has no default for it")
        for name, about in declared.items()
        if name.lower() not in filled and not (isinstance(about, Mapping) and "defaultValue" in about)
    ]


def check_pipelines(wanted: Mapping[str, Mapping[str, str]], objects: Iterable[FactoryObject]) -> list[Finding]:
    """What is wrong with the configured pipelines that the source has; those that it has not are found elsewhere."""
    found = {item.name.lower(): item for item in objects if item.kind is Kind.PIPELINES}
    return [
        finding
        for name, given in wanted.items()
        if name.lower() in found
        for finding in check_parameters(name, declared_by(found[name.lower()].properties), given)
    ]


def declared_by(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """A pipeline's own parameters."""
    declared = properties.get("parameters")
    return declared if isinstance(declared, Mapping) else {}


@dataclass(frozen=True)
class PipelineRun:
    """A run that has ended, or was given up. `activities`: activity runs as the service gives them, with the runs of
    other pipelines that they started by activity run id; `page`: where Studio shows it."""

    pipeline: str
    status: str
    message: str
    page: str
    seconds: float
    activities: Sequence[Mapping[str, Any]] = ()
    called: Mapping[str, PipelineRun] | None = None

    @property
    def succeeded(self) -> bool:
        return self.status == "Succeeded"


def called_run(activity: Mapping[str, Any]) -> str | None:
    """The id of the run that an ExecutePipeline activity started."""
    if str(activity.get("activityType")).lower() != "executepipeline":
        return None
    found = _output(activity).get("pipelineRunId")
    return str(found) if found else None


def checks_of(run: PipelineRun) -> list[Check]:
    """A check for each activity run, those of called pipelines too; and one for the pipeline where those don't say what
    became of it: it has no activity, or did not succeed although none failed."""
    checks = _numbered(_activity_checks(run))
    if not run.succeeded and all(check.outcome == "passed" for check in checks):
        message = run.message or f"the run is {run.status}"
        checks.append(_of_pipeline(run, "failed" if run.status == "Failed" else "error", message))
    return checks or [_of_pipeline(run, "passed", "it has no activity that runs")]


def _of_pipeline(run: PipelineRun, outcome: Literal["passed", "failed", "error"], message: str) -> Check:
    return Check(
        name=run.pipeline, outcome=outcome, seconds=run.seconds, message=message, links={"Data Factory": run.page}
    )


def _activity_checks(run: PipelineRun) -> Iterator[Check]:
    for activity in run.activities:
        outcome, message = _judge(activity, run)
        page = _output(activity).get("runPageUrl")
        yield Check(
            name=f"{run.pipeline} / {activity.get('activityName')}",
            outcome=outcome,
            seconds=_seconds(activity),
            message=message,
            links={**({"notebook": str(page)} if page else {}), "Data Factory": run.page},
        )
        called = (run.called or {}).get(str(activity.get("activityRunId")))
        if called is not None:
            yield from _called_checks(called)


def _called_checks(run: PipelineRun) -> Iterator[Check]:
    """Those of a pipeline that another one called. One that was not waited for may have failed by itself."""
    checks = list(_activity_checks(run))
    yield from checks
    if not run.succeeded and all(check.outcome == "passed" for check in checks):
        yield _of_pipeline(run, "error", run.message or f"the run is {run.status}")


def _judge(activity: Mapping[str, Any], run: PipelineRun) -> tuple[Literal["passed", "failed", "error"], str]:
    """A failure counts where the pipeline failed with it: else a further attempt, or another path, was there for it."""
    status = str(activity.get("status") or "without a status")
    error = activity.get("error") if isinstance(activity.get("error"), Mapping) else {}
    said = str((error or {}).get("message") or "")
    code = str((error or {}).get("errorCode") or "")
    text = f"{code}: {said}" if code and said else said or status
    if status == "Succeeded":
        return "passed", ""
    if run.succeeded:
        return "passed", f"{status}, and the pipeline went on: {text}" if text != status else status
    if status == "Failed":
        return "failed", text
    if status in ("Skipped", "Inactive"):
        return "passed", status
    return "error", text


def _numbered(checks: Iterable[Check]) -> list[Check]:
    """Attempts and turns of a loop get a number, so that each has a name of its own."""
    seen: dict[str, int] = {}
    result = []
    for check in checks:
        seen[check.name] = number = seen.get(check.name, 0) + 1
        result.append(check if number == 1 else replace(check, name=f"{check.name} ({number})"))
    return result


def _output(activity: Mapping[str, Any]) -> Mapping[str, Any]:
    output = activity.get("output")
    return output if isinstance(output, Mapping) else {}


def _seconds(activity: Mapping[str, Any]) -> float:
    milliseconds = activity.get("durationInMs")
    return milliseconds / 1000 if isinstance(milliseconds, int | float) else 0.0
