"""What a run in Azure leaves under its prefix, and takes away at its end; nothing that was there before it."""

from __future__ import annotations

from typing import Any, Protocol


class Asked(Protocol):
    """`az` and `databricks`, as Commands runs them."""

    def az(self, *words: str) -> Any: ...

    def databricks(self, *words: str) -> str: ...


def under(prefix: str, commands: Asked) -> dict[str, list[str]]:
    """What begins with the prefix, by kind: groups, deleted vaults, secret scopes, folders of /Shared."""
    mine = f"[?starts_with(name, '{prefix}')].name"
    scopes = [line.split(" ")[0] for line in commands.databricks("secrets", "list-scopes").splitlines() if line]
    return {
        "group": commands.az("group", "list", "--query", mine) or [],
        "deleted vault": commands.az("keyvault", "list-deleted", "--resource-type", "vault", "--query", mine) or [],
        "secret scope": [name for name in scopes if name.startswith(prefix)],
        "folder of /Shared": [
            name for name in commands.databricks("workspace", "ls", "/Shared").split() if name.startswith(prefix)
        ],
    }


def clean(prefix: str, commands: Asked) -> None:
    """Takes all of it away. Only where nothing of it was there when the run began."""
    for name in under(prefix, commands)["group"]:
        commands.az("group", "delete", "--name", name, "--yes")
    found = under(prefix, commands)
    for name in found["deleted vault"]:
        commands.az("keyvault", "purge", "--name", name)
    for name in found["secret scope"]:
        commands.databricks("secrets", "delete-scope", "--scope", name)
    for name in found["folder of /Shared"]:
        commands.databricks("workspace", "rm", "--recursive", f"/Shared/{name}")


def refusal(prefix: str, commands: Asked) -> str:
    """Why a run must not begin: its end would take away what is there already. "" where nothing is."""
    found = [f"{kind} {name}" for kind, names in under(prefix, commands).items() for name in names]
    if not found:
        return ""
    listed = ", ".join(found)
    return f"{listed}: there already, and the end of this run would take it away. Choose another prefix, or remove it yourself."
