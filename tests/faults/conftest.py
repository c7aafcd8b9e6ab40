"""One environment with releases in every state, in front of the real stand-ins; each test starts from one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.faults.cloud import Cloud, Memory
from tests.figures import figure, write_figures

__all__ = ["figure"]


@dataclass(frozen=True)
class Stages:
    """The environment at several times of its life."""

    to_switch: Memory
    """1.0 is live in blue; 1.1 is tested in green."""
    to_publish: Memory
    """1.1 is live in green; 1.0 whole in blue."""
    to_test: Memory
    """1.1 is live in green; 1.2 is in blue, not tested."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    write_figures(terminalreporter)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with pytest.MonkeyPatch.context() as patch, Cloud(tmp_path_factory.mktemp("faults"), patch) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def stages(cloud: Cloud) -> Stages:
    return make_stages(cloud)


def make_stages(cloud: Cloud) -> Stages:
    cloud.build("1.0", "score", "train")
    cloud.build("1.1", "score", "extra")
    cloud.build("1.2", "score", "extra")
    cloud.release("1.0")
    cloud.done("publish_slot", version="1.1")
    cloud.done("run_integration_test", version="1.1")
    to_switch = cloud.remember()
    cloud.done("switch_slot", version="1.1")
    to_publish = cloud.remember()
    cloud.done("publish_slot", version="1.2")
    return Stages(to_switch, to_publish, cloud.remember())
