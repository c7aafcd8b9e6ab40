"""Deployments of a template into a resource group: validate, what-if, deploy (azure-mgmt-resource-deployments)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, cast

from azure.core.exceptions import AzureError, HttpResponseError
from azure.mgmt.resource.deployments import DeploymentsMgmtClient

from slipway.errors import ServiceError, SlipwayError
from slipway.services.azure_errors import REPEATABLE, TRANSPORT, readable
from slipway.services.resource_manager.errors import refusal, unpack
from slipway.services.resource_manager.template_lines import Template
from slipway.services.resource_manager.what_if import Change, read_changes

if TYPE_CHECKING:
    from slipway.services.credentials import Credential

# Between two looks at something long, where the service does not say how long to wait (seconds).
_POLL_SECONDS = 5
_UNCHANGED = "Nothing was changed."


@dataclass(frozen=True)
class Deployment:
    """A template with its values, for one resource group. Values must hold no secret: they stay in the history."""

    name: str
    group: str
    template: Template
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def body(self) -> IO[bytes]:
        """The request. The template goes as its own text, from line 1 on, so that a service's lines are the file's."""
        values = {name: {"value": value} for name, value in self.parameters.items()}
        head = json.dumps({"mode": "Incremental", "parameters": values})[:-1]
        text = f'{{"properties": {head}, "template": {self.template.text.rstrip()}}}}}'
        return cast(IO[bytes], text.encode())  # the client passes bytes on as they are; they can be sent twice


class Deployments:
    """The deployments of one subscription. Raises ReleaseError for a refused template, with lines of our file."""

    def __init__(self, credential: Credential, subscription_id: str) -> None:
        self._client = DeploymentsMgmtClient(credential, subscription_id, polling_interval=_POLL_SECONDS, **TRANSPORT)

    def validate(self, deployment: Deployment) -> None:
        """Lets Resource Manager check the template and its values; changes nothing."""
        doing = f"Validating {deployment.template.file} for {deployment.group}"
        try:
            poller = self._client.deployments.begin_validate(
                deployment.group,
                deployment.name,
                deployment.body(),
                **REPEATABLE,
            )
            result = poller.result()
        except AzureError as error:
            raise self._refusal(error, deployment, doing, _UNCHANGED) from error
        if result.get("error"):
            raise refusal(
                result["error"],
                deployment.template,
                deployment.parameters,
                doing=doing,
                status=None,
                changed=_UNCHANGED,
            )

    def what_if(self, deployment: Deployment) -> list[Change]:
        """What the deployment would change."""
        doing = f"Asking what {deployment.template.file} would change in {deployment.group}"
        try:
            poller = self._client.deployments.begin_what_if(
                deployment.group,
                deployment.name,
                deployment.body(),
                **REPEATABLE,
            )
            result: Mapping[str, Any] = poller.result()
        except AzureError as error:
            raise self._refusal(error, deployment, doing, _UNCHANGED) from error
        if result.get("error"):
            raise refusal(
                result["error"],
                deployment.template,
                deployment.parameters,
                doing=doing,
                status=None,
                changed=_UNCHANGED,
            )
        return read_changes(result)

    def deploy(self, deployment: Deployment) -> None:
        """Starts the deployment and waits for its end."""
        doing = f"Deploying {deployment.template.file} to {deployment.group}"
        changed = "Resources that were deployed before the failure stay; the deployment can be run again."
        try:
            result: Mapping[str, Any] = self._client.deployments.begin_create_or_update(
                deployment.group,
                deployment.name,
                deployment.body(),
            ).result()
        except AzureError as error:
            failure = self._refusal(error, deployment, doing, changed)
            raise self._with_operations(failure, deployment, doing, changed) from error
        ended: Mapping[str, Any] = result.get("properties") or {}
        if ended.get("provisioningState") != "Succeeded":  # canceled by somebody, or failed before the first look
            why = ended.get("error") or {"code": ended.get("provisioningState"), "message": "The deployment has ended."}
            failure = refusal(
                why, deployment.template, deployment.parameters, doing=doing, status=None, changed=changed
            )
            raise self._with_operations(failure, deployment, doing, changed)

    def _with_operations(self, failure: SlipwayError, deployment: Deployment, doing: str, changed: str) -> SlipwayError:
        """The failure told by its operations, which name the resources, where there are any."""
        operations = self._failed_operations(deployment) if isinstance(failure, ServiceError) else []
        if not operations:
            return failure
        return refusal(
            {"details": operations},
            deployment.template,
            deployment.parameters,
            doing=doing,
            status=None,
            changed=changed,
        )

    def _failed_operations(self, deployment: Deployment) -> list[dict[str, Any]]:
        """The failures of a deployment, each with its resource; [] when they can't be had either."""
        failed = []
        try:
            for operation in self._client.deployment_operations.list(deployment.group, deployment.name):
                properties: Mapping[str, Any] = operation.get("properties") or {}
                if properties.get("provisioningState") == "Failed":
                    target = (properties.get("targetResource") or {}).get("id") or ""
                    details = [
                        {"code": problem.code, "message": problem.message, "target": problem.target or target}
                        for problem in unpack(properties.get("statusMessage"))
                    ]
                    failed += details
        except AzureError:
            return []
        return failed

    def _refusal(self, error: AzureError, deployment: Deployment, doing: str, changed: str) -> SlipwayError:
        body = _error_body(error)
        if body is None:
            return readable(error, doing, changed=changed)
        status = error.status_code if isinstance(error, HttpResponseError) else None
        return refusal(body, deployment.template, deployment.parameters, doing=doing, status=status, changed=changed)


def _error_body(error: AzureError) -> Any:
    """The error object of an answer; None when there is none to read."""
    if not isinstance(error, HttpResponseError) or error.response is None:
        return None
    try:
        parsed = json.loads(error.response.text())
    except Exception:  # not the JSON we look for: the exception's own text is used
        return None
    if not isinstance(parsed, dict):
        return None
    found = parsed.get("error") or (parsed.get("properties") or {}).get("error")
    return found or None
