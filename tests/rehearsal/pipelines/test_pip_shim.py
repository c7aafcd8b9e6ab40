"""Install steps are satisfied from the environments made at set-up, and nothing else is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from rehearsal.pipelines.agent.pip_shim import RefusedError, lock_of
from tests.rehearsal.pipelines.project import Project

LOCK = "requests==1.0 --hash=sha256:00\n"


@pytest.fixture
def environment(tmp_path: Path, project: Project) -> Path:
    """Something that looks like a virtual environment: its python and a tool say who they are."""
    folder = tmp_path / "an environment"
    (folder / "bin").mkdir(parents=True)
    for name in ("python", "tool", "pip", "activate"):
        program = folder / "bin" / name
        program.write_text(f'#!/bin/sh\necho "{name} of the environment: $*"\n')
        program.chmod(0o755)
    project.installed[hashlib.sha256(LOCK.encode()).hexdigest()] = folder
    project.file("requirements/release.txt", LOCK)
    project.file("requirements/other.txt", "other==1\n")
    return folder


def run(project: Project, *scripts: str) -> None:
    steps = "".join(
        f"  - bash: |\n      {script}\n    displayName: step {number}\n" for number, script in enumerate(scripts)
    )
    project.file("azure-pipelines.yml", f"steps:\n{steps}")
    project.run()


INSTALL = "python -m pip install --disable-pip-version-check --require-hashes -r requirements/release.txt"


@pytest.mark.parametrize(
    "install", [INSTALL, "pip install -r requirements/release.txt", "pip3 install -rrequirements/release.txt"]
)
def test_a_known_lock_makes_its_environment_the_jobs_python(project: Project, environment: Path, install: str) -> None:
    run(
        project,
        install,
        "python scripts/x.py 'two words'; python3 -m json.tool; tool; command -v activate || echo none",
    )
    assert "satisfied from the environment built at set-up" in project.told.lines[1]
    assert project.told.lines[2:] == [
        "python of the environment: scripts/x.py two words",
        "python of the environment: -m json.tool",
        "tool of the environment: ",
        "none",
    ]


def test_before_that_python_is_the_plain_one(project: Project, environment: Path) -> None:
    run(project, "python -c 'print(1 + 1)'; tool || echo no tool")
    assert project.told.lines[1] == "2"
    assert project.told.lines[-1] == "no tool"


def test_the_next_job_starts_without_it(project: Project, environment: Path) -> None:
    project.file(
        "azure-pipelines.yml",
        f"jobs:\n- job: a\n  steps: [{{bash: {INSTALL}}}]\n- job: b\n  steps: [{{bash: tool || echo no tool}}]\n",
    )
    project.run()
    assert project.told.lines[-1] == "no tool"


def test_a_changed_lock_is_refused(project: Project, environment: Path) -> None:
    project.file("requirements/release.txt", LOCK + "# changed\n")
    run(project, INSTALL)
    assert project.told.step("step 0").result == "failed"
    assert "is not the lock that this rehearsal was set up with" in project.told.lines[1]


def test_two_locks_in_one_job_are_refused(project: Project, environment: Path) -> None:
    other = environment.parent / "other"
    (other / "bin").mkdir(parents=True)
    project.installed[hashlib.sha256(b"other==1\n").hexdigest()] = other
    run(project, INSTALL, INSTALL, "pip install -r requirements/other.txt")
    assert [project.told.step(f"step {number}").result for number in range(3)] == ["succeeded", "succeeded", "failed"]
    assert "installed another lock file already" in project.told.lines[-2]


def test_the_audit_is_shown_as_not_run(project: Project, environment: Path) -> None:
    run(project, "pip-audit -r requirements/release.txt", "python -m pip_audit --strict")
    for number in range(2):
        step = project.told.step(f"step {number}")
        assert (step.result, step.reason) == ("skipped", "not run in a rehearsal: it needs the outside")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("install requests", "no 'requests' in 'pip install requests'"),
        ("install -r a.txt -r b.txt", "exactly one lock file"),
        ("install", "exactly one lock file"),
        ("install -e .", "no '-e'"),
        ("install --index-url https://x -r a.txt", "no '--index-url'"),
        ("download requests", "no 'pip download requests'"),
        ("", "only 'pip install -r <lock file>' is possible"),
        ("install -r nowhere.txt", "Could not open requirements file: nowhere.txt"),
        ("install -r", "Could not open"),
    ],
)
def test_other_uses_of_pip_are_refused_by_name(
    arguments: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("")
    with pytest.raises(RefusedError) as caught:
        lock_of(arguments.split())
    assert says in str(caught.value)
