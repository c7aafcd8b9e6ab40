"""Runs: what is kept of them, and their states (`/api/2.x/jobs/runs/*`).

A run and each of its tasks has a `phase` (the life cycle), and when it ended a `result`, a termination `code`, its `kind`
(SUCCESS, CLIENT_ERROR, INTERNAL_ERROR) and a message. `run_views` makes the API's shapes of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from rehearsal.store import Collection

Run = dict[str, Any]
Task = dict[str, Any]

BLOCKED, QUEUED, PENDING, RUNNING = "BLOCKED", "QUEUED", "PENDING", "RUNNING"
TERMINATING, WAITING_FOR_RETRY = "TERMINATING", "WAITING_FOR_RETRY"
TERMINATED, SKIPPED, INTERNAL_ERROR = "TERMINATED", "SKIPPED", "INTERNAL_ERROR"
ENDED = (TERMINATED, SKIPPED, INTERNAL_ERROR)
STOPPED = "The rehearsal was stopped while this run was active, as when a cluster is lost."


class Entry(NamedTuple):
    """What a list of runs is ordered and filtered by."""

    start_time: int
    run_id: int
    job_id: int
    run_type: str


class Runs:
    """The runs of one workspace, jobs' runs and submitted ones."""

    def __init__(
        self, runs: Collection, tokens: Collection, new_id: Callable[[], int], clock: Callable[[], float]
    ) -> None:
        self._runs = runs
        self._tokens = tokens
        self._new_id = new_id
        self._clock = clock
        # Task runs have ids of their own: which run holds them.
        self._parents: dict[int, int] = {}
        # Runs that have not ended, as they are now: one with a thousand tasks changes thousands of times.
        self._active: dict[int, Run] = {}
        self._unwritten: set[int] = set()
        # What lists look at, of every run: a list of some reads only those.
        self._index: dict[int, Entry] = {}
        for key in runs:
            run = runs[key]
            self._index[run["run_id"]] = Entry(run["start_time"], run["run_id"], run["job_id"], run["run_type"])
            self._adopt(run, attempts(run))
            if run["phase"] not in ENDED:
                self._active[run["run_id"]] = run

    def _adopt(self, run: Run, tasks: Iterable[Task]) -> None:
        self._parents.update((task["run_id"], run["run_id"]) for task in tasks)

    # -- reading ---------------------------------------------------------------------------------------------------

    def get(self, run_id: int) -> Run | None:
        run: Run | None = self._active.get(run_id) or self._runs.get(str(run_id))
        return run

    def of_task(self, task_run_id: int) -> tuple[Run, Task] | None:
        """The run and the task (also an earlier attempt) that a task's run id means."""
        run = self.get(self._parents.get(task_run_id, -1))
        if run is None:
            return None
        return run, next(task for task in attempts(run) if task["run_id"] == task_run_id)

    def newest(self, wanted: Callable[[Entry], bool] = lambda _: True) -> Iterator[Run]:
        """The runs that are wanted, newest first; each is read when it is asked for."""
        for entry in sorted(filter(wanted, self._index.values()), reverse=True):
            if run := self.get(entry.run_id):
                yield run

    def of_job(self, job_id: int) -> Iterator[Run]:
        """The runs of one job, newest first."""
        return self.newest(lambda entry: entry.job_id == job_id)

    def active(self, job_id: int | None = None) -> list[Run]:
        """Runs that have not ended, oldest first; of one job, or all."""
        runs = [self._active[run_id] for run_id in sorted(self._active)]
        return [run for run in runs if job_id is None or run["job_id"] == job_id]

    def goes_on(self, run_id: int) -> bool:
        return run_id in self._active

    # -- changing --------------------------------------------------------------------------------------------------

    def create(self, **fields: Any) -> Run:
        """Keep a new run of `tasks` (settings of each, already complete); everything starts pending or blocked.

        fields: job_id (0 for a submitted run), run_type, run_name, creator, trigger, run_as (member key), acl, settings, single (it
        is its only task), parameters (see `parameters.Given`), phase, token.
        """
        now = self.now()
        run_id = self._new_id()
        settings = fields["settings"]
        tasks = [self._task(task, run_id if fields["single"] else self._new_id(), 0) for task in settings["tasks"]]
        run: Run = {"run_id": run_id, "start_time": now, "end_time": 0, "phase": PENDING, "result": "", "message": ""}
        run["trigger"] = "ONE_TIME"
        run |= {"code": "", "kind": "", "queue_reason": "", "earlier": [], "iterations": []}
        run |= {name: value for name, value in fields.items() if name != "token"}
        run["tasks"] = tasks
        self._index[run_id] = Entry(now, run_id, run["job_id"], run["run_type"])
        self._adopt(run, tasks)
        self.keep(run)
        self.write()
        if token := fields.get("token"):
            self._tokens[token] = run_id
        return run

    def _task(self, settings: dict[str, Any], run_id: int, attempt: int) -> Task:
        task: Task = {"run_id": run_id, "task_key": settings["task_key"], "attempt": attempt, "settings": settings}
        task |= {"phase": BLOCKED if settings.get("depends_on") else PENDING, "result": "", "message": "", "code": ""}
        task |= {"kind": "", "start_time": self.now(), "end_time": 0, "run_start": 0, "output": None, "values": {}}
        # The attempt that a repair began with, and the repair's id; 0 for the run's own.
        task |= {"first_attempt": 0, "repair": 0}
        return task

    def next_attempt(self, run: Run, task: Task) -> Task:
        """Put a new attempt in the place of a task; the old one stays readable by its own run id."""
        attempt = self._task(task["settings"], self._new_id(), task["attempt"] + 1)
        attempt |= {name: task.get(name, 0) for name in ("first_attempt", "repair")}
        attempt |= {name: task[name] for name in ("of", "input") if name in task}
        run["earlier"].append(dict(task))
        siblings = run["iterations"] if "of" in task else run["tasks"]
        siblings[siblings.index(task)] = attempt
        self._adopt(run, [attempt])
        self.keep(run)
        return attempt

    def iterations(self, run: Run, task: Task, inputs: Iterable[Any]) -> list[Task]:
        """A task run for each input of a for_each_task."""
        settings = task["settings"]["for_each_task"]["task"]
        made = [self._task(settings, self._new_id(), 0) | {"of": task["run_id"], "input": one} for one in inputs]
        run.setdefault("iterations", []).extend(made)
        self._adopt(run, made)
        self.keep(run)
        return made

    def again(self, run: Run, tasks: Iterable[dict[str, Any]], settings: dict[str, Any], parameters: Any) -> int:
        """Open an ended run once more for these tasks, with settings of now. Returns the repair's id."""
        repair_id, places = self._new_id(), {task["task_key"]: n for n, task in enumerate(run["tasks"])}
        ended = {name: run[name] for name in ("end_time", "phase", "result", "message", "code", "kind")}
        begun = run.get("repair") or {"id": 0, "start_time": run["start_time"]}
        run["history"] = [*run.get("history", []), begun | ended]
        for wanted in tasks:
            old = run["tasks"][places[wanted["task_key"]]]
            task = self._task(wanted, self._new_id(), old["attempt"] + 1)
            run["earlier"].append(old)
            run["tasks"][places[wanted["task_key"]]] = task | {"first_attempt": task["attempt"], "repair": repair_id}
        run |= {"settings": settings, "parameters": parameters, "repair": {"id": repair_id, "start_time": self.now()}}
        run |= {"phase": PENDING, "result": "", "message": "", "code": "", "kind": "", "end_time": 0}
        self._adopt(run, run["tasks"])
        self.keep(run)
        return repair_id

    def keep(self, run: Run) -> None:
        """Remember a change. The run of an end is on the disk at once, others with the next `write`."""
        run_id = run["run_id"]
        if run["phase"] in ENDED:
            self._active.pop(run_id, None)
            self._unwritten.discard(run_id)
            self._runs[str(run_id)] = run
        else:
            self._active[run_id] = run
            self._unwritten.add(run_id)

    def write(self) -> None:
        """Write down what was kept. Called before a client is told anything."""
        for run_id in self._unwritten:
            self._runs[str(run_id)] = self._active[run_id]
        self._unwritten.clear()

    def end(self, thing: Run | Task, phase: str, result: str, code: str, kind: str, message: str) -> None:
        """Give a run or a task its end; `keep` the run afterwards."""
        thing |= {"phase": phase, "result": result, "code": code, "kind": kind, "message": message}
        thing["end_time"] = self.now()

    def delete(self, run: Run) -> None:
        del self._runs[str(run["run_id"])]
        del self._index[run["run_id"]]
        for task in attempts(run):
            self._parents.pop(task["run_id"], None)

    def known_token(self, token: str) -> int | None:
        """The run that an idempotency token started; the token stays reserved when that run was deleted."""
        found: int | None = self._tokens.get(token) if token else None
        return found

    def lose_active(self) -> None:
        """End every active run: nothing runs any more, the rehearsal was stopped. Called once, at the start."""
        for run in self.active():
            for task in unfinished(run):
                self.end(task, INTERNAL_ERROR, "FAILED", "CLUSTER_ERROR", "CLOUD_FAILURE", STOPPED)
            self.end(run, INTERNAL_ERROR, "FAILED", "CLUSTER_ERROR", "CLOUD_FAILURE", STOPPED)
            self.keep(run)

    def now(self) -> int:
        return int(self._clock() * 1000)


def attempts(run: Run) -> list[Task]:
    """Every task run of a run: tasks, iterations, and earlier attempts of both."""
    return [*run["tasks"], *run.get("iterations", []), *run["earlier"]]


def unfinished(run: Run) -> list[Task]:
    return [task for task in [*run["tasks"], *run.get("iterations", [])] if task["phase"] not in ENDED]


def tasks_by_key(tasks: Iterable[Task]) -> dict[str, Task]:
    return {task["task_key"]: task for task in tasks}
