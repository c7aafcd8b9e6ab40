"""Loading an environment: every mistake at once, with file, line and key path."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.domain.environment import load_all, load_environment
from slipway.errors import ConfigurationError, UsageError
from tests.unit.domain.conftest import REPOSITORY


def mistakes(root: Path, text: str, name: str = "dev") -> list[str]:
    (root / "config" / "environments" / f"{name}.yml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_environment(root, name)
    return [str(finding) for finding in caught.value.findings]


def test_the_repositorys_own_configuration_is_right() -> None:
    names = [environment.name for environment in load_all(REPOSITORY)]
    assert {"dev", "test", "prod"} <= set(names)
    prod = load_environment(REPOSITORY, "prod")
    assert prod.production and prod.jobs.schedules == "as_defined"
    assert prod.integration_test.cluster["num_workers"] == 2
    assert prod.databricks.root == "/Workspace/Slipway/bikeshare/prod"
    assert prod.secrets["storage-key"].account == prod.resources.storage_account


def test_the_identity_has_a_name_and_azure_devops_a_project_only_where_they_are_given(root: Path) -> None:
    with_both = load_environment(REPOSITORY, "prod")
    assert with_both.azure.release_identity.name == "id-bikeshare-release"
    assert with_both.azure_devops is not None
    assert with_both.azure_devops.approvers == (r"[Slipway]\Project Administrators",)
    (root / "config" / "environments" / "dev.yml").write_text(
        "azure: {release_identity: {name: null}}\nazure_devops: null\n"
    )
    without = load_environment(root, "dev")
    assert without.azure.release_identity.name is None
    assert without.azure_devops is None


def test_all_mistakes_are_found_at_once(root: Path) -> None:
    found = mistakes(
        root,
        "production: true\n"
        "nope: 1\n"
        "azure:\n"
        "  location: West Europe\n"
        "  state: {container: '{{ nothing.here }}'}\n"
        "  tenant_id: null\n"
        "databricks:\n"
        "  root: /Workspace/Shared/x\n"
        "jobs:\n"
        "  run_as: {user_name: a@b, service_principal_name: 4e1b2a3c-0d5f-4a6b-8c7d-9e8f7a6b5c4d}\n"
        "integration_test: {timeout_minutes: yes}\n",
    )
    text = "\n".join(found)
    for expected in (
        "dev.yml:2: nope: unknown key",
        "dev.yml:4: azure.location: 'West Europe' is not",
        "dev.yml:5: azure.state.container: {{ nothing.here }} is not defined",
        "azure.tenant_id: is missing",
        "dev.yml:8: databricks.root: production must not lie under /Shared",
        "jobs.run_as: needs exactly one",
        "integration_test.timeout_minutes: must be a whole number, not the truth value true",
    ):
        assert expected in text
    assert len(found) == 7


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("resources: {storage_account: st-x}", "resources.storage_account: 'st-x' is not a storage account's name"),
        ("resources: {storage_account: aa}", "resources.storage_account"),
        (f"resources: {{storage_account: {'a' * 25}}}", "resources.storage_account"),
        ("resources: {storage_account: UPPER}", "resources.storage_account"),
        ("resources: {key_vault: 1vault}", "resources.key_vault"),
        ("resources: {key_vault: a--b}", "resources.key_vault"),
        (f"resources: {{key_vault: {'v' * 25}}}", "resources.key_vault"),
        (f"secret_scope: {{name: {'s' * 129}}}", "secret_scope.name"),
        ("secret_scope: {name: 'a b'}", "secret_scope.name"),
        ("secret_scope: {backend: key_vault}", "secrets.storage-key.to: a scope with the key_vault backend"),
        ("secret_scope: {backend: file}", "secret_scope.backend: must be databricks or key_vault"),
        (
            "azure: {release_identity: {name: id}}",
            "azure.release_identity.name: 'id' is not a user-assigned identity's name",
        ),
        ("azure_devops: {organization: https://dev.azure.com/a/}", "azure_devops.organization"),
        ("azure_devops: {organization: http://dev.azure.com/a}", "azure_devops.organization"),
        ("azure_devops: {project: a/b}", "azure_devops.project"),
        ("azure_devops: {approvers: me}", "azure_devops.approvers"),
        ("secrets: {x: {from: key_vault, to: scope}}", "secrets.x.secret: is missing"),
        ("secrets: {x: {from: key_vault, secret: x, to: key_vault}}", "copied onto itself"),
        ("secrets: {x_y: {from: environment_variable, variable: X, to: key_vault}}", "a vault secret's name"),
        (
            "secrets: {x: {from: storage_key, account: abc, variable: V, to: scope}}",
            "secrets.x.variable: does not belong",
        ),
        ("databricks: {host: http://x}", "databricks.host"),
        ("databricks: {host: https://X/}", "databricks.host"),
        ("databricks: {root: /Workspace/a/../b}", "databricks.root"),
        ("databricks: {root: /Workspace/a/}", "databricks.root"),
        ("databricks: {root: /Users/x}", "databricks.root"),
        ("resources: {template: ../main.json}", "resources.template"),
        ("resources: {template: /etc/passwd}", "resources.template"),
        ("integration_test: {cluster: {existing_cluster_id: x}}", "cluster.existing_cluster_id: an existing cluster"),
        ("integration_test: {parameters: {rows: 2000}}", "must be text, not the number 2000; quote it"),
        ("notebooks: {slot: x}", "notebooks.slot: is written by Slipway itself"),
        ("app: 'a\nb'", "app"),
        ("archive: {keep: 1}", "archive.keep: must be from 3"),
        ("azure: [1]", "azure: must be a mapping, not a list"),
        ("jobs: {values: {workers: [1]}}", "jobs.values.workers: must be text, a number"),
        ("notebooks: {day: 2026-01-01}", "notebooks.day: must be text, not a date; quote it"),
    ],
)
def test_each_rule(root: Path, text: str, expected: str) -> None:
    assert any(expected in finding for finding in mistakes(root, text)), mistakes(root, text)


@pytest.mark.parametrize(
    "name", ["../dev", "DEV", "dev.yml", "", "a b", "x" * 50, "dev\n", "/etc/passwd", "dev/../dev"]
)
def test_hostile_and_unknown_names_are_refused_and_the_known_listed(root: Path, name: str) -> None:
    with pytest.raises(UsageError, match="Environments here: dev"):
        load_environment(root, name)


def test_a_file_that_can_not_be_read_is_one_mistake(root: Path) -> None:
    (only,) = mistakes(root, "a: [")
    assert only.startswith("config/environments/dev.yml:2: not valid YAML")
    (root / "config" / "environments" / "dev.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="can't be read"):
        load_environment(root, "dev")


def test_missing_defaults_are_named(root: Path) -> None:
    (root / "config" / "defaults.yml").unlink()
    with pytest.raises(ConfigurationError, match=r"config/defaults\.yml: is missing"):
        load_environment(root, "dev")


def test_environments_do_not_share_what_holds_a_release(root: Path) -> None:
    (root / "config" / "environments" / "uat.yml").write_text("databricks: {root: /Workspace/Slipway/bikeshare/dev}\n")
    with pytest.raises(ConfigurationError) as caught:
        load_all(root)
    assert [f.path for f in caught.value.findings] == ["databricks.root"]
    assert "is used by dev as well" in caught.value.findings[0].text


def test_no_environment_has_its_state_where_the_audit_is(root: Path) -> None:
    (root / "config" / "environments" / "uat.yml").write_text("azure: {state: {container: audit}}\n")
    with pytest.raises(ConfigurationError) as caught:
        load_all(root)
    assert [f.path for f in caught.value.findings] == ["azure.state.container"]
    assert "is used by the audit as well" in caught.value.findings[0].text


def test_a_mistake_in_the_defaults_is_said_once(root: Path) -> None:
    path = root / "config" / "defaults.yml"
    path.write_text(path.read_text().replace("location: westeurope", "location: West"))
    (root / "config" / "environments" / "uat.yml").write_text("")
    with pytest.raises(ConfigurationError) as caught:
        load_all(root)
    assert len([f for f in caught.value.findings if f.path == "azure.location"]) == 1
