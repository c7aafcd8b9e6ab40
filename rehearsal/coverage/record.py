"""Which foreign client exercised which operation: read from the gateway's log after a contract run, kept in a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from rehearsal.coverage.services import Entry, Operation
from rehearsal.setup import ROOT

RECORD = ROOT / "tests" / "contract" / "exercised.json"
Exercised = dict[str, dict[str, list[str]]]
"""Service -> operation -> clients, all of them sorted."""

# How clients name themselves. `az` goes before the SDKs that it is made of; MSAL, which signs `az` in, says only that it is
# python-requests. What the project's own scripts use is not foreign: "slipway databricks-cli" fits nothing here.
_CLIENTS = (
    (re.compile(r"AZURECLI/"), "az"),
    (re.compile(r"^databricks-cli-"), "databricks"),
    (re.compile(r"\bdatabricks-sdk-py/"), "databricks-sdk"),
    (re.compile(r"\bazsdk-python-(?:azure-)?([a-z-]+)/"), "azure-"),
    (re.compile(r"\bazure-devops/"), "azure-devops"),
    (re.compile(r"^curl/"), "curl"),
)
_SIGN_IN = "login.microsoftonline.com"


def client(entry: Entry) -> str | None:
    """The foreign client of a request; None when it is not known to be one."""
    agent = str(entry.get("agent", ""))
    for pattern, name in _CLIENTS:
        if found := pattern.search(agent):
            return name + found[1] if name.endswith("-") else name
    return "az" if agent.startswith("python-requests/") and entry.get("host") == _SIGN_IN else None


def read_log(path: Path) -> Iterator[Entry]:
    """The requests from the first foreign one on. Before it, the rehearsal bootstraps with the project's own scripts, whose
    clients are the same SDKs; the contract's pipeline begins with curl."""
    begun = False
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        begun = begun or client(entry) == "curl"
        if begun and "refused" not in entry:
            yield entry


def exercised(entries: Iterator[Entry], operations: Sequence[Operation]) -> Exercised:
    """What was answered well (a status below 400), by operation."""
    seen: dict[tuple[str, str], set[str]] = {}
    for entry in entries:
        who = client(entry)
        if who is None or not 100 <= entry["status"] < 400:
            continue
        found = next((one for one in operations if one.fits(entry)), None)
        if found is not None:
            seen.setdefault((found.service, found.name), set()).add(who)
    result: Exercised = {}
    for service, name in sorted(seen):
        result.setdefault(service, {})[name] = sorted(seen[service, name])
    return result


def load(path: Path = RECORD) -> Exercised:
    found: Exercised = json.loads(path.read_text(encoding="utf-8"))
    return found


def save(result: Exercised, path: Path = RECORD) -> None:
    path.write_text(json.dumps(result, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
