"""What whoever starts a rehearsal chooses of how its stand-ins behave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rehearsal.databricks.git import Remote


@dataclass(frozen=True, kw_only=True)
class Choices:
    """git: repositories of this machine that Git folders are cloned from, by URL. templates: beginnings of addresses, each with
    the folder that stands for it, for linked templates. accept_unknown_resources: types that Resource Manager has no rules for
    are kept as they are, not refused. rate_limits: workspaces answer 429 where the service would."""

    git: Mapping[str, Remote] = field(default_factory=dict)
    templates: Sequence[tuple[str, Path]] = ()
    accept_unknown_resources: bool = False
    rate_limits: bool = False


USUAL = Choices()
