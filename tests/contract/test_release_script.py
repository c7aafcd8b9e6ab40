"""A whole release by a bash script with az, databricks and jq."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.contract.clients import Commands, Refusal
from tests.contract.place import ROOT, Place

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed; .ci/run installs it"),
]
SCRIPT = ROOT / "tests/contract/release.sh"
NOTEBOOK = """# Databricks notebook source
# MAGIC %run ./parts/names

# COMMAND ----------

scope, account = dbutils.widgets.get("scope"), dbutils.widgets.get("account")
key = dbutils.secrets.get(scope, "storage-key")
print(f"the key is {key}")
dbutils.notebook.exit(f"{greeting}, {account}: {len(key) > 40}")
"""


def variables(place: Place, folder: Path, greeting: str) -> dict[str, str]:
    (folder / "notebooks" / "parts").mkdir(parents=True, exist_ok=True)
    (folder / "notebooks" / "main.py").write_text(NOTEBOOK)
    (folder / "notebooks" / "parts" / "names.py").write_text(f"# Databricks notebook source\ngreeting = {greeting}\n")
    library = folder / "demand-1.0-py3-none-any.whl"
    library.write_bytes(bytes(range(256)) * 10_000)  # more than one block of DBFS
    return {
        "GROUP": place.name("release"),
        "LOCATION": place.location,
        "TEMPLATE": str(ROOT / "tests/contract/template.json"),
        "ACCOUNT": place.name("release", dashes=False),
        "VAULT": place.name("release"),
        "PASSWORD": "not-shown-anywhere",
        "SCOPE": place.name("release"),
        "LIBRARY": str(library),
        "NOTEBOOKS": str(folder / "notebooks"),
        "TARGET": f"/Shared/{place.name('release')}",
    }


def test_a_release_by_a_script_as_people_wrote_them(place: Place, tmp_path: Path) -> None:
    try:
        given = variables(place, tmp_path, "'hello'")
        printed = Commands(place=place, folder=tmp_path, more=given).run("bash", str(SCRIPT))
        assert f"https://{given['VAULT']}.vault.azure.net" in printed
        assert "demand-1.0-py3-none-any.whl" in printed
        assert printed.splitlines()[-1] == f"hello, {given['ACCOUNT']}: True"
        assert "not-shown-anywhere" not in printed
        # Now everything is there already, and the notebook fails.
        with pytest.raises(Refusal, match="TERMINATED") as refused:
            given = variables(place, tmp_path, "1 / 0")
            Commands(place=place, folder=tmp_path, more=given).run("bash", str(SCRIPT))
        assert "Workload failed, see run output for details" in str(refused.value)
    finally:
        commands = Commands(place=place, folder=tmp_path)
        commands.databricks("workspace", "rm", "--recursive", f"/Shared/{place.name('release')}")
        commands.databricks("secrets", "delete-scope", "--scope", place.name("release"))
        commands.databricks("fs", "rm", "--recursive", "dbfs:/libraries")
        commands.az("group", "delete", "--name", place.name("release"), "--yes")
