"""Time a command and the memory of everything that it starts.

    python benchmarks/measure_tree.py make rehearse

Prints seconds, and the peak of the memory that the command and all its descendants use together: PSS, which counts a page that
several processes share once. Linux only (it reads /proc).
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

SAMPLE_SECONDS = 0.1


def descendants(root: int) -> list[int]:
    """The processes below one, and itself; those whose parent ended in between are found by their session."""
    parents: dict[int, tuple[int, int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents[int(entry.name)] = (int(fields[1]), int(fields[3]))
    found, grew = {root}, True
    while grew:
        more = {pid for pid, (parent, session) in parents.items() if parent in found or session in found} - found
        found |= more
        grew = bool(more)
    return list(found)


def memory(pid: int) -> int:
    """PSS in bytes; 0 for a process that has ended."""
    try:
        for line in (Path("/proc") / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return 0
    return 0


def main() -> int:
    started = time.monotonic()
    peak, processes = 0, 0
    with subprocess.Popen(sys.argv[1:]) as command:
        while command.poll() is None:
            tree = descendants(command.pid)
            total = sum(memory(pid) for pid in tree)
            if total > peak:
                peak, processes = total, len(tree)
            time.sleep(SAMPLE_SECONDS)
    seconds = time.monotonic() - started
    print(f"{seconds:.1f} s, peak {peak / 1e6:.0f} MB in {processes} processes", file=sys.stderr)
    return command.returncode


if __name__ == "__main__":
    sys.exit(main())
