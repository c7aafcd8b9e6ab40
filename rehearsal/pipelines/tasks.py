"""The tasks that a rehearsal runs, with their inputs. Any other task is refused by name before anything runs.

Source: MicrosoftDocs/azure-devops-yaml-schema, task-reference/*.md. An input of a task that is left out here on purpose is
refused by name too: `refused` says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CHECKOUT = "checkout"
SCRIPT = "CmdLine@2"
BASH = "Bash@3"
PUBLISH = "PublishPipelineArtifact@1"
DOWNLOAD = "DownloadPipelineArtifact@2"
DOWNLOAD_SHORTCUT = "download"
PYTHON = "UsePythonVersion@0"
AZURE_CLI = "AzureCLI@2"
TEST_RESULTS = "PublishTestResults@2"
CACHE = "Cache@2"


@dataclass(frozen=True, kw_only=True)
class Task:
    """inputs: every input by its own name, with its default ("" is none) and aliases after it."""

    inputs: Mapping[str, str]
    aliases: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    booleans: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refused: tuple[str, ...] = ()


TASKS: Mapping[str, Task] = {
    SCRIPT: Task(
        inputs={"script": "", "workingDirectory": "", "failOnStderr": "false"},
        required=("script",),
        booleans=("failOnStderr",),
    ),
    BASH: Task(
        inputs={
            "targetType": "filePath",
            "script": "",
            "filePath": "",
            "arguments": "",
            "workingDirectory": "",
            "failOnStderr": "false",
        },
        booleans=("failOnStderr",),
        choices={"targetType": ("filePath", "inline")},
        refused=("bashEnvValue",),
    ),
    PUBLISH: Task(
        inputs={"targetPath": "$(Pipeline.Workspace)", "artifact": "", "publishLocation": "pipeline"},
        aliases={"path": "targetPath", "artifactName": "artifact", "artifactType": "publishLocation"},
        required=("targetPath",),
        choices={"publishLocation": ("pipeline",)},
        refused=("fileSharePath", "parallel", "parallelCount", "properties"),
    ),
    DOWNLOAD: Task(
        inputs={"buildType": "current", "artifactName": "", "itemPattern": "**", "targetPath": "$(Pipeline.Workspace)"},
        aliases={
            "source": "buildType",
            "artifact": "artifactName",
            "patterns": "itemPattern",
            "path": "targetPath",
            "downloadPath": "targetPath",
        },
        choices={"buildType": ("current",)},
        refused=("project", "definition", "pipeline", "runVersion", "branchName", "pipelineId", "runId", "tags"),
    ),
    PYTHON: Task(
        inputs={
            "versionSpec": "3.x",
            "disableDownloadFromRegistry": "false",
            "allowUnstable": "false",
            "githubToken": "",
            "addToPath": "true",
            "architecture": "x64",
        },
        required=("versionSpec",),
        booleans=("disableDownloadFromRegistry", "allowUnstable", "addToPath"),
    ),
    AZURE_CLI: Task(
        inputs={
            "azureSubscription": "",
            "scriptType": "",
            "scriptLocation": "scriptPath",
            "scriptPath": "",
            "inlineScript": "",
            "arguments": "",
            "useGlobalConfig": "false",
            "workingDirectory": "",
            "failOnStandardError": "false",
            "visibleAzLogin": "true",
        },
        aliases={
            "connectedServiceNameARM": "azureSubscription",
            "script": "inlineScript",
            "scriptArguments": "arguments",
            "cwd": "workingDirectory",
        },
        required=("azureSubscription", "scriptType"),
        booleans=("useGlobalConfig", "failOnStandardError", "visibleAzLogin"),
        choices={"scriptType": ("bash",), "scriptLocation": ("scriptPath", "inlineScript")},
        refused=("addSpnToEnvironment", "powerShellErrorActionPreference", "powerShellIgnoreLASTEXITCODE"),
    ),
    TEST_RESULTS: Task(
        inputs={
            "testResultsFormat": "JUnit",
            "testResultsFiles": "**/TEST-*.xml",
            "searchFolder": "$(System.DefaultWorkingDirectory)",
            "mergeTestResults": "false",
            "failTaskOnFailedTests": "false",
            "failTaskOnFailureToPublishResults": "false",
            "failTaskOnMissingResultsFile": "false",
            "testRunTitle": "",
            "publishRunAttachments": "true",
        },
        aliases={"testRunner": "testResultsFormat"},
        required=("testResultsFormat", "testResultsFiles"),
        booleans=(
            "mergeTestResults",
            "failTaskOnFailedTests",
            "failTaskOnFailureToPublishResults",
            "failTaskOnMissingResultsFile",
            "publishRunAttachments",
        ),
        choices={"testResultsFormat": ("JUnit",)},
        refused=("buildPlatform", "platform", "buildConfiguration", "configuration"),
    ),
    CACHE: Task(
        inputs={"key": "", "path": "", "restoreKeys": "", "cacheHitVar": ""},
        required=("key", "path"),
    ),
}


def canonical_inputs(task: str, given: Mapping[str, str]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """All inputs of a task by their own names with defaults, and what is wrong: pairs of the input given and a text."""
    known = TASKS[task]
    names = {name.lower(): name for name in known.inputs} | {
        alias.lower(): name for alias, name in known.aliases.items()
    }
    refused = {name.lower() for name in known.refused}
    inputs, wrong = dict(known.inputs), list[tuple[str, str]]()
    for name, value in given.items():
        canonical = names.get(name.lower())
        if canonical is not None:
            inputs[canonical] = value
        elif name.lower() in refused:
            wrong.append((name, f"This rehearsal has no input '{name}' of {task}"))
        else:
            wrong.append((name, f"Unexpected input '{name}' of {task}"))
    for name in known.required:
        if not inputs[name].strip():
            wrong.append(("", f"{task} needs the input '{name}'"))
    for name in known.booleans:
        if inputs[name].lower() not in ("true", "false") and "$(" not in inputs[name]:
            wrong.append((name, f"The input '{name}' of {task} is true or false, not '{inputs[name]}'"))
    for name, choices in known.choices.items():
        if (
            inputs[name]
            and inputs[name].lower() not in [choice.lower() for choice in choices]
            and "$(" not in inputs[name]
        ):
            wrong.append(
                (name, f"This rehearsal has no '{inputs[name]}' for '{name}' of {task}, only {' and '.join(choices)}")
            )
    return inputs, wrong
