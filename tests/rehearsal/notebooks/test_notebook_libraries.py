from __future__ import annotations

import importlib
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.notebooks.errors import NotInRehearsal
from rehearsal.notebooks.libraries import Libraries, LibraryProblem
from rehearsal.notebooks.pip_command import pip
from tests.rehearsal.notebooks.conftest import make_wheel

NAME = "slipway_sample_library"


@pytest.fixture
def libraries(tmp_path: Path) -> Iterator[Libraries]:
    """Paths as notebooks spell them lie under tmp_path; the wheelhouse has a second library."""
    before = sys.path[:]
    house = tmp_path / "wheelhouse"
    make_wheel(house, "slipway_sample_other", "1.0", {"slipway_sample_other.py": "VALUE = 1\n"})
    make_wheel(house, "slipway_sample_other", "1.5", {"slipway_sample_other.py": "VALUE = 2\n"})
    yield Libraries(tmp_path / "installed", house, lambda path: tmp_path / path.removeprefix("/"))
    sys.path[:] = before
    for module in (NAME, "slipway_sample_other"):
        sys.modules.pop(module, None)


def test_a_wheel_is_what_the_notebook_imports(libraries: Libraries, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.py").write_text("VALUE = 'another'\n")
    sys.path.insert(0, str(tmp_path))
    make_wheel(
        tmp_path / "Workspace", NAME, "2.0", {f"{NAME}.py": "VALUE = 'released'\n"}, ("pandas>=1", "x; extra == 'y'")
    )
    assert libraries.install_wheel(f"/Workspace/{NAME}-2.0-py3-none-any.whl") == ["slipway-sample-library 2.0"]
    assert importlib.import_module(NAME).VALUE == "released"


def test_what_a_wheel_needs_comes_from_the_wheelhouse(libraries: Libraries, tmp_path: Path) -> None:
    make_wheel(tmp_path, NAME, "2.0", {f"{NAME}.py": ""}, ("slipway_sample_other<1.5",))
    assert libraries.install_wheel(f"/{NAME}-2.0-py3-none-any.whl") == [
        "slipway-sample-library 2.0",
        "slipway-sample-other 1.0",
    ]


def test_what_is_nowhere_is_refused_by_name(libraries: Libraries, tmp_path: Path) -> None:
    make_wheel(tmp_path, NAME, "2.0", {f"{NAME}.py": ""}, ("slipway-not-there>=3",))
    with pytest.raises(LibraryProblem, match=r"slipway-not-there>=3 \(needed by slipway-sample-library 2.0\)"):
        libraries.install_wheel(f"/{NAME}-2.0-py3-none-any.whl")
    with pytest.raises(LibraryProblem, match="no such file"):
        libraries.install_wheel("/Workspace/none-1-py3-none-any.whl")
    with pytest.raises(LibraryProblem, match="pandas<1: here is"):
        libraries.install_requirement("pandas<1")


def altered(wheel: Path, name: str, text: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        contents = {each: archive.read(each) for each in archive.namelist()}
    with zipfile.ZipFile(wheel, "w") as archive:
        for each, content in {**contents, name: text.encode()}.items():
            archive.writestr(each, content)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (f"{NAME}.py", "differs from its hash"),
        ("added.py", "no usable hash"),
        ("../outside.py", "leads out"),
        ("/outside.py", "leads out"),
    ],
)
def test_an_altered_wheel_is_refused(libraries: Libraries, tmp_path: Path, name: str, problem: str) -> None:
    altered(make_wheel(tmp_path, NAME, "2.0", {f"{NAME}.py": "x = 1\n"}), name, "x = 2\n")
    with pytest.raises(LibraryProblem, match=problem):
        libraries.install_wheel(f"/{NAME}-2.0-py3-none-any.whl")
    assert not (tmp_path / "outside.py").exists()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("broken-1.0-py3-none-any.whl", "not a ZIP file"),
        ("broken.whl", "broken.whl"),
        ("broken-1.0-cp27-cp27m-win32.whl", "not a wheel for this Python"),
    ],
)
def test_what_is_no_wheel_is_refused(libraries: Libraries, tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / name).write_text("no ZIP")
    with pytest.raises(LibraryProblem, match=problem):
        libraries.install_wheel(f"/{name}")


