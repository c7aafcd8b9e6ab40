"""`%sh`: a real shell, in the run's own folder and with the process's own environment.

Docs, "Notebook magic commands": a failing command does not fail the cell, unless the cell begins with `%sh -e`. The roots of
Databricks can't be put into a shell of this machine without rights that a rehearsal has not, so a cell that names one is refused.
"""

from __future__ import annotations

import codecs
import os
import re
import subprocess
import threading
from pathlib import Path

from rehearsal.notebooks.errors import NotInRehearsal

_ROOTS = re.compile(r"(?<![\w.~/$}-])/(dbfs|Volumes|Workspace|databricks-datasets|databricks|local_disk0)(?![\w-])")
_OPTIONS = re.compile(r"[ \t]*((?:-[a-z]+[ \t]*)*)(?:\n|$)")
PATIENCE_SECONDS = 1.0  # for what background processes of an ended shell still say


def run_shell(text: str, folder: Path) -> None:
    """Runs a cell's text; prints what it says. folder: where it runs, made when it is missing.

    Raises NotInRehearsal for paths that a shell can't see here, CalledProcessError when it fails and `-e` was asked for.
    """
    options, script = _split(text)
    if found := _ROOTS.search(script):
        raise NotInRehearsal(f"/{found[1]} in %sh", "Python, Spark and dbutils.fs see it")
    folder.mkdir(parents=True, exist_ok=True)
    # As IPython's script magic does it: the shell reads the cell from its standard input. A file, so that nobody waits for it.
    with (folder / ".cell.sh").open("w+") as source:
        source.write(script + "\n")
        source.seek(0)
        process = subprocess.Popen(
            ["bash", *options, "-s"],
            cwd=folder,
            env=dict(os.environ),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    (folder / ".cell.sh").unlink()
    speaker = Speaker(process)
    code = process.wait()
    speaker.finish()
    if code and "-e" in options:
        raise subprocess.CalledProcessError(code, f"{script}\n".encode())


def _split(text: str) -> tuple[list[str], str]:
    """The options of the cell's first line (`%sh -e`), and the script; the line may hold a command itself (`%sh ls`)."""
    found = _OPTIONS.match(text)
    if found is None:
        return [], text
    options = found[1].split()
    if unknown := [each for each in options if each != "-e"]:
        raise NotInRehearsal(f"%sh {unknown[0]}", "only -e")
    return options, text[found.end() :]


class Speaker:
    """Prints what a process says, as it says it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._listen, name="%sh", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        stream = self._process.stdout
        if stream is None:
            return
        with stream:
            while piece := os.read(stream.fileno(), 65536):
                if self._failure is None:
                    self._print(decoder.decode(piece))

    def _print(self, text: str) -> None:
        try:
            print(text, end="")
        except BaseException as failure:  # noqa: BLE001 - it belongs to the notebook's thread
            self._failure = failure
            self._process.kill()

    def finish(self) -> None:
        """The process has ended; one that it left in the background may go on, unheard. Raises what printing raised."""
        self._thread.join(PATIENCE_SECONDS)
        if self._failure is not None:
            raise self._failure
