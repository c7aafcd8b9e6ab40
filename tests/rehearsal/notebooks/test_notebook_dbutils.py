from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from rehearsal.notebooks.azure_files import AzureFiles
from rehearsal.notebooks.dbutils import DBUtils
from rehearsal.notebooks.dbutils.files import FileInfo, FileSystem
from rehearsal.notebooks.dbutils.jobs import Jobs, TaskValues
from rehearsal.notebooks.dbutils.notebook import Facts, NotebookUtility
from rehearsal.notebooks.dbutils.secrets import Secrets
from rehearsal.notebooks.dbutils.widgets import Widgets
from rehearsal.notebooks.errors import ExecutionError, NotebookExit, NotInRehearsal, Py4JJavaError
from rehearsal.notebooks.redaction import Redactor
from tests.rehearsal.notebooks.conftest import Bench

FACTS = Facts("/App/main", "adb-1.1.azuredatabricks.net", "1", 11, 22, "main")


def no_azure(account: str) -> Any:
    raise AssertionError(account)


@pytest.fixture
def dbutils(bench: Bench) -> DBUtils:
    def run_child(path: str, seconds: int, arguments: Mapping[str, str]) -> str:
        return f"{path} {seconds} {dict(arguments)}"

    return DBUtils(
        fs=FileSystem(bench.folders, AzureFiles(no_azure)),
        jobs=Jobs(TaskValues({"first": {"rows": 3, "nothing": None}})),
        notebook=NotebookUtility(FACTS, run_child),
        secrets=Secrets({"Scope": {"key": "pl4nted"}}, Redactor()),
        widgets=Widgets({"given": "passed"}),
    )


def test_a_passed_value_wins_over_a_widgets_default(dbutils: DBUtils) -> None:
    dbutils.widgets.text("given", "default", "Label")
    dbutils.widgets.dropdown("choice", "b", ["a", "b"])
    dbutils.widgets.combobox("combo", "z", ["a", "b"])
    dbutils.widgets.multiselect("many", "a,b", ["a", "b", "c"])
    assert dbutils.widgets.getAll() == {"given": "passed", "choice": "b", "combo": "z", "many": "a,b"}
    assert dbutils.widgets.get("choice") == "b"
    assert dbutils.widgets.getArgument("none", "x") == "x"


def test_an_undefined_widget_is_the_documented_error(dbutils: DBUtils) -> None:
    with pytest.raises(Py4JJavaError, match="InputWidgetNotDefined: No input widget named none is defined"):
        dbutils.widgets.get("none")
    dbutils.widgets.text("x", "1")
    dbutils.widgets.remove("x")
    with pytest.raises(Py4JJavaError, match="InputWidgetNotDefined"):
        dbutils.widgets.get("x")


def test_a_default_must_be_one_of_the_choices(dbutils: DBUtils) -> None:
    with pytest.raises(Py4JJavaError, match="IllegalArgumentException"):
        dbutils.widgets.dropdown("x", "c", ["a", "b"])
    with pytest.raises(Py4JJavaError, match="1024"):
        dbutils.widgets.combobox("x", "1", [str(each) for each in range(1025)])
    with pytest.raises(TypeError):
        dbutils.widgets.text("x", 1)  # type: ignore[arg-type]


def test_secrets_are_found_whatever_the_case_of_their_names(dbutils: DBUtils) -> None:
    assert dbutils.secrets.get("scope", "KEY") == "pl4nted"
    assert dbutils.secrets.getBytes("Scope", "key") == b"pl4nted"
    assert [each.key for each in dbutils.secrets.list("Scope")] == ["key"]
    assert [each.name for each in dbutils.secrets.listScopes()] == ["Scope"]


def test_a_secret_that_was_read_is_redacted_from_then_on() -> None:
    redactor = Redactor()
    secrets = Secrets({"scope": {"key": "pl4nted", "other": "n0t-read"}}, redactor)
    assert redactor("pl4nted") == "pl4nted"
    secrets.get("scope", "key")
    assert redactor("pl4nted n0t-read") == "[REDACTED] n0t-read"


def test_a_missing_secret_is_the_services_error(dbutils: DBUtils) -> None:
    with pytest.raises(Py4JJavaError, match="Secret does not exist with scope: Scope and key: none"):
        dbutils.secrets.get("Scope", "none")
    with pytest.raises(Py4JJavaError, match="Secret does not exist with scope: none"):
        dbutils.secrets.get("none", "key")


def test_task_values(dbutils: DBUtils) -> None:
    values = dbutils.jobs.taskValues
    assert values.get("first", "rows") == 3
    assert values.get("first", "nothing", default=1) is None
    assert values.get("first", "none", default=0) == 0
    with pytest.raises(ValueError, match="none"):
        values.get("first", "none")
    values.set("rows", {"a": [1, 2]})
    assert values.set_here == {"rows": {"a": [1, 2]}}


