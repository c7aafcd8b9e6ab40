"""The step: reads the release's definitions, puts copies beside the live objects, and takes them away again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from slipway.command import run_step
from slipway.domain.factory.candidate import is_candidate
from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.errors import Conflict, NotPossible, ReleaseError, ServiceError
from slipway.steps import publish_factory_candidate as step
from tests.unit.factory_candidate.candidate_factories import READ, altered, linked_service, live, pipeline, reference
from tests.unit.factory_candidate.candidate_factories import trigger as trigger_of
from tests.unit.factory_candidate.conftest import Bench
from tests.unit.factory_import import made
from tests.unit.steps.fakes import Crash

REPOSITORY = Path(__file__).parents[3]
SCORE = pipeline("score", notebook=READ)
DAILY = pipeline("daily", reference(Kind.PIPELINES, "score"))
TRIGGER = trigger_of("every day", "daily")
OBJECTS = [linked_service(), SCORE, DAILY, TRIGGER]


def copies(bench: Bench) -> dict[str, FactoryObject]:
    """By the name of what they are copies of."""
    return {item.name.partition("__candidate_")[0]: item for item in bench.factory.there.values() if is_candidate(item)}


def factory_changes(bench: Bench) -> list[str]:
    kinds = tuple(f"{verb} {kind}/" for verb in ("put", "delete") for kind in Kind)
    return [text for text in bench.world.changes.log if text.startswith(kinds)]


def test_copies_lead_to_the_idle_slot_and_live_objects_stay(bench: Bench) -> None:
    bench.export(OBJECTS)
    bench.factory.seed(*live([linked_service(), altered(SCORE), DAILY, TRIGGER]))
    before = dict(bench.factory.there)
    bench.publish_slot()
    bench.run()
    assert {key: bench.factory.there[key] for key in before} == before
    manifest = bench.world.state.slots["blue"].manifest
    assert {item.name for item in copies(bench).values()} == {
        f"score__candidate_{manifest[:8]}",
        f"daily__candidate_{manifest[:8]}",
    }
    notebook = copies(bench)["score"].properties["activities"][0]["typeProperties"]["notebookPath"]["value"]
    assert notebook == "@concat('/Workspace/Slipway/bikeshare/prod/blue', '/notebooks/score')"
    assert bench.factory.running("every day")
    assert "score changes (properties.description)" in bench.said
    count = len(factory_changes(bench))
    bench.run()
    assert len(factory_changes(bench)) == count


def test_what_if_changes_nothing(bench: Bench) -> None:
    bench.export(OBJECTS)
    bench.publish_slot()
    count = len(bench.world.changes.log)
    bench.run(what_if=True)
    assert len(bench.world.changes.log) == count
    assert "+ pipelines/score__candidate_" in bench.said


def test_the_next_candidate_takes_the_former_ones_copies_away(bench: Bench) -> None:
    bench.export(OBJECTS)
    bench.publish_slot("1")
    bench.run()
    first = {item.name for item in copies(bench).values()}
    bench.world.change_notebook("something else")
    bench.publish_slot("2")
    bench.run()
    assert not first & {item.name for item in copies(bench).values()}
    assert len(copies(bench)) == 2


def test_unchanged_pipelines_are_copied_only_when_the_test_names_them(bench: Bench) -> None:
    bench.export(OBJECTS)
    bench.factory.seed(*live(OBJECTS))
    bench.publish_slot()
    bench.run()
    assert copies(bench) == {}
    assert "there is nothing to copy" in bench.said
    bench.run(pipeline=["daily"])
    assert set(copies(bench)) == {"daily", "score"}


def test_a_stop_at_every_change_leaves_live_objects_alone_and_the_next_run_ends_it(bench: Bench) -> None:
    bench.export(OBJECTS)
    bench.publish_slot("1")
    bench.run()
    bench.world.change_notebook("something else")
    bench.publish_slot("2")
    start = dict(bench.factory.there)
    log = len(bench.world.changes.log)
    bench.run()
    steps = len(bench.world.changes.log) - log
    end = {key: dict(item.properties) for key, item in bench.factory.there.items()}
    assert steps >= 4
    for stop in range(steps):
        bench.factory.there = dict(start)
        bench.world.changes.stop_at = len(bench.world.changes.log) + stop
        with pytest.raises(Crash):
            bench.run()
        bench.world.changes.revive()
        assert all(bench.factory.there[key] == item for key, item in start.items() if not is_candidate(item))
        bench.run()
        assert {key: dict(item.properties) for key, item in bench.factory.there.items()} == end


def test_remove_takes_every_candidates_copies_and_nothing_else(bench: Bench) -> None:
    bench.export(OBJECTS)
    alike = pipeline("mine__candidate_1a2b3c4d", folder={"name": "candidate/1a2b3c4d"})
    bench.factory.seed(*live([*OBJECTS, alike]))
    before = set(bench.factory.there)
    bench.publish_slot()
    bench.run(pipeline=["daily"])
    bench.remove(what_if=True)
    assert len(copies(bench)) == 2
    bench.remove()
    assert set(bench.factory.there) == before
    bench.remove()
    assert "has no candidate copies" in bench.said
    bench.factory.absent = True
    bench.remove()
    assert "There is no data factory" in bench.said


def test_remove_gives_back_a_claim_that_it_took_itself(bench: Bench) -> None:
    bench.export(OBJECTS)
    bench.publish_slot()
    bench.run()
    held = bench.world.state.claim
    bench.remove()
    assert bench.world.state.claim is not None
    assert bench.world.state.claim.holder == held.holder
    bench.run()
    session = bench.world.session("x")
    session.load()
    session.release_claim()
    bench.remove()
    assert bench.world.state.claim is None


def test_copies_that_somebody_uses_are_named_and_do_not_hold_up_a_release(bench: Bench) -> None:
    bench.export(OBJECTS)
    bench.publish_slot("1")
    bench.run()
    used = copies(bench)["daily"].name
    bench.factory.seed(trigger_of("by hand", used))
    with pytest.raises(ServiceError) as caught:
        bench.remove()
    assert used in caught.value.what
    assert "triggers/by hand" in caught.value.what
    bench.world.change_notebook("something else")
    bench.publish_slot("2")
    bench.run()
    assert "A copy of an earlier candidate stays" in bench.said


def test_a_refused_copy_says_what_was_not_changed(bench: Bench) -> None:
    bench.export(OBJECTS)
    bench.publish_slot()
    bench.world.changes.refuse = lambda what: what.startswith("put pipelines/daily")
    with pytest.raises(ServiceError) as caught:
        bench.run()
    assert "refused: put pipelines/daily__candidate_" in caught.value.what
    assert caught.value.changed == "No live object, trigger or global parameter was changed."
    assert "--remove" in caught.value.next_step
    assert bench.world.state.claim is None


def test_no_candidate_no_factory_no_export_and_mistakes_are_said(bench: Bench) -> None:
    bench.export(OBJECTS)
    assert bench.world.build("1") == 0
    with pytest.raises(NotPossible, match="does not hold a candidate"):
        bench.run()
    bench.world.publish()
    bench.factory.absent = True
    with pytest.raises(NotPossible, match="There is no data factory adf-bikeshare-prod"):
        bench.run()
    bench.factory.absent = False
    bench.factory.linked = True
    with pytest.raises(NotPossible, match="is linked to Git"):
        bench.run()
    bench.factory.linked = False
    odd = pipeline("odd", notebook="@string(pipeline().globalParameters)")
    bench.export([linked_service(), odd])
    bench.publish_slot("2")
    with pytest.raises(ReleaseError, match="can't be made") as caught:
        bench.run()
    assert "position 9" in str(caught.value)
    shutil.rmtree(bench.world.root / "arm")
    bench.publish_slot("3")
    with pytest.raises(ReleaseError, match="has no arm/datafactory"):
        bench.run()
    bench.export([DAILY])
    bench.publish_slot("4")
    with pytest.raises(ReleaseError, match="a mistake") as caught:
        bench.run()
    assert "needs pipelines/score" in str(caught.value)
    assert not copies(bench)


def test_somebody_elses_claim_is_respected(bench: Bench) -> None:
    bench.export(OBJECTS)
    bench.publish_slot()
    bench.world.variables["USER"] = "grace"
    with pytest.raises(Conflict):
        bench.run()
    assert not factory_changes(bench)


def test_secrets_of_new_linked_services_come_from_the_vault(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    token = {"type": "SecureString", "value": made.Parameter("ls_accessToken")}
    service = linked_service(typeProperties={"accessToken": token})
    declared = {"ls_accessToken": {"type": "secureString"}}
    bench.export([service, SCORE], declared, values={"ls_accessToken": {"key_vault": "adb-token"}})
    bench.publish_slot()
    vault: dict[str, str] = {}

    class Services:
        def __init__(self, _context: Any) -> None:
            self.vault = vault

    monkeypatch.setattr("slipway.steps.provision_secrets.Services", Services)
    with pytest.raises(NotPossible, match="has no adb-token"):
        bench.run()
    assert not factory_changes(bench)
    vault["adb-token"] = "dapi-secret-1234"
    bench.run()
    there = bench.factory.there[Kind.LINKED_SERVICES, "ls"]
    assert there.properties["typeProperties"]["accessToken"]["value"] == "dapi-secret-1234"
    assert "dapi-secret-1234" not in bench.said


def test_mapped_notebook_paths_differ_only_where_they_are_tested(bench: Bench) -> None:
    def literal(path: str) -> FactoryObject:
        activity = {"name": "n", "type": "DatabricksNotebook", "typeProperties": {"notebookPath": path}}
        return FactoryObject(Kind.PIPELINES, "literal", {"activities": [activity]})

    bench.export([literal("/devops-deployed/score")], notebook_paths={"/devops-deployed": "slot"})
    bench.world.deploy("1")
    bench.factory.seed(literal("/Workspace/Slipway/bikeshare/prod/blue/notebooks/score"))
    bench.world.change_notebook("something else")
    bench.publish_slot("2")
    bench.run()
    assert copies(bench) == {}
    bench.run(pipeline=["literal"])
    activity = copies(bench)["literal"].properties["activities"][0]
    assert activity["typeProperties"]["notebookPath"] == "/Workspace/Slipway/bikeshare/prod/green/notebooks/score"


def test_the_samples_git_folder_is_read_as_an_export(bench: Bench) -> None:
    shutil.copytree(REPOSITORY / "datafactory", bench.world.root / "datafactory")
    bench.configure({"source": "git"})
    bench.publish_slot()
    bench.run()
    assert set(copies(bench)) == {"score", "daily", "ds_predictions"}
    assert "releaseFolder" not in json.dumps([dict(item.properties) for item in copies(bench).values()])


def test_without_a_source_nothing_is_asked_of_anybody(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run_step(
        step.run,
        description="x",
        options=step._options,
        argv=["--environment", "dev"],
        variables={},
        root=project,
    )
    assert code == 0
    assert "releases no factory objects (data_factory.source: none). Nothing to do." in capsys.readouterr().err
