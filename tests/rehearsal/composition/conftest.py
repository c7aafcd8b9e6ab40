"""All stand-ins together, as a rehearsal starts them, without Azurite until somebody asks for storage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from rehearsal.command import _releases
from rehearsal.compose import compose
from rehearsal.server import Server

ROOT = Path(__file__).resolve().parents[3]
ROLE_DELAY = 300.0


class StandIns:
    """A composed Azure, started. `ahead` moves its clock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ahead = 0.0
        self.port = 0
        self.releases = _releases(ROOT)
        self.server = Server(self._compose)

    def _compose(self) -> Any:
        return compose(
            self.folder,
            self.releases,
            datasets=self.folder,
            clock=lambda: time.time() + self.ahead,
            role_delay_seconds=ROLE_DELAY,
            port=self.port,
        )

    @property
    def azure(self) -> Any:
        return self.server.azure

    @property
    def environment(self) -> Any:
        return self.releases[0].environment

    def token(self, audience: str) -> str:
        """A token of the admin."""
        azure = self.environment.azure
        admin = self.azure.admins[azure.tenant_id]
        directory = self.azure.world.directory
        return str(
            self.server.call(
                lambda: directory.issue_token(tenant_id=admin.tenant_id, app_id=admin.client_id, audience=audience)
            )
        )

    def ask(self, method: str, url: str, token: str = "", **more: Any) -> requests.Response:
        """One request through the gateway, with nothing of this process's environment."""
        with requests.Session() as session:
            session.trust_env = False
            session.proxies = {"https": self.azure.exports["https_proxy"]}
            session.verify = self.azure.exports["REQUESTS_CA_BUNDLE"]
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            headers |= more.pop("headers", {})
            return session.request(method, url, headers=headers, timeout=60, **more)


@pytest.fixture(scope="session")
def _stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIns]:
    stand_ins = StandIns(tmp_path_factory.mktemp("stand_ins"))
    stand_ins.server.start()
    yield stand_ins
    stand_ins.server.stop()


@pytest.fixture
def stand_ins(_stand_ins: StandIns) -> Iterator[StandIns]:
    yield _stand_ins
    _stand_ins.ahead = 0.0
    _stand_ins.server.call(_stand_ins.azure.gateway.faults.clear)
