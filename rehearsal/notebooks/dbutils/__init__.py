"""`dbutils`, as notebooks know it: fs, jobs, library, notebook, secrets, widgets (docs: "Databricks Utilities
reference").
"""

from __future__ import annotations

from typing import Any

from rehearsal.notebooks.dbutils.files import FileSystem
from rehearsal.notebooks.dbutils.jobs import Jobs
from rehearsal.notebooks.dbutils.library import Library
from rehearsal.notebooks.dbutils.notebook import NotebookUtility
from rehearsal.notebooks.dbutils.secrets import Secrets
from rehearsal.notebooks.dbutils.widgets import Widgets
from rehearsal.notebooks.errors import NotInRehearsal


class DBUtils:
    """The utilities of one notebook; what is not there is refused by name."""

    def __init__(
        self,
        *,
        fs: FileSystem,
        jobs: Jobs,
        notebook: NotebookUtility,
        secrets: Secrets,
        widgets: Widgets,
    ) -> None:
        self.fs = fs
        self.jobs = jobs
        self.library = Library()
        self.notebook = notebook
        self.secrets = secrets
        self.widgets = widgets

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotInRehearsal(f"dbutils.{name}")

    def __repr__(self) -> str:
        return "dbutils"
