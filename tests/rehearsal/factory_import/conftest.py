"""A gateway with Resource Manager and Data Factory, and an environment with an empty factory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.data_factory import routes, triggers
from rehearsal.resource_manager.app import create_app
from tests.rehearsal.factory_import.workbench import Workbench
from tests.rehearsal.gateway.local_cloud import GROUP, LocalCloud, use

_NUMBER = itertools.count()
RULES = (*triggers.RULES, *routes.RULES)


@pytest.fixture(scope="session")
def _factory_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    folder = tmp_path_factory.mktemp("factories")
    with LocalCloud(
        folder, more_apps=lambda world: [("management.azure.com", create_app(world, rules=RULES))]
    ) as cloud:
        cloud.assign(GROUP, "Contributor")
        cloud.assign(cloud.put_vault("kv-import"), "Key Vault Secrets Officer")
        yield cloud


@pytest.fixture
def bench(_factory_cloud: LocalCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbench]:
    use(_factory_cloud.exports(), monkeypatch)
    yield Workbench(_factory_cloud, tmp_path, f"adf-import-{next(_NUMBER)}")
    _factory_cloud.call(_factory_cloud.faults.clear)
