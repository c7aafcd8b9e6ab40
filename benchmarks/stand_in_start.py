"""How long all stand-ins take from the start of the rehearsal's process until each of them has answered.

    .venv/bin/python benchmarks/stand_in_start.py

Starts a rehearsal that runs one command: curl asks every service something that needs neither Azurite nor Spark, which start when
they are first asked for. Twice for each figure: over an empty folder (keys are made, places are seeded), and over the same again.
The processor's time is shown too: on a machine that does other things it says more than the clock. One start before these
compiles the modules, as the first rehearsal of a clone does.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNS = 5
TENANT = "00000000-0000-4000-8000-000000000000"
ADDRESSES = (
    f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token",
    "https://management.azure.com/metadata/endpoints?api-version=2022-09-01",
    "https://kv-nobody.vault.azure.net/secrets?api-version=7.4",
    "https://stnobody.blob.core.windows.net/?comp=list",
    "https://adb-7405612345678901.1.azuredatabricks.net/api/2.1/jobs/list",
    "https://dev.azure.com/_signin",
)


def start(folder: Path, compiled: Path) -> tuple[float, float]:
    """Seconds by the clock, and of the processor. compiled: where Python keeps what it has compiled."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    asked = " ".join(["curl", "--silent", "--output", "/dev/null", *(f"'{address}'" for address in ADDRESSES)])
    done = subprocess.run(
        [sys.executable, "-m", "rehearsal", "--folder", str(folder), "--run", asked],
        cwd=ROOT,
        env={**environment, "PYTHONPYCACHEPREFIX": str(compiled)},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"the rehearsal ended with {done.returncode}\n{done.stdout}{done.stderr}")
    answered = (folder / "gateway/requests.log").read_text(encoding="utf-8").count("\n")
    if answered % len(ADDRESSES):
        raise SystemExit(f"{answered} answers to {len(ADDRESSES)} questions")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    first, again = [], []
    with tempfile.TemporaryDirectory() as compiled:
        for number in range(RUNS + 1):
            with tempfile.TemporaryDirectory() as folder:
                measured = [start(Path(folder), Path(compiled)) for _ in range(2)]
            if number:
                first.append(measured[0])
                again.append(measured[1])
    for name, times in (("empty folder", first), ("once more", again)):
        clock, processor = (statistics.median(each[part] for each in times) for part in (0, 1))
        best = min(seconds for seconds, _ in times)
        print(f"{name}: all {len(ADDRESSES)} services had answered, and all was stopped, after {clock:.2f} s ", end="")
        print(f"(best {best:.2f} s; processor {processor:.2f} s; {RUNS} runs)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
