"""Set up what a rehearsal and the tests need, from lock files only; run by make with whatever Python the machine has.

Uses the standard library alone: nothing is installed yet when it runs. Each part is stamped with the hash of what it was
made from, so that a second call does nothing, and an interrupted one is made again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

OLDEST_PYTHON = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
STAMP = ".made-from"
# The environment of the clients that judge the stand-ins: `az` alone has 700 MB, so it is made only when it is asked for.
CONTRACT = "contract"


class SetupFailed(Exception):
    """Something that the set-up needs is missing; the text says what, and what to do."""


def environment_folder(lock: str) -> Path:
    """The virtual environment that is made from requirements/<lock>.txt; build and rehearsal share the larger one."""
    return ROOT / (f".venv-{lock}" if lock in ("release", CONTRACT) else ".venv")


def main(arguments: Sequence[str] = ()) -> int:
    """Make everything that is missing or out of date, with `contract` also the foreign clients' environment.

    Returns 0, or 1 with a message on standard error.
    """
    try:
        if sys.version_info < OLDEST_PYTHON:
            raise SetupFailed(
                f"Python {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer is needed and this is {sys.version.split()[0]}. "
                "Install one and say which with: make PYTHON=python3.12 …"
            )
        # Azurite may need the Node that comes with the first environment; the other one needs neither.
        with ThreadPoolExecutor(1) as beside:
            release = beside.submit(_make_environment, "release")
            _make_environment("rehearsal")
            _make_azurite()
            release.result()
        if CONTRACT in arguments:
            _make_environment(CONTRACT)
    except SetupFailed as failure:
        print(f"Set-up stopped: {failure}", file=sys.stderr)
        return 1
    return 0


def _make_environment(lock: str) -> None:
    folder = environment_folder(lock)
    requirements = ROOT / "requirements" / f"{lock}.txt"
    made_from = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    if _is_made(folder, made_from):
        return
    _say(f"{folder.name}: installing requirements/{lock}.txt, every file checked against its hash")
    started = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    pip = _new_environment(folder)
    _run([*pip, "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", str(requirements)], lock)
    (folder / STAMP).write_text(made_from)
    _say(f"{folder.name}: done in {time.monotonic() - started:.0f} s")


def _new_environment(folder: Path) -> list[str]:
    """Make the virtual environment and give the words of its pip, also on a machine whose Python has no ensurepip."""
    python = _bin(folder) / "python"
    made = subprocess.run([sys.executable, "-m", "venv", str(folder)], capture_output=True, text=True, check=False)
    if made.returncode == 0:
        return [str(python), "-m", "pip"]
    shutil.rmtree(folder, ignore_errors=True)
    bare = [sys.executable, "-m", "venv", "--without-pip", str(folder)]
    if subprocess.run(bare, capture_output=True, check=False).returncode:
        raise SetupFailed(
            f"a virtual environment could not be made in {folder}: {made.stdout.strip()}{made.stderr.strip()}"
        )
    outer = [sys.executable, "-m", "pip"]
    if subprocess.run([*outer, "--version"], capture_output=True, check=False).returncode:
        raise SetupFailed(
            "this Python has neither ensurepip nor pip. Install one of them (Debian and Ubuntu: apt-get install python3-venv)."
        )
    return [*outer, "--python", str(python)]


def _make_azurite() -> None:
    folder = ROOT / "rehearsal" / "azurite"
    lock = folder / "package-lock.json"
    modules = folder / "node_modules"
    variables = _variables_with_node()
    made_from = hashlib.sha256(lock.read_bytes()).hexdigest()
    if _is_made(modules, made_from):
        return
    _say("Azurite: installing rehearsal/azurite/package-lock.json")
    npm = shutil.which("npm", path=variables.get("PATH")) or "npm"
    _run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder)],
        "Azurite",
        variables,
    )
    (modules / STAMP).write_text(made_from)


def _variables_with_node() -> dict[str, str]:
    """This process's variables, with a PATH that has Node: the machine's own, or one from PyPI."""
    variables = dict(os.environ)
    programs = _bin(environment_folder("rehearsal"))
    variables["PATH"] = f"{variables.get('PATH', '')}{os.pathsep}{programs}"
    if not (shutil.which("npm", path=variables["PATH"]) and shutil.which("node", path=variables["PATH"])):
        _say("Node: this machine has none, so it comes from PyPI")
        requirements = str(ROOT / "requirements" / "node.txt")
        _run(
            [str(programs / "python"), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", requirements],
            "Node",
        )
    return variables


def _run(command: list[str], what: str, variables: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-12:])
        raise SetupFailed(
            f"{what} could not be installed; nothing else was changed. Is the package registry reachable from here?\n"
            f"  {' '.join(command)}\n{last}"
        )


def _is_made(folder: Path, made_from: str) -> bool:
    stamp = folder / STAMP
    return stamp.is_file() and stamp.read_text() == made_from


def _bin(folder: Path) -> Path:
    return folder / "bin"


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
