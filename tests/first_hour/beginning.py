"""The very beginning: an empty subscription, an empty project of Azure DevOps, the repository on a person's machine, and a shell
in which the person types what docs/azure.md says."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from rehearsal.compose import Empty, compose
from rehearsal.dataset import find_dataset
from rehearsal.pipelines.results import RunResult
from rehearsal.pipelines.run import run_pipeline
from rehearsal.rehearse import PIPELINE, agent_host
from rehearsal.scripts import child_environment
from rehearsal.server import Server
from tests.first_hour.estate import AZ, Outcome, age_roles
from tests.unit.steps.conftest import REPOSITORY

# Nothing of this stands in the sample's configuration.
TENANT = "3f1f0c52-86f1-4e0e-9c3d-5b8f4d0a7e11"
SUBSCRIPTION = "a8d7c6b5-1e2f-4a3b-9c4d-5e6f7a8b9c0d"
ORGANISATION, PROJECT = "fabrikam", "City bikes"
_LIMIT_SECONDS = 180
# "Location [westeurope]: ", and "Type the environment's name (dev) to remove it: ".
_QUESTION = re.compile(r"([^\n]*?)(?: \[([^\n\]]*)\]| to remove it): $")
_COLOUR = re.compile(r"\x1b\[[\d;]*m")


@dataclass(frozen=True, kw_only=True)
class Talk:
    """What a command said on a terminal, and what it asked: each question's last line with what it would take by itself."""

    code: int
    text: str
    asked: list[tuple[str, str]] = field(default_factory=list)


class Beginning:
    """The stand-ins with nothing in them, and the repository in `folder/repository`; use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.root = copy_of_the_repository(folder / "repository")
        self._folder = folder
        self._home = folder / "home"
        self._home.mkdir()
        dataset = find_dataset(None, REPOSITORY, folder)
        empty = Empty(tenant_id=TENANT, subscription_id=SUBSCRIPTION, organisation=ORGANISATION, project=PROJECT)
        self.server = Server(
            lambda: compose(
                folder / "cloud",
                [],
                empty=empty,
                datasets=dataset.folder,
                clock=time.time,
                role_delay_seconds=0.0,
            )
        )

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    # -- what the person does ------------------------------------------------------------------------------------------

    def run(self, command: str) -> Outcome:
        """Types a command; nobody can be asked."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.root,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LIMIT_SECONDS,
            check=False,
        )
        return Outcome(done.returncode, done.stdout)

    def talk(self, command: str, answers: Mapping[str, str]) -> Talk:
        """Types a command on a terminal, and answers what it asks: `answers` by a word of the question; Enter to all else."""
        screen, keyboard = pty.openpty()
        with subprocess.Popen(
            ["bash", "-c", command],
            cwd=self.root,
            env=self._variables(),
            stdin=keyboard,
            stdout=keyboard,
            stderr=keyboard,
            start_new_session=True,
        ) as process:
            os.close(keyboard)
            try:
                text, asked = _conversation(screen, answers)
            except BaseException:
                process.kill()
                raise
            finally:
                os.close(screen)
        return Talk(code=process.returncode, text=text, asked=asked)

    def log_in(self) -> None:
        """What a person does in a browser: az knows them from then on."""
        if not AZ.exists():
            return
        admin = self.server.azure.admins[TENANT]
        login = ["az", "login", "--service-principal", "-u", admin.client_id, "-p", admin.client_secret, "-t", TENANT]
        done = self.run(shlex.join(login))
        assert done.code == 0, done.text

    def release(self, only: set[str]) -> tuple[RunResult, str]:
        """A push to main: the pipeline runs. What it says comes back with the result."""
        server, number = self.server, 1
        heard = _Heard()
        result = run_pipeline(
            repository=self.root,
            pipeline_file=PIPELINE,
            host=agent_host(server, self.root, number, PIPELINE),
            listener=heard,
            work=self._folder / "agent",
            only=only,
        )
        return result, "\n".join(heard.lines)

    def wait_for_roles(self) -> None:
        """Ten minutes go by, and more."""
        age_roles(self.server)

    # -- what there is -------------------------------------------------------------------------------------------------

    def there(self) -> dict[str, list[str]]:
        """Everything in the tenant: resources, roles, identities; and in each workspace members, objects, jobs, scopes. What
        there is none of is left out."""

        def look() -> dict[str, list[str]]:
            world = self.server.azure.world
            found = {
                "resources": [str(one["id"]) for one in world.resources.below(f"/subscriptions/{SUBSCRIPTION}")],
                "roles": [str(one["id"]) for one in world.roles.at("/", below=True)],
                "identities": [one.display_name for one in world.directory.principals(TENANT)],
            }
            for workspace in self.server.azure.workspaces.all():
                held = self.server.azure.workspaces.snapshot(workspace.host)
                found[f"members of {workspace.host}"] = [member.name for member in workspace.members.all()]
                found[f"objects of {workspace.host}"] = [one["path"] for one in held["tree"]]
                found[f"jobs of {workspace.host}"] = [one["name"] for one in held["jobs"]]
                found[f"scopes of {workspace.host}"] = [one["name"] for one in held["scopes"]]
            return {kind: sorted(names) for kind, names in found.items() if names}

        return self.server.call(look)

    def _variables(self) -> dict[str, str]:
        """The machine has the programs of docs/azure.md. Without az its person is signed in from the beginning."""
        azure = self.server.azure
        programs = [str(REPOSITORY / ".venv-release" / "bin"), str(AZ.parent), os.environ["PATH"]]
        signed_in = {} if AZ.exists() else azure.admins[TENANT].variables()
        return child_environment(
            {**azure.exports, **signed_in}, {"PATH": os.pathsep.join(programs), "HOME": str(self._home)}
        )


