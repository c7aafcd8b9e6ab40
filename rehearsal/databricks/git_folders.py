"""Git folders: clones of repositories as folders of the workspace (`/api/2.0/repos`).

Rules: databricks-sdk-py `service/workspace.py` (ReposAPI), databricks-cli `repos/api.py`, terraform-provider-databricks `repos/`.
Texts are unverified unless a source is named.
"""

from __future__ import annotations

import asyncio
import shutil
import uuid
from pathlib import Path
from typing import Any

from rehearsal.databricks import git, paths, work_trees
from rehearsal.databricks.errors import ApiError, exists, invalid, missing, not_simulated
from rehearsal.databricks.git_credentials import GitCredentials, provider_named
from rehearsal.databricks.members import Member
from rehearsal.databricks.tree import REPO, REPOS, Node, Tree
from rehearsal.store import Collection

PAGE = 20


class GitFolders:
    """The Git folders of one workspace. `folder`: where their work trees lie."""

    def __init__(self, kept: Collection, tree: Tree, credentials: GitCredentials, folder: Path) -> None:
        self._kept = kept
        self._tree = tree
        self._credentials = credentials
        self._folder = folder
        self._one_at_a_time = asyncio.Lock()
        # What URLs lead to; connected when the app is made.
        self.remotes = git.Remotes({})

    def recover(self) -> None:
        """Clear away what a killed rehearsal was cloning."""
        for left in self._folder.iterdir() if self._folder.is_dir() else ():
            if left.name not in self._kept:
                shutil.rmtree(left) if left.is_dir() else left.unlink()

    # -- reading ---------------------------------------------------------------------------------------------------

    def page(self, member: Member, prefix: str, token: str) -> dict[str, Any]:
        """Those that the member manages, twenty at a time; without a prefix those under /Repos."""
        start = paths.key_of(paths.collapse(prefix)) if prefix else paths.ROOT
        start = REPOS if start == paths.ROOT else start
        found = [node for node in self._nodes() if node.path.startswith(start)]
        managed = sorted((n for n in found if self._tree.may(member, n.path, "CAN_MANAGE")), key=lambda n: n.id)
        if token and not token.isdigit():
            raise invalid("Invalid next_page_token")
        rest = [node for node in managed if node.id > int(token or 0)]
        answer: dict[str, Any] = {}
        if shown := [self._shown(node) for node in rest[:PAGE]]:
            answer["repos"] = shown
        if len(rest) > PAGE:
            answer["next_page_token"] = str(rest[PAGE - 1].id)
        return answer

    def get(self, member: Member, repo_id: str) -> dict[str, Any]:
        return self._shown(self._node(member, repo_id, "CAN_READ"))

    def info(self, path: str) -> dict[str, Any] | None:
        """`git_info` of an object in a Git folder (databricks/cli `libs/git/info.go`)."""
        node = self._tree.repo_of(path)
        if node is None:
            return None
        shown = self._shown(node)
        return {
            name: shown[name] for name in ("id", "path", "branch", "head_commit_id", "url", "provider") if name in shown
        }

    def _nodes(self) -> list[Node]:
        """Those that are there still; what is left of others, whose folder was deleted, is cleared away."""
        found = []
        for key in list(self._kept):
            if node := self._tree.find(int(key), (REPO,)):
                found.append(node)
            else:
                del self._kept[key]
                shutil.rmtree(self._work(key), ignore_errors=True)
        return found

    def _node(self, member: Member, repo_id: str, level: str) -> Node:
        node = self._tree.find(int(repo_id), (REPO,)) if repo_id.isdigit() else None
        if node is None:
            raise missing("Repo could not be found")  # the text of terraform's fixtures
        self._tree.require(member, node.path, level, node.path)
        return node

    def _shown(self, node: Node) -> dict[str, Any]:
        entry = self._kept[str(node.id)]
        shown = {"id": node.id, "path": node.path, "url": entry["url"], "provider": entry["provider"]}
        head = {"branch": entry["branch"], "head_commit_id": entry["commit"]}
        return shown | {name: value for name, value in head.items() if value}

    # -- changing --------------------------------------------------------------------------------------------------

    async def create(self, member: Member, values: dict[str, Any]) -> dict[str, Any]:
        url, provider = str(values.get("url") or ""), provider_named(values.get("provider"))
        if not url.lower().startswith("https://"):
            raise invalid(f"Invalid Git repository URL: {git.address(url)}")
        if values.get("sparse_checkout"):
            raise not_simulated("sparse checkout")
        remote = self.remotes.find(url)
        if not remote.public:
            self._credentials.require(member, provider)
        async with self._one_at_a_time:
            path = self._new_place(member, values.get("path"), url)
            work = self._folder / uuid.uuid4().hex
            try:
                await git.clone(remote, work)
                entries = work_trees.scan(work)
                node = self._tree.make_repo(member, path)
                entry = {"url": git.address(url), "provider": provider, "branch": "", "commit": "", "state": {}}
                self._kept[str(node.id)] = entry
                work.rename(self._work(str(node.id)))
            except BaseException:
                shutil.rmtree(work, ignore_errors=True)
                raise
            await self._keep(member, node, entries)
            return self._shown(node)

    def _new_place(self, member: Member, asked: Any, url: str) -> str:
        if asked:
            echo = paths.collapse(asked)
        else:
            # Where a Git folder goes by itself is unverified.
            self._tree.add_repos_home(member)
            echo = paths.join(paths.join(REPOS, member.name), git.address(url).rpartition("/")[2])
        path = paths.key_of(echo)
        if self._tree.at(path):
            # The text of databricks/cli, history of `bundle/`; the code is unverified.
            text = f"a Workspace object at path {echo} already exists. "
            text += "Try a different path for your Repo or rename the existing Workspace object."
            raise exists(text)
        if self._tree.repo_of(path):
            raise invalid(f"A Git folder can not lie in another one: {echo}")
        if path.startswith(REPOS + "/") and path.count("/") != 3:
            raise invalid(f"A Git folder under {REPOS} must have a path of the form {REPOS}/{{folder}}/{{repo-name}}")
        self._tree.check_target(member, path, REPO, False, echo)
        return path

    async def update(self, member: Member, repo_id: str, values: dict[str, Any]) -> dict[str, Any]:
        """Check out a branch, as it is now, or a tag. Local changes stay, and stop it when they are in the way."""
        # The product docs' table of Git folders puts branches under CAN MANAGE (from memory, unverified).
        node = self._node(member, repo_id, "CAN_MANAGE")
        branch, tag = values.get("branch"), values.get("tag")
        if values.get("sparse_checkout"):
            raise not_simulated("sparse checkout")
        if not branch and not tag:
            return self._shown(node)
        if (branch and tag) or not isinstance(branch or tag, str):
            raise invalid("Exactly one of branch or tag must be given")
        entry = self._kept[str(node.id)]
        remote = self.remotes.find(entry["url"])
        if not remote.public:
            self._credentials.require(member, entry["provider"])
        async with self._one_at_a_time:
            work = self._work(str(node.id))
            await git.fetch(remote, work)
            work_trees.write_back(self._tree, node.path, work, entry["state"])
            entries = await self._check_out(
                work, entry, branch, tag, discard=bool(values.get("dangerously_force_discard_all"))
            )
            await self._keep(member, node, entries)
        return self._shown(node)

    async def _check_out(
        self, work: Path, entry: dict[str, Any], branch: str | None, tag: str | None, *, discard: bool
    ) -> list[work_trees.Entry]:
        try:
            if discard:
                await git.discard(work)
            if branch:
                await git.check_out_branch(work, branch)
            else:
                await git.check_out_tag(work, str(tag))
        except git.GitError:
            text = "The Git folder has uncommitted changes that the checkout would overwrite."
            raise ApiError(409, "GIT_CONFLICT", text) from None
        try:
            return work_trees.scan(work)
        except ApiError:
            await git.check_out_again(work, entry["commit"], entry["branch"])
            raise

    def delete(self, member: Member, repo_id: str) -> None:
        node = self._node(member, repo_id, "CAN_MANAGE")
        self._tree.delete(member, node.path, True, node.path)
        self._nodes()

    async def _keep(self, member: Member, node: Node, entries: list[work_trees.Entry]) -> None:
        """The work tree as it is becomes the folder's objects."""
        key = str(node.id)
        entry, work, spare = self._kept[key], self._work(key), self._folder / f"{key}.part"
        branch, commit = await git.head(work)
        state = work_trees.take_over(self._tree, member, node.path, work, entries, entry["state"], spare)
        self._kept[key] = entry | {"branch": branch, "commit": commit, "state": state}

    def _work(self, key: str) -> Path:
        return self._folder / key
