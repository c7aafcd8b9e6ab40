"""`make verify-azure`: what it refuses before it asks Azure anything, and what it takes out of what it tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.differences import redacted
from tests.contract.leftovers import clean, refusal
from tests.contract.place import NAMES, Unusable, azure_place, read_names

GOOD = {
    "subscription": "2c9d8e7f-6a5b-4c3d-8e1f-0a9b8c7d6e5f",
    "location": "westeurope",
    "prefix": "slipct",
    "workspace_host": "https://adb-7405612345678901.1.azuredatabricks.net",
    "repository": "https://github.com/you/etl",
}
SIGN_IN = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "planted-secret"}


def written(folder: Path, **names: str) -> Path:
    file = folder / "azure.toml"
    file.write_text("".join(f'{name} = "{value}"\n' for name, value in names.items()))
    return file


def test_a_file_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    for file in (None, tmp_path / "azure.toml", tmp_path):
        with pytest.raises(Unusable, match="make verify-azure NAMES="):
            read_names(file)


@pytest.mark.parametrize("missing", NAMES)
def test_a_missing_name_is_named(tmp_path: Path, missing: str) -> None:
    names = {name: value for name, value in GOOD.items() if name != missing}
    with pytest.raises(Unusable, match=f"does not say {missing}"):
        read_names(written(tmp_path, **names))


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("prefix", "X-1", "prefix must be"), ("prefix", "a", "prefix must be"), ("workspace_host", "adb-1", "https://")],
)
def test_a_wrong_name_is_refused(tmp_path: Path, name: str, value: str, text: str) -> None:
    with pytest.raises(Unusable, match=text):
        read_names(written(tmp_path, **{**GOOD, name: value}))


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "azure.toml").write_text("subscription: x\n")
    with pytest.raises(Unusable, match="is no TOML"):
        read_names(tmp_path / "azure.toml")


def test_who_signs_in_has_to_be_said(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="AZURE_TENANT_ID, AZURE_CLIENT_SECRET must be set"):
        azure_place(written(tmp_path, **GOOD), {"AZURE_CLIENT_ID": "c"}, tmp_path)
    place = azure_place(written(tmp_path, **GOOD), SIGN_IN, tmp_path)
    assert (place.rehearsed, place.name("vault"), place.name("a-b", dashes=False)) == (
        False,
        "slipct-vault",
        "slipctab",
    )


def test_nothing_secret_is_told() -> None:
    told = redacted(
        "planted-secret 2c9d8e7f-6a5b-4c3d-8e1f-0a9b8c7d6e5f eyJ0eXAi.eyJhdWQi.c2ln https://x/?sig=a%2Bb&se=1 "
        "ada@example.org 203.0.113.7 https://adb-7405612345678901.1.azuredatabricks.net dapi0123456789abcdef "
        f"AccountKey={'k' * 86}== {'K' * 86}== VaultNotFound",
        SIGN_IN,
    )
    assert told == (
        "<AZURE_CLIENT_SECRET> <id> <token> https://x/?sig=<key>&se=1 <mail> <address> "
        "https://adb-<workspace>.azuredatabricks.net <token> AccountKey=<key> <key> VaultNotFound"
    )


class Somebody:
    """A subscription and a workspace that answer with these names, whatever is asked; keeps what is removed."""

    def __init__(self, *, groups: tuple[str, ...] = (), folders: tuple[str, ...] = ()) -> None:
        self.groups, self.folders = groups, folders
        self.removed: list[str] = []

    def az(self, *words: str) -> list[str] | None:
        if "delete" in words or "purge" in words:
            self.removed.append(" ".join(words))
        return list(self.groups) if words[:2] == ("group", "list") else None

    def databricks(self, *words: str) -> str:
        if "rm" in words or "delete-scope" in words:
            self.removed.append(" ".join(words))
        return "\n".join(self.folders) if "ls" in words else ""


def test_it_does_not_begin_where_its_end_would_take_away_what_is_there() -> None:
    assert refusal("slipct", Somebody()) == ""
    there = Somebody(groups=("slipct-old",), folders=("other", "slipct-notes"))
    said = refusal("slipct", there)
    assert "group slipct-old, folder of /Shared slipct-notes: there already" in said
    assert there.removed == []


def test_its_end_takes_away_what_is_under_the_prefix_alone() -> None:
    there = Somebody(groups=("slipct-tests",), folders=("other", "slipct-x"))
    clean("slipct", there)
    assert there.removed == ["group delete --name slipct-tests --yes", "workspace rm --recursive /Shared/slipct-x"]
