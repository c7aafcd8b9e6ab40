"""Scripts, wheels and notebooks that behave badly: the runner as a process, with Spark."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.rehearsal.notebooks.conftest import REPOSITORY, Bench, make_wheel

CELL = "\n\n# COMMAND ----------\n\n"
SCRIPT = """
import sys
from pathlib import Path
from beside import LIMIT
from pyspark.sql import SparkSession
assert SparkSession.builder.getOrCreate() is not None
print(sys.argv, LIMIT, __name__, Path.cwd(), "__file__" in globals(), spark.range(LIMIT).count())
dbutils.jobs.taskValues.set("rows", LIMIT)
sys.exit(int(sys.argv[1]))
"""


def test_a_script_runs_beside_its_modules_and_fails_when_it_exits(bench: Bench) -> None:
    bench.file("workspace/files/App/job.py", SCRIPT)
    bench.file("workspace/files/App/beside.py", "LIMIT = 3\n")
    program = {"path": "/Workspace/App/job.py", "arguments": ["0"]}
    outcome = bench.run("", program=program)
    assert outcome.log.startswith("['/Workspace/App/job.py', '0'] 3 __main__ /Workspace/App False 3\n")
    assert (outcome.result["state"], outcome.result["error"]) == ("FAILED", "SystemExit: 0")
    assert outcome.result["error_trace"].startswith("/Workspace/App/job.py, line 9\nTraceback")
    assert outcome.result["task_values"] == {"rows": 3}


WHEEL = {
    "sample_job/__init__.py": "def direct():\n    print('direct')\n",
    "sample_job/main.py": "import sys\n\ndef main():\n    print(sys.argv[1:])\n    raise ValueError('no rows')\n",
    "sample_job-1.0.dist-info/entry_points.txt": "[console_scripts]\nrun = sample_job.main:main\n",
}


def test_a_wheel_is_entered_by_its_entry_point_or_by_the_name_of_a_function(bench: Bench) -> None:
    make_wheel(bench.root / "workspace/files/App", "sample_job", "1.0", WHEEL)
    libraries = [{"whl": "/Workspace/App/sample_job-1.0-py3-none-any.whl"}]
    program = {"package": "sample_job", "entry_point": "run", "arguments": ["--a=1", "b"]}
    outcome = bench.run("", program=program, libraries=libraries)
    assert outcome.log.startswith("['--a=1', 'b']\n")
    assert outcome.result["error"] == "ValueError: no rows"
    shown = 'File "/local_disk0/.ephemeral_nfs/cluster_libraries/python/sample_job/main.py", line 5, in main'
    assert shown in outcome.result["error_trace"]
    assert str(bench.root) not in outcome.result["error_trace"]
    outcome = bench.run("", program=program | {"entry_point": "direct"}, libraries=libraries)
    assert (outcome.result["state"], outcome.log) == ("SUCCESS", "direct\n")


@pytest.mark.release
def test_a_script_and_its_wheel_on_dbfs(bench: Bench) -> None:
    make_wheel(bench.root / "dbfs/jars", "sample_old", "1.0", {"sample_old.py": "VALUE = 7\n"})
    bench.file("dbfs/scripts/job.py", "import sample_old\nprint(sample_old.VALUE)")
    outcome = bench.run(
        "",
        program={"path": "dbfs:/scripts/job.py", "arguments": []},
        libraries=[{"whl": "dbfs:/jars/sample_old-1.0-py3-none-any.whl"}],
        dbfs_libraries=True,
    )
    assert (outcome.result["state"], outcome.log) == ("SUCCESS", "7\n")


@pytest.mark.release
def test_a_bad_wheel_is_a_failed_installation(bench: Bench) -> None:
    bench.notebook("App/main", "print('never')")
    bench.file("workspace/files/App/bad-1.0-py3-none-any.whl", "no ZIP")
    outcome = bench.run("/App/main", libraries=[{"whl": "/Workspace/App/bad-1.0-py3-none-any.whl"}])
    assert outcome.result["code"] == "LIBRARY_INSTALLATION_ERROR"
    assert outcome.result["error"].startswith("Library installation failed for library due to user error.")
    assert "not a ZIP file" in outcome.result["error"]


RESTARTED = CELL.join(
    [
        "# MAGIC %pip install ./sample_version-1.0-py3-none-any.whl",
        "import sample_version\nfirst = sample_version.VERSION",
        "# MAGIC %pip install ./sample_version-2.0-py3-none-any.whl",
        "dbutils.library.restartPython()",
        "import sample_version\nassert 'first' not in globals()\ndbutils.notebook.exit(sample_version.VERSION)",
    ]
)


def versions(bench: Bench) -> None:
    for version in ("1.0", "2.0"):
        text = f"VERSION = '{version}'\n"
        make_wheel(bench.root / "workspace/files/App", "sample_version", version, {"sample_version.py": text})


def test_a_restart_imports_anew(bench: Bench) -> None:
    versions(bench)
    bench.notebook("App/main", RESTARTED)
    assert bench.run("/App/main").result["result"] == "2.0"


def test_two_runs_with_two_versions_at_once_do_not_see_each_other(bench: Bench) -> None:
    versions(bench)
    # Each waits until the other has imported its version.
    wait = "import os\nmine, other = dbutils.widgets.get('mine'), dbutils.widgets.get('other')\n"
    wait += "with open(mine, 'w') as pipe:\n    pipe.write(sample_version.VERSION)\n"
    wait += "dbutils.notebook.exit(sample_version.VERSION)"
    bench.notebook("App/main", "import sample_version\n" + wait)
    processes = []
    for version in ("1.0", "2.0"):
        (bench.root / version).mkdir()
        wheel = f"/Workspace/App/sample_version-{version}-py3-none-any.whl"
        specification = bench.specification(
            "/App/main",
            libraries=[{"whl": wheel}],
            scratch=str(bench.root / version),
            parameters={"mine": str(bench.root / version / "imported"), "other": ""},
        )
        process = subprocess.Popen(
            bench.command(), stdin=subprocess.PIPE, cwd=REPOSITORY, env=dict(bench.variables()), text=True
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(specification))
        process.stdin.close()
        processes.append(process)
    assert [process.wait(60) for process in processes] == [0, 0]
    results = [json.loads((bench.root / version / "result.json").read_text())["result"] for version in ("1.0", "2.0")]
    assert results == ["1.0", "2.0"]


@pytest.mark.release
def test_a_fork_that_comes_back_writes_no_result(bench: Bench) -> None:
    text = "import os, time\nchild = os.fork()\nif child == 0:\n    dbutils.notebook.exit('child')\n"
    bench.notebook("App/main", text + "os.waitpid(child, 0)\ndbutils.notebook.exit('parent')")
    assert bench.run("/App/main").result["result"] == "parent"


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    print('x' * 30_000_000)\nexcept BaseException:\n    pass",
        pytest.param("while True:\n    print('x' * 1_000_000)", marks=pytest.mark.release),
        pytest.param("# MAGIC %sh yes", marks=pytest.mark.release),
    ],
)
def test_more_output_than_the_service_takes_fails_the_run(bench: Bench, text: str) -> None:
    bench.notebook("App/main", text)
    outcome = bench.run("/App/main")
    assert outcome.result["state"] == "FAILED"
    assert outcome.result["error"].startswith("OutputTooLarge: The output of the task is too large")
    assert len(outcome.log) < 22_000_000


@pytest.mark.release
def test_errors_that_are_very_long_are_cut(bench: Bench) -> None:
    bench.notebook("App/main", "raise ValueError('x' * 10_000_000)")
    result = bench.run("/App/main").result
    assert result["error"].startswith("ValueError: xxx")
    assert "characters left out" in result["error"]
    assert len(json.dumps(result)) < 1_000_000


@pytest.mark.release
def test_deep_recursion_and_broken_syntax_are_told_with_their_place(bench: Bench) -> None:
    bench.notebook("App/main", "def deeper():\n    return deeper()\n\ndeeper()")
    result = bench.run("/App/main").result
    assert result["error"].startswith("RecursionError: maximum recursion depth exceeded")
    bench.notebook("App/main", "x = 1" + CELL + "y = = 2")
    result = bench.run("/App/main").result
    assert (result["error"], result["error_trace"].splitlines()[0]) == (
        "SyntaxError: invalid syntax",
        "/Workspace/App/main, cell 2, line 1 (line 6 of the source file)",
    )
