"""The audit's Delta table: `releases` in the container `audit` of the state account, one for all its environments.

Client: deltalake (delta-rs), imported where it is used: most of a step needs none of it. Tokens come from azure-identity, one
for each call, because this client does not renew what it was given. Rows can be appended and not be changed (delta.appendOnly).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from slipway.domain.audit import COLUMNS, CONTAINER, REQUIRED, TABLE, Row
from slipway.errors import ServiceError, SlipwayError
from slipway.services.azure_errors import scrub

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from slipway.services.credentials import Credential

STORAGE_SCOPE = "https://storage.azure.com/.default"

_TRANSPORT = {"connect_timeout": "5s", "timeout": "20s", "max_retries": "3", "retry_timeout": "30s"}
"""For each request; an audit that can't be reached must not hold up a release for long."""
_CONFIGURATION = {
    "delta.appendOnly": "true",
    # A writer reads the log since the last checkpoint, so a step's requests grow with this.
    "delta.checkpointInterval": "10",
    # The log is part of the audit; and cleaning it up would cost the step that happens to write a checkpoint.
    "delta.enableExpiredLogCleanup": "false",
}
_ATTEMPTS = 3
_COMMIT_RETRIES = 20
"""Two writers want the same version number: the one who lost tries the next. Appends never contradict each other."""
_MICRO = 1_000_000


class AuditTable:
    """Raises ServiceError, and what signing in raises."""

    def __init__(self, account: str, credential: Credential) -> None:
        self.account = account
        self._credential = credential
        self._url = f"abfss://{CONTAINER}@{account}.dfs.core.windows.net/{TABLE}"

    @property
    def place(self) -> str:
        return f"table {CONTAINER}/{TABLE} in {self.account}"

    def append(self, rows: Sequence[Row]) -> None:
        """Writes `rows` in one commit, and makes the table where it is not there yet. Safe beside other writers."""
        from deltalake import CommitProperties, PostCommitHookProperties, write_deltalake
        from deltalake.exceptions import CommitFailedError

        with self._doing("writing to"):
            for attempt in range(_ATTEMPTS):
                try:
                    # By its address alone a write lists the log from its beginning on, and again for each version.
                    write_deltalake(
                        self._open() or self._make(),
                        _as_arrow(rows),
                        mode="append",
                        commit_properties=CommitProperties(max_commit_retries=_COMMIT_RETRIES),
                        post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
                    )
                    return
                except CommitFailedError:
                    if attempt == _ATTEMPTS - 1:
                        raise

    def read(
        self, app: str, environments: Collection[str], *, since: float | None = None, until: float | None = None
    ) -> list[Row]:
        """The rows of an app's environments, `since` <= time < `until`; in no order, and a row may be there twice."""
        from deltalake import QueryBuilder

        with self._doing("reading"):
            table = self._open()
            if table is None:
                return []
            found = QueryBuilder().register("audit", table).execute(_query(app, environments, since, until)).read_all()
            columns = [found.column(name).to_pylist() for name in COLUMNS]
            return [_as_row(dict(zip(COLUMNS, values, strict=True))) for values in zip(*columns, strict=True)]

    def _open(self) -> DeltaTable | None:
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        try:
            return DeltaTable(self._url, storage_options=self._options())
        except TableNotFoundError:
            return None

    def _make(self) -> DeltaTable:
        from deltalake import DeltaTable, Field, Schema
        from deltalake.schema import PrimitiveType

        schema = Schema(
            [Field(name, PrimitiveType(kind), nullable=name not in REQUIRED) for name, kind in COLUMNS.items()]
        )
        return DeltaTable.create(
            self._url,
            schema,
            mode="ignore",  # somebody else may be faster
            partition_by=["environment"],
            name="slipway_releases",
            description="What Slipway did to each environment. A row can be there twice: take each id once.",
            configuration=_CONFIGURATION,
            storage_options=self._options(),
        )

    def _options(self) -> dict[str, str]:
        return {**_TRANSPORT, "bearer_token": self._credential.get_token(STORAGE_SCOPE).token}

    @contextmanager
    def _doing(self, doing: str) -> Iterator[None]:
        try:
            yield
        except SlipwayError:
            raise
        except Exception as error:  # this client raises its own classes, OSError, ValueError, and plain Exception
            raise ServiceError(
                f"{doing.capitalize()} {self.place} failed: {scrub(str(error), 600)}",
                next_step=f"Look whether {self.account} has a container {CONTAINER} (scripts/bootstrap_environment.py makes "
                "it) and whether this identity is Storage Blob Data Contributor (to read: Reader) there.",
            ) from error


def _as_arrow(rows: Sequence[Row]) -> Any:
    from arro3.core import Array, DataType, Table

    moment = DataType.timestamp("us", tz="UTC")
    columns: dict[str, Any] = {}
    for name, kind in COLUMNS.items():
        values = [getattr(row, name) for row in rows]
        if kind == "timestamp":
            columns[name] = Array([round(value * _MICRO) for value in values], DataType.int64()).cast(moment)
        elif kind == "double":
            columns[name] = Array(values, DataType.float64())
        else:
            columns[name] = Array([value or None for value in values], DataType.string())
    return Table.from_pydict(columns)


def _as_row(values: dict[str, Any]) -> Row:
    kept = {name: value for name, value in values.items() if value is not None}
    return Row(**{**kept, "time": kept["time"].timestamp()})


def _query(app: str, environments: Collection[str], since: float | None, until: float | None) -> str:
    conditions = [f"app = {_quoted(app)}", f"environment IN ({', '.join(map(_quoted, sorted(environments)))})"]
    for sign, moment in ((">=", since), ("<", until)):
        if moment is not None:
            conditions.append(
                f"time {sign} arrow_cast({round(moment * _MICRO)}, 'Timestamp(Microsecond, Some(\"UTC\"))')"
            )
    columns = ", ".join(f'"{name}"' for name in COLUMNS)
    return f"SELECT {columns} FROM audit WHERE {' AND '.join(conditions)}"  # noqa: S608 - literals are escaped above


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
