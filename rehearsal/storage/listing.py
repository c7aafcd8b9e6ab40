"""List Blobs from a name on (`startFrom`), which Azurite does not know and would leave out of account.

Delta's clients list a table's log with it. It names the first blob of the answer, inclusive; pages and markers stay as they are
(https://learn.microsoft.com/dotnet/api/azure.storage.blobs.models.getblobsbyhierarchyoptions.startfrom). Unverified: that the
service counts `maxresults` after leaving out what comes before; here a page may hold fewer.
"""

from __future__ import annotations

from xml.etree import ElementTree

from starlette.requests import Request

PARAMETER = "startFrom"


def starts_from(request: Request) -> str | None:
    """The name that the listing begins at; None for any other request."""
    query = request.query_params
    if request.method != "GET" or query.get("comp") != "list" or query.get("restype") != "container":
        return None
    return query.get(PARAMETER)


def from_name_on(answer: bytes, first: str) -> bytes:
    """The service's answer without the blobs and prefixes whose names come before `first`, in the order of their bytes."""
    root = ElementTree.fromstring(answer)  # noqa: S314 - Azurite's own answer
    blobs = root.find("Blobs")
    for item in list(blobs) if blobs is not None else []:
        if blobs is not None and (item.findtext("Name") or "").encode() < first.encode():
            blobs.remove(item)
    data: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return data
