"""What history.py shows of rows, wherever they come from."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import pytest

from slipway.domain.audit import Row
from slipway.steps.history import as_text, chosen, main


def row(number: int, action: str = "switch", **more: Any) -> Row:
    return Row(
        id=f"r{number}", time=1_800_000_000.0 + number, app="a", environment="dev", action=action, result="done", **more
    )


def asked(*action: str, since: float | None = None, until: float | None = None) -> Namespace:
    return Namespace(action=list(action), since=since, until=until)


def test_newest_last_and_each_row_once() -> None:
    """A row may be in the table twice, and wait in the state too."""
    rows = [row(3), row(1), row(2), row(1), row(3)]
    assert [each.id for each in chosen(rows, asked())] == ["r1", "r2", "r3"]


def test_only_what_was_asked_for() -> None:
    rows = [row(1), row(2, "publish"), row(3, "claim"), row(4)]
    assert [each.id for each in chosen(rows, asked("switch", "claim"))] == ["r1", "r3", "r4"]
    times = asked(since=1_800_000_002.0, until=1_800_000_004.0)
    assert [each.id for each in chosen(rows, times)] == ["r2", "r3"]


def test_a_row_for_a_person() -> None:
    shown = as_text(
        [row(1, release="1.1", from_slot="blue", to_slot="green", manifest="f" * 64, seconds=2.345, who="ada")]
    )
    head, line = shown.splitlines()
    assert head.split() == [
        "time", "environment", "release", "action", "result", "slots", "manifest", "seconds", "who", "detail",
    ]  # fmt: skip
    assert line.split() == [
        "2027-01-15T08:00:01.000Z", "dev", "1.1", "switch", "done", "blue", "→", "green", "f" * 12, "2.3", "ada",
    ]  # fmt: skip
    assert as_text([]) == "Nothing of that is in the audit."


@pytest.mark.parametrize("arguments", [["--since", "yesterday"], ["--until", "2026-01-01"], ["--action", "dance"]])
def test_wrong_options_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(arguments, variables={})
    assert refused.value.code == 2


def test_an_unknown_environment_is_refused_before_anything_is_asked() -> None:
    assert main(["--environment", "nowhere"], variables={}) == 2


def test_what_can_be_read_is_shown_where_a_state_is_damaged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Table:
        def __init__(self, *_: Any) -> None:
            pass

        def read(self, *_: Any, **__: Any) -> list[Row]:
            return [row(1, release="1.1")]

    class Store:
        def __init__(self, *_: Any) -> None:
            pass

        def read(self, name: str) -> tuple[bytes, str]:
            return b"not json", "1"

    monkeypatch.setattr("slipway.services.credentials.credential", lambda _: None)
    monkeypatch.setattr("slipway.services.audit.AuditTable", Table)
    monkeypatch.setattr("slipway.services.storage.StateStore", Store)
    assert main(["--environment", "prod"], variables={}) == 9
    said = capsys.readouterr()
    assert "switch" in said.out and "1.1" in said.out
    assert "This is not all: The state of prod is damaged" in said.err