@dataclass
class _Heard:
    """Every line that a run said."""

    lines: list[str] = field(default_factory=list)

    def on_event(self, event: Any) -> None:
        self.lines.append(str(getattr(event, "text", event)))


def copy_of_the_repository(folder: Path) -> Path:
    """The repository as it is here, with a history of its own, and pushed: what somebody has who put it into their project."""
    listed = ["git", "ls-files", "-co", "--exclude-standard"]
    tracked = subprocess.run(listed, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.splitlines()
    for name in tracked:
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)
    for command in (
        ["init", "-q", "-b", "main"],
        ["config", "user.name", "Newcomer"],
        ["config", "user.email", "newcomer@example.com"],
        ["add", "-A"],
        ["commit", "-q", "-m", "Begin with the sample"],
        ["init", "-q", "--bare", "-b", "main", str(folder.with_suffix(".git"))],
        ["remote", "add", "origin", str(folder.with_suffix(".git"))],
        ["push", "-q", "-u", "origin", "main"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)
    return folder


def _conversation(screen: int, answers: Mapping[str, str]) -> tuple[str, list[tuple[str, str]]]:
    """All that is said on the terminal to its end, and what was asked. Raises TimeoutError where it only waits."""
    text, begin = "", 0
    asked: list[tuple[str, str]] = []
    while True:
        ready, _, _ = select.select([screen], [], [], _LIMIT_SECONDS)
        if not ready:
            raise TimeoutError(f"it waits, and asks nothing that is understood:\n{text}")
        try:
            data = os.read(screen, 65536)
        except OSError:  # Linux says so when the last program at the terminal has ended
            data = b""
        if not data:
            return text, asked
        text += _COLOUR.sub("", data.decode(errors="replace").replace("\r\n", "\n"))
        question = _QUESTION.search(text[begin:])
        if question is None:
            continue
        begin = len(text)
        asked.append((question[1], question[2] or ""))
        answer = next((said for word, said in answers.items() if word.lower() in question[1].lower()), "")
        os.write(screen, f"{answer}\n".encode())
