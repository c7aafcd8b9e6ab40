"""What `pip`, `python -m pip` and `pip-audit` run in a rehearsal's job. Standard library only: it runs in any Python.

A lock file whose hash is that of an environment built at set-up is "installed" by making that environment the job's Python;
the outside is never asked. Everything else is refused by name.

    pip_shim.py CONFIG pip install --require-hashes -r requirements/release.txt
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sys
from pathlib import Path

PYTHON_NAMES = ("python", "python3")
PIP_NAMES = ("pip", "pip3", "pip-audit")
_FLAGS = (
    "--require-hashes",
    "--disable-pip-version-check",
    "--no-input",
    "--quiet",
    "-q",
    "--no-deps",
    "--no-cache-dir",
)
_NOT_RUN = "not run in a rehearsal: it needs the outside"


class RefusedError(Exception):
    """A use of pip that a rehearsal cannot satisfy."""


def main(arguments: list[str]) -> int:
    config_file, tool, *rest = arguments
    if tool.replace("_", "-") == "pip-audit":
        print(f"pip-audit {' '.join(rest)}: {_NOT_RUN}.")
        print(f"##vso[task.complete result=Skipped;]{_NOT_RUN}")
        return 0
    try:
        lock = lock_of(rest)
        print(activate(Path(config_file), lock))
    except RefusedError as refused:
        print(f"##vso[task.logissue type=error]{refused}")
        return 1
    return 0


def lock_of(arguments: list[str]) -> Path:
    """The one lock file of a `pip install` command line. Raises RefusedError for any other use."""
    shown = "pip " + " ".join(arguments)
    if arguments[:1] != ["install"]:
        raise RefusedError(f"This rehearsal has no '{shown}': only 'pip install -r <lock file>' is possible here")
    locks: list[str] = []
    rest = iter(arguments[1:])
    for argument in rest:
        if argument in ("-r", "--requirement"):
            locks.append(next(rest, ""))
        elif argument.startswith("--requirement="):
            locks.append(argument.partition("=")[2])
        elif argument.startswith("-r") and len(argument) > 2:
            locks.append(argument[2:])
        elif argument not in _FLAGS:
            raise RefusedError(
                f"This rehearsal has no '{argument}' in '{shown}': it can not fetch anything from outside"
            )
    if len(locks) != 1:
        raise RefusedError(f"This rehearsal needs exactly one lock file in '{shown}'")
    lock = Path(locks[0])
    if not lock.is_file():
        raise RefusedError(f"Could not open requirements file: {lock}")
    return lock


def activate(config_file: Path, lock: Path) -> str:
    """Make the environment of a lock file the job's Python; the returned text says so. Raises RefusedError."""
    config = json.loads(config_file.read_text())
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    environment = config["installed"].get(digest)
    if environment is None:
        raise RefusedError(
            f"{lock} (SHA-256 {digest[:12]}…) is not the lock that this rehearsal was set up with: "
            "install steps are satisfied from the environments made at set-up. Run the set-up again after changing a lock file."
        )
    active = config.get("active")
    if active not in (None, environment):
        raise RefusedError(
            f"This job has installed another lock file already; a rehearsal has one environment per lock, not both: {lock}"
        )
    write_shims(config_file, Path(environment))
    config_file.write_text(json.dumps({**config, "active": environment}))
    return f"{lock}: satisfied from the environment built at set-up (SHA-256 {digest[:12]}…), nothing was downloaded."


def write_shims(config_file: Path, environment: Path | None) -> None:
    """Fill the job's folder of programs: python and pip as scripts, everything else of the environment as links."""
    config = json.loads(config_file.read_text())
    folder = Path(config["folder"])
    base, shim = config["base_python"], config["shim"]
    target = base if environment is None else str(environment / "bin" / "python")
    run_shim = f"exec {shlex.quote(base)} -I {shlex.quote(shim)} {shlex.quote(str(config_file))}"
    for name in PYTHON_NAMES:
        lines = (
            "#!/bin/sh",
            'if [ "$1" = "-m" ]; then',
            f'  case "$2" in pip|pip_audit) tool="$2"; shift 2; {run_shim} "$tool" "$@";; esac',
            "fi",
            f'exec {shlex.quote(target)} "$@"',
        )
        _write(folder / name, lines)
    for name in PIP_NAMES:
        tool = "pip" if name == "pip3" else name
        _write(folder / name, ("#!/bin/sh", f'{run_shim} {tool} "$@"'))
    if environment is not None:
        for program in sorted((environment / "bin").iterdir()):
            link = folder / program.name
            if not program.name.startswith(("python", "pip", "activate", "Activate")) and os.access(program, os.X_OK):
                link.unlink(missing_ok=True)
                link.symlink_to(program)


def _write(path: Path, lines: tuple[str, ...]) -> None:
    # Replaced in one move: the script that is running now is the one being replaced.
    new = path.with_name(path.name + ".new")
    new.write_text("\n".join(lines) + "\n")
    new.chmod(0o755)
    new.replace(path)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
