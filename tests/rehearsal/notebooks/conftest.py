"""A small workspace on disk, and the runner as a process of its own, as the Databricks stand-in starts it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rehearsal.notebooks.paths import Folders

REPOSITORY = Path(__file__).parents[3]
HEADER = "# Databricks notebook source\n"


@dataclass
class Outcome:
    """result: of result.json; log: of log.txt."""

    result: dict[str, Any]
    log: str


@dataclass
class Bench:
    """One workspace and what runs in it."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def folders(self) -> Folders:
        return Folders(
            files=self.root / "workspace/files",
            notebooks=self.root / "workspace/notebooks",
            dbfs=self.root / "dbfs",
            volumes=self.root / "volumes",
            datasets=self.root / "datasets",
            spare=self.root / "scratch/folders",
            disk=self.root / "scratch/local_disk0",
        )

    def notebook(self, path: str, text: str, extension: str = ".py") -> None:
        target = self.folders.notebooks / (path + extension)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(HEADER + text if extension == ".py" else text)

    def file(self, path: str, content: str | bytes) -> Path:
        """path: below the bench's folder, such as dbfs/x or workspace/files/x."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return target

    def specification(self, path: str, **parts: Any) -> dict[str, Any]:
        return {
            "run_id": 11,
            "job_id": 22,
            "task_key": "main",
            "workspace_host": "adb-7405612345678901.1.azuredatabricks.net",
            "workspace_id": "7405612345678901",
            "notebook_path": path,
            "parameters": {},
            "workspace": str(self.root / "workspace"),
            "dbfs": str(self.root / "dbfs"),
            "volumes": str(self.root / "volumes"),
            "datasets": str(self.root / "datasets"),
            "libraries": [],
            "wheelhouse": None,
            "secrets": {},
            "task_values": {},
            "job_parameters": {},
            "scratch": str(self.root / "scratch"),
            **parts,
        }

    def command(self) -> list[str]:
        return [sys.executable, "-m", "rehearsal.notebooks.run"]

    def variables(self) -> Mapping[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.root), **self.environment}

    def run(self, path: str, **parts: Any) -> Outcome:
        ended = subprocess.run(
            self.command(),
            input=json.dumps(self.specification(path, **parts)),
            text=True,
            cwd=REPOSITORY,
            env=dict(self.variables()),
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        scratch = self.root / "scratch"
        return Outcome(json.loads((scratch / "result.json").read_text()), (scratch / "log.txt").read_text())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    for folder in (made.folders.files, made.folders.notebooks, made.folders.dbfs, made.folders.volumes):
        folder.mkdir(parents=True)
    made.file("datasets/bikeSharing/data-001/hour.csv", "instant,cnt\n1,16\n2,40\n")
    return made


def make_wheel(
    folder: Path, name: str, version: str, modules: Mapping[str, str], requires: tuple[str, ...] = ()
) -> Path:
    """A pure wheel with these modules (text by path)."""
    information = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    contents = {
        **modules,
        f"{information}/METADATA": metadata + "".join(f"Requires-Dist: {each}\n" for each in requires),
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text.encode())}\n"
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**contents, f"{information}/RECORD": record + f"{information}/RECORD,,\n"}.items():
            archive.writestr(path, text)
    return wheel
