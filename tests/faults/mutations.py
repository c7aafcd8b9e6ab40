"""Each rule has a test that goes red without it: takes the code of each rule out of a copy of the tree, and runs its test.

    python -m tests.faults.mutations [--table] [NUMBER ...]

--table prints the rows of docs/rules.md. Exit code 1 where a test stays green.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.rules import RULES, Rule

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("scripts", "tests", "rehearsal", "config", "templates", "arm", "datafactory", "notebooks", "library")
FILES = ("conftest.py", "pyproject.toml", "azure-pipelines.yml", "requirements")


@dataclass(frozen=True)
class Result:
    rule: Rule
    red: bool
    said: str


def broken(rule: Rule, text: str) -> str:
    """The file's text without the rule. Raises ValueError where the code is not there, or in several places."""
    if text.count(rule.code) != 1:
        raise ValueError(f"{rule.file}: {rule.code!r} is there {text.count(rule.code)} times")
    return text.replace(rule.code, rule.without)


def try_out(rule: Rule, tree: Path) -> Result:
    """Takes the rule out, runs its test, and puts the rule back."""
    path = tree / rule.file
    whole = path.read_text(encoding="utf-8")
    path.write_text(broken(rule, whole), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", rule.test]
    try:
        run = subprocess.run(
            command, cwd=tree, env={**os.environ, "CI": "1"}, capture_output=True, text=True, check=False
        )
    finally:
        path.write_text(whole, encoding="utf-8")
    lines = run.stdout.strip().splitlines() or run.stderr.strip().splitlines() or [""]
    return Result(rule, run.returncode == 1, lines[-1][:100])


def copied(folder: Path) -> Path:
    for name in (*PARTS, *FILES):
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("node_modules", "__pycache__", ".rehearsal")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    return folder


def table() -> str:
    lines = ["| | rule | kept by | red without it |", "|---|---|---|---|"]
    for number, rule in enumerate(RULES, 1):
        where = f"`{rule.file.removeprefix('scripts/slipway/')}`: `{rule.function}`"
        file, _, test = rule.test.partition("::")
        lines.append(f"| {number} | {rule.text} | {where} | `{Path(file).stem}`: `{test}` |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    if "--table" in arguments:
        print(table(), end="")
        return 0
    chosen = {int(word) for word in arguments} or set(range(1, len(RULES) + 1))
    green = 0
    with tempfile.TemporaryDirectory() as name:
        tree = copied(Path(name))
        for number, rule in enumerate(RULES, 1):
            if number in chosen:
                result = try_out(rule, tree)
                green += not result.red
                print(f"{'red  ' if result.red else 'GREEN'} {number:3} {rule.text[:60]:60} {result.said}", flush=True)
    print(f"{len(chosen) - green} of {len(chosen)} rules have a test that goes red without them.")
    return 1 if green else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
