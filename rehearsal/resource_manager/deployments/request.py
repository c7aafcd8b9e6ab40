"""The body of a deployment, and errors of its template with the place where they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.resource_manager.errors import ServiceError, not_here
from rehearsal.resource_manager.template.errors import ExpressionError, Path, TemplateError
from rehearsal.resource_manager.template.json_reader import locate

Json = Any
_NAME = re.compile(r"[-\w.()]{1,64}")
_LEVELS = ("Template", "Provider", "ProviderNoRbac")
_MODES = {"incremental": "Incremental", "complete": "Complete"}


@dataclass(frozen=True, kw_only=True)
class DeploymentRequest:
    """What a caller wants deployed. text: the whole request as it came, for positions."""

    name: str
    mode: str
    template: Json
    parameters: Mapping[str, Json]
    location: str | None = None
    tags: Mapping[str, str] | None = None
    result_format: str = "FullResourcePayloads"
    validation_level: str = "Provider"
    text: str = field(repr=False, default="")


def read(name: str, body: Json, text: str) -> DeploymentRequest:
    """Raises ServiceError for what is no deployment, and for what this rehearsal does not do."""
    if not _NAME.fullmatch(name):
        raise ServiceError(
            400,
            "InvalidDeploymentName",
            f"The deployment name '{name}' is not valid. It has at most 64 letters, digits, '-', '_', '.', '(' or ')'.",
        )
    properties = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise ServiceError(400, "InvalidRequestContent", "The request content is not valid: it has no 'properties'.")
    for link in ("templateLink", "parametersLink"):
        if properties.get(link):
            raise not_here(f"deployments with {link}: send the content itself")
    if properties.get("onErrorDeployment"):
        raise not_here("deployments with onErrorDeployment")
    mode = _MODES.get(str(properties.get("mode", "")).lower())
    if mode is None:
        raise ServiceError(
            400, "InvalidDeploymentMode", f"The deployment mode '{properties.get('mode')}' is not valid."
        )
    return DeploymentRequest(
        name=name,
        mode=mode,
        template=properties.get("template"),
        parameters=_parameters(properties.get("parameters")),
        location=body.get("location"),
        tags=body.get("tags"),
        result_format=(properties.get("whatIfSettings") or {}).get("resultFormat", "FullResourcePayloads"),
        validation_level=_level(properties.get("validationLevel")),
        text=text,
    )


def _level(given: Json) -> str:
    """How much is checked: "Template" (no provider is asked), "ProviderNoRbac" (and no permission), "Provider"."""
    level = next((one for one in _LEVELS if one.lower() == str(given or "Provider").lower()), None)
    if level is None:
        raise ServiceError(400, "InvalidRequestContent", f"The validation level '{given}' is not valid.")
    return level


def _parameters(given: Json) -> Mapping[str, Json]:
    """The values, from the section itself or from a whole parameter file."""
    if given is None:
        return {}
    if isinstance(given, dict) and "$schema" in given and isinstance(given.get("parameters"), dict):
        given = given["parameters"]
    if not isinstance(given, dict) or not all(isinstance(value, dict) for value in given.values()):
        raise ServiceError(
            400,
            "InvalidRequestContent",
            "The request content is not valid: 'parameters' must hold an object per parameter.",
        )
    return given


def refused(error: TemplateError | ExpressionError, request: DeploymentRequest) -> ServiceError:
    """A template's error as the service answers it, with line, column and path."""
    if isinstance(error, ExpressionError):
        error = TemplateError(str(error))
    message, info = _placed(error, request)
    if error.code == "InvalidTemplate":
        message = f"Deployment template validation failed: '{message}'."
    return ServiceError(400, error.code, message, additional_info=info)


def _placed(error: TemplateError, request: DeploymentRequest) -> tuple[str, list[dict[str, Json]]]:
    if error.path is None:
        return error.message.replace(" {position}", ""), []
    path = ("properties", "template", *error.path)
    found = locate(request.text, path)
    if found is None:
        return error.message.replace(" {position}", ""), []
    line, column = found
    message = error.message.replace("{position}", f"at line '{line}' and column '{column}'")
    place = {"lineNumber": line, "linePosition": column, "path": dotted(path)}
    return message, [{"type": "TemplateViolation", "info": place}]


def dotted(path: Path) -> str:
    """`properties.template.resources[2].properties`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
