"""Spark for one run: a Sail server in this process, and a session for each notebook."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rehearsal.notebooks.azure_files import AzureFiles, client_credential
from rehearsal.notebooks.paths import AzurePlace, Folders
from rehearsal.notebooks.spark_paths import SparkPaths
from rehearsal.notebooks.spark_settings import SailStorage, Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# An option of a reader: leave its path alone.
AS_IT_IS = "slipway.as-it-is"


class NotebookSession:
    """A notebook's Spark session, with its settings and its way to storage.

    facts: settings that are there from the start. Settings, temporary views and credentials are a session's own, as on
    Databricks: a notebook that was started by another one sets its own.
    """

    def __init__(self, spark: SparkSession, folders: Folders, facts: Mapping[str, str]) -> None:
        self.spark = spark
        self.client: Any = vars(spark)["_client"]
        self.settings = Settings(facts)
        self._clients: dict[object, Any] = {}
        self.azure = AzureFiles(self._client_credential)
        self._storage = SailStorage(self._use)
        self.paths = SparkPaths(folders, self._open, self.azure.kind_with_wildcards)

    def _open(self, place: AzurePlace) -> None:
        self._storage.open(place, self.settings.azure_credential(place.account))

    def _use(self, address: str) -> None:
        """Has Sail open a container by reading something in it that need not be there."""
        reader = self.spark.read.schema("value string").format("text").option(AS_IT_IS, "true")
        reader.load(address).count()

    def _client_credential(self, account: str) -> Any:
        credential = self.settings.azure_credential(account)
        if credential not in self._clients:
            self._clients[credential] = client_credential(credential)
        return self._clients[credential]


class Spark:
    """The Sail server of a run. It lives in this process and ends with it, however the process ends."""

    def __init__(self, folders: Folders) -> None:
        # gRPC would go to the rehearsal's gateway for its own loopback address; Sail's log lines are not the
        # notebook's.
        for name in ("no_proxy", "NO_PROXY"):
            hosts = [each for each in os.environ.get(name, "").split(",") if each]
            os.environ[name] = ",".join(dict.fromkeys([*hosts, "127.0.0.1", "localhost"]))
        os.environ.setdefault("RUST_LOG", "off")
        from pysail.spark import SparkConnectServer  # type: ignore[import-untyped]

        self._folders = folders
        self._server = SparkConnectServer("127.0.0.1", 0)
        self._server.start(background=True)
        host, port = self._server.listening_address or ("127.0.0.1", 0)
        self._address = f"sc://{host}:{port}"
        os.environ["SPARK_REMOTE"] = self._address
        os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
        self._sessions: list[NotebookSession] = []

    def open_session(self, facts: Mapping[str, str]) -> NotebookSession:
        """A new session, the active one of this thread when it has none yet."""
        from pyspark.sql import SparkSession

        builder: Any = SparkSession.builder
        session = NotebookSession(builder.remote(self._address).create(), self._folders, facts)
        self._sessions.append(session)
        return session

    def find(self, spark_or_client: Any) -> NotebookSession:
        """What belongs to a SparkSession or to its client; of the first notebook for one that is not known."""
        for session in self._sessions:
            if spark_or_client is session.spark or spark_or_client is session.client:
                return session
        return self._sessions[0]
