"""The set-up: what it leaves alone, and how it fails."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from rehearsal import setup

REQUIREMENTS = setup.ROOT / "requirements"


def test_what_is_made_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("nothing needs to be installed")

    monkeypatch.setattr(setup, "_run", never)
    monkeypatch.setattr(setup, "_new_environment", never)
    if sys.prefix != sys.base_prefix:  # the stamp is that of the Python that made the environment
        assert setup.main() == 0


def test_the_foreign_clients_are_installed_on_request_only(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(setup, "_make_environment", made.append)
    monkeypatch.setattr(setup, "_make_azurite", lambda: None)
    assert setup.main() == 0
    assert sorted(made) == ["rehearsal", "release"]  # at the same time, in any order
    made.clear()
    assert setup.main(["contract"]) == 0
    assert (sorted(made[:2]), made[2:]) == (["rehearsal", "release"], ["contract"])
    assert setup.environment_folder("contract") not in (
        setup.environment_folder("rehearsal"),
        setup.environment_folder("release"),
    )


def test_an_old_python_is_refused_in_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(setup, "OLDEST_PYTHON", (99, 0))
    assert setup.main() == 1
    assert "make PYTHON=" in capsys.readouterr().err


def test_a_failing_installer_is_shown_without_a_trace() -> None:
    with pytest.raises(setup.SetupFailed, match="is the index down"):
        setup._run([sys.executable, "-c", "import sys; sys.exit('is the index down')"], "rehearsal")


@pytest.mark.parametrize("name", ["release", "build", "rehearsal", "node", "contract"])
def test_locks_have_a_hash_for_everything_and_no_address(name: str) -> None:
    text = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    pinned = re.findall(
        r"^([a-z0-9.-]+)==\S+ .*\\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.MULTILINE
    )
    assert len(pinned) == len(re.findall(r"^[a-z0-9.-]+==", text, re.MULTILINE)) > 0
    assert not re.search(r"https?://|file:|index-url|find-links ", re.sub(r"^#.*", "", text, flags=re.MULTILINE))


def test_the_larger_locks_hold_the_smaller_ones() -> None:
    locks = {name: _pins(REQUIREMENTS / f"{name}.txt") for name in ("release", "build", "rehearsal")}
    assert locks["release"] <= locks["build"] <= locks["rehearsal"]


def _pins(lock: Path) -> set[str]:
    return set(re.findall(r"^([a-z0-9.-]+==\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE))
