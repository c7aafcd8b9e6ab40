"""Operations that the real service has and this stand-in has not: they are refused by name, not as unknown.

Names: databricks-sdk-py services and databricks-cli `sdk/service.py`. A pattern ends with `*` when everything below counts.
"""

from __future__ import annotations

KNOWN = [
    "/jobs/runs/export",
    "/clusters/*",
    "/libraries/*",
    "/instance-pools/*",
    "/instance-profiles/*",
    "/policies/*",
    "/cluster-policies/*",
    "/global-init-scripts*",
    "/fs/*",
    "/token/*",
    "/token-management/*",
    "/groups/*",
    "/preview/scim/v2/*",
    "/account/*",
    "/pipelines*",
    "/mlflow/*",
    "/serving-endpoints*",
    "/sql/*",
    "/lakeview/*",
    "/unity-catalog/*",
    "/permissions/*",
    "/ip-access-lists*",
    "/apps*",
    "/genie/*",
    "/settings/*",
    "/command-contexts*",
    "/contexts/*",
    "/commands/*",
    "/vector-search/*",
    "/bundle*",
    "/alerts*",
    "/queries*",
    "/delta-sharing/*",
]


def is_known(path: str) -> bool:
    """Whether a path (without `/api/<version>`) belongs to an operation of the real service."""
    for pattern in KNOWN:
        prefix = pattern.removesuffix("*")
        if path == pattern or (pattern.endswith("*") and path.startswith(prefix)):
            return True
    return False
