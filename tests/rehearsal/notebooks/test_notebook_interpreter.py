from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from rehearsal.notebooks.dbutils import DBUtils
from rehearsal.notebooks.dbutils.files import FileSystem
from rehearsal.notebooks.dbutils.library import Library
from rehearsal.notebooks.dbutils.widgets import Widgets
from rehearsal.notebooks.errors import NotebookNotFound, NotInRehearsal
from rehearsal.notebooks.interpreter import Interpreter, Tools
from rehearsal.notebooks.shell import run_shell
from rehearsal.notebooks.trace import Cells, one_line, user_trace
from rehearsal.notebooks.workspace import NotebookTree, full_path, seen_from
from tests.rehearsal.notebooks.conftest import Bench


class FakeResult:
    columns: tuple[str, ...] = ()


class FakeSpark:
    """Remembers statements."""

    def __init__(self) -> None:
        self.statements: list[tuple[Any, ...]] = []

    def sql(self, *arguments: Any) -> FakeResult:
        self.statements.append(arguments)
        return FakeResult()


class Runner:
    """An interpreter over a bench's notebooks, without Spark."""

    def __init__(self, bench: Bench) -> None:
        self.tree = NotebookTree(bench.folders.notebooks)
        self.cells = Cells()
        self.names: dict[str, Any] = {}
        self.spark = FakeSpark()
        self.widgets = Widgets({"city": "Bergen"})
        self.fs = FileSystem(bench.folders, None)  # type: ignore[arg-type]
        self.pips: list[tuple[str, str]] = []
        shell = bench.root / "shell"
        tools = Tools(
            self.tree,
            self.cells,
            lambda command, folder: self.pips.append((command, folder)),
            lambda text: run_shell(text, shell),
            lambda: None,
        )
        fresh: Callable[[], dict[str, Any]] = lambda: {  # noqa: E731
            "__name__": "__main__",
            "spark": self.spark,
            "library": Library(),
            "dbutils": DBUtils(fs=self.fs, jobs=None, notebook=None, secrets=None, widgets=None),  # type: ignore[arg-type]
        }
        self.interpreter = Interpreter(tools, self.names, fresh, self.widgets)

    def run(self, path: str) -> None:
        self.interpreter.run(self.tree.read(path))

    def fails(self, path: str) -> BaseException:
        with pytest.raises(BaseException) as caught:
            self.run(path)
        trace = caught.value.__traceback__
        while trace and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        return caught.value.with_traceback(trace)


@pytest.fixture
def runner(bench: Bench) -> Runner:
    return Runner(bench)


