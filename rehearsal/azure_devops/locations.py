"""Which address each API of the service has, for clients that ask first: areas, and the routes of resources.

Ids are those that Microsoft's own client asks for (azure-devops 7.1.0b4); what is not here is not in a rehearsal.
"""

from __future__ import annotations

from rehearsal.azure_devops.errors import Json

AREAS: tuple[tuple[str, str, str], ...] = (
    ("79134c72-4a58-4b42-976c-04e7115f32bf", "core", "dev"),
    ("1814ab31-2f4f-4a9f-8761-f4d77dc5a5d7", "serviceendpoint", "dev"),
    ("4a933897-0488-45af-bd82-6fd3ad33f46a", "PipelinesChecks", "dev"),
    ("a81a0441-de52-4000-aa15-ff0e07bfbbaa", "pipelinePermissions", "dev"),
    ("a85b8835-c1a1-4aac-ae97-1c3d0ba72dbd", "distributedtask", "dev"),
    ("965220d5-5bb9-42cf-8d67-9b146df2a5a4", "build", "dev"),
    ("fb13a388-40dd-4a04-b530-013a739c72ef", "policy", "dev"),
    ("4e080c62-fa21-4fbc-8fef-2a10a2b38049", "git", "dev"),
    ("8a3d49b8-91f0-46ef-b33d-dda338c25db3", "IMS", "vssps"),
    ("c2aa639c-3ccc-4740-b3b6-ce2a1e1d984e", "Test", "dev"),
)
"""Id, name, and the hostname on which it is: dev.azure.com or vssps.dev.azure.com."""

_PROJECT = "{project}/_apis/"
_ROUTES: tuple[tuple[str, str, str, str, int], ...] = (
    ("603fe2ac-9723-48b9-88ad-09305aa6c6e1", "core", "projects", "_apis/{resource}/{projectId}", 4),
    ("00d9565f-ed9c-4a06-9a50-00e7896ccab4", "Location", "ConnectionData", "_apis/connectionData", 1),
    ("e81700f7-3be2-46de-8624-2eb35882fcaa", "Location", "ResourceAreas", "_apis/resourceAreas/{areaId}", 1),
    (
        "14e48fdc-2c8b-41ce-a0c3-e26f6cc55bd0",
        "serviceendpoint",
        "endpoints",
        "_apis/{area}/{resource}/{endpointId}",
        4,
    ),
    (
        "e85f1c62-adfc-4b74-b618-11a150fb195e",
        "serviceendpoint",
        "endpoints",
        _PROJECT + "{area}/{resource}/{endpointId}",
        4,
    ),
    (
        "86c8381e-5aee-4cde-8ae4-25c0c7f5eaea",
        "PipelinesChecks",
        "configurations",
        _PROJECT + "pipelines/checks/{resource}/{id}",
        1,
    ),
    (
        "b5b9a4a4-e6cd-4096-853c-ab7d8b0c4eb2",
        "pipelinePermissions",
        "pipelinePermissions",
        _PROJECT + "pipelines/{resource}/{resourceType}/{resourceId}",
        1,
    ),
    (
        "8572b1fc-2482-47fa-8f74-7e3ed53ee54b",
        "distributedtask",
        "environments",
        _PROJECT + "{area}/{resource}/{environmentId}",
        1,
    ),
    ("900fa995-c559-4923-aae7-f8424fe4fbea", "distributedtask", "queues", _PROJECT + "{area}/{resource}/{queueId}", 1),
    ("a8c47e17-4d56-4a56-92bb-de7ea7dc65be", "distributedtask", "pools", "_apis/{area}/{resource}/{poolId}", 1),
    (
        "e298ef32-5878-4cab-993c-043836571f42",
        "distributedtask",
        "agents",
        "_apis/{area}/pools/{poolId}/{resource}/{agentId}",
        1,
    ),
    ("dbeaf647-6167-421a-bda9-c9327b25e2e6", "build", "definitions", _PROJECT + "{area}/{resource}/{definitionId}", 7),
    ("0cd358e1-9217-4d94-8269-1c1ee6f93dcf", "build", "builds", _PROJECT + "{area}/{resource}/{buildId}", 7),
    (
        "1db06c96-014e-44e1-ac91-90b2d4b3e984",
        "build",
        "artifacts",
        _PROJECT + "{area}/builds/{buildId}/{resource}",
        5,
    ),
    ("28e1305e-2afe-47bf-abaf-cbb0e6a91988", "pipelines", "pipelines", _PROJECT + "{resource}/{pipelineId}", 1),
    (
        "dad91cbe-d183-45f8-9c6e-9c1164472121",
        "policy",
        "configurations",
        _PROJECT + "{area}/{resource}/{configurationId}",
        1,
    ),
    ("44096322-2d3d-466a-bb30-d1b7de69f61f", "policy", "types", _PROJECT + "{area}/{resource}/{typeId}", 1),
    (
        "225f7195-f9c7-4d14-ab28-a83f7ff77e1f",
        "git",
        "repositories",
        _PROJECT + "{area}/{resource}/{repositoryId}",
        1,
    ),
    ("28010c54-d0c0-4c89-a5b0-1c9e188b9fb7", "IMS", "identities", "_apis/{resource}/{identityId}", 1),
    ("cadb3810-d47d-4a3c-a234-fe5f3be50138", "Test", "runs", _PROJECT + "{area}/{resource}/{runId}", 3),
)
LOCATIONS: tuple[Json, ...] = tuple(
    {
        "id": key,
        "area": area,
        "resourceName": resource,
        "routeTemplate": template,
        "resourceVersion": version,
        "minVersion": "1.0",
        "maxVersion": "7.2",
        "releasedVersion": "7.1",
    }
    for key, area, resource, template, version in _ROUTES
)
