"""One workspace: its services with their state, by host."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rehearsal.databricks import notebook_process, scratch
from rehearsal.databricks.git_credentials import GitCredentials
from rehearsal.databricks.git_folders import GitFolders
from rehearsal.databricks.jobs import Jobs
from rehearsal.databricks.members import Member, Members
from rehearsal.databricks.policies import Policies
from rehearsal.databricks.rule_sets import RuleSets
from rehearsal.databricks.runs import Runs
from rehearsal.databricks.secrets import Secrets
from rehearsal.databricks.settings import Settings
from rehearsal.databricks.streams import Streams
from rehearsal.databricks.tokens import Tokens
from rehearsal.databricks.tree import Tree
from rehearsal.databricks.volumes import Volumes
from rehearsal.store import Store

if TYPE_CHECKING:
    from rehearsal.entra.directory import Principal

# Real ids have 15 or 16 digits: too large for 32 bits, still exact in JavaScript.
FIRST_OBJECT_ID = 2_251_799_813_685_301
FIRST_JOB_ID = 612_300_000_000_101


class Workspace:
    """The state of one host. Everything is read from the store when it is made, and kept there at each change."""

    def __init__(
        self, host: str, resource_id: str, workspace_id: str, store: Store, folder: Path, clock: Callable[[], float]
    ) -> None:
        self.host = host
        self.resource_id = resource_id
        self.workspace_id = workspace_id
        self.folder = folder / host
        prefix = f"databricks/{host}"

        def object_id() -> int:
            return store.next_id(f"{prefix}/objects", FIRST_OBJECT_ID)

        def job_id() -> int:
            return store.next_id(f"{prefix}/jobs", FIRST_JOB_ID)

        self.members = Members(store.collection(f"{prefix}/members"), store.collection(f"{prefix}/groups"), object_id)
        self.tree = Tree(store.collection(f"{prefix}/tree"), self.folder / "workspace", object_id, clock)
        self.secrets = Secrets(store.collection(f"{prefix}/scopes"), self.members, clock)
        moved_to = store.collection(f"{prefix}/clock")
        self.jobs = Jobs(store.collection(f"{prefix}/jobs"), self.members, job_id, clock, moved_to)
        self.rule_sets = RuleSets(store.collection(f"{prefix}/rule-sets"), self.members)
        self.jobs.may_use = self.rule_sets.may_use
        self.runs = Runs(store.collection(f"{prefix}/runs"), store.collection(f"{prefix}/run-tokens"), job_id, clock)
        self.git_credentials = GitCredentials(store.collection(f"{prefix}/git-credentials"), object_id)
        repos = store.collection(f"{prefix}/repos")
        self.git_folders = GitFolders(repos, self.tree, self.git_credentials, self.folder / "git")
        self.settings = Settings(store.collection(f"{prefix}/settings"))
        self.tokens = Tokens(store.collection(f"{prefix}/tokens"), self.settings, clock)
        # Runtimes and node types that the workspace has no more, or never had.
        self.retired = store.collection(f"{prefix}/retired")
        self.policies = Policies(store.collection(f"{prefix}/policies"), clock)
        self.streams = Streams(self.folder / "uploads", clock)
        self.volumes = Volumes(self.folder / "volumes", store.collection(f"{prefix}/volumes"), clock)
        for part in ("dbfs", "volumes", "uploads", "runs"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)

    def add_member(self, principal: Principal, groups: Iterable[str] = ()) -> Member:
        member = self.members.add(principal, groups)
        self.tree.add_home(member)
        return member

    def recover(self) -> None:
        """Called once, at the start: end what a stopped rehearsal was running, forget what it was receiving."""
        self.runs.lose_active()
        notebook_process.kill_marked(str(self.folder / "runs"))
        for folder in (self.folder / "runs").iterdir():
            scratch.tidy(folder)
        for upload in (self.folder / "uploads").iterdir():
            upload.unlink()
        self.git_folders.recover()
