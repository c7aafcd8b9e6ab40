"""Where Databricks differs from Sail: pyspark's classes are changed in this process, for all sessions.

The plan's classes see every path, whatever reader or writer it came from; which notebook asks is known one level above.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable
from typing import Any

from rehearsal.notebooks.errors import NotInRehearsal
from rehearsal.notebooks.spark import AS_IT_IS, NotebookSession
from rehearsal.notebooks.spark_settings import Settings

# What belongs to a SparkSession or its client.
Find = Callable[[Any], NotebookSession]


class _Asking(threading.local):
    """The SparkSession that this thread is building a plan for."""

    session: Any = None


def hook(find: Find) -> None:
    """Puts the differences in place."""
    from pyspark.sql.connect import plan, readwriter, session
    from pyspark.sql.connect.streaming import readwriter as streaming

    asking = _Asking()
    _remember(readwriter.DataFrameReader, "load", asking, lambda reader: reader._client)
    _remember(session.SparkSession, "sql", asking, lambda spark: spark)
    _hook_reading(plan.DataSource, lambda: find(asking.session))
    _hook_sql(plan.SQL, lambda: find(asking.session))
    _hook_writing(plan.WriteOperation, find)
    _hook_settings(find)
    _hook_context(session.SparkSession)
    _refuse(plan.WriteOperationV2, "__init__", "DataFrame.writeTo", "write to a path")
    _refuse(plan.CreateTable, "__init__", "spark.catalog.createTable", "there is no metastore")
    _refuse(plan.WriteStreamOperation, "__init__", "structured streaming", "")
    _refuse(streaming.DataStreamReader, "load", "structured streaming", "")


def _remember(kind: Any, name: str, asking: _Asking, session: Callable[[Any], Any]) -> None:
    original = getattr(kind, name)

    @functools.wraps(original)
    def call(self: Any, *arguments: Any, **options: Any) -> Any:
        before, asking.session = asking.session, session(self)
        try:
            return original(self, *arguments, **options)
        finally:
            asking.session = before

    setattr(kind, name, call)


def _hook_reading(data_source: Any, asking: Callable[[], NotebookSession]) -> None:
    original = data_source.__init__

    @functools.wraps(original)
    def init(
        self: Any,
        format: str | None = None,  # noqa: A002 - pyspark's name
        schema: str | None = None,
        options: Any = None,
        paths_: list[str] | None = None,
        predicates: list[str] | None = None,
        is_streaming: bool | None = None,
        **named: Any,
    ) -> None:
        given = named.pop("paths", paths_)
        options = dict(options or {})
        if options.pop(AS_IT_IS, None) is None and (format or "").lower() != "jdbc":
            paths = asking().paths
            given = [paths.to_read(path, format or "parquet") for path in given or []] or given
            for name in [name for name in options if name.lower() == "path"]:
                options[name] = paths.to_read(options[name], format or "parquet")
        original(self, format, schema, options, given, predicates, is_streaming)

    data_source.__init__ = init


def _hook_writing(operation: Any, find: Find) -> None:
    original = operation.command

    @functools.wraps(original)
    def command(self: Any, session: Any) -> Any:
        if self.table_name is not None:
            raise NotInRehearsal(f"writing the table {self.table_name}", "there is no metastore: write to a path")
        written = self.path
        option = next((name for name in self.options if name.lower() == "path"), None)
        if written is None and option is not None:
            written = self.options[option]
        if written is not None:
            self.path = find(session).paths.to_write(written)
            if option is not None:
                self.options[option] = None
        try:
            return original(self, session)
        finally:
            self.path = written

    operation.command = command


def _refuse(kind: Any, method: str, name: str, instead: str) -> None:
    def refuse(*_arguments: Any, **_options: Any) -> None:
        raise NotInRehearsal(name, instead)

    setattr(kind, method, refuse)


def _hook_sql(sql: Any, asking: Callable[[], NotebookSession]) -> None:
    original = sql.__init__
    assignment = re.compile(r"\s*SET\s+([\w.\-]+)\s*=\s*(.*?)\s*;?\s*$", re.IGNORECASE | re.DOTALL)

    @functools.wraps(original)
    def init(self: Any, query: str, *arguments: Any, **options: Any) -> None:
        setting = assignment.match(query)
        if setting and Settings.own(setting[1]):
            asking().settings.set(setting[1], setting[2])
            query = "SELECT 1 WHERE FALSE"  # the value stays here; nothing of it goes to Sail
        else:
            query = asking().paths.in_sql(query)
        original(self, query, *arguments, **options)

    sql.__init__ = init


def _hook_settings(find: Find) -> None:
    from pyspark.sql.connect.conf import RuntimeConf

    original_set, original_get, original_unset = RuntimeConf.set, RuntimeConf.get, RuntimeConf.unset

    def set_(self: Any, key: str, value: Any) -> None:
        if not Settings.own(key):
            original_set(self, key, value)
            return
        find(self._client).settings.set(key, str(value).lower() if isinstance(value, bool) else str(value))

    def get(self: Any, key: str, *positional: Any, **named: Any) -> Any:
        if not Settings.own(key):
            return original_get(self, key, *positional, **named)
        values = find(self._client).settings.values
        name = key.removeprefix("spark.hadoop.")
        default = [*positional, *named.values()]
        if name in values or default:
            return values.get(name, *default)
        from pyspark.errors import SparkNoSuchElementException

        raise SparkNoSuchElementException(
            f'[SQL_CONF_NOT_FOUND] The SQL config "{key}" cannot be found. SQLSTATE: 42K0I'
        )

    def unset(self: Any, key: str) -> None:
        if not Settings.own(key):
            original_unset(self, key)
            return
        find(self._client).settings.values.pop(key.removeprefix("spark.hadoop."), None)

    for name, function in {"set": set_, "get": get, "unset": unset}.items():
        setattr(RuntimeConf, name, function)


def _hook_context(kind: Any) -> None:
    def no_context(_self: Any) -> None:
        raise NotInRehearsal("spark.sparkContext", "Sail has no JVM: use DataFrames, or spark.conf for settings")

    kind.sparkContext = property(no_context)
    kind.stop = lambda _self: None  # a notebook's session is not its own to stop
