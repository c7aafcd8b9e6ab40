"""What the command refuses before it begins, and what it hands on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal import command, options
from rehearsal.databricks.git import Remote
from rehearsal.dataset import HOURLY, find_dataset
from rehearsal.gateway.control_rules import KINDS, SETTABLE, fault_from
from rehearsal.gateway.storm import TROUBLES
from rehearsal.scripts import child_environment

ROOT = Path(__file__).resolve().parents[3]


def refused(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> str:
    assert command.main(["--folder", str(folder), *arguments]) == command.UNUSABLE
    return capsys.readouterr().err


def test_an_unknown_environment_is_named_with_those_that_exist(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "It has: dev, test, prod" in refused(capsys, tmp_path, "--only", "stage")


def test_data_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert str(HOURLY) in refused(capsys, tmp_path, "--datasets", str(tmp_path))


def test_a_second_rehearsal_in_the_same_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hold = "import fcntl,sys; f=open(sys.argv[1],'w'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert "another rehearsal is running" in refused(capsys, tmp_path)
        other.communicate()


def test_a_parameter_without_a_value_is_refused() -> None:
    with pytest.raises(options.Refused, match="name=value"):
        options.parameters(["environment"])
    assert options.parameters(["a=b=c"]) == {"a": "b=c"}


def test_a_repository_for_a_url_has_to_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "https://…=DIR" in refused(capsys, tmp_path / "r", "--git", "git@host:a/b")
    assert "is not a Git repository" in refused(capsys, tmp_path / "r", "--git", f"https://host/a={tmp_path}")
    (tmp_path / "HEAD").touch()
    found = options._repositories([f"https://host/a={tmp_path}"], public=True)
    assert found == {"https://host/a": Remote(tmp_path, public=True)}


def test_a_mapping_needs_a_folder(tmp_path: Path) -> None:
    assert options._mappings([f"https://a/={tmp_path}"]) == [("https://a/", tmp_path.resolve())]
    for wrong in ("https://a/", f"https://a/={tmp_path / 'none'}"):
        with pytest.raises(options.Refused, match="ADDRESS=FOLDER"):
            options._mappings([wrong])


def test_reset_forgets_all_but_its_own_lock(tmp_path: Path) -> None:
    (tmp_path / "azurite").mkdir()
    (tmp_path / "azurite" / "blob").write_text("x")
    (tmp_path / "store.sqlite").write_text("x")
    (tmp_path / "outside").symlink_to(ROOT)
    (tmp_path / "lock").touch()
    command._reset(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    assert (ROOT / "README.md").is_file()


def test_nothing_of_the_callers_leads_a_child_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_CLIENT_SECRET", "ALL_PROXY", "https_proxy", "SSL_CERT_DIR", "DATABRICKS_TOKEN", "PYTHONPATH"):
        monkeypatch.setenv(name, "elsewhere")
    environment = child_environment({"https_proxy": "http://127.0.0.1:1"})
    assert "elsewhere" not in environment.values()
    assert environment["https_proxy"] == "http://127.0.0.1:1"


def test_data_of_the_same_shape_is_made_once(tmp_path: Path) -> None:
    alone = tmp_path / "project"  # nothing lies beside it
    first = find_dataset(None, alone, tmp_path / "kept")
    assert first.made
    made = (first.folder / HOURLY).read_bytes()
    assert len(made.splitlines()) > 17_000
    assert find_dataset(None, alone, tmp_path / "kept").folder == first.folder
    assert (first.folder / HOURLY).read_bytes() == made


@pytest.mark.parametrize(
    ("text", "says"), [("{", "Expecting"), ('[{"kind": "rain"}]', "kind is one of"), (None, "No such file")]
)
def test_faults_that_make_no_sense_are_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, says: str
) -> None:
    file = tmp_path / "faults.json"
    if text is not None:
        file.write_text(text)
    told = refused(capsys, tmp_path / "folder", "--faults", str(file))
    assert str(file) in told and says in told
    assert not (tmp_path / "folder/store.sqlite").exists()


def test_the_examples_of_the_faults_page_are_rules() -> None:
    page = (ROOT / "docs/faults.md").read_text(encoding="utf-8")
    bodies = re.findall(r"faults\" \\\n +-d '(.*)'", page)
    assert len(bodies) == 3
    for body in bodies:
        assert fault_from(json.loads(body)).body is None
    for word in (*KINDS, *SETTABLE, *TROUBLES):
        assert f"`{word}`" in page, word
