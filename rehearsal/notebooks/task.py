"""One task: what belongs together for a run, and notebooks that start notebooks."""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import importlib
import sys
import threading
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rehearsal.notebooks import programs
from rehearsal.notebooks.dbutils import DBUtils
from rehearsal.notebooks.dbutils.files import FileSystem
from rehearsal.notebooks.dbutils.jobs import Jobs, TaskValues
from rehearsal.notebooks.dbutils.notebook import Facts, NotebookUtility
from rehearsal.notebooks.dbutils.secrets import Secrets
from rehearsal.notebooks.dbutils.widgets import Widgets
from rehearsal.notebooks.display import RefusedName, display, display_html
from rehearsal.notebooks.errors import NotebookExit, NotebookNotFound, WorkflowException
from rehearsal.notebooks.interpreter import Interpreter, Tools
from rehearsal.notebooks.libraries import Libraries
from rehearsal.notebooks.paths import Folders
from rehearsal.notebooks.per_notebook import PerNotebook
from rehearsal.notebooks.pip_command import pip
from rehearsal.notebooks.redaction import Redactor
from rehearsal.notebooks.shell import run_shell
from rehearsal.notebooks.spark import NotebookSession, Spark
from rehearsal.notebooks.spark_hooks import hook
from rehearsal.notebooks.specification import PythonFile, PythonWheel, Specification
from rehearsal.notebooks.trace import Cells, one_line, user_trace
from rehearsal.notebooks.workspace import Notebook, NotebookTree, full_path, seen_from

MOST_DEPTH = 30  # of notebooks that start notebooks; the service has a limit too (its number is unverified)


