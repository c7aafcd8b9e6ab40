"""Resource Manager's errors: nested JSON, JSON in strings inside JSON, flattened into lines that name our own file.

Shapes: https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/find-error-code, public issues.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.errors import AuthenticationError, Conflict, Finding, ReleaseError, ServiceError, SlipwayError
from slipway.services.azure_errors import scrub
from slipway.services.resource_manager.template_lines import Place, Template, parse_path
from slipway.services.resource_manager.template_names import find_resource, split_id

# Codes that only say "look inside".
_WRAPPERS = {
    "DeploymentFailed",
    "InvalidTemplateDeployment",
    "MultipleErrorsOccurred",
    "ResourceDeploymentFailure",
    "PreflightValidationCheckFailed",
}
_TEMPLATE_CODES = (
    "InvalidTemplate",
    "InvalidDeployment",
    "InvalidRequestContent",
    "InvalidResource",
    "InvalidParameter",
)
_ACCESS_CODES = ("AuthorizationFailed", "LinkedAuthorizationFailed", "RoleAssignmentUpdateNotPermitted")
_RESOURCE_TEXT = re.compile(r"template resource '([^']+)'", re.I)
_PARAMETER_TEXT = re.compile(r"template parameter '([^']+)'", re.I)
_VARIABLE_TEXT = re.compile(r"template variable '([^']+)'", re.I)
_ID_TEXT = re.compile(r"/providers/([\w.]+(?:/[\w.-]+)+)", re.I)
_DEEPEST = 12
_MOST = 100


@dataclass(frozen=True)
class Problem:
    """One thing that Resource Manager or a resource provider did not like. target: resource id, path or ""."""

    code: str
    message: str
    target: str = ""
    path: str = ""

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.code else self.message


def unpack(error: Any) -> list[Problem]:
    """The problems in an error object of any shape, outermost wrappers left out. Never raises; at least one."""
    found: list[Problem] = []
    for problem in _walk(error, "", 0):
        if problem not in found:
            found.append(problem)
        if len(found) >= _MOST:
            break
    inner = [problem for problem in found if problem.code not in _WRAPPERS]
    return inner or found or [Problem("", scrub(str(error)) if error else "no reason given")]


def _walk(error: Any, target: str, depth: int) -> Iterator[Problem]:
    if depth > _DEEPEST:
        return
    if isinstance(error, str):
        parsed = _parsed(error)
        if parsed is not None:
            yield from _walk(parsed, target, depth + 1)
        elif error.strip():
            yield Problem("", scrub(" ".join(error.split())), target)
        return
    if isinstance(error, list):
        for item in error:
            yield from _walk(item, target, depth + 1)
        return
    if not isinstance(error, Mapping):
        return
    if "error" in error and "code" not in error:
        yield from _walk(error["error"], target, depth + 1)
        return
    target = error["target"] if isinstance(error.get("target"), str) and error["target"] else target
    yield from _own(error, target, depth)
    yield from _walk(error.get("details"), target, depth + 1)


def _own(error: Mapping[str, Any], target: str, depth: int) -> Iterator[Problem]:
    message = error.get("message")
    inner = _parsed(message) if isinstance(message, str) else None
    if inner is not None:
        yield from _walk(inner, target, depth + 1)
        return
    code = error.get("code")
    text = " ".join(str(message or "").split())
    if code or text:
        path = next((info["path"] for info in _violations(error) if isinstance(info.get("path"), str)), "")
        yield Problem(scrub(str(code or ""), 100), scrub(text), scrub(target, 400), path)


def _violations(error: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    extra = error.get("additionalInfo")
    for item in extra if isinstance(extra, list) else []:
        info = item.get("info") if isinstance(item, Mapping) else None
        if isinstance(info, Mapping):
            yield info


def _parsed(text: str) -> Any:
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict | list) else None


def finding_for(problem: Problem, template: Template, parameters: Mapping[str, Any]) -> Finding:
    """Says a problem with the place in our file that it is about: by its path, or by the name it mentions."""
    place = parse_path(problem.path) or _mentioned(problem, template, parameters)
    shown = ""
    if place[:1] == ("resources",):
        shown = describe(template, place[:2])
    elif place:
        shown = ".".join(str(step) for step in place)
    return Finding(template.file, shown, str(problem), template.line_of(place) if place else None)


def describe(template: Template, place: Place) -> str:
    """A resource of the template in words: `storageAccounts (resources[0])`."""
    resource: Any = template.content
    for step in place:
        try:
            resource = resource[step]
        except (KeyError, IndexError, TypeError):
            return ""
    kind = str(resource.get("type", "")) if isinstance(resource, dict) else ""
    index = f"[{place[1]}]" if len(place) > 1 else ""
    return f"{kind.rpartition('/')[2] or 'resource'} (resources{index})"


def _mentioned(problem: Problem, template: Template, parameters: Mapping[str, Any]) -> Place:
    for pattern, section in ((_PARAMETER_TEXT, "parameters"), (_VARIABLE_TEXT, "variables")):
        found = pattern.search(problem.message)
        if found and found.group(1) in (template.content.get(section) or {}):
            return (section, found.group(1))
    named = _RESOURCE_TEXT.search(problem.message)
    of_id = _ID_TEXT.search(problem.target) or _ID_TEXT.search(problem.message)
    if of_id:
        kind, name = split_id(of_id.group(1))
        return find_resource(template, parameters, kind, name)
    return find_resource(template, parameters, "", named.group(1)) if named else ()


def refusal(
    error: Any, template: Template, parameters: Mapping[str, Any], *, doing: str, status: int | None, changed: str
) -> SlipwayError:
    """The error for a person. A template that is refused is a ReleaseError with findings in our file."""
    problems = unpack(error)
    codes = [problem.code for problem in problems]
    findings = [finding_for(problem, template, parameters) for problem in problems]
    listed = "".join(f"\n  {finding}" for finding in findings)
    if status in (401, 403) or any(code in _ACCESS_CODES for code in codes):
        return AuthenticationError(
            f"{doing} is not allowed:{listed}",
            changed=changed,
            next_step="Give the identity the role named above; a role given minutes ago may not work yet.",
        )
    if "DeploymentActive" in codes:
        return Conflict(
            f"{doing}: another deployment of that name is under way.{listed}",
            changed=changed,
            next_step="Wait until it has ended, then run again.",
        )
    if any(code.startswith(_TEMPLATE_CODES) for code in codes):
        return ReleaseError(f"{doing}: Resource Manager refuses the template.", findings, changed=changed)
    return ServiceError(
        f"{doing} failed:{listed}",
        changed=changed,
        next_step="Mend what is named above and run again; what is there already is left as it is.",
    )
