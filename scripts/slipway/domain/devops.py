"""What a project of Azure DevOps must have for its pipelines to release: read from the repository, compared with what is there.

Records are the JSON of the service's REST API.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from slipway.domain.clone import LIST_FILE
from slipway.domain.environment import Environment
from slipway.errors import NotPossible

Json = dict[str, Any]
FEDERATION = "WorkloadIdentityFederation"
RELEASE_FILE = "azure-pipelines.yml"
FOLDER = "templates/pipelines"
MAIN = "refs/heads/main"
HOSTED = "Azure Pipelines"
"""The queue of a project by which it uses Microsoft's agents."""
_VARIABLE = re.compile(r"\$\(([^()$]+)\)")
_TASK_CHECK, _BRANCH_CONTROL = "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7", "86b05a0c-73e6-4f7d-b3cf-e38f3b39a75b"
_MONTH = 43_200  # minutes; the longest that a check may wait


@dataclass(frozen=True, kw_only=True)
class Listed:
    """An environment of the pipelines' list. `pool`: of agents of one's own; None for Microsoft's."""

    name: str
    connection: str
    pool: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A pipeline: its name where it has to be made, and its YAML file, by which it is found."""

    name: str
    file: str


def listed_environments(root: Path) -> list[Listed]:
    """The environments in templates/environments.yml, in order. Raises NotPossible where there is no such list."""
    path = root / LIST_FILE
    if not path.is_file():
        raise NotPossible(
            f"{LIST_FILE} is missing: it holds the environments of the pipelines.",
            changed="Nothing was changed.",
            next_step="Run this in the repository; a release's folder has no pipelines.",
        )
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        parameters = {one["name"]: one.get("default") for one in document["parameters"]}
        return [_listed(block) for block in parameters["environments"]]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise NotPossible(
            f"{LIST_FILE} has no parameter 'environments' with a list of environments: {error}",
            changed="Nothing was changed.",
            next_step="python scripts/clone_environment.py --check",
        ) from error


def _listed(block: Mapping[str, Any]) -> Listed:
    pool = block.get("pool") or {}
    name = pool.get("name") if isinstance(pool, Mapping) else str(pool)
    secrets = {str(key): str(value) for key, value in (block.get("secrets") or {}).items()}
    connection = str(block.get("serviceConnection") or "")
    return Listed(
        name=str(block["name"]), connection=connection, pool=None if name == HOSTED else name, secrets=secrets
    )


def wanted_pipelines(root: Path, app: str) -> list[Wanted]:
    """The release pipeline first, then those that people and schedules run."""
    found = [Wanted(name=f"{app}-release", file=RELEASE_FILE)]
    for path in sorted((root / FOLDER).glob("*.yml")):
        found.append(Wanted(name=f"{app}-{path.stem}", file=f"{FOLDER}/{path.name}"))
    return found


def secret_variables(listed: Listed) -> dict[str, str]:
    """Variables of the pipeline that an environment's secrets come from -> the environment variable of the step."""
    return {name: key for key, value in listed.secrets.items() for name in _VARIABLE.findall(value)}


def uses_groups(root: Path) -> bool:
    """Whether a pipeline takes variables from a group, whose content does not show itself here."""
    files = [root / RELEASE_FILE, *(root / "templates").rglob("*.yml")]
    group = re.compile(r"^\s*-?\s*group:", re.MULTILINE)
    return any(group.search(path.read_text(encoding="utf-8")) for path in files if path.is_file())


# Service connections