def test_kinds_of_task_libraries(libraries: Libraries, tmp_path: Path) -> None:
    assert libraries.install_task_library({"pypi": {"package": "pandas>=1"}}) == []
    (tmp_path / "requirements.txt").write_text("# what it needs\npandas>=1  # any\nslipway_sample_other\n\n")
    assert libraries.install_task_library({"requirements": "/requirements.txt"}) == ["slipway-sample-other 1.5"]
    with pytest.raises(NotInRehearsal, match="maven"):
        libraries.install_task_library({"maven": {"coordinates": "a:b:1"}})
    with pytest.raises(LibraryProblem, match="DBFS root"):
        libraries.install_task_library({"whl": "dbfs:/x.whl"})


def test_pip_installs_wheels_names_and_files(libraries: Libraries, tmp_path: Path) -> None:
    make_wheel(tmp_path / "App", NAME, "2.0", {f"{NAME}.py": ""})
    (tmp_path / "App/requirements.txt").write_text("pandas\n")
    command = (
        f"install -q --upgrade ./{NAME}-2.0-py3-none-any.whl \\\n  'slipway_sample_other==1.0' -r requirements.txt"
    )
    assert pip(command, libraries, lambda path: f"/App/{path}") == [
        "slipway-sample-library 2.0",
        "slipway-sample-other 1.0",
    ]


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("uninstall -y pandas", "%pip uninstall pandas"),
        ("list --format=json", "%pip list --format"),
        ("download x", "%pip download"),
        ("", "%pip"),
        ("install --index-url https://pypi.example/simple x", "--index-url"),
        ("install git+https://example.com/x/y", r"git\+https"),
        ("install -e ./x", "-e"),
        ("install /Workspace/x.tar.gz", "x.tar.gz"),
    ],
)
def test_other_pip_commands_are_refused_by_name(libraries: Libraries, command: str, named: str) -> None:
    with pytest.raises(NotInRehearsal, match=named):
        pip(command, libraries, lambda path: path)


def test_a_requirement_with_an_address_is_refused(libraries: Libraries) -> None:
    with pytest.raises(LibraryProblem, match="downloads nothing"):
        pip("install 'x @ https://example.com/x.whl'", libraries, lambda path: path)


def test_another_version_takes_the_place_of_the_first(libraries: Libraries, tmp_path: Path) -> None:
    make_wheel(tmp_path, NAME, "1.0", {f"{NAME}/__init__.py": "", f"{NAME}/old.py": "", f"{NAME}/both.py": ""})
    make_wheel(tmp_path, NAME, "2.0", {f"{NAME}/__init__.py": "", f"{NAME}/both.py": ""})
    for version in ("1.0", "2.0"):
        libraries.install_wheel(f"/{NAME}-{version}-py3-none-any.whl")
    assert sorted(path.name for path in (tmp_path / "installed" / NAME).iterdir()) == ["__init__.py", "both.py"]
    assert libraries.install_requirement(f"{NAME}==2.0") == []


def test_extras_bring_what_they_need(libraries: Libraries, tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheelhouse", NAME, "2.0", {f"{NAME}.py": ""}, ("slipway_sample_other; extra == 'more'",))
    assert libraries.install_requirement(NAME) == ["slipway-sample-library 2.0"]
    assert libraries.install_requirement(f"{NAME}[more]") == ["slipway-sample-other 1.5"]


def test_what_pip_says_of_what_is_installed(libraries: Libraries, tmp_path: Path) -> None:
    make_wheel(tmp_path, NAME, "2.0", {f"{NAME}.py": ""})
    libraries.install_wheel(f"/{NAME}-2.0-py3-none-any.whl")
    assert "slipway-sample-library==2.0" in pip("freeze", libraries, str)
    assert any(line.split() == ["slipway-sample-library", "2.0"] for line in pip("list", libraries, str))
    assert pip(f"show {NAME}", libraries, str) == ["Name: slipway-sample-library\nVersion: 2.0"]
    assert pip(f"uninstall -y {NAME}", libraries, str) == [f"Uninstalled {NAME} 2.0"]
    assert not (tmp_path / "installed" / f"{NAME}.py").exists()
    assert "slipway-sample-library==2.0" not in pip("freeze", libraries, str)