class Task:
    """A task run. directories: the working directory per notebook, shared with the replaced file functions."""

    def __init__(
        self, specification: Specification, folders: Folders, directories: PerNotebook[str], redactor: Redactor
    ) -> None:
        self._specification = specification
        self._directories = directories
        self._redactor = redactor
        self._folders = folders
        self.task_values = TaskValues(specification.task_values)
        self.cells = Cells()
        self.libraries = Libraries(
            specification.scratch / "libraries",
            specification.wheelhouse,
            self._real,
            from_dbfs=specification.dbfs_libraries,
        )
        self._tools = Tools(NotebookTree(folders.notebooks), self.cells, self._pip, self._shell, self._forget_modules)
        self._spark = Spark(folders)
        hook(self._spark.find)
        self._utilities: PerNotebook[DBUtils | None] = PerNotebook(None)
        _offer_dbutils_module(self._utilities)

    def run(self) -> str | None:
        """Runs the task's notebook or program; returns the notebook's exit value, None when it ended without one.

        Raises NotebookNotFound, or whatever the code raises.
        """
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module  # so that pickle finds what the notebook defines
        self._directories.set(self._specification.folder)
        if self._specification.program is not None:
            self._run_program(self._specification.program, module.__dict__)
            return None
        notebook = self._tools.tree.read(self._specification.notebook_path)
        values = {**self._specification.parameters, **self._specification.job_parameters}
        return self._run_notebook(notebook, values, module.__dict__, depth=0)

    def _run_program(self, program: PythonFile | PythonWheel, names: dict[str, Any]) -> None:
        """A script runs with the names that a notebook has; code of a package gets at Spark by itself (docs: task types)."""
        path = program.path if isinstance(program, PythonFile) else ""
        widgets, session = Widgets({}), self._spark.open_session(self._facts())
        utilities = self._new_utilities(Notebook(path, "python", []), widgets, session, 0)
        self._utilities.set(utilities)
        if isinstance(program, PythonWheel):
            programs.run_wheel(program)
            return
        names.update(_names(session, utilities, widgets))
        programs.run_file(program, self._folders, self.cells, names)

    def _run_notebook(
        self, notebook: Notebook, values: Mapping[str, str], names: dict[str, Any], depth: int
    ) -> str | None:
        _import_from(self._real(notebook.folder))
        session = self._spark.open_session(self._facts())
        widgets = Widgets(values)
        utilities = self._new_utilities(notebook, widgets, session, depth)
        self._utilities.set(utilities)

        def fresh() -> dict[str, Any]:
            return _names(session, utilities, widgets)

        try:
            Interpreter(self._tools, names, fresh, widgets).run(notebook)
        except NotebookExit as ended:
            return ended.value
        return None

    def _new_utilities(self, notebook: Notebook, widgets: Widgets, session: NotebookSession, depth: int) -> DBUtils:
        specification = self._specification
        facts = Facts(
            path=notebook.path.removeprefix("/Workspace"),
            workspace_host=specification.workspace_host,
            workspace_id=specification.workspace_id,
            run_id=specification.run_id,
            job_id=specification.job_id,
            task_key=specification.task_key,
        )

        def run_child(path: str, seconds: int, arguments: Mapping[str, str]) -> str | None:
            return self._run_child(seen_from(notebook.folder, path), seconds, arguments, depth + 1)

        return DBUtils(
            fs=FileSystem(self._folders, session.azure),
            jobs=Jobs(self.task_values if depth == 0 else TaskValues(None)),
            notebook=NotebookUtility(facts, run_child),
            secrets=Secrets(specification.secrets, self._redactor),
            widgets=widgets,
        )

    def _run_child(self, path: str, seconds: int, arguments: Mapping[str, str], depth: int) -> str | None:
        if depth > MOST_DEPTH:
            raise WorkflowException(f"FAILED: notebooks are nested more than {MOST_DEPTH} deep")
        try:
            notebook = self._tools.tree.read(path)
        except NotebookNotFound:
            raise WorkflowException(f"FAILED: {cannot_access(path)}") from None
        outcome: list[str | None] = []
        failure: list[BaseException] = []

        def run() -> None:
            with self._own_notebook(notebook.folder):
                try:
                    outcome.append(self._run_notebook(notebook, arguments, {}, depth))
                except BaseException as error:
                    failure.append(error)

        thread = threading.Thread(target=run, name=f"notebook {path}", daemon=True)
        thread.start()
        thread.join(seconds or None)
        if thread.is_alive():
            _interrupt(thread)
            print(f"Notebook {path} was stopped after {seconds} seconds")
            raise WorkflowException("TIMEDOUT")
        if failure:
            print(f"Notebook {path} failed: {one_line(failure[0])}\n{user_trace(failure[0])}")
            if not isinstance(failure[0], Exception):
                raise failure[0]
            # The text notebooks see; why it failed is in the run's output (docs: notebook workflows).
            raise WorkflowException("FAILED: Workload failed, see run output for details")
        return outcome[0]

    @contextlib.contextmanager
    def _own_notebook(self, folder: str) -> Iterator[None]:
        self._directories.enter(folder)
        self._utilities.enter(None)
        try:
            yield
        finally:
            self._directories.leave()
            self._utilities.leave()

    def _facts(self) -> dict[str, str]:
        """Settings that a cluster has from the start."""
        return {
            "spark.databricks.workspaceUrl": self._specification.workspace_host,
            "spark.databricks.clusterUsageTags.clusterOwnerOrgId": self._specification.workspace_id,
        }

    def _real(self, path: str) -> Path:
        place = self._folders.local(path)
        return place.real if place else Path(path)

    def _forget_modules(self) -> None:
        """Modules of libraries and of the workspace are imported anew; what the rehearsal itself needs stays."""
        places = (f"{self._specification.scratch}/", f"{self._folders.files}/")
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(places):
                del sys.modules[name]
        importlib.invalidate_caches()

    def _shell(self, text: str) -> None:
        run_shell(text, self._specification.scratch / "shell")

    def _pip(self, command: str, folder: str) -> None:
        said = pip(command, self.libraries, lambda path: path if path.startswith("/") else f"{folder}/{path}")
        what = "Installed " if command.split()[:1] == ["install"] else ""
        print("\n".join(f"{what}{each}" for each in said) or "Nothing to do")


def cannot_access(path: str) -> str:
    """The service's text for a run of a notebook that is not there (from memory)."""
    shown = full_path(path)
    return (
        f'Unable to access the notebook "{shown}". Either it does not exist, or the identity used to run this job '
        "lacks the required permissions."
    )


def _names(session: NotebookSession, utilities: DBUtils, widgets: Widgets) -> dict[str, Any]:
    """What code finds defined when it starts."""
    no_jvm = "Sail has no JVM: use spark"
    return {
        "__name__": "__main__",
        "__builtins__": builtins,
        "spark": session.spark,
        "dbutils": utilities,
        "display": display,
        "displayHTML": display_html,
        "getArgument": widgets.getArgument,
        "sc": RefusedName("sc", no_jvm),
        "sqlContext": RefusedName("sqlContext", no_jvm),
    }


def _import_from(folder: Path) -> None:
    """Modules beside a notebook can be imported (docs: "Work with Python modules"); libraries go first."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _interrupt(thread: threading.Thread) -> None:
    """Asks a thread to stop at its next Python instruction; one that is waiting in C stops later, or with the
    process.
    """
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))


def _offer_dbutils_module(utilities: PerNotebook[DBUtils | None]) -> None:
    """`from pyspark.dbutils import DBUtils`, as library code on Databricks gets at dbutils."""
    module = types.ModuleType("pyspark.dbutils")
    vars(module)["DBUtils"] = lambda _spark=None: utilities.get()
    sys.modules["pyspark.dbutils"] = module
