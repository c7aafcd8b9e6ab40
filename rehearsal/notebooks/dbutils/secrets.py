"""`dbutils.secrets`: values that are never shown (docs: "Secret management", "Secret redaction")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rehearsal.notebooks.errors import NotInRehearsal, Py4JJavaError
from rehearsal.notebooks.redaction import Redactor


@dataclass(frozen=True)
class SecretMetadata:
    """A secret's name."""

    key: str


@dataclass(frozen=True)
class SecretScope:
    """A scope's name."""

    name: str

    def getName(self) -> str:  # noqa: N802
        return self.name


class Secrets:
    """Reads the secrets that the run's identity may read; whatever it gives out is redacted in output from then on."""

    def __init__(self, scopes: Mapping[str, Mapping[str, str]], redactor: Redactor) -> None:
        # Names are case-insensitive (docs: "Secret scopes").
        self._scopes = {name.lower(): (name, dict(values)) for name, values in scopes.items()}
        self._redactor = redactor

    def get(self, scope: str, key: str) -> str:
        """A secret's value. Raises the service's error when there is no such scope or key."""
        values = {name.lower(): value for name, value in self._values(scope, "getSecret").items()}
        if key.lower() not in values:
            text = f"Secret does not exist with scope: {scope} and key: {key}"
            raise Py4JJavaError("getSecret", "java.lang.IllegalArgumentException", text)
        self._redactor.add(values[key.lower()])
        return values[key.lower()]

    def getBytes(self, scope: str, key: str) -> bytes:  # noqa: N802
        """A secret's value as UTF-8 bytes."""
        return self.get(scope, key).encode()

    def list(self, scope: str) -> list[SecretMetadata]:
        """The keys of a scope."""
        return [SecretMetadata(key) for key in self._values(scope, "listSecrets")]

    def listScopes(self) -> Sequence[SecretScope]:  # noqa: N802
        """The scopes that the run may read."""
        return [SecretScope(name) for name, _ in self._scopes.values()]

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotInRehearsal(f"dbutils.secrets.{name}")

    def _values(self, scope: str, method: str) -> Mapping[str, str]:
        if scope.lower() not in self._scopes:
            # Also when it is there and the run's identity may not read it: the stand-in hands over readable scopes
            # only.
            text = (
                f"Secret does not exist with scope: {scope}"
                if method == "getSecret"
                else f"Scope {scope} does not exist!"
            )
            raise Py4JJavaError(method, "java.lang.IllegalArgumentException", text)
        return self._scopes[scope.lower()][1]
