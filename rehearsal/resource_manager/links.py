"""Linked templates: their texts, and where they are fetched from.

learn.microsoft.com/azure/azure-resource-manager/templates/linked-templates
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit
from uuid import uuid4

from rehearsal.resource_manager.errors import ServiceError
from rehearsal.resource_manager.template.errors import TemplateError
from rehearsal.resource_manager.template.json_reader import JsonError, parse

Json = Any
Fetch = Callable[[str], Awaitable[str | None]]
"""The text behind an address, or None when there is none."""


class LinkNeeded(Exception):
    """A template can't be planned before what it links to is fetched."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.uri = uri


@dataclass
class Links:
    """The texts of one deployment's links, by address. base: what a relative path of the template itself starts from."""

    texts: dict[str, str] = field(default_factory=dict)
    base: str | None = None

    def read(self, uri: str) -> Json:
        """The content. Raises LinkNeeded when it was not fetched, TemplateError when it can't be read."""
        if uri not in self.texts:
            raise LinkNeeded(uri)
        try:
            return parse(self.texts[uri])
        except JsonError as error:
            # Unverified: how the service words it for a link.
            raise TemplateError(f"The content of '{uri}' could not be read: {error}", code="InvalidTemplate") from error

    async def fetch(self, uri: str, fetcher: Fetch) -> None:
        """Keep the text of one more address. Raises ServiceError InvalidContentLink."""
        text = await fetcher(uri)
        if text is None:
            # The service's sentence, as public issues show it.
            raise ServiceError(
                400,
                "InvalidContentLink",
                f"Unable to download deployment content from '{uri.split('?')[0]}'. The tracking Id is '{uuid4()}'. Please "
                "see https://aka.ms/arm-deploy for usage details.",
            )
        self.texts[uri] = text


def address(link: Json, base: str | None, *, what: str) -> str:
    """The address that a nested deployment's link means. base: that of the template which it stands in."""
    given, relative = link.get("uri"), link.get("relativePath")
    if isinstance(given, str) and given:
        return _with_query(given, link)
    if not isinstance(relative, str) or not relative:
        raise TemplateError(f"The {what} {{position}} has neither a uri nor a relativePath.")
    if base is None:
        # …/templates/linked-templates: "relativePath … relative to the parent template" works for linked ones only.
        raise TemplateError(
            f"The {what} {{position}} has a relativePath ('{relative}'), and the template that it stands in is not linked itself."
        )
    # The parent's SAS token is not handed on by the service; templates pass it in `queryString` where they need one.
    return _with_query(urljoin(base, relative), link)


def _with_query(uri: str, link: Json) -> str:
    query = str(link.get("queryString") or "").lstrip("?")
    return urlsplit(uri)._replace(query=query).geturl() if query else uri


def mapped(mappings: Sequence[tuple[str, Path]]) -> Fetch:
    """Fetches from folders: each mapping is the beginning of an address and the folder that stands for it."""

    async def fetch(uri: str) -> str | None:
        bare = uri.split("?")[0].split("#")[0]
        for beginning, folder in mappings:
            if not bare.startswith(beginning):
                continue
            root = folder.resolve()
            file = (root / unquote(bare[len(beginning) :]).lstrip("/")).resolve()
            if file.is_relative_to(root) and file.is_file():
                return file.read_text(encoding="utf-8-sig")
        return None

    return fetch


def from_storage(front: Any) -> Fetch:
    """Fetches blobs of the rehearsal's own accounts, through their front door: with a SAS in the address, or a public one."""
    import httpx  # not at the top: the command that evaluates a template starts without it

    async def fetch(uri: str) -> str | None:
        parts = urlsplit(uri)
        if not (parts.hostname or "").endswith(".blob.core.windows.net"):
            return None
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=front)) as client:
            answer = await client.get(uri)
        return answer.text.removeprefix("\ufeff") if answer.status_code == 200 else None

    return fetch


def first_of(*fetchers: Fetch) -> Fetch:
    async def fetch(uri: str) -> str | None:
        for one in fetchers:
            text = await one(uri)
            if text is not None:
                return text
        return None

    return fetch


async def nowhere(_uri: str) -> str | None:
    return None
