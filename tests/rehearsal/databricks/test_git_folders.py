"""Git folders and Git credentials: real clones of a repository that stands for a remote one."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.databricks.workbench import ADMIN, CLUSTER, HOST, PUBLIC_URL, READER, RELEASE, URL, Site

NOTEBOOK = "# Databricks notebook source\n"
TOKEN = "planted-git-token-0001"
CREDENTIAL = {"git_provider": "azuredevopsservices", "git_username": "me", "personal_access_token": TOKEN}
PATH = "/Repos/team/app"


class Remote:
    """The repository behind the URLs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commit({"etl/load.py": NOTEBOOK + "exit one", "lib/util.py": "x = 1\n", "README.md": "read me"})

    def git(self, *arguments: str) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder.parent), "GIT_CONFIG_NOSYSTEM": "1"}
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        command = ["git", *identity, *arguments]
        done = subprocess.run(command, cwd=self.folder, env=environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, files: dict[str, str | None]) -> str:
        for name, text in files.items():
            place = self.folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                place.unlink()
            else:
                place.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def remote(site: Site) -> Remote:
    remote = Remote(site.folder / "remote")
    site.ok(ADMIN, "POST", "/workspace/mkdirs", {"path": "/Repos/team"})
    return remote


def clone(site: Site, path: str = PATH, **values: Any) -> dict[str, Any]:
    body = {"url": PUBLIC_URL, "provider": "gitHub", "path": path, **values}
    return dict(site.ok(ADMIN, "POST", "/repos", body))


def listed(site: Site, path: str) -> dict[str, str]:
    found = site.ok(ADMIN, "GET", "/workspace/list", {"path": path}).get("objects", [])
    return {each["path"].removeprefix(path + "/"): each["object_type"] for each in found}


def text(site: Site, path: str) -> str:
    return base64.b64decode(site.ok(ADMIN, "GET", "/workspace/export", {"path": path})["content"]).decode()


def write(site: Site, path: str, content: str, **options: Any) -> None:
    encoded = base64.b64encode(content.encode()).decode()
    site.ok(ADMIN, "POST", "/workspace/import", {"path": path, "content": encoded, "overwrite": True, **options})


def update(site: Site, repo: dict[str, Any], **values: Any) -> dict[str, Any]:
    return dict(site.ok(ADMIN, "PATCH", f"/repos/{repo['id']}", values))


def test_a_clone_is_a_folder_of_notebooks_and_files(site: Site, remote: Remote) -> None:
    repo = clone(site)
    assert repo == {
        "id": repo["id"],
        "path": PATH,
        "url": PUBLIC_URL,
        "provider": "gitHub",
        "branch": "main",
        "head_commit_id": remote.git("rev-parse", "HEAD"),
    }
    status = site.ok(ADMIN, "GET", "/workspace/get-status", {"path": PATH})
    assert (status["object_type"], status["object_id"]) == ("REPO", repo["id"])
    assert listed(site, PATH) == {"README.md": "FILE", "etl": "DIRECTORY", "lib": "DIRECTORY"}
    assert listed(site, f"{PATH}/etl") == {"load": "NOTEBOOK"}
    assert listed(site, f"{PATH}/lib") == {"util.py": "FILE"}
    assert text(site, f"{PATH}/etl/load") == NOTEBOOK + "exit one"
    asked = {"path": f"/Workspace{PATH}/etl/load", "return_git_info": "true"}
    info = site.ok(ADMIN, "GET", "/workspace/get-status", asked)["git_info"]
    assert (info["id"], info["branch"], info["head_commit_id"]) == (repo["id"], "main", repo["head_commit_id"])
    assert site.ok(ADMIN, "GET", f"/repos/{repo['id']}") == repo


def test_a_notebook_of_a_git_folder_runs(site: Site, remote: Remote) -> None:
    clone(site)
    task = {"notebook_task": {"notebook_path": f"{PATH}/etl/load"}, "new_cluster": CLUSTER}
    run = site.wait(site.ok(ADMIN, "POST", "/jobs/runs/submit", task)["run_id"])
    assert run["state"]["result_state"] == "SUCCESS"


