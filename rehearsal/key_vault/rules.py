"""What may stand in a secret, and what is said of what may not.

Sources: https://learn.microsoft.com/azure/key-vault/secrets/about-secrets (25k bytes of value, 255 characters of content type, 15
tags), https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates (names); unverified: the sentences that
name a property.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rehearsal.world import VaultRefusal

NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
LARGEST_VALUE = 25_000
MOST_TAGS = 15
LONGEST_TAG = 512
LONGEST_CONTENT_TYPE = 255
LATEST_TIME = 253_402_300_799  # 9999-12-31


class VaultError(VaultRefusal):
    """A refusal: HTTP status, Key Vault's code, its sentence, and the code of an inner error where there is one."""

    def __init__(self, status: int, code: str, message: str, *, inner: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.inner = status, code, message, inner


def bad(message: str) -> VaultError:
    return VaultError(400, "BadParameter", message)


def missing(name: str) -> VaultError:
    return VaultError(
        404,
        "SecretNotFound",
        f"A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may be able "
        "to recover it using the correct recovery command. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125182",
    )


def check_name(name: str) -> None:
    """Raises VaultError."""
    if not NAME.fullmatch(name):
        raise bad(f"The request URI contains an invalid name: {name}")


def check_value(body: Mapping[str, Any]) -> str:
    """The value of a new version. Raises VaultError."""
    value = body.get("value")
    if not isinstance(value, str) or not value:
        raise bad("Property value is required and must be a non-empty string.")
    if len(value.encode(errors="surrogatepass")) > LARGEST_VALUE:
        raise bad("Secret value is larger than the maximum allowed size of 25k characters.")
    return value


def check_body(body: Mapping[str, Any]) -> None:
    """Attributes, tags and content type. Raises VaultError."""
    attributes, tags, kind = (body.get(name) for name in ("attributes", "tags", "contentType"))
    if not isinstance(attributes or {}, dict) or not all(_fits(*pair) for pair in (attributes or {}).items()):
        raise bad("Property attributes has an invalid value.")
    if not isinstance(tags or {}, dict) or not all(isinstance(value, str) for value in (tags or {}).values()):
        raise bad("Property tags has an invalid value.")
    if len(tags or {}) > MOST_TAGS or any(len(text) > LONGEST_TAG for pair in (tags or {}).items() for text in pair):
        raise bad(
            f"Property tags has an invalid value: at most {MOST_TAGS} tags, of {LONGEST_TAG} characters each side."
        )
    if kind is not None and (not isinstance(kind, str) or len(kind) > LONGEST_CONTENT_TYPE):
        raise bad("Property contentType has an invalid value.")


def _fits(name: str, value: Any) -> bool:
    if value is None:
        return True
    if name == "enabled":
        return isinstance(value, bool)
    if name in ("nbf", "exp"):
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LATEST_TIME
    return True  # created, updated, recoveryLevel are the service's own: what a client sends back is left alone


def settable(body: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that a caller may set: enabled, and the times from and until when it is meant to be used."""
    given = body.get("attributes") or {}
    return {field: given[field] for field in ("enabled", "nbf", "exp") if given.get(field) is not None}
