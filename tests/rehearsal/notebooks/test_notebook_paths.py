from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rehearsal.notebooks.errors import NotInRehearsal
from rehearsal.notebooks.paths import AzurePlace, LocalPlace, glob_pattern
from tests.rehearsal.notebooks.conftest import Bench


@pytest.mark.parametrize(
    ("uri", "real", "shown", "writable"),
    [
        ("dbfs:/a/b", "dbfs/a/b", "dbfs:/a/b", True),
        ("dbfs:///a//b/../c", "dbfs/a/c", "dbfs:/a/c", True),
        ("/a", "dbfs/a", "dbfs:/a", True),
        ("a", "dbfs/a", "dbfs:/a", True),
        ("/databricks-datasets/x.csv", "datasets/x.csv", "dbfs:/databricks-datasets/x.csv", False),
        ("dbfs:/databricks-datasets", "datasets", "dbfs:/databricks-datasets", False),
        ("/Volumes/c/s/v/x", "volumes/c/s/v/x", "/Volumes/c/s/v/x", True),
        ("dbfs:/Volumes/c", "volumes/c", "/Volumes/c", True),
        ("file:/Workspace/a", "workspace/files/a", "file:/Workspace/a", False),
        ("file:/dbfs/a", "dbfs/a", "file:/dbfs/a", True),
        ("/Workspace/a", "dbfs/Workspace/a", "dbfs:/Workspace/a", True),
    ],
)
def test_paths_of_spark_and_dbutils(bench: Bench, uri: str, real: str, shown: str, writable: bool) -> None:
    assert bench.folders.place(uri) == LocalPlace(bench.root / real, shown, writable)


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("/Workspace/a/b", "workspace/files/a/b"),
        ("/dbfs/a", "dbfs/a"),
        ("/dbfs/databricks-datasets/x", "datasets/x"),
        ("/Volumes/c/x", "volumes/c/x"),
        ("/local_disk0/tmp/x", "scratch/local_disk0/tmp/x"),
        ("//Workspace/./a/../b", "workspace/files/b"),
    ],
)
def test_paths_of_plain_python(bench: Bench, path: str, real: str) -> None:
    place = bench.folders.local(path)
    assert place is not None
    assert place.real == bench.root / real


@pytest.mark.parametrize("path", ["/tmp/x", "/databricks-datasets/x", "/Workspaces/x", "/"])
def test_other_paths_of_plain_python_are_this_machines(bench: Bench, path: str) -> None:
    assert bench.folders.local(path) is None


def test_azure_paths(bench: Bench) -> None:
    place = bench.folders.place("abfss://data@stone.dfs.core.windows.net//a//b/")
    assert place == AzurePlace("stone", "data", "a/b")
    assert place.shown == "abfss://data@stone.dfs.core.windows.net/a/b"
    root = bench.folders.place("abfss://data@stone.dfs.core.windows.net")
    assert root == AzurePlace("stone", "data", "")


@pytest.mark.parametrize("uri", ["abfss://data/x", "abfss://data@stone.blob.core.windows.net/x", "abfss:///x"])
def test_a_wrong_azure_address_is_refused(bench: Bench, uri: str) -> None:
    with pytest.raises(ValueError, match="abfss://<container>@<account>"):
        bench.folders.place(uri)


@pytest.mark.parametrize("uri", ["wasbs://data@x.blob.core.windows.net/y", "s3://b/x", "http://x/y", "adl://x"])
def test_other_schemes_are_refused_by_name(bench: Bench, uri: str) -> None:
    with pytest.raises(NotInRehearsal, match=uri.partition(":")[0]):
        bench.folders.place(uri)


PARTS = st.lists(
    st.sampled_from(["..", ".", "", "a", "Workspace", "dbfs", "Volumes", "databricks-datasets"]), max_size=8
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["dbfs:/", "dbfs:///", "/", "", "dbfs:", "dbfs://host/"]), PARTS)
def test_no_spark_path_leads_out_of_its_roots(bench: Bench, start: str, parts: list[str]) -> None:
    place = bench.folders.place(start + "/".join(parts))
    assert isinstance(place, LocalPlace)
    assert ".." not in place.real.parts
    assert place.real.is_relative_to(bench.root)


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("a/*.csv", "a/x.csv", "a/b/x.csv"),
        ("a/{b,c}/d", "a/c/d/part-0", "a/e/d"),
        ("a/[0-9]?", "a/1x", "a/x1"),
        ("a/[^0-9]", "a/x", "a/1"),
        ("a+b", "a+b/c", "aab"),
    ],
)
def test_wildcards(pattern: str, matching: str, other: str) -> None:
    assert glob_pattern(pattern).match(matching)
    assert not glob_pattern(pattern).match(other)


def test_a_notebook_has_a_name_among_files_and_no_source(bench: Bench) -> None:
    bench.notebook("App/notebooks/score", "x = 1\n")
    place = bench.folders.local("/Workspace/App/notebooks/score")
    assert place is not None
    assert place.notebook
    assert place.real.read_bytes() == b""
    assert bench.folders.local("/Workspace/App/notebooks/score.py") == LocalPlace(
        bench.folders.files / "App/notebooks/score.py", "/Workspace/App/notebooks/score.py", False
    )
    assert isinstance(place.real, Path)