def test_an_update_takes_a_branch_as_it_is_now(site: Site, remote: Remote) -> None:
    repo = clone(site)
    load = site.ok(ADMIN, "GET", "/workspace/get-status", {"path": f"{PATH}/etl/load"})["object_id"]
    changed = {
        "etl/load.py": NOTEBOOK + "exit two",
        "lib/util.py": None,
        "new/q.sql": "-- Databricks notebook source\n1",
    }
    commit = remote.commit(changed)
    assert text(site, f"{PATH}/etl/load") == NOTEBOOK + "exit one"
    assert update(site, repo, branch="main")["head_commit_id"] == commit
    assert text(site, f"{PATH}/etl/load") == NOTEBOOK + "exit two"
    assert listed(site, PATH) == {"README.md": "FILE", "etl": "DIRECTORY", "new": "DIRECTORY"}
    assert site.ok(ADMIN, "GET", "/workspace/get-status", {"path": f"{PATH}/etl/load"})["object_id"] == load


def test_branches_and_tags(site: Site, remote: Remote) -> None:
    first = remote.git("rev-parse", "HEAD")
    remote.git("tag", "v1")
    remote.git("checkout", "--quiet", "-b", "feature/x")
    second = remote.commit({"lib/util.py": "x = 2\n"})
    remote.git("checkout", "--quiet", "main")
    repo = clone(site)
    shown = update(site, repo, branch="feature/x")
    assert (shown["branch"], shown["head_commit_id"]) == ("feature/x", second)
    assert text(site, f"{PATH}/lib/util.py") == "x = 2\n"
    shown = update(site, repo, tag="v1")
    assert ("branch" in shown, shown["head_commit_id"]) == (False, first)
    assert text(site, f"{PATH}/lib/util.py") == "x = 1\n"
    for values in ({"branch": "no"}, {"tag": "main"}, {"branch": "--force"}):
        refused = site.refused(ADMIN, "PATCH", f"/repos/{repo['id']}", values)
        assert refused[:2] == (400, "GIT_UNKNOWN_REF")
    both = {"branch": "main", "tag": "v1"}
    assert site.refused(ADMIN, "PATCH", f"/repos/{repo['id']}", both)[1] == "INVALID_PARAMETER_VALUE"


def test_local_changes_stay_and_stop_a_checkout_only_when_they_are_in_the_way(site: Site, remote: Remote) -> None:
    repo = clone(site)
    write(site, f"{PATH}/lib/util.py", "x = 9\n", format="RAW")
    write(site, f"{PATH}/mine", "1", language="PYTHON")
    remote.commit({"README.md": "newer"})
    update(site, repo, branch="main")
    assert (text(site, f"{PATH}/README.md"), text(site, f"{PATH}/lib/util.py")) == ("newer", "x = 9\n")
    commit = remote.commit({"lib/util.py": "x = 2\n"})
    refused = site.refused(ADMIN, "PATCH", f"/repos/{repo['id']}", {"branch": "main"})
    assert refused[:2] == (409, "GIT_CONFLICT")
    assert text(site, f"{PATH}/lib/util.py") == "x = 9\n"
    assert site.ok(ADMIN, "GET", f"/repos/{repo['id']}")["head_commit_id"] != commit
    update(site, repo, branch="main", dangerously_force_discard_all=True)
    assert text(site, f"{PATH}/lib/util.py") == "x = 2\n"
    assert "mine" not in listed(site, PATH)


def test_a_jupyter_notebook_is_changed_only_when_somebody_changes_it(site: Site, remote: Remote) -> None:
    remote.commit({"nb.ipynb": '{"cells": [{"cell_type": "code", "source": "1"}], "metadata": {}}', "bad.ipynb": "{"})
    repo = clone(site)
    found = listed(site, PATH)
    assert (found["nb"], found["bad.ipynb"]) == ("NOTEBOOK", "FILE")
    asked = {"path": f"{PATH}/nb", "return_export_info": "true"}
    assert site.ok(ADMIN, "GET", "/workspace/get-status", asked)["repos_export_format"] == "JUPYTER"
    remote.commit({"nb.ipynb": '{"cells": [{"cell_type": "code", "source": "2"}], "metadata": {}}'})
    update(site, repo, branch="main")
    assert text(site, f"{PATH}/nb") == NOTEBOOK + "2"


@pytest.mark.parametrize("other", ["etl/load.sql", "etl/load.md", "etl/load/x.txt"])
def test_names_that_can_not_be_beside_each_other(site: Site, remote: Remote, other: str) -> None:
    before = remote.git("rev-parse", "HEAD")
    repo = clone(site)
    header = "-- Databricks notebook source\n" if other.endswith("sql") else ""
    remote.git("checkout", "--quiet", "-b", "conflict")
    remote.commit({other: header})
    refused = site.refused(ADMIN, "PATCH", f"/repos/{repo['id']}", {"branch": "conflict"})
    assert refused[2].startswith("Cannot perform git operation due to conflicting names: etl/load")
    assert update(site, repo)["head_commit_id"] == before
    assert update(site, repo, branch="main")["branch"] == "main"


