"""Git credentials of a workspace's members (`/api/2.0/git-credentials`).

A token is asked for, and never kept: repositories of a rehearsal lie on this machine, so there is nothing to sign in to. Rules:
databricks-sdk-py `service/workspace.py`; terraform-provider-databricks `repos/resource_git_credential.go`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rehearsal.databricks.errors import ApiError, invalid, missing
from rehearsal.databricks.members import Member
from rehearsal.store import Collection

PROVIDERS = (
    "gitHub",
    "bitbucketCloud",
    "gitLab",
    "azureDevOpsServices",
    "gitHubEnterprise",
    "bitbucketServer",
    "gitLabEnterpriseEdition",
    "awsCodeCommit",
)
# Signing in with Entra ID instead of a token.
WITHOUT_TOKEN = ("azureDevOpsServicesAad",)
TEXTS = ("git_username", "git_email", "name")


def provider_named(raw: object) -> str:
    """A provider in the service's spelling; requests may write it in any case. Raises ApiError 400 for another."""
    for name in (*PROVIDERS, *WITHOUT_TOKEN):
        if isinstance(raw, str) and name.lower() == raw.lower():
            return name
    raise invalid(f"Invalid Git provider: {raw}. Must be one of: {', '.join(PROVIDERS)}")


class GitCredentials:
    """The credentials of one workspace; everybody sees their own."""

    def __init__(self, kept: Collection, new_id: Callable[[], int]) -> None:
        self._kept = kept
        self._new_id = new_id

    def list(self, member: Member) -> list[dict[str, Any]]:
        return [_shown(key, entry) for key, entry in self._kept.items() if entry["owner"] == member.key]

    def create(self, member: Member, values: dict[str, Any]) -> dict[str, Any]:
        if self.list(member):
            # The message that terraform's provider looks for; newer services allow several. Status unverified.
            text = "Only one Git credential is supported at this time. "
            text += "If you would like to update your credential, please use the PATCH endpoint."
            raise ApiError(400, "RESOURCE_ALREADY_EXISTS", text)
        entry = {"owner": member.key, **_checked(values)}
        key = str(self._new_id())
        self._kept[key] = entry
        return _shown(key, entry)

    def get(self, member: Member, key: str) -> dict[str, Any]:
        return _shown(key, self._own(member, key))

    def update(self, member: Member, key: str, values: dict[str, Any]) -> dict[str, Any]:
        entry = self._own(member, key)
        self._kept[key] = entry | _checked(
            {"git_provider": entry["git_provider"], "personal_access_token": "-"} | values
        )
        return _shown(key, self._kept[key])

    def delete(self, member: Member, key: str) -> None:
        self._own(member, key)
        del self._kept[key]

    def require(self, member: Member, provider: str) -> None:
        """Raises ApiError 403 when the member has no credential for a provider."""
        known = {each["git_provider"].removesuffix("Aad") for each in self.list(member)}
        if provider.removesuffix("Aad") not in known:
            text = "Missing Git provider credentials. "
            text += "Go to User Settings > Git Integration to add your personal access token."
            raise ApiError(403, "PERMISSION_DENIED", text)

    def _own(self, member: Member, key: str) -> dict[str, Any]:
        entry: dict[str, Any] | None = self._kept.get(key)
        if entry is None or entry["owner"] != member.key:
            raise missing("Git credential with the given ID could not be found.")
        return entry


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    provider = provider_named(values.get("git_provider"))
    token = values.get("personal_access_token")
    if provider not in WITHOUT_TOKEN and (not isinstance(token, str) or not token):
        raise invalid("Missing required field: personal_access_token")
    if any(not isinstance(values.get(name, ""), str) for name in TEXTS):
        raise invalid(f"{', '.join(TEXTS)} must be strings")
    return {"git_provider": provider, **{name: values[name] for name in TEXTS if name in values}}


def _shown(key: str, entry: dict[str, Any]) -> dict[str, Any]:
    return {"credential_id": int(key), **{name: value for name, value in entry.items() if name != "owner"}}
