"""What the library's tests share: hours of made data, and one fitted model."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from bikeshare.hours import typed
from bikeshare.model import Model, fit
from bikeshare.sample import make_hours
from bikeshare.split import parts


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Fits with as many threads as processors crawl on a machine that is busy with other things."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def hours() -> pd.DataFrame:
    """Fifty days with types, in order of their key. Tests change copies only."""
    return typed(make_hours(50, 7))


@pytest.fixture(scope="session")
def part(hours: pd.DataFrame) -> "pd.Series[str]":
    return parts(hours)


@pytest.fixture(scope="session")
def model(hours: pd.DataFrame, part: "pd.Series[str]") -> Model:
    return fit(hours[part == "train"])


@pytest.fixture(scope="session")
def real_file() -> Path:
    """The real data, where this machine has it beside the repository; the test is skipped where not."""
    path = Path(__file__).resolve().parents[3] / "shared/data/bikeSharing/data-001/hour.csv"
    if not path.is_file():
        pytest.skip("the real data is not on this machine")
    return path
