"""docs/stand-ins.md: what each stand-in does and refuses, where the facts come from, and which foreign client tried it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rehearsal.coverage.record import Exercised
from rehearsal.coverage.services import Operation
from rehearsal.databricks.known import KNOWN
from rehearsal.setup import ROOT

PAGE = ROOT / "docs" / "stand-ins.md"
_HEAD = """\
<!-- Made by `python -m rehearsal.coverage` from the stand-ins' own tables and tests/contract/exercised.json. -->
# The stand-ins, operation by operation

**Done** is what a stand-in answers as its service does, as far as its sources say. Every operation that is called done here
has been tried by a client that was written for the service and knows nothing of Slipway: `az` (azure-cli), the `databricks`
command (databricks-cli), databricks-sdk, the `azure-…` clients of the vendor, `curl`. They run in `make test-contract`, each
with nothing but the exports that a rehearsal prints; `make test-contract ARGS=--record` writes down who asked what. A test
fails when this page is not what code and record say. The same tests can run [in Azure](verify-azure.md).

**Refused** is what a stand-in has not: it answers 501 in the service's own shape of an error, with the operation's name.

The last column names the source of the facts in short: pages are those of learn.microsoft.com, the others public
repositories. The source of a single rule stands beside it in the code; *unverified* marks there what no source settles.

Operations that are called done: {done}. Operations called done that no foreign client exercises: {gaps}.
"""
_LIMITS = {
    service: f"{text}: [rehearsal/{folder}/COVERAGE.md](../rehearsal/{folder}/COVERAGE.md)."
    for service, folder, text in (
        ("Resource Manager", "resource_manager", "Limits, and what is unverified"),
        ("Data Factory", "data_factory", "Activities, expressions and limits"),
        ("Azure DevOps", "azure_devops", "Rights, limits, and what is unverified"),
        ("Databricks workspace", "databricks", "Limits, how notebooks run, and what is unverified"),
    )
}
_LIMITS["Blob storage"] = (
    "Azurite does the operations; the stand-in checks tokens and roles before it. What is not in this table is passed on to "
    "Azurite as well, and nobody has tried it."
)
_REFUSED = {
    "Microsoft Entra ID": ["every grant but client credentials; every other path"],
    "Microsoft Graph": ["users, groups, applications, writes; other filters"],
    "Azure DevOps": ["every other path"],
    "Key Vault": ["keys, certificates, backup and restore; every other path"],
    "Blob storage": [
        "calls of Data Lake on `.dfs.` hostnames (blob calls work there), copies from another account",
        "with a token: batches, user delegation keys, search by tags",
    ],
    "Resource Manager": ["every other resource type, by its name; every other path"],
    "Data Factory": ["every other path below a factory"],
}


def render(operations: Sequence[Operation], exercised: Exercised) -> str:
    done = [one for one in operations if one.done]
    text = _HEAD.format(done=len(done), gaps=len(gaps(operations, exercised)) or "none")
    services = sorted({one.service for one in operations})
    return text + "".join(line + "\n" for service in services for line in _service(service, operations, exercised))


def gaps(operations: Sequence[Operation], exercised: Exercised) -> list[str]:
    """What is called done and was tried by nobody."""
    return [
        f"{one.service}: {one.name}"
        for one in operations
        if one.done and not exercised.get(one.service, {}).get(one.name)
    ]


def unknown(operations: Sequence[Operation], exercised: Exercised) -> list[str]:
    """What the record has and the code has not: the record is old."""
    known = {(one.service, one.name) for one in operations}
    return [
        f"{service}: {name}" for service, tried in exercised.items() for name in tried if (service, name) not in known
    ]


def _service(service: str, operations: Sequence[Operation], exercised: Exercised) -> Iterator[str]:
    yield f"\n## {service}\n"
    mine = [one for one in operations if one.service == service]
    versions = any(one.note for one in mine)
    yield "| operation |" + (" versions |" if versions else "") + " | tried by | facts from |"
    yield "|---|" + ("---|" if versions else "") + "---|---|---|"
    for one in sorted(mine, key=_order):
        note = f" {one.note} |" if versions else ""
        clients = ", ".join(exercised.get(service, {}).get(one.name, []))
        yield f"| `{one.name}` |{note} {'done' if one.done else 'refused'} | {clients} | {one.source} |"
    refused = [*_REFUSED.get(service, [])]
    if service == "Databricks workspace":
        refused.append("by name: " + ", ".join(f"`{pattern}`" for pattern in sorted(KNOWN)))
        refused.append("what the service has not either is answered as it does: 404 `ENDPOINT_NOT_FOUND`")
    if refused:
        yield f"\nRefused: {'; '.join(refused)}."
    if service in _LIMITS:
        yield f"\n{_LIMITS[service]}"


def _order(operation: Operation) -> tuple[str, str]:
    """By path, then by method."""
    method, _, path = operation.name.partition(" ")
    return path, method
