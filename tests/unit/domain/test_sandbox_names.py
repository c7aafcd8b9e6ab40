"""Names and folders of a sandbox: what may be brought over, and what is a developer's own."""

from __future__ import annotations

import pytest

from slipway.domain.sandbox_names import bad_part, below, checked_folder, own_folder, prefix_of
from slipway.domain.sandbox_text import readable_difference, shown
from slipway.errors import NotPossible, UsageError

ROOTS = ["/Workspace/Slipway/bikeshare/dev", "/Workspace/Slipway/bikeshare/prod"]


@pytest.mark.parametrize(
    "name", ["a b", "it's", 'say "hi"', "größe", "模型", "Untitled Notebook 2026-11-29 10:00:00", "...", "a#%"]
)
def test_names_that_can_be_brought_over(name: str) -> None:
    assert bad_part(name) == ""


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "..\\a", "a\nb", "\x1b[2J", "a\0", "a\udcff", "a\u2028b", "x" * 241]
)
def test_names_that_can_not(name: str) -> None:
    assert bad_part(name)


def test_only_what_lies_in_the_folder_is_in_it() -> None:
    folder = "/Workspace/Users/ada/app"
    assert below(f"{folder}/n", folder) == "n"
    assert below("/Users/ada/app/n", folder) == "n"
    for path in (
        folder,
        f"{folder}/a/b",
        "/Workspace/Users/ada/other/n",
        f"{folder}x/n",
        "/etc/passwd",
        f"{folder}/../../n",
    ):
        assert below(path, folder) is None


def test_the_folder_of_a_person() -> None:
    assert own_folder({"userName": "ada@example.org"}, "app") == (
        "/Workspace/Users/ada@example.org",
        "/Workspace/Users/ada@example.org/app",
    )


@pytest.mark.parametrize(
    "me",
    [
        {"userName": "4e1b2a3c-0d5f-4a6b-8c7d-9e8f7a6b5c4d"},
        {"userName": "x", "applicationId": "x"},
        {"userName": "../Shared"},
        {"userName": ".."},
        {},
    ],
)
def test_who_has_no_folder(me: dict[str, str]) -> None:
    with pytest.raises(NotPossible) as refused:
        own_folder(me, "app")
    assert "--folder" in refused.value.next_step


@pytest.mark.parametrize(
    ("asked", "folder"),
    [
        ("/Workspace/Shared/ada/app", "/Workspace/Shared/ada/app"),
        ("/Users/ada/app/", "/Workspace/Users/ada/app"),
        ("/Workspace/Team/app", "/Workspace/Team/app"),
    ],
)
def test_folders_that_can_be_named(asked: str, folder: str) -> None:
    assert checked_folder(asked, ROOTS) == folder


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "/",
        "relative/app",
        "/Workspace",
        "/Workspace/Shared",
        "/Workspace/Users/ada",
        "/Workspace/users/ada",
        "/Workspace/Repos/ada/app",
        "/Workspace/Users/ada/../grace/app",
        "/Workspace/Slipway/bikeshare",
        "/Workspace/Slipway/bikeshare/dev",
        "/Slipway/bikeshare/dev/blue",
        "/Workspace/slipway/Bikeshare/dev",
        "/Workspace/Users/ada/a\nb",
    ],
)
def test_folders_that_are_nobodys_own(asked: str) -> None:
    with pytest.raises(UsageError):
        checked_folder(asked, ROOTS)


def test_the_prefix_of_a_persons_tables() -> None:
    assert prefix_of("ada.lovelace") == "ada.lovelace"
    assert prefix_of("../a b/ö") == "a-b"
    assert prefix_of("模") == "developer"


def test_what_is_shown_can_not_move_a_terminal() -> None:
    assert shown("notebooks/größe") == "notebooks/größe"
    assert "\x1b" not in shown("notebooks/\x1b[2J")
    text = readable_difference(b"a\n\x1b[2Jb\n", b"a\nc\n", "n")
    assert "\x1b" not in text
    assert "\n  -" in text
    assert "\n  +c" in text
    assert "bytes in the workspace" in readable_difference(b"\0\1", b"\0", "n")
    long = readable_difference(b"", "\n".join(map(str, range(500))).encode(), "n")
    assert long.count("\n") <= 121
    assert "lines more" in long