def connection_body(environment: Environment, name: str, project: Mapping[str, Any]) -> Json:
    """A new connection with workload identity federation: it holds no secret.

    As terraform-provider-azuredevops sends it, service/serviceendpoint/resource_serviceendpoint_azurerm.go.
    """
    azure = environment.azure
    return {
        "name": name,
        "type": "azurerm",
        "url": "https://management.azure.com/",
        "description": _releases(environment),
        "isShared": False,
        "authorization": {
            "scheme": FEDERATION,
            "parameters": {"tenantid": azure.tenant_id, "serviceprincipalid": azure.release_identity.client_id},
        },
        "data": {
            "environment": "AzureCloud",
            "scopeLevel": "Subscription",
            "creationMode": "Manual",
            "subscriptionId": azure.subscription_id,
            "subscriptionName": azure.subscription_id,
        },
        "serviceEndpointProjectReferences": [
            {"name": name, "projectReference": {"id": project["id"], "name": project["name"]}}
        ],
    }


def _releases(environment: Environment) -> str:
    return f"Releases {environment.app} to {environment.name}"


def made_for_others(connection: Mapping[str, Any], environment: Environment) -> str:
    """What a connection says that it was made for, where that is another environment, or another app's in the same project; ""
    where it is this one's, or people made it and it can't be told."""
    said = str(connection.get("description") or "")
    return said if re.fullmatch(r"Releases \S+ to \S+", said) and said != _releases(environment) else ""


def is_federated(connection: Mapping[str, Any]) -> bool:
    return str(connection["authorization"].get("scheme")) == FEDERATION


def connection_differences(connection: Mapping[str, Any], environment: Environment) -> list[str]:
    """What a connection is for, where that is not what the configuration says: `subscription x, not y`."""
    azure = environment.azure
    parameters = {key.lower(): value for key, value in (connection["authorization"].get("parameters") or {}).items()}
    data = connection.get("data") or {}
    compared = (
        ("type", connection.get("type"), "azurerm"),
        ("tenant", parameters.get("tenantid"), azure.tenant_id),
        ("subscription", data.get("subscriptionId"), azure.subscription_id),
        ("application", parameters.get("serviceprincipalid"), azure.release_identity.client_id),
    )
    return [
        f"{what} {found or 'nothing'}, not {wanted}"
        for what, found, wanted in compared
        if str(found or "").lower() != wanted.lower()
    ]


def corrected(connection: Mapping[str, Any], environment: Environment, project: Mapping[str, Any]) -> Json:
    """The connection, for what the configuration says. Its name, id, the projects that share it, and what else people wrote
    stay."""
    wanted = connection_body(environment, str(connection["name"]), project)
    authorization = connection["authorization"]
    parameters = {
        key: value
        for key, value in (authorization.get("parameters") or {}).items()
        if key.lower() not in ("tenantid", "serviceprincipalid")
    }
    return {
        **connection,
        "authorization": {**authorization, "parameters": parameters | wanted["authorization"]["parameters"]},
        "data": {**(connection.get("data") or {}), **wanted["data"]},
        "serviceEndpointProjectReferences": connection.get("serviceEndpointProjectReferences")
        or wanted["serviceEndpointProjectReferences"],
    }


def issuer_and_subject(connection: Mapping[str, Any]) -> tuple[str, str]:
    """What the tokens of a connection say; "" where the service names none."""
    parameters = (connection.get("authorization") or {}).get("parameters") or {}
    return (
        str(parameters.get("workloadIdentityFederationIssuer") or ""),
        str(parameters.get("workloadIdentityFederationSubject") or ""),
    )


def is_older_issuer(issuer: str) -> bool:
    """Of Azure DevOps itself: retires on 2027-07-01
    (https://learn.microsoft.com/azure/devops/pipelines/release/convert-service-connections)."""
    return issuer.startswith("https://vstoken.dev.azure.com/")


# Checks, permissions, policies


def check_of(checks: Sequence[Json], kind: str) -> Json | None:
    """The first check of a type (its id, in any case)."""
    return next((one for one in checks if str((one.get("type") or {}).get("id", "")).lower() == kind), None)


def lock_body(kind: str) -> Json:
    return {"type": {"id": kind, "name": "ExclusiveLock"}, "settings": {}, "timeout": _MONTH}


