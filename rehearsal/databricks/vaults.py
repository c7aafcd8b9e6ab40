"""What a workspace sees of key vaults: through the AzureDatabricks application and its roles (Key Vault-backed scopes)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rehearsal.databricks.authentication import DATABRICKS_APPLICATION
from rehearsal.databricks.errors import ApiError, denied, not_simulated
from rehearsal.databricks.members import Member

if TYPE_CHECKING:
    from rehearsal.world import World

GET = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
LIST = "Microsoft.KeyVault/vaults/secrets/readMetadata/action"
READ_VAULT = "Microsoft.KeyVault/vaults/write"

ReadSecret = Callable[[str, str], str | None]
ListSecrets = Callable[[str], list[str]]


class KeyVaults:
    """Reads secrets of vaults by resource id, as the application that every Azure Databricks workspace uses for it."""

    def __init__(self, world: World, secret: ReadSecret | None, names: ListSecrets | None) -> None:
        self._world = world
        self._secret = secret
        self._names = names

    def check_creator(self, member: Member, resource_id: str) -> None:
        """Making a scope needs a Contributor of the vault (product docs). Code as documented, text from
        terraform-provider-databricks issue 1206."""
        if not self._world.roles.allowed(member.object_id, resource_id, READ_VAULT):
            text = f"Unable to grant read/list permission to Databricks service principal to KeyVault '{resource_id}'"
            raise ApiError(403, "PERMISSION_DENIED", text)

    def names(self, resource_id: str) -> list[str]:
        self._check(resource_id, LIST)
        if self._names is None:
            raise not_simulated("listing of the secrets of a vault")
        return sorted(self._names(resource_id))

    def value(self, resource_id: str, name: str) -> str | None:
        self._check(resource_id, GET)
        if self._secret is None:
            raise not_simulated("reading of secrets of a vault")
        return self._secret(resource_id, name)

    def _check(self, resource_id: str, action: str) -> None:
        application = self._world.directory.by_app_id(DATABRICKS_APPLICATION)
        if application is None or not self._world.roles.allowed(application.object_id, resource_id, action, data=True):
            # The text that notebooks show for it; the inner message is longer (unverified).
            raise denied(
                f"Invalid permissions on the specified KeyVault {resource_id}. Wrapped Message: Status code 403"
            )
