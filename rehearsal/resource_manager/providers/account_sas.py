"""An account SAS, as the provider's listAccountSas signs it.

learn.microsoft.com/rest/api/storageservices/create-account-sas (version 2020-12-06, which signs an encryption scope too)
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from rehearsal.resource_manager.errors import ServiceError

Json = Any
VERSION = "2022-11-02"
# What the provider's request calls a part, and the query parameter for it.
_PARTS = {
    "signedPermission": "sp",
    "signedServices": "ss",
    "signedResourceTypes": "srt",
    "signedStart": "st",
    "signedExpiry": "se",
    "signedIp": "sip",
    "signedProtocol": "spr",
}
_NEEDED = ("signedPermission", "signedServices", "signedResourceTypes", "signedExpiry")


def account_sas(account: str, key: str, asked: Mapping[str, Json]) -> str:
    """The token, without a question mark. Raises ServiceError when a part is missing."""
    missing = [part for part in _NEEDED if not asked.get(part)]
    if missing:
        raise ServiceError(
            400,
            "InvalidValuesForRequestParameters",
            f"Values for request parameters are invalid: {', '.join(missing)}.",
        )
    given = {part: str(asked.get(part) or "") for part in _PARTS}
    signed = "\n".join([account, *given.values(), VERSION, "", ""])
    digest = hmac.new(base64.b64decode(key), signed.encode(), hashlib.sha256).digest()
    query = {short: given[part] for part, short in _PARTS.items() if given[part]}
    return urlencode({"sv": VERSION, **query, "sig": base64.b64encode(digest).decode()})
