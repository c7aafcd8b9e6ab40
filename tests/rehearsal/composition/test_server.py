"""Starting all stand-ins: what is started at once, and what is left when one can't be."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from rehearsal.gateway.gateway import PortInUse
from rehearsal.server import Server
from rehearsal.storage import azurite
from rehearsal.storage.azurite import AzuriteFailed
from tests.rehearsal.composition.conftest import StandIns


def test_azurite_starts_with_the_first_request_for_storage(tmp_path: Path) -> None:
    stand_ins = StandIns(tmp_path)
    azure = stand_ins.server.start()
    try:
        answer = stand_ins.ask("GET", "https://stnobody.blob.core.windows.net/?comp=list")
        assert (answer.status_code, azure.azurite.starts) == (404, 0), "no such account: Azurite is not asked"
    finally:
        stand_ins.server.stop()


def test_without_azurite_nothing_starts_and_nothing_is_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azurite, "PROGRAM", tmp_path / "nothing.js")
    stand_ins = StandIns(tmp_path / "folder")
    with pytest.raises(AzuriteFailed, match="make setup"):
        stand_ins.server.start()
    _again(stand_ins, monkeypatch)


def test_with_a_port_in_use_nothing_is_left_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_ins = StandIns(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        stand_ins.port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=str(stand_ins.port)):
            stand_ins.server.start()
    _again(stand_ins, monkeypatch)


def _again(stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same folder can be used at once; a file that was left open would be a warning, and warnings are errors."""
    stand_ins.server.stop()
    monkeypatch.undo()
    stand_ins.port = 0
    stand_ins.server = Server(stand_ins._compose)
    assert stand_ins.server.start().gateway.port > 0
    stand_ins.server.stop()
