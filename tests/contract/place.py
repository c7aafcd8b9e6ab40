"""Where the foreign clients work: in front of a rehearsal's stand-ins, or in Azure."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
# What a client inherits of this machine; everything else that it sees is what a rehearsal prints.
INHERITED = ("LANG", "LC_ALL", "TMPDIR")
LIMIT_SECONDS = 120
REPOSITORY = "https://github.com/slipway-contract/etl"
# Names in Azure are made of letters and digits alone in some places, and shared by all of Azure in others.
PREFIX = re.compile(r"[a-z][a-z0-9]{2,8}")


class Unusable(Exception):
    """There is no such place; the text says what is missing, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """variables: the whole environment of a client. profile: of the `databricks` command, "" for its default.

    prefix: begins every name that a test makes. requests: the gateway's log, where there is a gateway.
    repository: the URL of a Git repository that the workspace may clone, with a notebook `etl/load.py` on the branch `main`.
    """

    variables: Mapping[str, str]
    subscription: str
    location: str
    prefix: str
    host: str
    profile: str
    requests: Path | None
    repository: str

    def name(self, kind: str, *, dashes: bool = True) -> str:
        """A name for a thing of a test."""
        return f"{self.prefix}-{kind}" if dashes else f"{self.prefix}{kind}".replace("-", "")

    @property
    def rehearsed(self) -> bool:
        return self.requests is not None


def _repository(folder: Path) -> Path:
    """A repository with one notebook, to be cloned by the workspace."""
    (folder / "etl").mkdir(parents=True)
    (folder / "etl" / "load.py").write_text("# Databricks notebook source\nprint('loaded')\n")
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for words in (["init", "--quiet", "--initial-branch", "main"], ["add", "."], ["commit", "--quiet", "-m", "First"]):
        subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)
    return folder


class StandIns:
    """A rehearsal's stand-ins, started as a person starts them. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "stand-ins.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        command = [str(ROOT / ".venv/bin/python"), "-m", "rehearsal", "--folder", str(self._folder / "rehearsal")]
        command += ["--pipeline", "tests/contract/pipeline.yml", "--only", "dev", "--keep-running"]
        command += ["--git", f"{REPOSITORY}={_repository(self._folder / 'repository')}"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(LIMIT_SECONDS)

    def place(self) -> Place:
        """Waits for the file of exports. Raises Unusable when the stand-ins end before they have written it."""
        exports = self._exported(self._folder / "rehearsal" / "exports.sh")
        home = self._folder / "home"
        home.mkdir(exist_ok=True)
        profiles = configparser.ConfigParser(interpolation=None)
        profiles.read(exports["DATABRICKS_CONFIG_FILE"])
        return Place(
            variables={**surroundings(home), **exports},
            subscription="2c9d8e7f-6a5b-4c3d-8e1f-0a9b8c7d6e5f",
            location="westeurope",
            prefix="contract",
            host=profiles["dev"]["host"],
            profile="dev",
            requests=self._folder / "rehearsal" / "gateway" / "requests.log",
            repository=REPOSITORY,
        )

    def _exported(self, path: Path) -> dict[str, str]:
        assert self._process is not None
        until = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < until:
            text = path.read_text() if path.exists() else ""
            if "AZURE_CLIENT_SECRET" in text and text.endswith("\n"):
                return dict(re.findall(r"^export (\w+)='(.*)'$", text, re.MULTILINE))
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        raise Unusable(f"the stand-ins did not come up:\n{self._log.read_text()}")


def surroundings(home: Path) -> dict[str, str]:
    """What a client needs of this machine: where programs are, and a home of its own."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    # databricks-cli's `databricks` has an environment of its own; azure-cli's `az` is in the one that runs the tests.
    programs = [str(Path(sys.executable).parent), str(home / "bin"), "/usr/local/bin", "/usr/bin", "/bin"]
    (home / "bin").mkdir(exist_ok=True)
    command = home / "bin" / "databricks"
    if not command.exists():
        command.symlink_to(ROOT / ".venv-release" / "bin" / "databricks")
    return {**kept, "PATH": os.pathsep.join(programs), "HOME": str(home)}


# What the file of `make verify-azure` says, beside the sign-in, which comes from AZURE_TENANT_ID, AZURE_CLIENT_ID and
# AZURE_CLIENT_SECRET: a file gets committed.
NAMES = ("subscription", "location", "prefix", "workspace_host", "repository")
SIGN_IN = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")


def azure_place(file: Path | None, environment: Mapping[str, str], home: Path) -> Place:
    """A subscription and a workspace of somebody who has them. Raises Unusable."""
    names = read_names(file)
    absent = [name for name in SIGN_IN if not environment.get(name)]
    if absent:
        raise Unusable(f"{', '.join(absent)} must be set: the service principal that the clients sign in as")
    variables = {**surroundings(home), **{name: environment[name] for name in SIGN_IN}}
    variables |= {"AZURE_CONFIG_DIR": str(home / "azure"), "AZURE_CORE_COLLECT_TELEMETRY": "false"}
    variables |= {"DATABRICKS_CONFIG_FILE": str(home / "databrickscfg")}
    variables |= {
        name.replace("AZURE_", "ARM_"): environment[name] for name in SIGN_IN
    }  # how databricks-sdk calls them
    return Place(
        variables=variables,
        subscription=names["subscription"],
        location=names["location"],
        prefix=names["prefix"],
        host=names["workspace_host"],
        profile="",
        requests=None,
        repository=names["repository"],
    )


def read_names(file: Path | None) -> dict[str, str]:
    """The names of a file, all of them checked. Raises Unusable."""
    if file is None or not file.is_file():
        which = file if file and file.name else "with names"
        raise Unusable(
            f"there is no file {which}. Write one with {', '.join(NAMES)} (docs/verify-azure.md shows it), and call: "
            "make verify-azure NAMES=azure.toml"
        )
    try:
        found: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Unusable(f"{file} is no TOML: {error}") from error
    absent = [name for name in NAMES if not isinstance(found.get(name), str) or not found[name]]
    if absent:
        raise Unusable(f"{file} does not say {', '.join(absent)}")
    if not PREFIX.fullmatch(found["prefix"]):
        raise Unusable(f"{file}: the prefix must be 3 to 9 small letters and digits, and begin with a letter")
    if not found["workspace_host"].startswith("https://"):
        raise Unusable(f"{file}: workspace_host is the workspace's address, https://adb-….azuredatabricks.net")
    return {name: found[name] for name in NAMES}