def branches_body() -> Json:
    """A branch control: runs of main alone may use a resource. As terraform-provider-azuredevops sends it,
    service/approvalsandchecks/resource_check_branch_control.go."""
    inputs = {"allowedBranches": MAIN, "ensureProtectionOfBranch": "false", "allowUnknownStatusBranches": "false"}
    definition = {"id": _BRANCH_CONTROL, "name": "evaluatebranchProtection", "version": "0.0.1"}
    return {
        "type": {"id": _TASK_CHECK, "name": "Task Check"},
        "settings": {"displayName": "Branch control", "definitionRef": definition, "inputs": inputs},
        "timeout": _MONTH,
    }


def controls_branches(check: Mapping[str, Any]) -> bool:
    return str(((check.get("settings") or {}).get("definitionRef") or {}).get("id", "")).lower() == _BRANCH_CONTROL


def may_ask(check: Mapping[str, Any]) -> bool:
    """Whether a check may ask another service whether a run goes on: a function or an API of the team. (Business hours are of
    this type too.)"""
    kind = str((check.get("type") or {}).get("id", "")).lower()
    return kind == _TASK_CHECK and not controls_branches(check)


def name_of(check: Mapping[str, Any]) -> str:
    """What people call a check."""
    return str((check.get("settings") or {}).get("displayName") or (check.get("type") or {}).get("name") or "a check")


def approval_body(kind: str, approvers: Sequence[str], environment: str) -> Json:
    """One of the approvers is enough (minRequiredApprovers 0 asks all that are listed)."""
    return {
        "type": {"id": kind, "name": "Approval"},
        "settings": {
            "approvers": [{"id": one} for one in approvers],
            "executionOrder": "anyOrder",
            "minRequiredApprovers": 1,
            "instructions": f"The plan of what changes in {environment} is in the summary of the run.",
            "requesterCannotBeApprover": False,
        },
        "timeout": _MONTH,
    }


def approvers_of(approval: Mapping[str, Any]) -> list[Json]:
    return list((approval.get("settings") or {}).get("approvers") or [])


def not_permitted(permissions: Mapping[str, Any], pipelines: Sequence[int]) -> list[int]:
    """Those that may not use a resource; none where all pipelines may."""
    if (permissions.get("allPipelines") or {}).get("authorized"):
        return []
    allowed = {one["id"] for one in permissions.get("pipelines") or [] if one.get("authorized")}
    return [number for number in pipelines if number not in allowed]


def pipeline_of(file: str, pipelines: Sequence[Json], repository: str | None = None) -> Json | None:
    """The pipeline of a YAML file, of that repository (its id)."""
    for one in pipelines:
        of = str((one.get("repository") or {}).get("id") or "").lower()
        named = str((one.get("process") or {}).get("yamlFilename") or "").replace("\\", "/").lstrip("/")
        if named.lower() == file.lower() and repository in (None, of):
            return one
    return None


def validation_body(kind: str, pipeline: int, repository: str) -> Json:
    """Pull requests to main run the pipeline, and wait for it."""
    return {
        "isEnabled": True,
        "isBlocking": True,
        "type": {"id": kind},
        "settings": {
            "buildDefinitionId": pipeline,
            "displayName": "Build and test",
            "queueOnSourceUpdateOnly": True,
            "manualQueueOnly": False,
            "validDuration": 720,
            "scope": [{"repositoryId": repository, "refName": MAIN, "matchKind": "Exact"}],
        },
    }


def validates(policy: Mapping[str, Any], pipeline: int, repository: str) -> bool:
    """Whether a policy runs the pipeline for pull requests to main."""
    settings = policy.get("settings") or {}
    return (
        bool(policy.get("isEnabled"))
        and settings.get("buildDefinitionId") == pipeline
        and any(_covers_main(scope, repository) for scope in settings.get("scope") or [])
    )


def _covers_main(scope: Mapping[str, Any], repository: str) -> bool:
    if str(scope.get("repositoryId") or repository).lower() != repository.lower():
        return False
    name = str(scope.get("refName") or MAIN)
    return MAIN.startswith(name) if scope.get("matchKind") == "Prefix" else name == MAIN