def test_task_values_must_be_json_and_small(dbutils: DBUtils) -> None:
    values = dbutils.jobs.taskValues
    for wrong in (object(), float("nan"), "x" * 48 * 1024):
        with pytest.raises(ValueError, match="task value k"):
            values.set("k", wrong)
    assert values.set_here == {}


def test_outside_a_job_task_values_give_the_debug_value() -> None:
    assert TaskValues(None).get("first", "rows", debugValue=5) == 5
    with pytest.raises(TypeError, match="debugValue cannot be None"):
        TaskValues(None).get("first", "rows", default=1)


def test_exit_is_not_swallowed_by_except_exception(dbutils: DBUtils) -> None:
    with pytest.raises(NotebookExit) as ended:
        try:
            dbutils.notebook.exit("done")
        except Exception:
            pytest.fail("swallowed")
    assert ended.value.value == "done"
    with pytest.raises(TypeError, match="int"):
        dbutils.notebook.exit(0)  # type: ignore[arg-type]


def test_run_takes_texts_only(dbutils: DBUtils) -> None:
    assert dbutils.notebook.run("./x", 60, {"a": "b"}) == "./x 60 {'a': 'b'}"
    with pytest.raises(TypeError, match="texts"):
        dbutils.notebook.run("./x", 60, {"a": 1})  # type: ignore[dict-item]


def test_the_notebook_knows_where_it_is(dbutils: DBUtils) -> None:
    context = dbutils.notebook.entry_point.getDbutils().notebook().getContext()
    assert context.notebookPath().get() == "/App/main"
    assert context.tags().get("jobId").get() == "22"
    assert json.loads(context.toJson())["tags"]["runId"] == "11"
    with pytest.raises(NotInRehearsal, match="apiToken"):
        context.apiToken()


@pytest.mark.parametrize(
    ("use", "name"),
    [
        (lambda dbutils: dbutils.credentials, "dbutils.credentials"),
        (lambda dbutils: dbutils.fs.mount("a", "b"), "dbutils.fs.mount"),
        (lambda dbutils: dbutils.widgets.help(), "dbutils.widgets.help"),
        (lambda dbutils: dbutils.library.installPyPI("x"), "dbutils.library.installPyPI"),
    ],
)
def test_what_is_not_there_is_refused_by_name(dbutils: DBUtils, use: Callable[[DBUtils], object], name: str) -> None:
    with pytest.raises(NotInRehearsal, match=name):
        use(dbutils)


def test_files_are_written_listed_read_and_removed(dbutils: DBUtils, bench: Bench) -> None:
    fs = dbutils.fs
    assert fs.put("dbfs:/a/b.txt", "hello")
    assert (bench.root / "dbfs/a/b.txt").read_text() == "hello"
    assert fs.head("/a/b.txt", 3) == "hel"
    assert [(each.path, each.name, each.size, each.isDir()) for each in fs.ls("/a")] == [
        ("dbfs:/a/b.txt", "b.txt", 5, False)
    ]
    assert [each.path for each in fs.ls("dbfs:/")] == ["dbfs:/a/", "dbfs:/databricks-datasets/"]
    assert fs.ls("dbfs:/a/b.txt")[0] == FileInfo("dbfs:/a/b.txt", "b.txt", 5, fs.ls("/a")[0].modificationTime)
    assert fs.cp("dbfs:/a", "/Volumes/c/s/v/a", recurse=True)
    assert fs.head("/Volumes/c/s/v/a/b.txt") == "hello"
    assert fs.mv("dbfs:/a/b.txt", "dbfs:/a/c.txt")
    assert [each.name for each in fs.ls("/a")] == ["c.txt"]
    assert fs.rm("/a", recurse=True)
    assert not fs.rm("/a", recurse=True)


def test_errors_of_files_are_the_services(dbutils: DBUtils) -> None:
    fs = dbutils.fs
    with pytest.raises(ExecutionError, match=r"java\.io\.FileNotFoundException: No such file or directory dbfs:/none"):
        fs.ls("dbfs:/none")
    fs.put("/a/b", "x")
    with pytest.raises(ExecutionError, match="already exists"):
        fs.put("/a/b", "y")
    with pytest.raises(ExecutionError, match="recurse"):
        fs.rm("/a")
    with pytest.raises(ExecutionError, match="directory"):
        fs.head("/a")
    with pytest.raises(ExecutionError, match="recurse"):
        fs.cp("/a", "/c")
    with pytest.raises(ExecutionError, match="read-only"):
        fs.rm("/databricks-datasets/bikeSharing", recurse=True)
