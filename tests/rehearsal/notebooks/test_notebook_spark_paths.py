from __future__ import annotations

import pytest
from pyspark.errors import AnalysisException

from rehearsal.notebooks.errors import NotInRehearsal, Py4JJavaError
from rehearsal.notebooks.paths import AzurePlace
from rehearsal.notebooks.spark_paths import SparkPaths
from rehearsal.notebooks.spark_settings import SailStorage, ServicePrincipal, Settings
from tests.rehearsal.notebooks.conftest import Bench

ACCOUNT = "stone.dfs.core.windows.net"
AZURE = f"abfss://data@{ACCOUNT}"


class Containers:
    """Which Azure paths are there, and which containers were opened."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    def open(self, place: AzurePlace) -> None:
        self.opened.append(place.container)

    def kind(self, place: AzurePlace) -> str | None:
        return {"a/file.csv": "file", "a": "folder"}.get(place.path)


@pytest.fixture
def containers() -> Containers:
    return Containers()


@pytest.fixture
def paths(bench: Bench, containers: Containers) -> SparkPaths:
    bench.file("dbfs/a/x.csv", "1")
    bench.file("dbfs/table/_delta_log/0.json", "{}")
    return SparkPaths(bench.folders, containers.open, containers.kind)


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("dbfs:/a/x.csv", "dbfs/a/x.csv"),
        ("/a", "dbfs/a"),
        ("dbfs:/a/*.csv", "dbfs/a/*.csv"),
        ("dbfs:/{a,b}/x.csv", "dbfs/{a,b}/x.csv"),
        ("/databricks-datasets/bikeSharing/data-001/hour.csv", "datasets/bikeSharing/data-001/hour.csv"),
    ],
)
def test_paths_that_are_there_are_mapped(paths: SparkPaths, bench: Bench, path: str, real: str) -> None:
    assert paths.to_read(path, "csv") == str(bench.root / real)


@pytest.mark.parametrize("path", ["dbfs:/none", "/a/*.json", "dbfs:/{b,c}/x.csv", f"{AZURE}/none"])
def test_a_missing_path_fails_as_on_databricks(paths: SparkPaths, path: str) -> None:
    with pytest.raises(AnalysisException, match=r"^\[PATH_NOT_FOUND\] Path does not exist: (dbfs|abfss):"):
        paths.to_read(path, "csv")
    with pytest.raises(AnalysisException, match=r"^\[DELTA_PATH_DOES_NOT_EXIST\]"):
        paths.to_read(path, "delta")


def test_azure_paths_stay_and_their_container_is_opened_first(paths: SparkPaths, containers: Containers) -> None:
    assert paths.to_read(f"{AZURE}/a/file.csv", "csv") == f"{AZURE}/a/file.csv"
    assert paths.to_read(f"{AZURE}/a", "csv") == f"{AZURE}/a/"
    assert paths.to_write(f"{AZURE}/new") == f"{AZURE}/new"
    assert containers.opened == ["data", "data", "data"]


def test_runs_do_not_write_where_they_may_not(paths: SparkPaths, bench: Bench) -> None:
    assert paths.to_write("dbfs:/new") == str(bench.root / "dbfs/new")
    for path in ("/databricks-datasets/x", "file:/Workspace/x"):
        with pytest.raises(NotInRehearsal, match="read-only"):
            paths.to_write(path)


def test_paths_in_sql_are_mapped(paths: SparkPaths, bench: Bench) -> None:
    root = bench.root / "dbfs"
    assert paths.in_sql("SELECT * FROM delta.`dbfs:/table` JOIN csv.`/a`") == (
        f"SELECT * FROM delta.`{root}/table` JOIN csv.`{root}/a`"
    )
    assert paths.in_sql("CREATE TABLE delta.`dbfs:/new` (x INT)") == f"CREATE TABLE delta.`{root}/new` (x INT)"
    view = "CREATE TEMP VIEW v USING csv OPTIONS (path 'dbfs:/a', header 'true')"
    assert paths.in_sql(view) == view.replace("dbfs:/a", f"{root}/a")
    plain = "SELECT parquet.x, 'path' FROM parquet WHERE `delta` = 1"
    assert paths.in_sql(plain) == plain
    with pytest.raises(AnalysisException, match="PATH_NOT_FOUND"):
        paths.in_sql("select count(*) from json.`dbfs:/none`")


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("CREATE TABLE sales (x INT)", "CREATE TABLE"),
        ("-- why\n/* not */ create or replace table a.b as select 1", "CREATE OR REPLACE TABLE"),
        ("CREATE SCHEMA x", "CREATE SCHEMA"),
        ("OPTIMIZE delta.`dbfs:/table`", "OPTIMIZE"),
        ("DESCRIBE HISTORY delta.`dbfs:/table`", "DESCRIBE HISTORY"),
        ("COPY INTO t FROM 'dbfs:/a'", "COPY INTO"),
        ("GRANT SELECT ON TABLE t TO users", "GRANT"),
        ("CREATE VIEW v AS SELECT 1", "CREATE VIEW"),
    ],
)
def test_statements_that_need_a_metastore_are_refused_by_name(paths: SparkPaths, statement: str, named: str) -> None:
    with pytest.raises(NotInRehearsal, match=f"the SQL statement {named}"):
        paths.in_sql(statement)


@pytest.mark.parametrize(
    "statement", ["CREATE OR REPLACE TEMP VIEW v AS SELECT 1", "create temporary view v as select 1", ""]
)
def test_other_statements_pass(paths: SparkPaths, statement: str) -> None:
    assert paths.in_sql(statement) == statement


def test_without_a_key_the_services_error_says_which_account() -> None:
    with pytest.raises(Py4JJavaError, match=r"storage account stone\.dfs.*fs\.azure\.account\.key"):
        Settings({}).azure_credential("stone")


def test_a_key_belongs_to_its_account() -> None:
    settings = Settings({})
    settings.set(f"spark.hadoop.fs.azure.account.key.{ACCOUNT}", "pl4nted")
    assert settings.azure_credential("stone") == "pl4nted"
    with pytest.raises(Py4JJavaError):
        settings.azure_credential("sttwo")


def oauth(settings: Settings, **parts: str) -> None:
    values = {
        "auth.type": "OAuth",
        "oauth.provider.type": "org.apache.hadoop.fs.azurebfs.oauth2.ClientCredsTokenProvider",
        "oauth2.client.id": "app",
        "oauth2.client.secret": "pl4nted",
        "oauth2.client.endpoint": "https://login.microsoftonline.com/tenant/oauth2/token",
        **parts,
    }
    for name, value in values.items():
        settings.set(f"fs.azure.account.{name}.{ACCOUNT}", value)


def test_a_service_principal_in_place_of_a_key() -> None:
    settings = Settings({})
    oauth(settings)
    principal = settings.azure_credential("stone")
    assert principal == ServicePrincipal("tenant", "app", "pl4nted")
    assert "pl4nted" not in repr(principal)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("auth.type", "SAS", NotInRehearsal),
        ("oauth.provider.type", "org.apache.hadoop.fs.azurebfs.oauth2.MsiTokenProvider", NotInRehearsal),
        ("oauth2.client.endpoint", "https://example.com/token", Py4JJavaError),
        ("oauth2.client.secret", "", Py4JJavaError),
    ],
)
def test_other_ways_to_sign_in_are_refused(name: str, value: str, error: type[Exception]) -> None:
    settings = Settings({})
    oauth(settings, **{name: value})
    with pytest.raises(error):
        settings.azure_credential("stone")


def test_other_storage_settings_are_refused_by_name() -> None:
    with pytest.raises(NotInRehearsal, match=r"fs\.azure\.sas\.fixed\.token"):
        Settings({}).set(f"fs.azure.sas.fixed.token.{ACCOUNT}", "pl4nted")


def test_sail_gets_each_containers_own_credential_and_keeps_it_no_longer_than_needed() -> None:
    environment = {"AZURE_STORAGE_ACCOUNT_KEY": "inherited", "PATH": "/bin"}
    seen: list[tuple[str, dict[str, str]]] = []
    storage = SailStorage(lambda address: seen.append((address, dict(environment))), environment)
    for _ in range(2):
        storage.open(AzurePlace("stone", "data", "a"), "key one")
        storage.open(AzurePlace("sttwo", "data", "a"), ServicePrincipal("tenant", "app", "secret"))
    assert [(address.partition("/.")[0], variables) for address, variables in seen] == [
        (AZURE, {"AZURE_STORAGE_ACCOUNT_KEY": "key one", "PATH": "/bin"}),
        (
            "abfss://data@sttwo.dfs.core.windows.net",
            {
                "AZURE_CLIENT_ID": "app",
                "AZURE_CLIENT_SECRET": "secret",
                "AZURE_TENANT_ID": "tenant",
                "PATH": "/bin",
            },
        ),
    ]
    assert environment == {"AZURE_STORAGE_ACCOUNT_KEY": "inherited", "PATH": "/bin"}
    with pytest.raises(NotInRehearsal, match="another credential for data@stone"):
        storage.open(AzurePlace("stone", "data", "a"), "key two")
