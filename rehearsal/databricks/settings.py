"""Settings of a workspace (`/api/2.0/workspace-conf`): those about personal access tokens are kept to, the others can only be read.

Rules: Workspace Conf API docs (a flat map of strings); terraform-provider-databricks `workspace/resource_workspace_conf.go` and its
documentation for the names and the answer to a name that is none. What a setting is before anybody set it is unverified.
"""

from __future__ import annotations

from typing import Any

from rehearsal.databricks.errors import ApiError, denied, invalid, not_simulated
from rehearsal.databricks.members import Member
from rehearsal.store import Collection

TOKENS = "enableTokensConfig"
LONGEST_TOKEN_LIFE = "maxTokenLifetimeDays"  # noqa: S105 - the name of a setting
# Names that people set; none of them changes anything here.
ONLY_READ = (
    "enableIpAccessLists",
    "enableDbfsFileBrowser",
    "enableExportNotebook",
    "enableNotebookTableClipboard",
    "enableResultsDownloading",
    "enableUploadDataUis",
    "enableWebTerminal",
    "enableProjectTypeInWorkspace",
    "enforceUserIsolation",
    "enableProjectsAllowList",
    "projectsAllowList",
    "storeInteractiveNotebookResultsInCustomerAccount",
)
DAY = 24 * 3600


class Settings:
    """The settings of one workspace."""

    def __init__(self, kept: Collection) -> None:
        self._kept = kept

    def get(self, names: list[str]) -> dict[str, str | None]:
        """Each name with its value, None for one that nobody has set. Raises ApiError 400 for a name that is none."""
        for name in names:
            if name not in (TOKENS, LONGEST_TOKEN_LIFE, *ONLY_READ):
                raise invalid(f"{name} is an invalid config key")
        return {name: self._kept.get(name) for name in names}

    def set(self, member: Member, values: dict[str, Any]) -> None:
        """All of them, or none."""
        if not member.admin:
            raise denied("Only admins can change the workspace's settings.")  # text unverified
        self.get(list(values))
        for name, value in values.items():
            _check(name, value)
        for name, value in values.items():
            self._kept[name] = value

    def check_token(self, lifetime: int) -> None:
        """Whether a personal access token may be made that lives so many seconds (codes and texts unverified)."""
        if self._kept.get(TOKENS) == "false":
            raise ApiError(403, "PERMISSION_DENIED", "Personal access tokens are disabled in this workspace.")
        longest = int(self._kept.get(LONGEST_TOKEN_LIFE) or 0)
        if longest and lifetime > longest * DAY:
            raise invalid(f"The lifetime of a token must not be longer than {longest} days.")

    @property
    def tokens_count(self) -> bool:
        """Whether personal access tokens let anybody in."""
        return bool(self._kept.get(TOKENS) != "false")


def _check(name: str, value: object) -> None:
    if name in ONLY_READ:
        raise not_simulated(f"setting {name}")
    if not isinstance(value, str):
        raise invalid(f"{name} must be a string")
    if name == TOKENS and value not in ("true", "false"):
        raise invalid(f"{name} must be true or false")
    if name == LONGEST_TOKEN_LIFE and value and not (value.isascii() and value.isdigit() and len(value) < 6):
        raise invalid(f"{name} must be a number of days, or empty")