def test_a_link_in_a_repository_leads_nowhere(site: Site, remote: Remote) -> None:
    (remote.folder / "link").symlink_to("/etc")
    remote.commit({"README.md": "2"})
    clone(site)
    assert listed(site, PATH)["link"] == "FILE"
    assert text(site, f"{PATH}/link") == "/etc"


def test_too_much_is_refused_and_leaves_nothing(site: Site, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rehearsal.databricks.work_trees.MOST_FILES", 2)
    body = {"url": PUBLIC_URL, "provider": "gitHub", "path": PATH}
    assert site.refused(ADMIN, "POST", "/repos", body)[1] == "RESOURCE_LIMIT_EXCEEDED"
    assert listed(site, "/Repos/team") == {}
    assert list((site.folder / "databricks" / HOST / "git").iterdir()) == []


def test_where_a_git_folder_may_lie(site: Site, remote: Remote) -> None:
    def refused(path: str) -> tuple[int, str]:
        body = {"url": PUBLIC_URL, "provider": "gitHub", "path": path}
        return site.refused(ADMIN, "POST", "/repos", body)[:2]

    clone(site)
    assert refused(PATH) == (400, "RESOURCE_ALREADY_EXISTS")
    assert refused("/Repos/team/deeper/app") == refused("/Repos/app") == (400, "INVALID_PARAMETER_VALUE")
    assert refused("/Repos/nobody/app") == (404, "RESOURCE_DOES_NOT_EXIST")
    assert refused(f"{PATH}/inner") == (400, "INVALID_PARAMETER_VALUE")
    assert clone(site, "/Workspace/Shared/app")["path"] == "/Shared/app"
    home = site.ok(READER, "POST", "/repos", {"url": PUBLIC_URL + ".git", "provider": "GITHUB"})
    assert home["path"] == "/Repos/ada@example.org/app"
    assert (
        site.refused(READER, "POST", "/repos", {"url": PUBLIC_URL, "provider": "gitHub", "path": "/Repos/team/b"})[0]
        == 403
    )


def test_urls_without_a_repository_of_this_machine_are_refused_by_name(site: Site, remote: Remote) -> None:
    body = {"url": "https://me:pw@github.com/other/app", "provider": "gitHub", "path": PATH}
    status, code, message = site.refused(ADMIN, "POST", "/repos", body)
    assert (status, code) == (501, "NOT_IMPLEMENTED")
    assert "https://github.com/other/app; name a repository of this machine for it with --git URL=DIR" in message
    assert "pw" not in message
    for url in ("git@github.com:a/b", "file:///etc", "/tmp/x"):
        assert site.refused(ADMIN, "POST", "/repos", body | {"url": url})[1] == "INVALID_PARAMETER_VALUE"
    assert site.refused(ADMIN, "POST", "/repos", {"url": PUBLIC_URL})[1] == "INVALID_PARAMETER_VALUE"
    assert site.refused(ADMIN, "POST", "/repos", body | {"provider": "cvs"})[1] == "INVALID_PARAMETER_VALUE"


def test_a_private_repository_needs_a_credential_of_its_provider(site: Site, remote: Remote) -> None:
    body = {"url": f"https://example@{URL[8:]}", "provider": "azureDevOpsServices", "path": PATH}
    refused = site.refused(ADMIN, "POST", "/repos", body)
    assert refused[:2] == (403, "PERMISSION_DENIED")
    assert refused[2].startswith("Missing Git provider credentials.")
    made = site.ok(ADMIN, "POST", "/git-credentials", CREDENTIAL)
    assert made == {"credential_id": made["credential_id"], "git_provider": "azureDevOpsServices", "git_username": "me"}
    repo = site.ok(ADMIN, "POST", "/repos", body)
    site.ok(ADMIN, "DELETE", f"/git-credentials/{made['credential_id']}")
    assert site.refused(ADMIN, "PATCH", f"/repos/{repo['id']}", {"branch": "main"})[0] == 403


def test_credentials_belong_to_who_made_them_and_their_tokens_are_kept_nowhere(site: Site) -> None:
    made = site.ok(ADMIN, "POST", "/git-credentials", CREDENTIAL)
    place = f"/git-credentials/{made['credential_id']}"
    assert "Only one Git credential" in site.refused(ADMIN, "POST", "/git-credentials", CREDENTIAL)[2]
    assert site.ok(ADMIN, "GET", "/git-credentials") == {"credentials": [made]}
    assert site.ok(RELEASE, "GET", "/git-credentials") == {}
    missing = (404, "RESOURCE_DOES_NOT_EXIST", "Git credential with the given ID could not be found.")
    for method in ("GET", "PATCH", "DELETE"):
        assert site.refused(RELEASE, method, place, {}) == missing
    changed = site.ok(ADMIN, "PATCH", place, {"git_username": "you", "personal_access_token": TOKEN})
    assert (changed["git_username"], changed["git_provider"]) == ("you", "azureDevOpsServices")
    without = {"git_provider": "gitHub", "git_username": "me"}
    assert site.refused(RELEASE, "POST", "/git-credentials", without)[1] == "INVALID_PARAMETER_VALUE"
    kept = b"".join(file.read_bytes() for file in site.folder.rglob("*") if file.is_file())
    assert TOKEN.encode() not in kept
    site.ok(ADMIN, "DELETE", place)
    assert site.refused(ADMIN, "GET", place, {}) == missing


def test_git_folders_are_listed_in_pages_to_those_who_manage_them(site: Site, remote: Remote) -> None:
    made = [clone(site, f"/Repos/team/r{number:02}")["id"] for number in range(21)]
    page = site.ok(ADMIN, "GET", "/repos", {"path_prefix": "/Workspace"})
    rest = site.ok(ADMIN, "GET", "/repos", {"next_page_token": page["next_page_token"]})
    assert [each["id"] for each in page["repos"] + rest["repos"]] == made
    assert (len(page["repos"]), "next_page_token" in rest) == (20, False)
    found = site.ok(ADMIN, "GET", "/repos", {"path_prefix": "/Repos/team/r1"})["repos"]
    assert len(found) == 10
    assert site.ok(READER, "GET", "/repos") == {}
    site.ok(ADMIN, "DELETE", f"/repos/{made[0]}")
    site.ok(ADMIN, "POST", "/workspace/delete", {"path": "/Repos/team/r01", "recursive": True})
    assert "next_page_token" not in site.ok(ADMIN, "GET", "/repos")
    assert site.refused(ADMIN, "GET", f"/repos/{made[1]}", {}) == (
        404,
        "RESOURCE_DOES_NOT_EXIST",
        "Repo could not be found",
    )
    work_trees = {folder.name for folder in (site.folder / "databricks" / HOST / "git").iterdir()}
    assert work_trees == {str(each) for each in made[2:]}


def test_permissions_of_a_git_folder(site: Site, remote: Remote) -> None:
    repo = clone(site)
    assert site.refused(READER, "GET", f"/repos/{repo['id']}", {})[0] == 403
    acl = [{"user_name": "ada@example.org", "permission_level": "CAN_EDIT"}]
    shown = site.ok(ADMIN, "PUT", f"/permissions/repos/{repo['id']}", {"access_control_list": acl})
    assert (shown["object_id"], shown["object_type"]) == (f"/repos/{repo['id']}", "repo")
    assert site.ok(READER, "GET", f"/repos/{repo['id']}")["id"] == repo["id"]
    assert site.refused(READER, "PATCH", f"/repos/{repo['id']}", {"branch": "main"})[0] == 403
    assert site.refused(READER, "DELETE", f"/repos/{repo['id']}", {})[0] == 403
    assert site.ok(READER, "GET", "/repos") == {}


def test_git_folders_survive_a_restart(site: Site, remote: Remote) -> None:
    repo = clone(site)
    site.close()
    clones = site.folder / "databricks" / HOST / "git"
    (clones / "half").mkdir()
    (clones / "1.part").touch()
    site.open()
    assert [each.name for each in clones.iterdir()] == [str(repo["id"])]
    commit = remote.commit({"README.md": "newer"})
    assert update(site, repo, branch="main")["head_commit_id"] == commit
    assert text(site, f"{PATH}/README.md") == "newer"


def test_the_databricks_command(site: Site, remote: Remote, databricks_command: Callable[..., str]) -> None:
    made = databricks_command("repos", "create", "--url", PUBLIC_URL, "--provider", "gitHub", "--path", PATH)
    assert PATH in made
    remote.commit({"README.md": "newer"})
    databricks_command("repos", "update", "--path", PATH, "--branch", "main")
    assert text(site, f"{PATH}/README.md") == "newer"
    assert PATH in databricks_command("repos", "list")
    databricks_command("repos", "delete", "--path", PATH)
    assert listed(site, "/Repos/team") == {}
