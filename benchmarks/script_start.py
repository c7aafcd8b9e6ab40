"""How long a release script takes from its start to its first request, and how much of that is the interpreter's own start.

    .venv/bin/python scripts/build_release.py
    .venv-release/bin/python benchmarks/script_start.py

Runs each script several times against a proxy that counts nothing but the moment of the first connection. Prints the median, and
its ratio to the start of an interpreter that only imports `requests`, measured in the same run.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = (
    "deploy_resources",
    "provision_secrets",
    "publish_slot",
    "run_integration_test",
    "switch_slot",
    "rollback",
    "status",
)
RUNS = 5


def first_request(script: str) -> float:
    """Seconds from the start of the process to its first connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        proxy = f"http://127.0.0.1:{server.getsockname()[1]}"
        environment = {
            "PATH": os.environ["PATH"],
            "HTTPS_PROXY": proxy,
            "https_proxy": proxy,
            "AZURE_TENANT_ID": "7a6f3c1e-52d4-4b8e-9d0a-1f2e3d4c5b6a",
            "AZURE_CLIENT_ID": "4e1b2a3c-0d5f-4a6b-8c7d-9e8f7a6b5c4d",
            "AZURE_CLIENT_SECRET": "not-a-secret",
        }
        started = time.perf_counter()
        command = [sys.executable, str(ROOT / "scripts" / f"{script}.py"), "--environment", "dev"]
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            connection, _ = server.accept()
            seconds = time.perf_counter() - started
            connection.close()
            process.kill()
    return seconds


def baseline() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import requests"], check=True)
    return time.perf_counter() - started


def main() -> int:
    if not (ROOT / "dist" / "release" / "release.json").is_file():
        print(
            "there is no release in dist/release: run .venv/bin/python scripts/build_release.py first", file=sys.stderr
        )
        return 2
    base = statistics.median(baseline() for _ in range(RUNS))
    print(f"import requests: {base:.2f} s")
    for script in SCRIPTS:
        seconds = statistics.median(first_request(script) for _ in range(RUNS))
        print(f"{script}: {seconds:.2f} s, {seconds / base:.1f} times that")
    return 0


if __name__ == "__main__":
    sys.exit(main())
