"""What Azure DevOps keeps of pipeline runs: the runs, their artifacts and their test runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from rehearsal.pipelines import events
from rehearsal.store import Store

Json = dict[str, Any]
T = TypeVar("T")
# learn.microsoft.com/rest/api/azure/devops/build/builds, BuildResult
_RESULTS = {
    "succeeded": "succeeded",
    "succeededWithIssues": "partiallySucceeded",
    "failed": "failed",
    "canceled": "canceled",
}
# learn.microsoft.com/rest/api/azure/devops/test/results, outcome
_OUTCOMES = {"passed": "Passed", "failed": "Failed", "error": "Failed", "skipped": "NotExecuted"}


class Runs:
    """Written by the agent while a pipeline runs, read and written by clients."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self.builds = store.collection("azure_devops/builds")
        self.artifacts = store.collection("azure_devops/artifacts")
        self.test_runs = store.collection("azure_devops/test_runs")

    def now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def begin(self, number: int, build_number: str, pipeline: str) -> None:
        self.builds[str(number)] = {
            "id": number,
            "buildNumber": build_number,
            "definition": pipeline,
            "status": "inProgress",
            "startTime": self.now(),
        }

    def finish(self, number: int, result: str) -> None:
        build = self.builds.get(str(number))
        if build is not None:
            ended = {"status": "completed", "result": _RESULTS.get(result, "none"), "finishTime": self.now()}
            self.builds[str(number)] = build | ended

    def add_artifact(self, number: int, name: str, folder: str, size: int) -> None:
        record = {"id": self._store.next_id("azure_devops/artifact"), "name": name, "folder": folder, "size": size}
        self.artifacts[f"{number}/{name}"] = record

    def artifacts_of(self, number: int) -> list[Json]:
        return [record for key, record in self.artifacts.items() if key.startswith(f"{number}/")]

    def add_test_run(self, name: str, build: int | None, *, automated: bool, state: str) -> Json:
        number = self._store.next_id("azure_devops/test_run")
        record = {
            "id": number,
            "name": name,
            "build": build,
            "automated": automated,
            "state": state,
            "started": self.now(),
            "completed": self.now() if state == "Completed" else None,
            "results": [],
        }
        self.test_runs[str(number)] = record
        return record

    def add_results(self, number: int, results: Sequence[Mapping[str, Any]]) -> list[Json]:
        """Results get numbers from 100000 on, as the service gives them."""
        record = self.test_runs[str(number)]
        first = 100_000 + len(record["results"])
        added = [{**result, "id": first + place} for place, result in enumerate(results)]
        record["results"] += added
        self.test_runs[str(number)] = record
        return added

    def change_test_run(self, number: int, **changes: Any) -> Json:
        record: Json = self.test_runs[str(number)] | changes
        if changes.get("state") == "Completed":
            record["completed"] = self.now()
        self.test_runs[str(number)] = record
        return record


class RunKeeper:
    """Listens to a pipeline run and tells Azure DevOps of it. `call` runs a function where the stand-ins live."""

    def __init__(self, runs: Runs, number: int, pipeline: str, call: Callable[[Callable[[], None]], None]) -> None:
        self._runs = runs
        self._number = number
        self._pipeline = pipeline
        self._call = call

    def on_event(self, event: events.Event) -> None:
        runs, number = self._runs, self._number
        match event:
            case events.RunStarted(build_number=build_number):
                self._call(lambda: runs.begin(number, build_number, self._pipeline))
            case events.ArtifactPublished():
                self._call(lambda: runs.add_artifact(number, event.name, str(event.folder), event.bytes))
            case events.TestResults():
                self._call(lambda: self._publish(event))
            case _:
                pass

    def finish(self, result: str) -> None:
        self._call(lambda: self._runs.finish(self._number, result))

    def _publish(self, event: events.TestResults) -> None:
        run = self._runs.add_test_run(event.title, self._number, automated=True, state="Completed")
        results = [
            {
                "testCaseTitle": case.name,
                "automatedTestName": f"{case.classname}.{case.name}" if case.classname else case.name,
                "automatedTestStorage": case.classname,
                "outcome": _OUTCOMES[case.outcome],
                "state": "Completed",
                "durationInMs": round(case.seconds * 1000, 3),
                **({"errorMessage": case.message} if case.message else {}),
            }
            for case in event.cases
        ]
        self._runs.add_results(run["id"], results)
