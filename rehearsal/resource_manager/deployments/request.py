"""The body of a deployment, and errors of its template with the place where they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.resource_manager.errors import ServiceError, not_here
from rehearsal.resource_manager.links import Links
from rehearsal.resource_manager.template.errors import ExpressionError, Path, Source, TemplateError
from rehearsal.resource_manager.template.json_reader import locate

Json = Any
_NAME = re.compile(r"[-\w.()]{1,64}")
_LEVELS = ("Template", "Provider", "ProviderNoRbac")
_MODES = {"incremental": "Incremental", "complete": "Complete"}
_ROOT: Path = ("properties", "template")


@dataclass(frozen=True, kw_only=True)
class DeploymentRequest:
    """What a caller wants deployed.

    text: the whole request as it came, for positions; root: where the template stands in it. links: the texts of linked
    templates. uri: where the template itself came from, if from a link; template_link and parameters_link: as they were
    given, still to be followed.
    """

    name: str
    mode: str
    template: Json
    parameters: Mapping[str, Json]
    location: str | None = None
    tags: Mapping[str, str] | None = None
    result_format: str = "FullResourcePayloads"
    validation_level: str = "Provider"
    text: str = field(repr=False, default="")
    root: Path = _ROOT
    links: Links = field(default_factory=Links)
    uri: str | None = None
    template_link: Mapping[str, Json] | None = None
    parameters_link: Mapping[str, Json] | None = None

    @staticmethod
    def source_of(path: Path) -> str | None:
        """The linked template that a path leads into; None: the template itself."""
        return str(path[0]) if path and isinstance(path[0], Source) else None


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
        parameters=given_parameters(properties.get("parameters")),
        location=body.get("location"),
        tags=body.get("tags"),
        result_format=(properties.get("whatIfSettings") or {}).get("resultFormat", "FullResourcePayloads"),
        validation_level=_level(properties.get("validationLevel")),
        text=text,
        template_link=_link(properties, "template"),
        parameters_link=_link(properties, "parameters"),
    )


def _link(properties: Mapping[str, Json], content: str) -> Mapping[str, Json] | None:
    """`templateLink` or `parametersLink`. Raises ServiceError."""
    link = properties.get(f"{content}Link")
    if not link:
        return None
    if properties.get(content):
        # The sentence is unverified; that only one of them may be there is documented (Deployments - Create Or Update).
        raise ServiceError(
            400,
            "InvalidRequestContent",
            f"The request content is not valid: it has both '{content}' and '{content}Link'.",
        )
    if isinstance(link, dict) and link.get("id"):
        raise not_here("template specs (templateLink.id)")
    if not isinstance(link, dict) or not isinstance(link.get("uri"), str):
        raise ServiceError(
            400, "InvalidRequestContent", f"The request content is not valid: '{content}Link' has no 'uri'."
        )
    return link


def _level(given: Json) -> str:
    """How much is checked: "Template" (no provider is asked), "ProviderNoRbac" (and no permission), "Provider"."""
    level = next((one for one in _LEVELS if one.lower() == str(given or "Provider").lower()), None)
    if level is None:
        raise ServiceError(400, "InvalidRequestContent", f"The validation level '{given}' is not valid.")
    return level


def given_parameters(given: Json) -> Mapping[str, Json]:
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


def linked_parameters(content: Json) -> Mapping[str, Json]:
    """The values of a linked parameter file."""
    return given_parameters(content.get("parameters") if isinstance(content, dict) else content)


def refused(error: TemplateError | ExpressionError, request: DeploymentRequest) -> ServiceError:
    """A template's error as the service answers it, with line, column and path."""
    if isinstance(error, ExpressionError):
        error = TemplateError(str(error))
    message, info = _placed(error, request)
    if error.code == "InvalidTemplate":
        message = f"Deployment template validation failed: '{message}'."
    return ServiceError(400, error.code, message, additional_info=info)


def _placed(error: TemplateError, request: DeploymentRequest) -> tuple[str, list[dict[str, Json]]]:
    path, found = place_of(error.path or (), request)
    if error.path is None or found is None:
        bare = error.message.replace(" {position}", "").replace(", {where}", "")
        return bare.replace("{path}", path), []
    line, column = found
    message = error.message.replace("{position}", f"at line '{line}' and column '{column}'")
    message = message.replace("{path}", path).replace("{where}", f"line {line}, position {column}")
    place = {"lineNumber": line, "linePosition": column, "path": path}
    return message, [{"type": "TemplateViolation", "info": place}]


def place_of(path: Path, request: DeploymentRequest) -> tuple[str, tuple[int, int] | None]:
    """Path, and line and column, of a part of the template or of one that it links to."""
    if path and isinstance(path[0], Source):
        return dotted(path[1:]), locate(request.links.texts.get(path[0], ""), path[1:])
    path = (*request.root, *path)
    return dotted(path), locate(request.text, path)


def dotted(path: Path) -> str:
    """`properties.template.resources[2].properties`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