def test_cells_share_names_and_the_last_value_is_shown(
    bench: Bench, runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.notebook("App/main", "x = 1\nx + 1\n\n# COMMAND ----------\n\nprint(x)\nNone\n\n# COMMAND ----------\n\nx;\n")
    runner.run("/Workspace/App/main")
    assert capsys.readouterr().out == "2\n1\n"


def test_run_includes_in_the_same_namespace_by_relative_and_absolute_path(bench: Bench, runner: Runner) -> None:
    bench.notebook("App/main", "# MAGIC %run ./lib/one\n\n# COMMAND ----------\n\nresult = one() + two\n")
    bench.notebook(
        "App/lib/one", '# MAGIC %run ../two $city="Oslo"\n\n# COMMAND ----------\n\ndef one():\n    return two\n'
    )
    bench.notebook("App/two", "two = 2\n")
    runner.run("/App/main")
    assert runner.names["result"] == 4
    assert runner.widgets.get("city") == "Oslo"


def test_a_notebook_that_includes_itself_is_refused(bench: Bench, runner: Runner) -> None:
    bench.notebook("App/a", "# MAGIC %run ./b\n")
    bench.notebook("App/b", "# MAGIC %run /App/a\n")
    error = runner.fails("/App/a")
    assert isinstance(error, RecursionError)
    assert "/Workspace/App/a -> /Workspace/App/b -> /Workspace/App/a" in str(error)


def test_an_included_notebook_that_is_missing_is_named(bench: Bench, runner: Runner) -> None:
    bench.notebook("App/a", "x = 1\n\n# COMMAND ----------\n\n# MAGIC %run ./none\n")
    error = runner.fails("/App/a")
    assert isinstance(error, NotebookNotFound)
    assert "Notebook not found: App/none" in str(error)
    assert runner.cells.place(error) == "/Workspace/App/a, cell 2, line 1 (line 6 of the source file)"


def test_an_error_points_to_its_cell_and_shows_only_the_users_frames(bench: Bench, runner: Runner) -> None:
    bench.notebook("App/main", "# MAGIC %run ./lib\n\n# COMMAND ----------\n\nx = 1\nfails(x)\n")
    bench.notebook("App/lib", "def fails(x):\n    raise ValueError(f'x is {x}')\n")
    error = runner.fails("/App/main")
    assert one_line(error) == "ValueError: x is 1"
    assert runner.cells.place(error) == "/Workspace/App/lib, cell 1, line 2 (line 3 of the source file)"
    assert user_trace(error).splitlines() == [
        "Traceback (most recent call last):",
        '  File "/Workspace/App/main (cell 2)", line 2, in <module>',
        "    fails(x)",
        '  File "/Workspace/App/lib (cell 1)", line 2, in fails',
        "    raise ValueError(f'x is {x}')",
        "ValueError: x is 1",
    ]


def test_causes_lose_the_runners_frames_too(bench: Bench, runner: Runner) -> None:
    text = "try:\n    library.restart\nexcept Exception as error:\n    raise KeyError('second') from error\n"
    bench.notebook("App/main", text)
    trace = user_trace(runner.fails("/App/main"))
    assert "direct cause" in trace
    assert "NotInRehearsal: dbutils.library.restart" in trace
    assert "rehearsal/notebooks" not in trace


def test_a_syntax_error_points_to_its_line(bench: Bench, runner: Runner) -> None:
    bench.notebook("App/main", "x = 1\n\n# COMMAND ----------\n\ny = 1\nif y\n")
    error = runner.fails("/App/main")
    assert isinstance(error, SyntaxError)
    assert runner.cells.place(error) == "/Workspace/App/main, cell 2, line 2 (line 7 of the source file)"
    assert "rehearsal/notebooks" not in user_trace(error)


@pytest.mark.parametrize(
    ("cell", "named", "line"),
    [
        ("# MAGIC %scala\n# MAGIC val x = 1", "%scala", 1),
        ("# MAGIC %r\n# MAGIC x <- 1", "%r", 1),
        ("# MAGIC %sh ls /dbfs/tmp", "/dbfs in %sh", 1),
        ("# MAGIC %fs ls -l /", "%fs ls -l", 1),
        ("# MAGIC %fs mount x", "dbutils.fs.mount", 1),
        ("# MAGIC %sh -x\n# MAGIC ls", "%sh -x", 1),
        ("x = 1\n%timeit x", "%timeit", 2),
        ("!ls", "!ls", 1),
        ("# MAGIC %load_ext autoreload", "%load_ext", 1),
    ],
)
def test_other_magics_are_refused_by_name(bench: Bench, runner: Runner, cell: str, named: str, line: int) -> None:
    bench.notebook("App/main", f"{cell}\n")
    error = runner.fails("/App/main")
    assert isinstance(error, NotInRehearsal)
    assert named in str(error)
    assert f"cell 1, line {line} " in runner.cells.place(error)


def test_sql_cells_bind_their_result_and_take_widgets(bench: Bench, runner: Runner) -> None:
    cell = "# MAGIC %sql\n# MAGIC select ':city'; select * from t where c = :city and d = '${city}' and e::int = 1\n"
    bench.notebook("App/main", cell)
    runner.run("/App/main")
    assert runner.spark.statements == [
        ("select ':city'",),
        ("select * from t where c = :city and d = 'Bergen' and e::int = 1", {"city": "Bergen"}),
    ]
    assert isinstance(runner.names["_sqldf"], FakeResult)


def test_a_sql_notebook_runs(bench: Bench, runner: Runner) -> None:
    text = "-- Databricks notebook source\nselect 1\n\n-- COMMAND ----------\n\n-- MAGIC %python\n-- MAGIC x = 1\n"
    bench.notebook("App/report", text, ".sql")
    runner.run("/App/report")
    assert runner.spark.statements == [("select 1",)]
    assert runner.names["x"] == 1


def test_other_languages_are_refused_by_name(bench: Bench, runner: Runner) -> None:
    bench.notebook("App/main", "val x = 1", ".scala")
    with pytest.raises(NotInRehearsal, match="scala notebooks"):
        runner.tree.read("/App/main")


def test_restarting_python_forgets_what_was_defined(bench: Bench, runner: Runner) -> None:
    cells = ["x = 1", "library.restartPython()\nx = 2", "y = 'x' in globals()"]
    bench.notebook("App/main", "\n\n# COMMAND ----------\n\n".join(cells))
    runner.run("/App/main")
    assert runner.names["y"] is False


def test_pip_is_seen_from_the_notebooks_folder(bench: Bench, runner: Runner) -> None:
    bench.notebook("App/lib/main", "# MAGIC %pip install ./x.whl\n")
    runner.run("/App/lib/main")
    assert runner.pips == [("install ./x.whl", "/Workspace/App/lib")]


def test_workspace_paths_are_one_place_with_and_without_the_prefix() -> None:
    assert full_path("/Users/x") == full_path("/Workspace/Users/x") == "/Workspace/Users/x"
    assert seen_from("/Workspace/App/notebooks", "../x") == "/Workspace/App/x"
    assert seen_from("/Workspace/App/notebooks", "x") == "/Workspace/App/notebooks/x"
    assert seen_from("/Workspace/App/notebooks", "/App/x") == "/Workspace/App/x"


def test_a_shell_cell_runs_in_a_folder_of_its_own_and_fails_only_when_asked(
    bench: Bench, runner: Runner, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREETING", "hello")
    cells = ["# MAGIC %sh\n# MAGIC pwd\n# MAGIC false\n# MAGIC echo $GREETING >&2", "# MAGIC %sh cat nothing | wc -l"]
    cells += ["# MAGIC %sh -e\n# MAGIC echo before\n# MAGIC exit 3\n# MAGIC echo after"]
    bench.notebook("App/main", "\n\n# COMMAND ----------\n\n".join(cells))
    failure = runner.fails("/Workspace/App/main")
    assert one_line(failure) == (
        "CalledProcessError: Command 'b'echo before\\nexit 3\\necho after\\n'' returned non-zero exit status 3."
    )
    assert "App/main, cell 3, line 1" in runner.cells.place(failure)
    said = capsys.readouterr().out
    assert said.startswith(f"{bench.root / 'shell'}\nhello\n")
    assert said.endswith("0\nbefore\n")
    assert list((bench.root / "shell").iterdir()) == []


def test_what_a_shell_left_in_the_background_does_not_keep_the_cell(bench: Bench, runner: Runner) -> None:
    bench.notebook("App/main", "# MAGIC %sh\n# MAGIC sleep 300 > /dev/null 2>&1 & echo $! > pid")
    runner.run("/Workspace/App/main")
    os.kill(int((bench.root / "shell" / "pid").read_text()), signal.SIGKILL)


def test_the_file_system_magic_is_dbutils(bench: Bench, runner: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    bench.file("dbfs/a/b/c.txt", "text")
    bench.notebook("App/main", "# MAGIC %fs ls dbfs:/a/b\n\n# COMMAND ----------\n\n# MAGIC %fs rm -r /a")
    runner.run("/Workspace/App/main")
    assert "FileInfo(path='dbfs:/a/b/c.txt', name='c.txt', size=4" in capsys.readouterr().out
    assert not (bench.root / "dbfs/a").exists()
