"""What Azure Pipelines takes where, after expansion.

Source: MicrosoftDocs/azure-devops-yaml-schema, content/*.md, and the schema that microsoft/azure-pipelines-vscode carries,
which the service itself generates.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf

from rehearsal.pipelines.schema_kinds import Anything, Choice, Either, Findings, Items, Kind, Named, Record, Text, check
from rehearsal.pipelines.yaml_nodes import Mapping, PipelineError, Sequence

TEXT, NEEDED, BOOLEAN, NUMBER = Text(), Text(kind="needed"), Text(kind="boolean"), Text(kind="number")
_TEXTS = Items(TEXT)
_TEXT_OR_TEXTS = Either(TEXT, _TEXTS)
_BY_NAME = Named(TEXT, empty=True)
_LOCK = Text(("sequential", "runLatest"))

_FILTERS = Record({"include": _TEXT_OR_TEXTS, "exclude": _TEXT_OR_TEXTS})
_TRIGGER = Either(
    Text(("none",)),
    _TEXTS,
    Record({"batch": BOOLEAN, "branches": _FILTERS, "paths": _FILTERS, "tags": _FILTERS}),
)
_PR = Either(
    Text(("none",)),
    _TEXTS,
    Record({"autoCancel": BOOLEAN, "branches": _FILTERS, "paths": _FILTERS, "drafts": BOOLEAN}),
)
_SCHEDULE = Record(
    {"cron": Text(kind="cron"), "displayName": TEXT, "branches": _FILTERS, "batch": BOOLEAN, "always": BOOLEAN},
    required=("cron",),
)

_SWITCH = Text(("none", "true"))
_CONTAINER: MappingOf[str, Kind] = {
    "image": TEXT,
    "endpoint": TEXT,
    "env": _BY_NAME,
    "mapDockerSocket": BOOLEAN,
    "options": TEXT,
    "ports": _TEXTS,
    "volumes": _TEXTS,
    "mountReadOnly": Record(dict.fromkeys(("work", "externals", "tools", "tasks"), BOOLEAN)),
}
_STRING_FILTERS = Either(None, _TEXTS, _FILTERS)
_RESOURCES = Either(
    None,
    Items(Record({"repo": Text(("self",)), "clean": TEXT, "fetchDepth": TEXT, "lfs": TEXT}, required=("repo",))),
    Record(
        {
            "builds": Items(
                Record(
                    {
                        **dict.fromkeys(("build", "type", "connection", "source"), NEEDED),
                        "version": TEXT,
                        "branch": TEXT,
                    }
                    | {"trigger": _SWITCH},
                    required=("build", "type", "connection", "source"),
                )
            ),
            "containers": Items(
                Record({"container": NEEDED, "trigger": Anything(), **_CONTAINER}, ("container",), more=Anything())
            ),
            "pipelines": Items(
                Record(
                    {
                        **dict.fromkeys(("pipeline", "project", "source"), NEEDED),
                        "version": TEXT,
                        "branch": TEXT,
                        "tags": _TEXTS,
                        "trigger": Either(
                            _SWITCH,
                            None,
                            Record(
                                {
                                    "enabled": BOOLEAN,
                                    "branches": _STRING_FILTERS,
                                    "stages": _TEXTS,
                                    "tags": _TEXTS,
                                }
                            ),
                        ),
                    },
                    required=("pipeline",),
                )
            ),
            "repositories": Items(
                Record({"repository": NEEDED, "trigger": _TRIGGER}, ("repository",), more=Anything())
            ),
            "webhooks": Items(
                Record(
                    {"webhook": NEEDED, "connection": NEEDED, "type": NEEDED}
                    | {"filters": Items(Record({"path": NEEDED, "value": NEEDED}, ("path", "value")))},
                    required=("webhook", "connection"),
                )
            ),
            "packages": Items(
                Record(
                    {**dict.fromkeys(("package", "type", "connection", "name"), NEEDED), "version": TEXT, "tag": TEXT}
                    | {"trigger": _SWITCH},
                    required=("package", "type", "connection", "name"),
                )
            ),
        }
    ),
)

_VARIABLES = Items(
    Choice(
        "a variable",
        {
            "name": Record({"name": NEEDED, "value": TEXT, "readonly": BOOLEAN}),
            "group": Record({"group": NEEDED}),
        },
    )
)
_POOL = Either(TEXT, None, Record({"name": TEXT, "demands": _TEXT_OR_TEXTS, "vmImage": TEXT}, more=Anything()))

# Steps.

STEP_COMMON: MappingOf[str, Kind] = {
    "condition": TEXT,
    "continueOnError": BOOLEAN,
    "displayName": TEXT,
    "target": Either(
        TEXT,
        None,
        Record({"container": TEXT, "commands": TEXT, "settableVariables": Either(Text(("none",)), _TEXTS)}),
    ),
    "enabled": BOOLEAN,
    "env": _BY_NAME,
    "name": TEXT,
    "timeoutInMinutes": NUMBER,
    "retryCountOnTaskFailure": NUMBER,
}


def _step(main: str, *inputs: str) -> Record:
    return Record({main: TEXT, **dict.fromkeys(inputs, TEXT), **STEP_COMMON})


_POWERSHELL = ("errorActionPreference", "failOnStderr", "ignoreLASTEXITCODE", "workingDirectory")
_STEPS = Items(
    Choice(
        "a step",
        {
            "task": Record({"task": Text(kind="task"), "inputs": _BY_NAME, **STEP_COMMON}),
            "script": _step("script", "failOnStderr", "workingDirectory"),
            "bash": _step("bash", "failOnStderr", "workingDirectory"),
            "powershell": _step("powershell", *_POWERSHELL),
            "pwsh": _step("pwsh", *_POWERSHELL),
            "checkout": _step(
                "checkout",
                *("clean", "fetchDepth", "fetchFilter", "fetchTags", "lfs", "persistCredentials", "submodules", "path"),
                *("sparseCheckoutDirectories", "sparseCheckoutPatterns", "workspaceRepo"),
            ),
            "download": _step("download", "artifact", "patterns"),
            "downloadBuild": Record(
                {**_step("downloadBuild", "artifact", "path", "patterns").keys, "inputs": _BY_NAME}
            ),
            "publish": _step("publish", "artifact"),
            "upload": _step("upload", "artifact"),
            "getPackage": _step("getPackage", "path"),
            "reviewApp": _step("reviewApp"),
        },
    )
)

# Jobs.

_JOB_CONTAINER = Either(TEXT, None, Record({"alias": TEXT, **_CONTAINER}, more=Anything()))
_JOB_COMMON: MappingOf[str, Kind] = {
    "displayName": TEXT,
    "dependsOn": _TEXT_OR_TEXTS,
    "condition": TEXT,
    "continueOnError": BOOLEAN,
    "timeoutInMinutes": NUMBER,
    "cancelTimeoutInMinutes": NUMBER,
    "variables": _VARIABLES,
    "pool": _POOL,
    "container": _JOB_CONTAINER,
    "services": Named(_JOB_CONTAINER),
    "workspace": Record({"clean": TEXT}),
    "uses": Record({"repositories": _TEXTS, "pools": _TEXTS}),
    "templateContext": Anything(),
}
_MATRIX = Record(
    {"matrix": Either(TEXT, None, Named(_BY_NAME)), "maxParallel": NUMBER, "parallel": NUMBER},
)
_HOOK = Record({"steps": _STEPS, "pool": _POOL})
_HOOKS: MappingOf[str, Kind] = {
    **dict.fromkeys(("preDeploy", "deploy", "routeTraffic", "postRouteTraffic"), _HOOK),
    "on": Record({"failure": _HOOK, "success": _HOOK}),
}
_STRATEGY = Choice(
    "a deployment's strategy",
    {
        "runOnce": Record({"runOnce": Record(_HOOKS)}),
        "rolling": Record({"rolling": Record({"maxParallel": TEXT, **_HOOKS})}),
        "canary": Record({"canary": Record({"increments": _TEXTS, **_HOOKS})}),
    },
)
_ENVIRONMENT = Either(
    TEXT,
    None,
    Record(
        {"name": NEEDED, **dict.fromkeys(("resourceName", "resourceId", "resourceType"), TEXT), "tags": _TEXT_OR_TEXTS}
    ),
)
_JOBS = Items(
    Choice(
        "a job",
        {
            "job": Record({"job": TEXT, "strategy": _MATRIX, "steps": _STEPS, **_JOB_COMMON}),
            "deployment": Record(
                {"deployment": TEXT, "environment": _ENVIRONMENT, "strategy": _STRATEGY, **_JOB_COMMON}
            ),
        },
    )
)

# Stages.

_STAGES = Items(
    Choice(
        "a stage",
        {
            "stage": Record(
                {
                    **dict.fromkeys(("stage", "group", "displayName", "condition"), TEXT),
                    "pool": _POOL,
                    "dependsOn": _TEXT_OR_TEXTS,
                    "variables": _VARIABLES,
                    "jobs": _JOBS,
                    "lockBehavior": _LOCK,
                    "trigger": Text(("manual", "automatic")),
                    "isSkippable": BOOLEAN,
                    "templateContext": Anything(),
                    "checks": Anything(),
                }
            )
        },
    )
)
_ROOT: MappingOf[str, Kind] = {
    "name": TEXT,
    "appendCommitMessageToRunName": BOOLEAN,
    "trigger": _TRIGGER,
    "parameters": Anything(),
    "pr": _PR,
    "schedules": Items(_SCHEDULE),
    "resources": _RESOURCES,
    "variables": _VARIABLES,
    "lockBehavior": _LOCK,
    "pool": _POOL,
}
_ONLY_WITH_STEPS: MappingOf[str, Kind] = {
    key: kind for key, kind in _JOB_COMMON.items() if key in ("continueOnError", "container", "services", "workspace")
}
_PIPELINES: MappingOf[str, Record] = {
    "stages": Record({**_ROOT, "stages": _STAGES}),
    "jobs": Record({**_ROOT, "jobs": _JOBS}),
    "steps": Record({**_ROOT, "steps": _STEPS, "strategy": _MATRIX, **_ONLY_WITH_STEPS}),
}
# Deprecated, and in the schema still.
OLD_KEYS = ("phases", "queue", "server")
_LISTS: MappingOf[str, Kind] = {"stages": _STAGES, "jobs": _JOBS, "steps": _STEPS}


def check_list(role: str, node: Sequence) -> list[PipelineError]:
    """What is wrong with a list of stages, jobs or steps."""
    found = Findings()
    check(_LISTS[role], node, found)
    return found.errors


def check_pipeline(node: Mapping) -> Findings:
    """What is wrong with a pipeline after expansion."""
    found = Findings()
    kinds = [key for key, _ in node.pairs if key.text in _PIPELINES]
    for key, _ in node.pairs:
        if key.text in OLD_KEYS:
            found.errors.append(PipelineError(key.position, f"This rehearsal has no '{key.text}', which is deprecated"))
            return found
    if len(kinds) != 1:
        at = kinds[1].position if kinds else node.position
        unexpected = f"Unexpected value '{kinds[1].text}': a" if kinds else "A"
        found.errors.append(PipelineError(at, f"{unexpected} pipeline has exactly one of 'stages', 'jobs' and 'steps'"))
    record = _PIPELINES[kinds[0].text] if kinds else Record({**_ROOT})
    if len(kinds) > 1:
        record = Record({key: kind for each in _PIPELINES.values() for key, kind in each.keys.items()})
    check(record, node, found)
    return found
