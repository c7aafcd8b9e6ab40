"""Judged from outside: clients that were written for the real services, each with only what a rehearsal prints.

They have an environment of their own, .venv-contract; `make test-contract` makes it and runs these tests in it.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.clients import Commands
from tests.contract.differences import Differences
from tests.contract.leftovers import clean, refusal
from tests.contract.place import ROOT, Place, StandIns, Unusable, azure_place

DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
# In the environment of the stand-ins there are no foreign clients.
collect_ignore_glob = [] if importlib.util.find_spec("databricks") else ["test_*.py"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", action="store_true", help="write down which operation which client exercised")
    parser.addoption("--azure", action="store_true", help="in a real subscription and workspace; see --names")
    parser.addoption("--names", type=Path, help="the file that names the subscription and the workspace")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--azure", default=False):
        file = ROOT / "azure-differences.md"
        config.pluginmanager.register(Differences(file, dict(os.environ)), "differences")


@pytest.fixture(scope="session")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("contract")
    if request.config.getoption("--azure"):
        try:
            place = azure_place(request.config.getoption("--names"), os.environ, folder)
        except Unusable as error:
            pytest.exit(f"Azure was not asked anything: {error}", returncode=2)
        yield place
        return
    with StandIns(folder) as stand_ins:
        found = stand_ins.place()
        yield found
    # Half a run exercises half of the operations.
    if request.config.getoption("--record") and not request.session.testsfailed:
        command = [str(ROOT / ".venv/bin/python"), "-m", "rehearsal.coverage", "--record", str(found.requests)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"{done.stdout}{done.stderr}", pytrace=False)


@pytest.fixture(scope="session", autouse=True)
def only_what_is_exported(place: Place) -> Iterator[None]:
    """Clients in this process see what those in processes of their own see."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(place.variables)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def commands(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """Signed in to `az` as the exports say."""
    signed_in = Commands(place=place, folder=tmp_path_factory.mktemp("commands"))
    client, secret, tenant = (place.variables[f"AZURE_{name}"] for name in ("CLIENT_ID", "CLIENT_SECRET", "TENANT_ID"))
    signed_in.az("login", "--service-principal", "-u", client, "-p", secret, "-t", tenant)
    signed_in.az("account", "set", "--subscription", place.subscription)
    if not place.rehearsed:  # a rehearsal prints a file with a token
        token = signed_in.az("account", "get-access-token", "--resource", DATABRICKS)["accessToken"]
        file = Path(place.variables["DATABRICKS_CONFIG_FILE"])
        file.touch(mode=0o600)
        file.write_text(f"[DEFAULT]\nhost = {place.host}\ntoken = {token}\njobs-api-version = 2.1\n")
    return signed_in


@pytest.fixture(scope="session", autouse=True)
def nothing_of_others(request: pytest.FixtureRequest, place: Place) -> Iterator[None]:
    """In Azure: whatever is under the prefix at the end goes, after a run that failed too; so nothing may be there before."""
    if place.rehearsed:
        yield
        return
    commands: Commands = request.getfixturevalue("commands")
    if found := refusal(place.prefix, commands):
        pytest.exit(f"Nothing was made or removed: {found}", returncode=2)
    yield
    clean(place.prefix, commands)


@pytest.fixture(scope="session")
def workspace(place: Place) -> Any:
    """databricks-sdk's client: with the token of a profile of the exported file, or signed in as ARM_… says."""
    from databricks.sdk import WorkspaceClient

    return WorkspaceClient(profile=place.profile) if place.profile else WorkspaceClient(host=place.host)


@pytest.fixture(scope="session")
def group(commands: Commands, place: Place) -> Iterator[str]:
    """A resource group for the tests' resources, gone afterwards."""
    name = place.name("tests")
    commands.az("group", "create", "--name", name, "--location", place.location, "--tags", "made-by=contract-tests")
    yield name
    commands.az("group", "delete", "--name", name, "--yes")
