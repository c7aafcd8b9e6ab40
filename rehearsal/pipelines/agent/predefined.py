"""The predefined variables: what a run, a stage, a job and a hook give to every step.

Source: learn.microsoft.com/azure/devops/pipelines/build/variables.
"""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from rehearsal.pipelines.agent.variables import Variables
from rehearsal.pipelines.agent.workspace import Workspace
from rehearsal.pipelines.host import AgentHost

_TOKEN = re.compile(
    r"\$\((Date|Rev|BuildID|DayOfMonth|DayOfYear|Month|Year|Hours|Minutes|Seconds)(?::([^)]*))?\)", re.I
)
_SHORT = {
    "SourceBranchName": "Build.SourceBranchName",
    "TeamProject": "System.TeamProject",
    "BuildDefinitionName": "Build.DefinitionName",
}
_DATE = {"yyyy": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What is known before a run begins: also what `variables['Build.…']` says while templates expand."""

    reason: str
    commit: str
    commit_subject: str
    repository_name: str
    pipeline_name: str

    def variables(self, host: AgentHost) -> dict[str, str]:
        # Whatever branch is checked out: a rehearsal stands for what a push to main would do.
        branch = "refs/pull/1/merge" if self.reason == "PullRequest" else "refs/heads/main"
        uri = f"https://dev.azure.com/{host.organization}/"
        values = {
            "Build.BuildId": str(host.run_number),
            "Build.DefinitionName": self.pipeline_name,
            "Build.Reason": self.reason,
            "Build.Repository.Name": self.repository_name,
            "Build.Repository.Provider": "TfsGit",
            "Build.RequestedFor": "Rehearsal",
            "Build.SourceBranch": branch,
            "Build.SourceBranchName": branch.rpartition("/")[2],
            "Build.SourceVersion": self.commit,
            "Build.SourceVersionMessage": self.commit_subject,
            "System.CollectionUri": uri,
            "System.DefinitionId": "1",
            "System.HostType": "build",
            "System.StageAttempt": "1",
            "System.JobAttempt": "1",
            "System.TeamFoundationCollectionUri": uri,
            "System.TeamProject": host.project,
        }
        if self.reason == "PullRequest":
            values |= {
                "System.PullRequest.PullRequestId": "1",
                "System.PullRequest.TargetBranch": "refs/heads/main",
                "System.PullRequest.TargetBranchName": "main",
            }
        return values


def build_number(pattern: str, host: AgentHost, variables: Variables) -> str:
    """`name:` of a pipeline worked out. `$(Rev:r)` is the run's number: a rehearsal does not start again at 1 each day.

    Source: learn.microsoft.com/azure/devops/pipelines/process/run-number. variables: what is known before the run.
    """
    now = time.gmtime(host.clock())
    simple = {
        "buildid": str(host.run_number),
        "dayofmonth": str(now.tm_mday),
        "dayofyear": str(now.tm_yday),
        "month": str(now.tm_mon),
        "year": str(now.tm_year),
        "hours": str(now.tm_hour),
        "minutes": str(now.tm_min),
        "seconds": str(now.tm_sec),
    }

    def one(match: re.Match[str]) -> str:
        part, form = match.group(1).lower(), match.group(2) or ""
        if part == "date":
            return re.sub("|".join(_DATE), lambda found: time.strftime(_DATE[found.group()], now), form or "yyyyMMdd")
        if part == "rev":
            prefix, width = form.rstrip("r"), len(form) - len(form.rstrip("r"))
            return prefix + str(host.run_number).zfill(width)
        return simple[part][-2:] if part == "year" and form == "yy" else simple[part]

    text = _TOKEN.sub(one, pattern)
    for short, name in _SHORT.items():
        text = re.sub(rf"\$\({short}\)", f"$({name})", text, flags=re.I)
    return variables.expand(text)


def job_variables(workspace: Workspace, agent: str, names: Mapping[str, str]) -> dict[str, str]:
    """The folders and names of one agent job. names: System.StageName and the like."""
    machine = platform.machine().lower()
    return {
        "Agent.BuildDirectory": str(workspace.root),
        "Agent.HomeDirectory": str(workspace.root.parent),
        "Agent.Id": "1",
        "Agent.MachineName": agent,
        "Agent.Name": agent,
        "Agent.OS": {"Linux": "Linux", "Darwin": "Darwin"}.get(platform.system(), platform.system()),
        "Agent.OSArchitecture": {"x86_64": "X64", "amd64": "X64", "aarch64": "ARM64", "arm64": "ARM64"}.get(
            machine, machine
        ),
        "Agent.TempDirectory": str(workspace.temp),
        "Agent.WorkFolder": str(workspace.root.parent),
        "Build.ArtifactStagingDirectory": str(workspace.staging),
        "Build.BinariesDirectory": str(workspace.binaries),
        "Build.Repository.LocalPath": str(workspace.sources),
        "Build.SourcesDirectory": str(workspace.sources),
        "Build.StagingDirectory": str(workspace.staging),
        "Common.TestResultsDirectory": str(workspace.test_results),
        "Pipeline.Workspace": str(workspace.root),
        "System.ArtifactsDirectory": str(workspace.staging),
        "System.DefaultWorkingDirectory": str(workspace.sources),
        "TF_BUILD": "True",
        **names,
    }
