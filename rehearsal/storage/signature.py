"""Sign a request with an account's key (Shared Key), so that Azurite takes what the front has already checked.

Source: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from urllib.parse import quote

# What stands in a path as it is (RFC 3986, pchar); clients differ in what they encode beyond need, and the signature is over
# the path as it goes out.
_PATH = "/%~!$&'()*+,;=:@"

SIGNED_HEADERS = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


def authorization(
    *, account: str, key: str, method: str, path: str, query: Iterable[tuple[str, str]], headers: Mapping[str, str]
) -> str:
    """The Authorization header. path: as on the wire, percent-encoded; query: decoded; headers: lower-case names."""
    fields = [headers.get(name, "") for name in SIGNED_HEADERS]
    if fields[2] == "0":
        fields[2] = ""
    special = sorted((name, value) for name, value in headers.items() if name.startswith("x-ms-"))
    canonical_headers = "".join(f"{name}:{' '.join(value.split())}\n" for name, value in special)
    grouped: dict[str, list[str]] = {}
    for name, value in query:
        grouped.setdefault(name.lower(), []).append(value)
    canonical_query = "".join(f"\n{name}:{','.join(sorted(values))}" for name, values in sorted(grouped.items()))
    text = "\n".join([method, *fields, f"{canonical_headers}/{account}{quote(path, safe=_PATH)}{canonical_query}"])
    digest = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    return f"SharedKey {account}:{base64.b64encode(digest).decode()}"
