"""Whole runs: the runner as a process, with Spark."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rehearsal.notebooks import storage_bench
from tests.rehearsal.notebooks.conftest import REPOSITORY, Bench, make_wheel

SECRET = "pl4nted-s3cret/value=="
CELL = "\n\n# COMMAND ----------\n\n"

MAIN = CELL.join(
    [
        "# MAGIC %run ./slot",
        "dbutils.widgets.text('rows', '1')\nfrom sample_library import add_one\nprint(dbutils.widgets.get('rows'), SLOT)",
        "hours = spark.read.csv('dbfs:/databricks-datasets/bikeSharing/data-001/hour.csv', header=True, inferSchema=True)\n"
        "def scored(pieces):\n"
        "    for piece in pieces:\n"
        "        print('from a worker')\n"
        "        yield piece.assign(cnt=add_one(piece['cnt']))\n"
        "hours.mapInPandas(scored, hours.schema).write.format('delta').save('dbfs:/out/scores')",
        "spark.read.format('delta').load('/out/scores').createOrReplaceTempView('scores')",
        "# MAGIC %sql\n# MAGIC select sum(cnt) as total from scores",
        "total = _sqldf.first()['total']\ndbutils.jobs.taskValues.set('total', int(total))\ndisplay(hours)",
        "child = dbutils.notebook.run('./child', 60, {'x': '2'})\n"
        "try:\n    spark.read.json('dbfs:/none')\nexcept Exception as error:\n    print(error)",
        "from pyspark.dbutils import DBUtils\nassert DBUtils(spark) is dbutils\n"
        "try:\n    import mlflow\nexcept ImportError as error:\n    print(error)",
        "dbutils.notebook.exit(f'{total} {child}')",
        "raise AssertionError('after the exit')",
    ]
)


def slot(bench: Bench) -> None:
    bench.notebook("App/blue/notebooks/main", MAIN)
    here = "from pathlib import Path\nSLOT = (Path.cwd().parent / 'config' / 'environment.json').read_text()\n"
    bench.notebook("App/blue/notebooks/slot", here)
    sees_no_view = "try:\n    spark.table('scores').count()\nexcept Exception:\n"
    sees_no_view += "    dbutils.notebook.exit(dbutils.widgets.get('x'))\n"
    bench.notebook("App/blue/notebooks/child", sees_no_view)
    bench.file("workspace/files/App/blue/config/environment.json", '{"slot": "blue"}')
    source = "def add_one(values):\n    return values + 1\n"
    make_wheel(bench.root / "workspace/files/App/blue/library", "sample_library", "1.0", {"sample_library.py": source})


def test_a_notebook_runs_with_the_releases_wheel(bench: Bench) -> None:
    slot(bench)
    wheel = "/Workspace/App/blue/library/sample_library-1.0-py3-none-any.whl"
    outcome = bench.run("/Workspace/App/blue/notebooks/main", libraries=[{"whl": wheel}], parameters={"rows": "5"})
    assert outcome.result == {
        "state": "SUCCESS",
        "result": "58 2",
        "truncated": False,
        "error": None,
        "error_trace": None,
        "task_values": {"total": 58},
    }, outcome.log
    assert outcome.log.startswith('5 {"slot": "blue"}\n')
    assert "[PATH_NOT_FOUND] Path does not exist: dbfs:/none." in outcome.log
    assert "No module named 'mlflow' in this rehearsal" in outcome.log
    assert "from a worker" not in outcome.log
    assert "from a worker" in (bench.root / "scratch/executor.txt").read_text()


FAILING = CELL.join(
    [
        "import sys\nvalue = dbutils.secrets.get('scope', 'key')",
        "print('plain', value, end='')\nprint(' and', [value], file=sys.stderr)",
        "try:\n    dbutils.notebook.run('./child', 60)\nexcept Exception as error:\n    print(type(error).__name__, error)",
        "try:\n    dbutils.notebook.run('./slow', 1)\nexcept Exception as error:\n    print(type(error).__name__, error)",
        "for refused in (lambda: sc.parallelize([1]), lambda: spark.sparkContext, lambda: spark.range(1).write.saveAsTable('t')):\n"
        "    try:\n        refused()\n    except NotImplementedError as error:\n        print(error)",
        "spark.sql(f\"select raise_error('the value is {value}')\").collect()",
    ]
)


def test_a_failing_notebook_shows_where_and_no_secret(bench: Bench) -> None:
    bench.notebook("App/main", FAILING)
    bench.notebook("App/child", "raise ValueError('child has ' + dbutils.secrets.get('scope', 'key'))\n")
    bench.notebook("App/slow", "while True:\n    pass\n")
    outcome = bench.run("/App/main", secrets={"scope": {"key": SECRET}})
    assert outcome.result["state"] == "FAILED"
    assert "the value is [REDACTED]" in outcome.result["error"]
    trace = outcome.result["error_trace"]
    assert trace.startswith("/Workspace/App/main, cell 6, line 1 (line 34 of the source file)\nTraceback")
    assert "rehearsal/notebooks" not in trace
    for line in (
        "plain [REDACTED] and ['[REDACTED]']",
        "ValueError: child has [REDACTED]",
        "FAILED: Workload failed, see run output for details",
        "com.databricks.NotebookExecutionException: TIMEDOUT",
        "sc.parallelize: this rehearsal has no such thing",
        "spark.sparkContext: this rehearsal has no such thing",
        "writing the table t: this rehearsal has no such thing",
    ):
        assert line in outcome.log
    written = [each for each in bench.root.rglob("*") if each.is_file()]
    assert [each for each in written if SECRET.encode() in each.read_bytes()] == []


def test_a_missing_notebook_fails_as_on_the_service(bench: Bench) -> None:
    outcome = bench.run("/Workspace/App/none")
    assert outcome.result["state"] == "FAILED"
    assert outcome.result["error"].startswith('Unable to access the notebook "/Workspace/App/none"')


def test_a_specification_that_is_not_usable_is_told_without_its_values(bench: Bench) -> None:
    document = json.dumps({**bench.specification("/App/main"), "secrets": SECRET})
    for text in (document, document[:-1]):
        ended = subprocess.run(bench.command(), input=text, text=True, cwd=REPOSITORY, capture_output=True, check=False)
        assert ended.returncode == 2
        assert "the run's specification is not usable" in ended.stderr
        assert SECRET not in ended.stderr
    assert not (bench.root / "scratch/result.json").exists()


def test_a_killed_run_leaves_no_result_and_no_process(bench: Bench) -> None:
    text = f"import os\nwith open({str(bench.root / 'ready')!r}, 'w') as ready:\n    ready.write('x')\nwhile True:\n    pass\n"
    os.mkfifo(bench.root / "ready")
    bench.notebook("App/main", text)
    run = subprocess.Popen(
        bench.command(), stdin=subprocess.PIPE, cwd=REPOSITORY, env=dict(bench.variables()), start_new_session=True
    )
    assert run.stdin is not None
    with run.stdin as standard_input:
        standard_input.write(json.dumps(bench.specification("/App/main")).encode())
    assert (bench.root / "ready").read_text() == "x"  # waits until the notebook is there
    run.terminate()
    assert run.wait(30) == -signal.SIGTERM
    assert not (bench.root / "scratch/result.json").exists()
    with pytest.raises(ProcessLookupError):
        os.killpg(run.pid, 0)


@pytest.fixture
def storage(bench: Bench) -> Iterator[storage_bench.Storage]:
    if not storage_bench.available():
        pytest.skip("Azurite is not installed here: make setup installs it")
    folder = bench.root / "azurite"
    folder.mkdir()
    with storage_bench.serving(folder) as storage:
        bench.environment.update(storage.environment)
        yield storage


AZURE = CELL.join(
    [
        "import base64, hashlib, hmac\nfrom azure.storage.blob import ContainerClient\n"
        "for account in ('stone', 'sttwo'):\n"
        "    key = dbutils.secrets.get('storage', account)\n"
        "    ContainerClient(f'https://{account}.blob.core.windows.net', 'data', credential=key).create_container()",
        "one, two = (f'abfss://data@{account}.dfs.core.windows.net' for account in ('stone', 'sttwo'))\n"
        "try:\n    spark.read.csv(one)\nexcept Exception as error:\n    print(error)",
        "for account in ('stone', 'sttwo'):\n"
        "    spark.conf.set(f'fs.azure.account.key.{account}.dfs.core.windows.net', dbutils.secrets.get('storage', account))",
        "spark.range(5).write.format('delta').save(f'{one}/a/numbers')\n"
        "spark.range(3).write.format('delta').mode('append').save(f'{one}/a/numbers')\n"
        "spark.range(2).write.json(f'{two}/a/numbers')\n"
        "counts = [spark.read.format('delta').load(f'{one}/a/numbers').count(), spark.read.json(f'{two}/a/*').count(),\n"
        "          spark.sql(f'select * from delta.`{one}/a/numbers`').count()]",
        "try:\n    spark.read.parquet(f'{one}/none')\nexcept Exception as error:\n    print(error)",
        "dbutils.fs.put(f'{one}/a/b/note.txt', 'hello')\n"
        "dbutils.fs.cp(f'{one}/a/b', f'{two}/copy', recurse=True)\n"
        "dbutils.fs.mkdirs(f'{two}/made/here')\n"
        "spark.range(4).write.mode('overwrite').json(f'{two}/made/here')\n"
        "counts += [spark.read.json(f'{two}/made/here').count(), dbutils.fs.head(f'{two}/copy/note.txt')]\n"
        "listed = [each.name for each in dbutils.fs.ls(f'{one}/a')]",
        "removed = [dbutils.fs.rm(f'{one}/a', True), dbutils.fs.rm(f'{one}/a', True)]\n"
        "try:\n    dbutils.fs.ls(f'{one}/a')\nexcept Exception as error:\n    print(error)",
        "import json\ndbutils.notebook.exit(json.dumps([counts, listed, removed]))",
    ]
)


def test_a_notebook_reads_and_writes_azure_storage(bench: Bench, storage: storage_bench.Storage) -> None:
    bench.notebook("App/main", AZURE)
    outcome = bench.run("/App/main", secrets={"storage": storage_bench.KEYS})
    assert outcome.result["state"] == "SUCCESS", outcome.log
    counts, listed, removed = json.loads(outcome.result["result"])
    assert counts == [8, 2, 8, 4, "hello"]
    assert listed == ["b/", "numbers/"]
    assert removed == [True, False]
    for line in (
        "Failure to initialize configuration for storage account stone.dfs.core.windows.net",
        "[PATH_NOT_FOUND] Path does not exist: abfss://data@stone.dfs.core.windows.net/none.",
        "java.io.FileNotFoundException: No such file or directory abfss://data@stone.dfs.core.windows.net/a",
    ):
        assert line in outcome.log
    written = [each for each in Path(bench.root).rglob("*") if each.is_file() and "azurite" not in str(each)]
    assert [each for each in written if storage_bench.KEYS["stone"].encode() in each.read_bytes()] == []
