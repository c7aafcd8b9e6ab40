"""What belongs to a release, what is refused, and that a release on disk is what was built."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.environment import load_all
from slipway.domain.notebook import find_slot_paths, notebook_language, slot_paths
from slipway.domain.release import NOTEBOOK_LIMIT, bad_name, collect, load_release, write_release_json
from slipway.domain.release_checks import check_release
from slipway.errors import ReleaseError

HEADER = "# Databricks notebook source\n"


@pytest.fixture
def project(root: Path) -> Path:
    (root / "notebooks").mkdir()
    for name in ("score", "integration_test"):
        (root / "notebooks" / f"{name}.py").write_text(HEADER)
    (root / "config" / "jobs").mkdir()
    write_job(root, {"task_key": "main", "notebook_task": {"notebook_path": "./notebooks/score"}})
    with zipfile.ZipFile(root / "sample-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("x.py", "")
    return root


def write_job(root: Path, *tasks: Any, **more: Any) -> None:
    definition = {"name": "x {{ environment }}", "tasks": list(tasks), **more}
    (root / "config" / "jobs" / "score.json").write_text(json.dumps(definition, indent=1))


def problems(root: Path) -> list[str]:
    files, findings = collect(root, sorted(root.glob("*.whl")))
    return [str(finding) for finding in [*findings, *check_release(files, load_all(root))]]


def test_a_good_release_has_nothing_to_correct(project: Path) -> None:
    assert problems(project) == []
    files, _ = collect(project, sorted(project.glob("*.whl")))
    assert list(files) == [
        "config/defaults.yml",
        "config/environments/dev.yml",
        "config/jobs/score.json",
        "library/sample-1.0-py3-none-any.whl",
        "notebooks/integration_test.py",
        "notebooks/score.py",
    ]


def test_a_job_that_refers_to_a_notebook_that_is_not_there(project: Path) -> None:
    write_job(project, {"task_key": "main", "notebook_task": {"notebook_path": "./notebooks/nope"}})
    (problem,) = problems(project)
    assert problem.startswith(
        "config/jobs/score.json:7: tasks[0].notebook_task.notebook_path: the release has no notebook"
    )


def test_two_notebooks_that_differ_only_by_extension_or_case(project: Path) -> None:
    (project / "notebooks" / "score.sql").write_text("-- Databricks notebook source\n")
    (project / "notebooks" / "Score.txt").write_text("")
    text = "\n".join(problems(project))
    assert "notebooks/score.sql: differs from" in text and "only by its extension" in text
    (project / "notebooks" / "score.sql").unlink()
    (project / "notebooks" / "Score.txt").unlink()
    (project / "notebooks" / "SCORE.py").write_text(HEADER)
    assert "differs from notebooks/SCORE.py only by upper and lower case" in "\n".join(problems(project))


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("%run /Workspace/Slipway/bikeshare/dev/blue/notebooks/x", True),
        ("spark.read.csv('/Slipway/bikeshare/dev/green/data')", True),
        ("path = '/Workspace/Slipway/other'", True),
        ("%run ./slot", False),
        ("%run ../../green/notebooks/score", True),
        ("%run ../greenhouse/x", False),
        ("spark.read.csv('dbfs:/mnt/blue/x')", False),
        ("print('https://x/docs/Slipway/blue')", False),
    ],
)
def test_absolute_paths_into_a_slot(project: Path, line: str, refused: bool) -> None:
    (project / "notebooks" / "score.py").write_text(HEADER + "\n" + line + "\n")
    found = problems(project)
    assert bool(found) == refused, found
    if refused:
        assert found[0].startswith("notebooks/score.py:3: ") and "not closed" in found[0]


def test_a_root_of_another_name_is_known_too() -> None:
    pattern = slot_paths(["/Workspace/Teams/a"])
    assert list(find_slot_paths("x\ny = '/Teams/a/blue/z' # no", pattern)) == [(2, "/Teams/a/blue/z")]
    assert not list(find_slot_paths("/Teams/a/bluebell /Teams/a/config", pattern))


def test_existing_cluster_with_slot_libraries(project: Path) -> None:
    write_job(
        project,
        {
            "task_key": "main",
            "existing_cluster_id": "1",
            "notebook_task": {"notebook_path": "./notebooks/score"},
            "libraries": [{"whl": "./library"}],
        },
    )
    assert "existing_cluster_id: an existing cluster keeps the wheel" in "\n".join(problems(project))


def test_paths_into_a_slot_that_an_expression_makes(project: Path) -> None:
    parameters = {"where": "{{ databricks.root }}/green/x"}
    task = {"notebook_path": "./notebooks/score", "base_parameters": parameters}
    write_job(project, {"task_key": "main", "notebook_task": task})
    assert "reads from green when it is in blue" in problems(project)[0]
    write_job(project, {"task_key": "main", "notebook_task": {"notebook_path": "./notebooks/score"}})
    (project / "config" / "environments" / "dev.yml").write_text("notebooks: {x: '{{ databricks.root }}/blue/x'}")
    assert "notebooks.x: /Workspace/Slipway/bikeshare/dev/blue/x lies in a slot" in problems(project)[0]


def test_large_notebooks(project: Path) -> None:
    (project / "notebooks" / "score.py").write_text(HEADER + "#" * NOTEBOOK_LIMIT)
    (problem,) = problems(project)
    assert problem == "notebooks/score.py: has 10.0 MB; a workspace takes notebooks of up to 10 MB"


def test_large_files_stream_up_to_the_services_limit(project: Path) -> None:
    with (project / "notebooks" / "data.bin").open("wb") as stream:
        stream.truncate(501 * 1024 * 1024)
    (problem,) = problems(project)
    assert "up to 500 MB" in problem


def test_symbolic_links_and_hostile_names(project: Path) -> None:
    (project / "notebooks" / "link.py").symlink_to("/etc/passwd")
    (project / "notebooks" / "a:b.py").write_text(HEADER)
    (project / "notebooks" / ".hidden").write_text("")
    text = "\n".join(problems(project))
    assert "notebooks/link.py: is a symbolic link" in text
    assert "'a:b.py' has characters" in text
    assert "hidden" not in text


@pytest.mark.parametrize(
    "name", ["a/../b", "/a", "a//b", "a/ b", "a/b.", "a\\b", "a\nb", "a/b?", "e\u0301", "x" * 256, ""]
)
def test_bad_names(name: str) -> None:
    assert bad_name(name)


def test_wheels(project: Path) -> None:
    (project / "other.whl").write_text("x")
    with zipfile.ZipFile(project / "Sample-2.0-py3-none-any.whl", "w"):
        pass
    text = "\n".join(problems(project))
    assert "library/other.whl: is not a wheel's name" in text
    assert "is another wheel of sample" in text


def test_notebooks_of_other_kinds_and_a_missing_test(project: Path) -> None:
    (project / "notebooks" / "x.ipynb").write_text("{}")
    (project / "notebooks" / "integration_test.py").write_text("print('no header')\n")
    text = "\n".join(problems(project))
    assert "x.ipynb: is not in source format" in text
    assert "integration_test.notebook: the release has no notebook ./notebooks/integration_test" in text


def test_a_name_without_its_environment(project: Path) -> None:
    path = project / "config" / "jobs" / "score.json"
    path.write_text(path.read_text().replace("{{ environment }}", ""))
    assert "must hold {{ environment }}" in problems(project)[0]
    path.rename(path.with_name("Bad Key.json"))
    assert "is not a job's key" in problems(project)[0]


def test_what_a_notebook_is() -> None:
    assert notebook_language("a.py", b"# Databricks notebook source\r\nx") == "PYTHON"
    assert notebook_language("a.sql", b"-- Databricks notebook source") == "SQL"
    assert notebook_language("a.R", b"# Databricks notebook source\n") == "R"
    assert notebook_language("a.py", b"# Databricks notebook sourced\n") is None
    assert notebook_language("a.txt", b"# Databricks notebook source\n") is None
    assert notebook_language("py", b"# Databricks notebook source\n") is None


def written(folder: Path) -> Path:
    for name, data in {"notebooks/a.py": HEADER, "config/x.yml": "x", "library/w-1-py3-none-any.whl": "w"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(data)
    files = ["notebooks/a.py", "config/x.yml", "library/w-1-py3-none-any.whl"]
    write_release_json(folder, version="1.0", commit="c", build="7", files=files)
    return folder


def test_a_release_is_read_back(tmp_path: Path) -> None:
    release = load_release(written(tmp_path))
    assert (release.version, release.build, release.wheels) == ("1.0", "7", ["w-1-py3-none-any.whl"])
    assert release.notebooks == {"notebooks/a.py": "PYTHON"}
    (tmp_path / "stranger").write_text("is passed by")
    assert load_release(tmp_path).sha256 == release.sha256


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda f: (f / "notebooks/a.py").write_text(HEADER + "x"), "is not what was built"),
        (lambda f: (f / "config/x.yml").unlink(), r"config/x\.yml: is missing"),
        (lambda f: (f / "release.json").unlink(), "There is no release"),
        (lambda f: (f / "release.json").write_text("{"), "damaged"),
        (lambda f: edit(f, lambda d: d.update(format=2)), "format"),
        (lambda f: edit(f, lambda d: d.update(version="../x")), "is not a version"),
        (lambda f: edit(f, lambda d: d["files"].update({"../x": {"sha256": "", "size": 1}})), "not allowed"),
        (lambda f: edit(f, lambda d: d.update(more=1)), "unknown field"),
    ],
)
def test_a_release_that_is_not_what_was_built(tmp_path: Path, damage: Any, expected: str) -> None:
    damage(written(tmp_path))
    with pytest.raises(ReleaseError, match=expected):
        load_release(tmp_path)


def edit(folder: Path, change: Any) -> None:
    data = json.loads((folder / "release.json").read_text())
    change(data)
    (folder / "release.json").write_text(json.dumps(data))


@given(st.binary(max_size=200))
def test_any_release_json_is_read_or_refused(data: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "release.json").write_bytes(data)
        with pytest.raises(ReleaseError):
            load_release(Path(folder))


def test_a_fifo_is_no_file(project: Path) -> None:
    os.mkfifo(project / "notebooks" / "pipe.py")
    assert "notebooks/pipe.py: is not a file" in "\n".join(problems(project))
