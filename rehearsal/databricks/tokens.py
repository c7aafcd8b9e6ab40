"""Personal access tokens (`/api/2.0/token/*`): `dapi…`, sent as a bearer token, or as the password of the user `token`.

A token's value is told once and kept nowhere; what is kept is a hash. Rules: databricks-sdk-py `service/settings.py` (TokensAPI).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from typing import Any

from rehearsal.databricks.errors import ApiError, invalid, missing
from rehearsal.databricks.members import Member
from rehearsal.databricks.settings import Settings
from rehearsal.store import Collection

PREFIX = "dapi"
TWO_YEARS = 2 * 365 * 24 * 3600
MOST = 600


def presented(header: str | None) -> str | None:
    """The personal token in an Authorization header, or None when there is another kind of credential."""
    kind, _, value = (header or "").partition(" ")
    if kind.lower() == "basic":
        try:
            user, _, value = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            return None
        return value if user == "token" else None
    return value if kind.lower() == "bearer" and value.startswith(PREFIX) else None


class Tokens:
    """The personal access tokens of one workspace."""

    def __init__(self, kept: Collection, settings: Settings, clock: Callable[[], float]) -> None:
        self._kept = kept
        self._settings = settings
        self._clock = clock

    def create(self, member: Member, lifetime: int | None, comment: str) -> dict[str, Any]:
        """A new token; a lifetime in seconds, two years without one. The only answer that holds its value."""
        if lifetime is not None and lifetime <= 0:
            raise invalid("lifetime_seconds must be positive")  # text unverified
        self._settings.check_token(TWO_YEARS if lifetime is None else lifetime)
        if len(self.list(member)) >= MOST:
            raise ApiError(400, "QUOTA_EXCEEDED", f"There are {MOST} tokens already")  # text unverified
        value = f"{PREFIX}{secrets.token_hex(16)}-2"
        now = int(self._clock() * 1000)
        entry = {
            "owner": member.object_id,
            "hash": _hash(value),
            "comment": comment,
            "creation_time": now,
            "expiry_time": now + 1000 * (TWO_YEARS if lifetime is None else lifetime),
        }
        token_id = secrets.token_hex(32)
        self._kept[token_id] = entry
        return {"token_value": value, "token_info": _shown(token_id, entry)}

    def list(self, member: Member) -> list[dict[str, Any]]:
        found = ((token_id, entry) for token_id, entry in self._kept.items() if entry["owner"] == member.object_id)
        return [_shown(token_id, entry) for token_id, entry in found]

    def delete(self, member: Member, token_id: str) -> None:
        entry = self._kept.get(token_id)
        if entry is None or entry["owner"] != member.object_id:
            raise missing(f"Token {token_id} does not exist")  # text unverified
        del self._kept[token_id]

    def owner(self, value: str) -> str | None:
        """The object id of whoever a token stands for; None for one that is unknown or has expired."""
        if not self._settings.tokens_count:
            return None
        wanted, now = _hash(value), self._clock() * 1000
        for entry in self._kept.values():
            if secrets.compare_digest(entry["hash"], wanted):
                return str(entry["owner"]) if entry["expiry_time"] > now else None
        return None


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _shown(token_id: str, entry: dict[str, Any]) -> dict[str, Any]:
    named = {name: entry[name] for name in ("comment", "creation_time", "expiry_time")}
    return {"token_id": token_id, **named}
