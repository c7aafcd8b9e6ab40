"""Spark for one run: a Sail server in this process, its sessions, and the places where Databricks differs from Sail."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rehearsal.notebooks.errors import NotInRehearsal
from rehearsal.notebooks.per_notebook import PerNotebook
from rehearsal.notebooks.spark_paths import SparkPaths
from rehearsal.notebooks.spark_settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class Spark:
    """The Sail server of a run. It lives in this process and ends with it, however the process ends."""

    def __init__(self) -> None:
        # gRPC would go to the rehearsal's gateway for its own loopback address; Sail's log lines are not the
        # notebook's.
        for name in ("no_proxy", "NO_PROXY"):
            hosts = [each for each in os.environ.get(name, "").split(",") if each]
            os.environ[name] = ",".join(dict.fromkeys([*hosts, "127.0.0.1", "localhost"]))
        os.environ.setdefault("RUST_LOG", "off")
        from pysail.spark import SparkConnectServer  # type: ignore[import-untyped]

        self._server = SparkConnectServer("127.0.0.1", 0)
        self._server.start(background=True)
        host, port = self._server.listening_address or ("127.0.0.1", 0)
        self._address = f"sc://{host}:{port}"
        os.environ["SPARK_REMOTE"] = self._address
        os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"

    def session(self) -> SparkSession:
        """A new session, the active one of this thread; sessions share no temporary views and no settings."""
        from pyspark.sql import SparkSession

        session: SparkSession = SparkSession.builder.remote(self._address).create()
        return session


def use_container(session: Any, address: str) -> None:
    """Has Sail open the container of an address by reading something that need not be there."""
    plain_read = session.read.schema("value string").format("text")
    plain_read.option(_AS_IT_IS, "true").load(address).count()


_AS_IT_IS = "slipway.as-it-is"


def hook(paths: SparkPaths, settings: PerNotebook[Settings]) -> None:
    """Puts the differences in place, for all sessions of this process."""
    from pyspark.sql.connect import plan

    _hook_reading(plan.DataSource, paths)
    _hook_writing(plan, paths)
    _hook_sql(plan.SQL, paths, settings)
    _hook_settings(settings)
    _hook_context()


def _hook_reading(data_source: Any, paths: SparkPaths) -> None:
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
        if options.pop(_AS_IT_IS, None) is None and (format or "").lower() != "jdbc":
            given = [paths.to_read(path, format or "parquet") for path in given or []] or given
            for name in [name for name in options if name.lower() == "path"]:
                options[name] = paths.to_read(options[name], format or "parquet")
        original(self, format, schema, options, given, predicates, is_streaming)

    data_source.__init__ = init


def _hook_writing(plan: Any, paths: SparkPaths) -> None:
    original = plan.WriteOperation.command

    @functools.wraps(original)
    def command(self: Any, session: Any) -> Any:
        if self.table_name is not None:
            raise NotInRehearsal(f"writing the table {self.table_name}", "there is no metastore: write to a path")
        written = self.path
        option = next((name for name in self.options if name.lower() == "path"), None)
        if written is None and option is not None:
            written = self.options[option]
        if written is not None:
            self.path = paths.to_write(written)
            if option is not None:
                self.options[option] = None
        try:
            return original(self, session)
        finally:
            self.path = written

    plan.WriteOperation.command = command
    _refuse(plan.WriteOperationV2, "DataFrame.writeTo", "write to a path")
    _refuse(plan.WriteStreamOperation, "structured streaming", "")
    _refuse(plan.CreateTable, "spark.catalog.createTable", "there is no metastore")


def _refuse(kind: Any, name: str, instead: str) -> None:
    def init(*_arguments: Any, **_options: Any) -> None:
        raise NotInRehearsal(name, instead)

    kind.__init__ = init


def _hook_sql(sql: Any, paths: SparkPaths, settings: PerNotebook[Settings]) -> None:
    import re

    original = sql.__init__
    assignment = re.compile(r"\s*SET\s+([\w.\-]+)\s*=\s*(.*?)\s*;?\s*$", re.IGNORECASE | re.DOTALL)

    @functools.wraps(original)
    def init(self: Any, query: str, *arguments: Any, **options: Any) -> None:
        setting = assignment.match(query)
        if setting and Settings.own(setting[1]):
            settings.get().set(setting[1], setting[2])
            query = "SELECT 1 WHERE FALSE"  # the value stays here; nothing of it goes to Sail
        else:
            query = paths.in_sql(query)
        original(self, query, *arguments, **options)

    sql.__init__ = init


def _hook_settings(settings: PerNotebook[Settings]) -> None:
    from pyspark.sql.connect.conf import RuntimeConf

    original_set, original_get, original_unset = RuntimeConf.set, RuntimeConf.get, RuntimeConf.unset

    def set_(self: Any, key: str, value: Any) -> None:
        if not Settings.own(key):
            original_set(self, key, value)
            return
        settings.get().set(key, str(value).lower() if isinstance(value, bool) else str(value))

    def get(self: Any, key: str, *positional: Any, **named: Any) -> Any:
        if not Settings.own(key):
            return original_get(self, key, *positional, **named)
        values = settings.get().values
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
        settings.get().values.pop(key.removeprefix("spark.hadoop."), None)

    put: Callable[[Any, str, Any], None] = setattr
    put(RuntimeConf, "set", set_)
    put(RuntimeConf, "get", get)
    put(RuntimeConf, "unset", unset)


def _hook_context() -> None:
    from pyspark.sql.connect.session import SparkSession

    def no_context(_self: Any) -> None:
        raise NotInRehearsal("spark.sparkContext", "Sail has no JVM: use DataFrames, or spark.conf for settings")

    put: Callable[[Any, str, Any], None] = setattr
    put(SparkSession, "sparkContext", property(no_context))
    put(SparkSession, "stop", lambda _self: None)  # a notebook's session is not its own to stop
