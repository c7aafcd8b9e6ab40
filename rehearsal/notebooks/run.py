"""The door: `python -m rehearsal.notebooks.run`, with the run's specification as JSON on standard input.

Writes `log.txt` (what the task prints, secrets redacted, line by line) and, at the end, `result.json` into the
run's scratch folder. Exit code: 0 when result.json was written, also for a notebook that failed; 2 for an unusable
specification.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from rehearsal.notebooks.errors import InvalidSpecification, NotebookNotFound, OutputTooLarge
from rehearsal.notebooks.paths import Folders
from rehearsal.notebooks.per_notebook import PerNotebook
from rehearsal.notebooks.redaction import ByPlace, RedactedStream, Redactor
from rehearsal.notebooks.specification import Specification, read_specification

if TYPE_CHECKING:
    from rehearsal.notebooks.trace import Cells

LONGEST_RESULT = 5 * 1024 * 1024  # docs, jobs/runs/get-output: the first 5 MB of notebook.exit's value
CLUSTER_LIBRARIES = "/local_disk0/.ephemeral_nfs/cluster_libraries/python"  # where the service shows them
LONGEST_ERROR = 256 * 1024  # the service's own limit is not documented
MOST_OUTPUT = 20 * 1024 * 1024  # docs, "Troubleshoot and repair job failures": 20 MB, then the run is marked as failed
# The beginning was seen in runs that clients quote (astronomer-providers issue 460); the rest is unverified.
LIBRARY_FAILED = "Library installation failed for library due to user error. Error messages:\n{library}: {reason}"


def main(standard_input: TextIO, root: Path) -> int:
    """Runs what the specification on standard input says. root: the folder that `rehearsal` was imported from."""
    try:
        specification = read_specification(standard_input.read())
    except InvalidSpecification as error:
        print(f"the run's specification is not usable: {error}", file=sys.stderr)
        return 2
    scratch, redactor, process = specification.scratch, Redactor(), os.getpid()
    scratch.mkdir(parents=True, exist_ok=True)
    with (scratch / "log.txt").open("w", encoding="utf-8") as log, (scratch / "executor.txt").open("w") as executor:
        notebook = RedactedStream(log, redactor, MOST_OUTPUT)
        others = RedactedStream(executor, redactor, MOST_OUTPUT, loses=True)
        outer = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = ByPlace(notebook, others)
        try:
            result = _result(specification, redactor, root, notebook)
        finally:
            sys.stdout, sys.stderr = outer  # a bug in the runner shows where whoever started it looks
            if os.getpid() != process:
                os._exit(1)  # a fork that came back out of the notebook: the run's result is not its to write
            for stream in (notebook, others):
                stream.finish()
    _write(scratch / "result.json", result)
    return 0


def _result(
    specification: Specification, redactor: Redactor, root: Path, printed: RedactedStream
) -> dict[str, Any]:
    folders = _folders(specification)
    result: dict[str, Any] = {
        "state": "SUCCESS",
        "result": None,
        "truncated": False,
        "error": None,
        "error_trace": None,
        "task_values": {},
    }
    _prepare_process(specification, folders, root)
    directories = PerNotebook("/")
    from rehearsal.notebooks.libraries import LibraryProblem
    from rehearsal.notebooks.python_files import MappedFiles
    from rehearsal.notebooks.runtime_modules import explain_missing
    from rehearsal.notebooks.task import Task, cannot_access

    task = Task(specification, folders, directories, redactor)
    try:
        for library in specification.libraries:
            try:
                task.libraries.install_task_library(library)
            except LibraryProblem as problem:
                name = next(iter(library.values()), "")
                text = LIBRARY_FAILED.format(library=name if isinstance(name, str) else json.dumps(name), reason=problem)
                return {**result, "state": "FAILED", "code": "LIBRARY_INSTALLATION_ERROR", "error": text}
        MappedFiles(folders, directories).install()
        explain_missing()
        value = task.run()
        if value is not None:
            # A secret as the exit value: redacted like other output (the service's behaviour is unverified).
            redacted = redactor(value)
            result["result"] = redacted.encode()[:LONGEST_RESULT].decode("utf-8", "ignore")
            result["truncated"] = len(result["result"]) < len(redacted)
        if printed.full:
            raise OutputTooLarge(MOST_OUTPUT + 1, MOST_OUTPUT)  # whoever swallowed it the first time
    except NotebookNotFound as error:
        text = str(error)
        result.update(state="FAILED", error=cannot_access(text) if text.startswith("/") else text)
    except (Exception, SystemExit, KeyboardInterrupt, OutputTooLarge) as error:
        result.update(state="FAILED", result=None, truncated=False, **_told(error, task.cells, redactor, folders))
    printed.lift()
    if result["state"] == "FAILED":
        print(result["error_trace"] or result["error"])
    result["task_values"] = task.task_values.set_here
    return result


def _told(error: BaseException, cells: Cells, redactor: Redactor, folders: Folders) -> dict[str, str]:
    """`error` and `error_trace` of what ended the run."""
    from rehearsal.notebooks.spark_paths import real_folders
    from rehearsal.notebooks.trace import hide_places, of_a_library, one_line, user_trace

    real = real_folders(folders) | {str(folders.disk.parent / "libraries"): CLUSTER_LIBRARIES}
    place = cells.place(error)
    trace = user_trace(error) if place or of_a_library(error, folders.disk.parent) else ""
    trace = hide_places(redactor(f"{place}\n{trace}" if place else trace), real)
    text = hide_places(redactor(one_line(error)), real)
    return {"error": _cut(text), "error_trace": _cut(trace or text)}


def _cut(text: str) -> str:
    """Without its middle when it is very long: an error may quote a whole file."""
    if len(text) <= LONGEST_ERROR:
        return text
    half = LONGEST_ERROR // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def _folders(specification: Specification) -> Folders:
    return Folders(
        files=specification.workspace / "files",
        notebooks=specification.workspace / "notebooks",
        dbfs=specification.dbfs,
        volumes=specification.volumes,
        datasets=specification.datasets,
        spare=specification.scratch / "folders",
        disk=_folder(specification.scratch / "local_disk0"),
    )


def _prepare_process(specification: Specification, folders: Folders, root: Path) -> None:
    """One thread per numeric library, the notebook's folder as the directory for code in C, no rehearsal on
    sys.path.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # two fits at once on two cores can crawl otherwise
    installed = tuple(str(Path(each)) for each in (sys.prefix, sys.base_prefix))
    sys.path[:] = [each for each in sys.path if each.startswith(installed) or not _within(each, root)]
    place = folders.local(specification.folder)
    if place is not None and place.real.is_dir():
        os.chdir(place.real)
    else:
        folders.spare.mkdir(parents=True, exist_ok=True)
        os.chdir(folders.spare)


def _within(path: str, root: Path) -> bool:
    return Path(path).absolute().is_relative_to(root)


def _folder(path: Path) -> Path:
    (path / "tmp").mkdir(parents=True, exist_ok=True)
    return path


def _write(path: Path, result: dict[str, Any]) -> None:
    """Whole or not at all: whoever waits for the file never reads half of it."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(result), encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    code = main(sys.stdin, Path(__file__).parents[2])
    # Not the usual way out: a child notebook's thread, or Spark's own threads, must not keep a finished run waiting.
    sys.__stdout__.flush() if sys.__stdout__ else None
    os._exit(code)
