"""Refusals in Resource Manager's shape: {"error": {"code", "message", "target", "details", "additionalInfo"}}.

Source: learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling, the RPC's error contract
(github.com/cloud-and-ai-microsoft/resource-provider-contract, v1.0/common-api-details.md#error-response-content).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class ServiceError(Exception):
    """A request, or a part of a deployment, that is refused. status: HTTP. The text holds no secret."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        details: Sequence[Mapping[str, Any]] = (),
        additional_info: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.details = details
        self.additional_info = additional_info
        self.headers = dict(headers or {})

    def as_json(self) -> dict[str, Any]:
        """What stands under "error"."""
        found: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.target is not None:
            found["target"] = self.target
        if self.details:
            found["details"] = list(self.details)
        if self.additional_info:
            found["additionalInfo"] = list(self.additional_info)
        return found


def not_here(what: str) -> ServiceError:
    """For what the service does and this rehearsal does not."""
    return ServiceError(501, "NotImplementedInRehearsal", f"This rehearsal has no {what}.")


def not_found(resource_type: str, name: str, group: str | None) -> ServiceError:
    where = f" under resource group '{group}'" if group else ""
    return ServiceError(
        404,
        "ResourceNotFound",
        f"The Resource '{resource_type}/{name}'{where} was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def group_not_found(name: str) -> ServiceError:
    return ServiceError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
