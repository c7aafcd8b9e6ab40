"""clone_environment: both files written as a person would, and refused when they could not work."""

from __future__ import annotations

import io
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.pipelines.check import check_repository
from rehearsal.pipelines.deployments import deployments
from slipway.domain import clone
from slipway.domain.environment import load_environment
from slipway.errors import NotPossible, UsageError
from slipway.steps import clone_environment

ROOT = Path(__file__).parents[2]

LIST = """\
# The environments.
parameters:
  - name: only
    type: string
    default: ""
  - name: environments
    type: object
    default:
      # for developers
      - name: dev
        serviceConnection: slipway-dev # by federation
        pool: {vmImage: ubuntu-24.04}
        dependsOn: [build]

      # as prod, smaller
      - name: test
        serviceConnection: "slipway-test"
        pool:
          name: agents-test # in the network of test
        dependsOn: [dev]

      - name: prod
        serviceConnection: slipway-prod
        pool: {vmImage: ubuntu-24.04}
        dependsOn: [test]

stages: []
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("config", "templates"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy2(ROOT / "azure-pipelines.yml", tmp_path)
    return tmp_path


def run(project: Path, *arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        code = clone_environment.main(arguments, variables={}, root=project)
    return code, out.getvalue()


def snapshot(project: Path) -> dict[str, str]:
    return {str(path.relative_to(project)): path.read_text() for path in project.rglob("*") if path.is_file()}


def environments_of(project: Path) -> list[str]:
    return [deployment.environment for deployment in deployments(project)]


def test_uat_comes_between_test_and_prod(project: Path) -> None:
    code, output = run(project, "--from", "test", "--to", "uat")
    assert code == 0
    assert environments_of(project) == ["dev", "test", "uat", "prod"]
    assert {d.environment: d.service_connections for d in deployments(project)}["uat"] == ("slipway-uat",)
    assert check_repository(project) == []
    assert load_environment(project, "uat").resources.storage_account == "stbikeshareuat"
    assert "# UAT: the rehearsal of PROD." in (project / "config/environments/uat.yml").read_text()
    for needed in (
        "slipway-uat",
        "Azure DevOps environment uat",
        "stbikeshareuat",
        "kv-bikeshare-uat",
        "bootstrap_environment",
    ):
        assert needed in output


def test_the_order_follows_after(project: Path) -> None:
    assert run(project, "--from", "test", "--to", "hotfix", "--after", "prod")[0] == 0
    waits = {block.name: block.depends_on for block in clone.blocks((project / clone.LIST_FILE).read_text())}
    assert waits == {"dev": ("build",), "test": ("dev",), "prod": ("test",), "hotfix": ("prod",)}


def test_comments_and_other_blocks_stay_as_they_are() -> None:
    after = clone.add_block(LIST, "test", "uat", "test")
    block = (
        "\n      - name: uat\n"
        '        serviceConnection: "slipway-uat"\n'
        "        pool:\n"
        "          name: agents-uat # in the network of test\n"
        "        dependsOn: [test]\n"
    )
    before, _, rest = LIST.partition("\n      - name: prod")
    assert after == before + block + "\n      - name: prod" + rest.replace("dependsOn: [test]", "dependsOn: [uat]")
    assert [block.name for block in clone.blocks(after)] == ["dev", "test", "uat", "prod"]


def test_a_list_in_block_style_keeps_its_style() -> None:
    text = LIST.replace("dependsOn: [test]", "dependsOn:\n          - test\n          - dev")
    after = clone.add_block(text, "prod", "prod2", "test")
    waits = {block.name: block.depends_on for block in clone.blocks(after)}
    assert waits["prod2"] == ("test",)
    assert waits["prod"] == ("prod2", "dev")


def test_the_last_block_of_a_file_without_a_line_end() -> None:
    text = LIST.partition("\nstages")[0].rstrip()
    after = clone.add_block(text, "prod", "copy", "prod")
    assert [block.name for block in clone.blocks(after)] == ["dev", "test", "prod", "copy"]


def test_names_are_replaced_as_words() -> None:
    text = (
        "# TEST, tested by the test team\n"
        "resources:\n"
        "  storage_account: stbikesharetest # TEST\n"
        "  key_vault: kv-bikeshare-test\n"
        "integration_test:\n"
        "  notebook: ./notebooks/integration_test\n"
        "notebooks: {contest: latest, place: test/in}\n"
    )
    assert clone.clone_configuration(text, "test", "uat") == (
        "# UAT, tested by the test team\n"
        "resources:\n"
        "  storage_account: stbikeshareuat # UAT\n"
        "  key_vault: kv-bikeshare-uat\n"
        "integration_test:\n"
        "  notebook: ./notebooks/integration_test\n"
        "notebooks: {contest: latest, place: uat/in}\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--from", "test", "--to", "prod"], 2, "exists already"),
        (["--from", "test", "--to", "test"], 2, "exists already"),
        (
            ["--from", "nowhere", "--to", "uat"],
            2,
            "There is no environment 'nowhere'. Environments here: dev, prod, test",
        ),
        (["--from", "test", "--to", "uat", "--after", "qa1"], 2, "has no block for 'qa1'"),
        (["--from", "test", "--to", "u-at"], 2, "is not a name"),
        (["--from", "test", "--to", "UAT"], 2, "is not a name"),
        (["--from", "test", "--to", "../uat"], 2, "is not a name"),
        (["--from", "test", "--to", ""], 2, "are needed"),
        (["--to", "uat"], 2, "are needed"),
        (["--from", "test", "--to", "useracceptance12345"], 3, "a storage account's name"),
    ],
)
def test_what_cannot_work_is_refused_and_nothing_is_written(
    project: Path, arguments: list[str], code: int, says: str
) -> None:
    before = snapshot(project)
    found, output = run(project, *arguments)
    assert (found, says in output) == (code, True), output
    assert snapshot(project) == before


def test_what_if_shows_both_files_and_writes_neither(project: Path) -> None:
    before = snapshot(project)
    code, output = run(project, "--from", "test", "--to", "uat", "--what-if")
    assert code == 0
    assert "+++ b/config/environments/uat.yml" in output
    assert "+      - name: uat" in output
    assert snapshot(project) == before


def test_a_name_that_another_environment_has_is_found_before_anything_is_written(project: Path) -> None:
    with (project / "config/environments/test.yml").open("a") as file:
        file.write("resources:\n  data_factory: adf-shared\n")
    before = snapshot(project)
    code, output = run(project, "--from", "test", "--to", "uat")
    assert code == 3
    assert "adf-shared is used by test as well" in output
    assert snapshot(project) == before


def test_a_list_that_cannot_be_written_takes_the_new_file_back(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError("read-only")

    before = snapshot(project)
    monkeypatch.setattr(Path, "replace", refuse)
    code, output = run(project, "--from", "test", "--to", "uat")
    assert code == NotPossible.exit_code
    assert "Nothing was changed" in output
    assert snapshot(project) == before


def test_check_names_what_is_missing(project: Path) -> None:
    assert run(project, "--check") == (0, "dev, prod, test: the files and templates/environments.yml fit together.\n")
    (project / "config/environments/qa1.yml").write_text("production: false\n")
    text = (project / clone.LIST_FILE).read_text().replace("serviceConnection: slipway-prod", 'serviceConnection: ""')
    (project / clone.LIST_FILE).write_text(text)
    code, output = run(project, "--check")
    assert code == 3
    assert "config/environments/qa1.yml has no block in templates/environments.yml" in output
    assert "'prod' has no serviceConnection" in output


def test_check_of_one_environment_says_what_azure_needs(project: Path) -> None:
    code, output = run(project, "--check", "--to", "test")
    assert code == 0
    assert (
        "Service connection slipway-test\n      python scripts/setup_azure_devops.py --environment test, after"
        in output
    )
    assert run(project, "--check", "--to", "nowhere")[0] == 2


def test_without_the_list_it_says_so(project: Path) -> None:
    (project / clone.LIST_FILE).unlink()
    code, output = run(project, "--from", "test", "--to", "uat")
    assert code == NotPossible.exit_code
    assert "Run this in the repository" in output


@pytest.mark.parametrize(
    "text", ["", "parameters: []\n", "stages: []\n", "- a\n", "parameters:\n  - name: environments\n"]
)
def test_a_list_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises((NotPossible, UsageError)):
        clone.add_block(text, "test", "uat", "test")


def test_broken_yaml_is_refused() -> None:
    with pytest.raises(NotPossible, match="can't be read"):
        clone.blocks("a: [1")


NAMES = st.from_regex(r"[a-z][a-z0-9]{2,6}", fullmatch=True).filter(
    lambda name: name not in ("build", "yes", "on", "off")
)


@given(names=st.lists(NAMES, min_size=3, max_size=6, unique=True), data=st.data())
def test_any_chain_stays_a_chain(names: list[str], data: st.DataObject) -> None:
    *there, new = names
    text = "parameters:\n  - name: environments\n    type: object\n    default:\n"
    for number, name in enumerate(there):
        before = there[number - 1] if number else "build"
        text += f"      - name: {name}\n        serviceConnection: sc-{name}\n        dependsOn: [{before}]\n"
    source, after = data.draw(st.sampled_from(there)), data.draw(st.sampled_from(there))
    changed = clone.add_block(text, source, new, after)
    expected = list(there)
    expected.insert(there.index(after) + 1, new)
    found = clone.blocks(changed)
    assert [block.name for block in found] == expected
    assert [block.depends_on for block in found] == [("build",), *((name,) for name in expected[:-1])]
    assert [block.service_connection for block in found] == [f"sc-{name}" for name in expected]
    assert set(yaml.safe_load(changed)) == {"parameters"}
