"""Functions on addresses (learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-string#uri)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote, urlencode, urljoin, urlsplit, urlunsplit

from rehearsal.resource_manager.template.functions.function import invalid, obj, plain, text

Json = Any


def _uri(base: Json, relative: Json) -> str:
    """The documented rules: a slash at the end keeps the whole path, otherwise the last segment of a path goes."""
    address, rest = text("uri", base), text("uri", relative)
    if rest.startswith(("./", "../")):
        # Joined as addresses are (System.Uri): public templates write './nested/x.json'.
        return urljoin(address, rest)
    scheme, mark, below = address.partition("://")
    if not mark:
        raise invalid("uri", f"expects an absolute address: '{address}' is none.")
    if address.endswith("/"):
        return address + rest.removeprefix("/")
    if "/" not in below:
        return f"{address}/{rest.removeprefix('/')}"
    return f"{scheme}://{below[: below.rindex('/')]}/{rest.removeprefix('/')}"


def _parse_uri(value: Json) -> dict[str, Json]:
    parts = urlsplit(text("parseUri", value))
    if not parts.scheme:
        raise invalid("parseUri", f"expects an absolute address: '{value}' is none.")
    standard = {"http": 80, "https": 443}
    return {
        "scheme": parts.scheme,
        "host": parts.hostname or "",
        "port": parts.port or standard.get(parts.scheme),
        "path": parts.path,
        "query": f"?{parts.query}" if parts.query else "",
    }


def _build_uri(value: Json) -> str:
    parts = obj("buildUri", value)
    if not isinstance(parts.get("scheme"), str) or not isinstance(parts.get("host"), str):
        raise invalid("buildUri", "expects the properties scheme and host.")
    port = f":{parts['port']}" if parts.get("port") else ""
    query = parts.get("query", "")
    query = urlencode(query) if isinstance(query, dict) else str(query).lstrip("?")
    path = str(parts.get("path", ""))
    return urlunsplit(
        (str(parts["scheme"]), str(parts["host"]) + port, path if path[:1] in ("/", "") else "/" + path, query, "")
    )


FUNCTIONS = (
    plain("uri", 2, 2, _uri),
    plain("uriComponent", 1, 1, lambda value: quote(text("uriComponent", value), safe="-_.!~*'()")),
    plain("uriComponentToString", 1, 1, lambda value: unquote(text("uriComponentToString", value))),
    plain("parseUri", 1, 1, _parse_uri),
    plain("buildUri", 1, 1, _build_uri),
)
