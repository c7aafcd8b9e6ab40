"""Git as a Git folder needs it: a clone of a local repository that stands for a remote one, and its work tree.

Git runs with no configuration of the user's, no hooks, no questions, and can reach nothing but files of this machine.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rehearsal.databricks.errors import ApiError, not_simulated

LIMIT_SECONDS = 120


class GitError(Exception):
    """Git refused; the text is what it said."""


@dataclass(frozen=True)
class Remote:
    """What a URL leads to in this rehearsal: a repository on this machine. `public`: it can be read without a credential."""

    path: Path
    public: bool = False


def address(url: str) -> str:
    """A repository's URL in the form that remotes are looked up by: without user, `.git` and a slash at its end."""
    found = urlsplit(url.strip())
    host = (found.hostname or "").lower()
    path = re.sub(r"(\.git)?/*$", "", found.path)
    return f"{found.scheme.lower()}://{host}{path}"


class Remotes:
    """The repositories that Git folders can be cloned from, by URL."""

    def __init__(self, known: Mapping[str, Remote]) -> None:
        self._known = {address(url): remote for url, remote in known.items()}

    def find(self, url: str) -> Remote:
        """Raises ApiError 501 for a URL that no repository of this machine stands for."""
        remote = self._known.get(address(url))
        if remote is None:
            hint = "name a repository of this machine for it with --git URL=DIR"
            raise not_simulated(f"Git repository behind {address(url)}; {hint}")
        if shutil.which("git") is None:
            raise not_simulated("git: the command is not installed on this machine")
        return remote


async def clone(remote: Remote, work: Path) -> None:
    """Clone into a folder that is not there yet, the default branch checked out."""
    work.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Symbolic links become small files: none can lead out of the folder.
        settings = ["-c", "core.symlinks=false"]
        await _run(work.parent, *settings, "clone", "--quiet", "--no-local", str(remote.path.absolute()), str(work))
    except GitError as error:
        shutil.rmtree(work, ignore_errors=True)
        raise _remote_failed(error) from None


async def fetch(remote: Remote, work: Path) -> None:
    try:
        await _run(work, "remote", "set-url", "origin", str(remote.path.absolute()))
        await _run(work, "fetch", "--quiet", "--prune", "--tags", "--force", "origin")
    except GitError as error:
        raise _remote_failed(error) from None


async def check_out_branch(work: Path, branch: str) -> None:
    """The branch as the remote has it now. Local changes stay unless they are in the way: then GitError, and nothing changed."""
    if not await _exists(work, f"refs/remotes/origin/{branch}"):
        raise _unknown("branch", branch)
    await _run(work, "checkout", "--quiet", "-B", branch, f"refs/remotes/origin/{branch}", "--")


async def check_out_tag(work: Path, tag: str) -> None:
    """A tag's commit, with no branch."""
    if not await _exists(work, f"refs/tags/{tag}"):
        raise _unknown("tag", tag)
    await _run(work, "checkout", "--quiet", "--detach", f"refs/tags/{tag}", "--")


async def check_out_again(work: Path, commit: str, branch: str) -> None:
    """Back to where it was."""
    where = ["-B", branch] if branch else ["--detach"]
    await _run(work, "checkout", "--quiet", *where, commit, "--")


async def discard(work: Path) -> None:
    """Forget every local change."""
    await _run(work, "reset", "--quiet", "--hard")
    await _run(work, "clean", "--quiet", "-d", "--force", "-x")


async def head(work: Path) -> tuple[str, str]:
    """Branch (empty when there is none) and commit; both empty in a repository without commits."""
    branch = await _say(work, "symbolic-ref", "--quiet", "--short", "HEAD")
    return branch, await _say(work, "rev-parse", "--quiet", "--verify", "HEAD")


async def _exists(work: Path, name: str) -> bool:
    return bool(await _say(work, "rev-parse", "--quiet", "--verify", f"{name}^{{commit}}"))


async def _say(work: Path, *arguments: str) -> str:
    try:
        return (await _run(work, *arguments)).strip()
    except GitError:
        return ""


async def _run(folder: Path, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "git",
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "protocol.allow=never",
        "-c",
        "protocol.file.allow=always",
        "-c",
        "core.fsmonitor=false",
        "-c",
        "safe.directory=*",
        *arguments,
        cwd=folder,
        env=_environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            said, refused = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode:
        raise GitError(refused.decode("utf-8", "replace").strip())
    return said.decode("utf-8", "replace")


def _environment() -> dict[str, str]:
    kept = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    return {**kept, **quiet, "GIT_LFS_SKIP_SMUDGE": "1", "GIT_ATTR_NOSYSTEM": "1", "HOME": os.devnull}


def _unknown(kind: str, name: str) -> ApiError:
    # The code is in the service's list of codes; status and text are unverified.
    return ApiError(400, "GIT_UNKNOWN_REF", f"The {kind} {name} does not exist in the remote Git repository.")


def _remote_failed(error: GitError) -> ApiError:
    return ApiError(400, "GIT_REMOTE_ERROR", f"The remote Git repository can not be read: {_last_line(error)}")


def _last_line(error: GitError) -> str:
    return (str(error).splitlines() or ["no reason was given"])[-1]
