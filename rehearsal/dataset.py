"""The data that notebooks find under /databricks-datasets: the real one where this machine has it, else one of the same shape."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

# Where Databricks lays the hourly bike-share data, below /databricks-datasets.
HOURLY = Path("bikeSharing/data-001/hour.csv")
DAYS = 731
SEED = 2011


@dataclass(frozen=True)
class Dataset:
    """folder: what is served as /databricks-datasets. made: True when the data was made here. note: a sentence that says which."""

    folder: Path
    made: bool
    note: str


def find_dataset(wanted: Path | None, repository: Path, folder: Path) -> Dataset:
    """The folder that holds `bikeSharing/`: the one asked for, one beside the repository, or one made under `folder`.

    Raises FileNotFoundError when a folder was asked for and holds no such data.
    """
    if wanted is not None:
        if not (wanted / HOURLY).is_file():
            raise FileNotFoundError(f"{wanted} holds no {HOURLY}")
        return Dataset(wanted.resolve(), False, f"real hourly data from {wanted}")
    for candidate in (repository / "datasets", repository.parent / "shared" / "data"):
        if (candidate / HOURLY).is_file():
            return Dataset(candidate.resolve(), False, f"real hourly data from {candidate.name}/{HOURLY.parts[0]}")
    return _made(folder / "databricks-datasets")


def _made(folder: Path) -> Dataset:
    target = folder / HOURLY
    if not target.is_file():
        from bikeshare.sample import make_hours  # brings pandas, which a rehearsal with real data does not need

        target.parent.mkdir(parents=True, exist_ok=True)
        half = target.with_suffix(".part")
        make_hours(DAYS, SEED).to_csv(half, index=False)
        shutil.move(half, target)
    return Dataset(folder.resolve(), True, "hourly data made here: the same shape as the real one, and not real")
