"""What the machine and its surroundings give to a run: the base environment, service connections, tokens, environments."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class ServiceConnection:
    """An Azure Resource Manager service connection; with a secret where it is not federated."""

    id: str
    name: str
    client_id: str
    tenant_id: str
    subscription_id: str
    federated: bool = True


@dataclass(frozen=True)
class GroupVariable:
    value: str = field(repr=False)
    secret: bool = False


@dataclass(frozen=True, kw_only=True)
class AgentHost:
    """The agent's surroundings.

    environment: everything that a step's process may inherit (an allow-list, made by the caller): PATH, proxy, CA…
    service_connections: by name.
    open_job: job id -> (system access token, OIDC request URI); close_job: the token is worth nothing from then on.
    installed: SHA-256 of a lock file -> the virtual environment that holds exactly it (or more).
    base_python: the interpreter that UsePythonVersion@0 gives.
    run_number: Build.BuildId; grows from run to run.
    clock: seconds since the epoch; steady: seconds for durations.
    variable_groups: by name, their variables by name.
    use: ("endpoint" or "environment", name) -> "" where a stage may use it, otherwise what the service says of it.
    organization, project: names of the Azure DevOps organization and project that the run believes to be in.
    """

    environment: Mapping[str, str]
    service_connections: Mapping[str, ServiceConnection]
    open_job: Callable[[str], tuple[str, str]]
    close_job: Callable[[str], None]
    installed: Mapping[str, Path]
    base_python: Path
    run_number: int
    clock: Callable[[], float] = field(default=time.time)
    steady: Callable[[], float] = field(default=time.monotonic)
    variable_groups: Mapping[str, Mapping[str, GroupVariable]] = field(default_factory=dict)
    use: Callable[[str, str], str] = field(default=lambda _kind, _name: "")
    organization: str = "slipway"
    project: str = "Slipway"
