"""Exports are imported through the gateway with the vendor's client, and read back."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rehearsal.gateway.faults import Fault
from slipway.domain.factory.comparison import body, differences
from slipway.domain.factory.export import Definition, parameter_values, read_export, render
from slipway.domain.factory.export_files import find_export
from slipway.domain.factory.export_parameters import override_of
from slipway.domain.factory.git_folder import read_git_folder
from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.errors import NotPossible, ReleaseError, SlipwayError
from tests.rehearsal.factory_import.workbench import REPOSITORY, Workbench
from tests.unit.factory_import import made

SECRET = {"ls_sql_password": {"type": "secureString"}}
OBJECTS = [
    FactoryObject(Kind.MANAGED_VIRTUAL_NETWORKS, "default", {}),
    FactoryObject(
        Kind.MANAGED_PRIVATE_ENDPOINTS,
        "default/pe-vault",
        {"privateLinkResourceId": "/subscriptions/x", "groupId": "vault"},
    ),
    FactoryObject(
        Kind.INTEGRATION_RUNTIMES,
        "ir managed",
        {
            "type": "Managed",
            "typeProperties": {"computeProperties": {"location": "AutoResolve"}},
            "managedVirtualNetwork": {"referenceName": "default", "type": "ManagedVirtualNetworkReference"},
        },
    ),
    FactoryObject(Kind.INTEGRATION_RUNTIMES, "ir-self", {"type": "SelfHosted", "typeProperties": {}}),
    FactoryObject(Kind.CREDENTIALS, "cr-msi", {"type": "ManagedIdentity", "typeProperties": {}}),
    made.linked_service("ls_adb", domain="https://adb-1.azuredatabricks.net", authentication="MSI"),
    made.linked_service(
        "ls_sql", password={"type": "SecureString", "value": made.Parameter("ls_sql_password")}, server="s"
    ),
    made.dataset("ds day", "ls_adb"),
    FactoryObject(
        Kind.DATAFLOWS,
        "df",
        {"type": "MappingDataFlow", "typeProperties": {"sources": [{"dataset": made.reference("Dataset", "ds day")}]}},
    ),
    made.pipeline("inner it's", datasets=["ds day"], description="[dbo].[usp_x]", folder={"name": "a/b"}),
    made.pipeline("outer ñ", calls=["inner it's"]),
    FactoryObject(Kind.PIPELINES, "notebooks", {"activities": [made.notebook("/devops-deployed/score")]}),
    made.trigger("tr_day", "outer ñ"),
    made.trigger("tr_blob", "notebooks", kind="BlobEventsTrigger"),
    made.trigger("tr_off", "notebooks", state="Stopped"),
    FactoryObject(
        Kind.CHANGE_DATA_CAPTURES, "cdc", {"SourceConnectionsInfo": [], "TargetConnectionsInfo": [], "Policy": {}}
    ),
]
CALM = [item for item in OBJECTS if item.name != "tr_blob"]
"""Without the trigger that waits for events: awaiting its subscription takes seconds."""
POLICY: dict[str, Any] = {
    "source": "export",
    "parameters": {"ls_sql_password": "planted-password"},
    "notebook_paths": {"/devops-deployed": "/Shared/test"},
}


def export(path: Path, objects: list[FactoryObject], generation: int = 3, **globals_: Any) -> Path:
    files = made.files_of(
        made.template(objects, SECRET), made.parameters_file({"ls_sql_password": ""}), generation=generation
    )
    if globals_:
        values = {name: {"type": "string", "value": value} for name, value in globals_.items()}
        files["globalParameters/adf-dev_GlobalParameters.json"] = values
    return made.write_zip(path, files)


def definition_of(bench: Workbench, path: Path, parameters: dict[str, Any]) -> Definition:
    files, _ = find_export(path)
    found, _ = read_export(files, target=bench.name)
    overrides = {name: override_of(value) for name, value in parameters.items()}
    values, _ = parameter_values(found, overrides, factory=bench.name, configuration="")
    return render(found, values, factory=bench.name)[0]


def live(bench: Workbench) -> dict[Any, FactoryObject]:
    kinds = [kind for kind in Kind if kind is not Kind.GLOBAL_PARAMETERS]
    return {item.key: item for kind in kinds for item in bench.client.objects(kind)}


def running(bench: Workbench) -> set[str]:
    return {item.name for item in bench.client.objects(Kind.TRIGGERS) if item.properties["runtimeState"] == "Started"}


def requests_of(bench: Workbench) -> list[tuple[str, str]]:
    """Requests to the factory so far: method and path below it."""
    prefix = bench.factory_id
    recent = bench.cloud.call(lambda: list(bench.cloud.gateway.log.recent))
    return [(item["method"], item["path"][len(prefix) :]) for item in recent if item["path"].startswith(prefix)]


@pytest.mark.parametrize("generation", [1, 2, 3])
def test_every_object_is_read_back_as_it_was_exported(bench: Workbench, tmp_path: Path, generation: int) -> None:
    path = export(tmp_path / "e.zip", OBJECTS, generation)
    bench.run(path, POLICY)
    there = live(bench)
    wanted = {item.key: item for item in OBJECTS}
    assert there.keys() == wanted.keys()
    for key, item in wanted.items():
        if item.name not in ("ls_sql", "notebooks"):
            shown = {name: value for name, value in there[key].properties.items() if name != "runtimeState"}
            assert shown == body(item), key
    activity = there[(Kind.PIPELINES, "notebooks")].properties["activities"][0]
    assert activity["typeProperties"]["notebookPath"] == "/Shared/test/score"
    assert there[(Kind.LINKED_SERVICES, "ls_sql")].properties["typeProperties"]["server"] == "s"
    assert running(bench) == {"tr_day", "tr_blob"}
    assert "planted" not in bench.said + str(bench.store.blobs)


def test_an_import_in_which_nothing_changed_costs_at_most_eight_requests(bench: Workbench, tmp_path: Path) -> None:
    kinds = (Kind.PIPELINES, Kind.DATASETS, Kind.LINKED_SERVICES, Kind.TRIGGERS, Kind.DATAFLOWS)
    objects = [item for item in OBJECTS if item.kind in kinds and item.name != "ls_sql"]
    path = export(tmp_path / "e.zip", objects, env="test")
    bench.run(path, {**POLICY, "delete_removed": True})
    before = len(requests_of(bench))
    bench.run(path, {**POLICY, "delete_removed": True})
    made_now = requests_of(bench)[before:]
    assert len(made_now) <= 8, made_now
    assert {method for method, _ in made_now} == {"GET"}
    assert "Nothing to do." in bench.said


def test_only_what_changed_is_written_and_only_its_trigger_stops(bench: Workbench, tmp_path: Path) -> None:
    bench.run(export(tmp_path / "e.zip", OBJECTS[:5] + OBJECTS[5:6] + OBJECTS[7:]), POLICY)
    changed = [
        made.pipeline("inner it's", datasets=["ds day"], description="new") if item.name == "inner it's" else item
        for item in OBJECTS
        if item.name != "ls_sql"
    ]
    before = len(requests_of(bench))
    bench.run(export(tmp_path / "f.zip", changed), POLICY)
    writes = [path for method, path in requests_of(bench)[before:] if method != "GET"]
    assert writes == ["/triggers/tr_day/stop", "/pipelines/inner it's", "/triggers/tr_day/start"]
    assert running(bench) == {"tr_day", "tr_blob"}
    assert not bench.switch_is_open


def test_the_factory_is_never_written_and_global_parameters_made_by_hand_survive(
    bench: Workbench, tmp_path: Path
) -> None:
    mine = {"type": "String", "value": "by hand"}
    bench.client.put_global_parameters({"mine": mine})
    bench.run(export(tmp_path / "e.zip", CALM, env="dev"), {**POLICY, "triggers": "stopped"})
    assert bench.client.global_parameters() == {"mine": mine, "env": {"type": "string", "value": "dev"}}
    policy = {**POLICY, "parameters": {**POLICY["parameters"], "default_properties_env_value": "test"}}
    bench.run(export(tmp_path / "e.zip", CALM, env="dev"), policy)
    assert bench.client.global_parameters() == {"mine": mine, "env": {"type": "string", "value": "test"}}
    assert not [path for method, path in requests_of(bench) if method in ("PUT", "PATCH") and path == ""]


def test_what_if_changes_nothing(bench: Workbench, tmp_path: Path) -> None:
    bench.run(export(tmp_path / "e.zip", CALM), POLICY, what_if=True)
    assert {method for method, _ in requests_of(bench)} == {"GET"}
    assert bench.store.blobs == {}
    assert "+ pipelines/outer ñ" in bench.said


def test_secrets_come_from_key_vault(bench: Workbench, tmp_path: Path) -> None:
    path = export(tmp_path / "e.zip", CALM[:8])
    policy = {**POLICY, "parameters": {"ls_sql_password": {"key_vault": "sql"}}}
    bench.vault = "kv-import"
    with pytest.raises(NotPossible, match="has no sql"):
        bench.run(path, policy)
    assert live(bench) == {}
    bench.put_secret("sql", "planted-in-vault")
    bench.run(path, policy)
    kept = bench.cloud.call(lambda: dict(bench.cloud.world.store.collection("data_factory/credentials")))
    assert "planted-in-vault" in str(kept)
    assert "planted" not in bench.said + str(bench.store.blobs)


def test_removed_objects_go_when_the_environment_says_so(bench: Workbench, tmp_path: Path) -> None:
    bench.run(export(tmp_path / "e.zip", CALM), POLICY)
    left = [item for item in CALM if item.name not in ("outer ñ", "tr_day", "ir-self", "df")]
    bench.run(export(tmp_path / "f.zip", left), POLICY)
    assert "· pipelines/outer ñ is not in the source, and stays" in bench.said
    bench.run(export(tmp_path / "f.zip", left), {**POLICY, "delete_removed": True, "delete_limit_percent": 50})
    assert live(bench).keys() == {item.key for item in left} | {(Kind.INTEGRATION_RUNTIMES, "ir-self")}
    with pytest.raises(NotPossible, match="no pipeline at all"):
        bench.run(
            export(tmp_path / "g.zip", CALM[5:6]),
            {**POLICY, "parameters": {"ls_sql_password": "x"}, "delete_removed": True},
        )


def test_a_factory_in_git_mode_is_refused_outside_dev(bench: Workbench, tmp_path: Path) -> None:
    bench.make_factory(
        {"repoConfiguration": {"type": "FactoryGitHubConfiguration", "accountName": "a", "repositoryName": "r"}}
    )
    path = export(tmp_path / "e.zip", CALM)
    for environment in ("test", "prod"):
        with pytest.raises(NotPossible, match="is linked to Git \\(a/r\\)"):
            bench.run(path, POLICY, environment=environment)
        bench.store.blobs.clear()
        bench.store.etags.clear()
    assert live(bench) == {}
    bench.run(path, POLICY, environment="dev")
    assert len(live(bench)) == len(CALM)


def test_an_unlinked_dev_keeps_everything(bench: Workbench, tmp_path: Path) -> None:
    with pytest.raises(NotPossible, match="may be nowhere else"):
        bench.run(export(tmp_path / "e.zip", CALM), {**POLICY, "delete_removed": True}, environment="dev")


def test_a_bad_export_costs_no_request(bench: Workbench, tmp_path: Path) -> None:
    path = tmp_path / "e.zip"
    path.write_bytes(export(tmp_path / "whole.zip", CALM).read_bytes()[:500])
    before = len(requests_of(bench))
    for bad in (path, export(tmp_path / "f.zip", [made.pipeline("a", calls=["b"])])):
        with pytest.raises(ReleaseError) as caught:
            bench.run(bad, POLICY)
        assert caught.value.findings
    assert len(requests_of(bench)) == before


def test_mapped_notebook_paths_lead_to_the_slot(bench: Workbench, tmp_path: Path) -> None:
    path = export(tmp_path / "e.zip", CALM, releaseFolder="/Workspace/dev")
    policy = {**POLICY, "notebook_paths": {"/devops-deployed": "slot"}}
    with pytest.raises(NotPossible, match="No slot is live"):
        bench.run(path, policy)
    bench.run(path, policy, slot="green")
    root = "/Workspace/Slipway/bikeshare/test/green"
    activity = live(bench)[(Kind.PIPELINES, "notebooks")].properties["activities"][0]
    assert activity["typeProperties"]["notebookPath"] == f"{root}/notebooks/score"
    assert bench.client.global_parameters()["releaseFolder"]["value"] == root
    bench.run(path, {**POLICY, "notebook_paths": {}}, slot="green")
    assert "Not blue/green: pipeline notebooks, activity score: /devops-deployed/score" in bench.said


def test_an_export_older_than_the_git_folder_is_imported_with_a_warning(bench: Workbench, tmp_path: Path) -> None:
    for folder, name, content in (
        ("factory", "adf-dev", {"name": "adf-dev", "location": "westeurope"}),
        ("pipeline", "new", {"name": "new", "properties": {"activities": []}}),
    ):
        made.write_folder(bench.folder / "datafactory" / folder, {f"{name}.json": content})
    bench.run(export(tmp_path / "e.zip", OBJECTS[5:6]), POLICY)
    assert "warning: The export is not of the state that datafactory/ is in" in bench.said
    assert "pipelines/new is not in the export; linkedServices/ls_adb is not in the Git folder any more" in bench.said


def test_the_git_folder_is_deployed_without_an_export(bench: Workbench) -> None:
    shutil.copytree(REPOSITORY / "datafactory", bench.folder / "datafactory")
    folder = read_git_folder(bench.folder / "datafactory")
    policy = {"source": "git", "triggers": "stopped"}
    bench.run(None, policy, slot="blue")
    there = live(bench)
    assert there.keys() == {item.key for item in folder.objects}
    assert [item for item in folder.objects if differences(item, there[item.key])] == []
    assert bench.client.global_parameters()["releaseFolder"]["value"] == "/Workspace/Slipway/bikeshare/test/blue"
    bench.run(None, policy, slot="blue")
    assert "Nothing to do." in bench.said
    with pytest.raises(NotPossible, match="source: git"):
        bench.run(bench.folder, policy)


def test_a_factory_that_is_not_there(bench: Workbench, tmp_path: Path) -> None:
    bench.cloud.call(lambda: bench.cloud.world.resources.delete(bench.factory_id))
    with pytest.raises(NotPossible, match="There is no data factory"):
        bench.run(export(tmp_path / "e.zip", CALM), POLICY)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "status"])
def test_troubles_on_the_way_are_got_over(bench: Workbench, tmp_path: Path, kind: Any) -> None:
    path = f"*/{bench.name}/*"
    bench.cloud.call(
        lambda: bench.cloud.faults.add(Fault(kind=kind, path=path, skip=12, times=2, headers=(("Retry-After", "0"),)))
    )
    bench.run(export(tmp_path / "e.zip", OBJECTS), POLICY)
    assert len(live(bench)) == len(OBJECTS)
    assert running(bench) == {"tr_day", "tr_blob"}


def test_a_service_that_fails_in_the_middle_leaves_triggers_running(bench: Workbench, tmp_path: Path) -> None:
    bench.run(export(tmp_path / "e.zip", OBJECTS), POLICY)
    changed = [
        made.pipeline(item.name, calls=["inner it's"], description="n") if item.name == "outer ñ" else item
        for item in OBJECTS
    ]
    refusal = '{"error": {"code": "BadRequest", "message": "The pipeline is invalid."}}'
    fault = Fault(
        kind="status", method="PUT", path=f"*/{bench.name}/pipelines/outer*", status=400, times=None, body=refusal
    )
    bench.cloud.call(lambda: bench.cloud.faults.add(fault))
    with pytest.raises(
        SlipwayError, match=f"pipelines/outer ñ of data factory {bench.name} failed: The pipeline is invalid"
    ):
        bench.run(export(tmp_path / "f.zip", changed), POLICY)
    assert running(bench) == {"tr_day", "tr_blob"}
    assert not bench.switch_is_open


EXPORTS = os.environ.get("SLIPWAY_FACTORY_EXPORTS")
"""A folder of exports (ZIPs, and folders) of one's own, to try them all."""


def test_exports_of_ones_own(bench: Workbench) -> None:
    if not EXPORTS:
        pytest.skip("SLIPWAY_FACTORY_EXPORTS names no folder")
    counted: Counter[str] = Counter()
    for number, path in enumerate(sorted([*Path(EXPORTS).rglob("*.zip"), *Path(EXPORTS).rglob("export")])):
        bench.name = f"{bench.name.rpartition('-')[0]}-own{number}"
        bench.use_factory(bench.name)
        files, _ = find_export(path)
        secure = [item.name for item in read_export(files, target=bench.name)[0].declared if item.secure]
        parameters = dict.fromkeys(secure, "planted-secret")
        bench.run(path, {"parameters": parameters}, slot="blue")
        there = live(bench)
        wanted = definition_of(bench, path, parameters)
        for item in wanted.objects:
            assert differences(item, there[item.key]) == [], f"{path}: {item}"
        counted["exports"] += 1
        counted["objects"] += len(wanted.objects)
    print(dict(counted))
    assert counted["objects"]
