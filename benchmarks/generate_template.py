"""How long a factory's template takes: from JSON files on disk to template and parameters file on disk.

    .venv/bin/python benchmarks/generate_template.py

Makes factories of 1,000 and 10,000 objects (half of them pipelines of three activities that call notebooks and each other;
linked services, datasets, triggers), generates each several times, and prints the best time, what it spends it on, and the
ratio, which is 10 where time grows with the number. To reach: 1 s for 1,000. What 10,000 objects of this size make is more
than one deployment takes (4 MB): for these the time includes the refusal, and is that of the flat template's two files.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from slipway.domain.factory.git_folder import read_git_folder
from slipway.domain.factory.limits import Output, within_limits
from slipway.domain.factory.template import generate, to_bytes
from slipway.errors import ReleaseError

RUNS = 3


def ref(name: str, kind: str) -> dict[str, str]:
    return {"referenceName": name, "type": f"{kind}Reference"}


def expression(text: str) -> dict[str, str]:
    return {"value": text, "type": "Expression"}


def pipeline(number: int) -> dict[str, Any]:
    """Every tenth begins a chain of calls: ten deep, as in large real factories."""
    notebook = {
        "name": "Run", "type": "DatabricksNotebook", "dependsOn": [],
        "linkedServiceName": ref(f"ls {number % 50}", "LinkedService"),
        "policy": {"timeout": "0.12:00:00", "retry": 0, "retryIntervalInSeconds": 30, "secureInput": False, "secureOutput": False},
        "typeProperties": {
            "notebookPath": expression("@concat(pipeline().globalParameters.releaseFolder, '/notebooks/load')"),
            "baseParameters": {"day": expression("@pipeline().parameters.day"), "table": f"[dbo].[t{number}]"},
        },
    }  # fmt: skip
    lookup = {
        "name": "Look", "type": "Lookup", "dependsOn": [],
        "typeProperties": {"source": {"type": "JsonSource"}, "dataset": ref(f"ds_{number % 100}", "Dataset"), "firstRowOnly": True},
    }  # fmt: skip
    called = f"pl_{number - 1}" if number % 10 else None
    call = (
        {"name": "Call", "type": "ExecutePipeline", "typeProperties": {"pipeline": ref(called, "Pipeline")}}
        if called
        else None
    )
    activities = [one for one in (lookup, notebook, call) if one]
    return {
        "activities": activities,
        "parameters": {"day": {"type": "string"}},
        "folder": {"name": "load"},
        "annotations": [],
    }


def make(root: Path, count: int) -> None:
    """A Git folder of `count` objects."""
    pipelines, datasets, services = count // 2, count // 4, count // 20
    made: dict[str, dict[str, Any]] = {f"pipeline/pl_{number}": pipeline(number) for number in range(pipelines)}
    for number in range(datasets):
        made[f"dataset/ds_{number}"] = {
            "type": "Json", "linkedServiceName": ref(f"ls {number % services}", "LinkedService"), "annotations": [],
            "typeProperties": {"location": {"type": "AzureBlobFSLocation", "fileSystem": "data", "folderPath": f"in/{number}"}},
        }  # fmt: skip
    for number in range(services):
        made[f"linkedService/ls {number}"] = {
            "type": "AzureDatabricks", "annotations": [],
            "typeProperties": {
                "domain": "https://adb-1.1.azuredatabricks.net", "existingClusterId": "0101-1", "encryptedCredential": "x",
            },
        }  # fmt: skip
    for number in range(count - pipelines - datasets - services):
        made[f"trigger/tr_{number}"] = {
            "type": "ScheduleTrigger", "runtimeState": "Started", "annotations": [],
            "pipelines": [{"pipelineReference": ref(f"pl_{number}", "Pipeline"), "parameters": {"day": "@trigger().startTime"}}],
            "typeProperties": {"recurrence": {"frequency": "Day", "interval": 1, "startTime": "2026-01-01T00:00:00Z"}},
        }  # fmt: skip
    for place, properties in made.items():
        path = root / f"{place}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"name": path.stem, "properties": properties}, indent="\t"), encoding="utf-8")


def measure(root: Path) -> tuple[dict[str, float], str]:
    """Seconds by step, and what came out."""
    times: dict[str, float] = {}
    started = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal started
        now = time.perf_counter()
        times[name], started = now - started, now

    folder = read_git_folder(root)
    lap("read")
    whole = generate(folder, factory_name="adf-made")
    lap("generate")
    try:
        output = within_limits(whole)
        said = f"{output.parts} nested parts" if output.parts else "one flat template"
    except ReleaseError as error:
        output = Output(whole.to_template(), whole.to_parameters())
        said = error.summary
    lap("limits")
    (root / "template.json").write_bytes(to_bytes(output.template))
    (root / "template.parameters.json").write_bytes(to_bytes(output.parameters))
    lap("write")
    return times, said


def main() -> None:
    best: dict[int, float] = {}
    for count in (1_000, 10_000):
        with tempfile.TemporaryDirectory() as scratch:
            make(Path(scratch), count)
            runs = [measure(Path(scratch)) for _ in range(RUNS)]
        times, said = min(runs, key=lambda run: sum(run[0].values()))
        best[count] = sum(times.values())
        steps = ", ".join(f"{name} {seconds:.2f}" for name, seconds in times.items())
        print(f"{count:>6,} objects: {best[count]:.2f} s ({steps}); {said}")
    print(f"ten times the objects take {best[10_000] / best[1_000]:.1f} times as long")


if __name__ == "__main__":
    main()
