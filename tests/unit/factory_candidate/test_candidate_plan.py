"""Copies stand for exactly what differs, call each other, and touch nothing that is live."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.domain.factory.candidate import (
    ANNOTATION,
    COPIED,
    CandidatePlan,
    Source,
    candidate_name,
    is_candidate,
    plan_candidate,
    removals,
    rename,
    steer,
)
from slipway.domain.factory.comparison import body
from slipway.domain.factory.export_notebooks import map_notebooks
from slipway.domain.factory.export_parameters import Secret
from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.domain.factory.references import references
from tests.unit.factory_candidate.candidate_factories import (
    FOLDER,
    MANIFEST,
    READ,
    altered,
    by_key,
    dataflow,
    dataset,
    factories,
    linked_service,
    live,
    lives,
    pipeline,
    reference,
    trigger,
)
from tests.unit.factory_import.fake_factory import FakeFactory
from tests.unit.steps.fakes import Changes

CHANGES = {"limit": 3}


def planned(
    wanted: list[FactoryObject], there: list[FactoryObject], manifest: str = MANIFEST, **more: Any
) -> CandidatePlan:
    tested = more.pop("tested", ())
    plan, findings = plan_candidate(Source(wanted, FOLDER, **more), there, manifest=manifest, tested=tested)
    assert findings == []
    return plan


def refused(wanted: list[FactoryObject], there: list[FactoryObject], **more: Any) -> list[str]:
    plan_findings = plan_candidate(Source(wanted, FOLDER), there, manifest=MANIFEST, **more)[1]
    return [str(finding) for finding in plan_findings]


def copied(plan: CandidatePlan) -> set[str]:
    return {str(copy.original) for level in plan.copies for copy in level}


def carry_out(factory: FakeFactory, plan: CandidatePlan) -> None:
    """In the factory's own rules: no reference to nothing, no deletion of what is used."""
    for level in plan.puts:
        for item in level:
            factory.put(item.kind, item.name, body(item))
    for item in plan.left_overs:
        factory.delete(item.kind, item.name)


def factory_with(items: list[FactoryObject]) -> FakeFactory:
    factory = FakeFactory(Changes())
    factory.seed(*items)
    return factory


DS, DF, LS = dataset("ds"), dataflow("df", reference(Kind.DATASETS, "DS")), linked_service()
LOW = pipeline("low", reference(Kind.DATAFLOWS, "df"))
TOP = pipeline("top", reference(Kind.PIPELINES, "low"))
SCORE = pipeline("score", notebook=READ)
DAILY = pipeline("daily", reference(Kind.PIPELINES, "score"))
ALONE = pipeline("alone")
WHOLE = [LS, DS, DF, LOW, TOP, SCORE, DAILY, ALONE, trigger("every day", "daily")]


def test_nothing_is_copied_where_nothing_differs() -> None:
    plan = planned(WHOLE, live(WHOLE))
    assert not plan.copies
    assert not plan.puts
    assert not plan.left_overs


def test_a_changed_dataset_takes_all_that_lead_to_it_along() -> None:
    there = live([*(item for item in WHOLE if item is not DS), altered(DS)])
    plan = planned(WHOLE, there)
    assert copied(plan) == {"datasets/ds", "dataflows/df", "pipelines/low", "pipelines/top"}
    assert [[copy.original.name for copy in level] for level in plan.copies] == [["ds"], ["df"], ["low"], ["top"]]
    top = plan.copies[3][0]
    assert top.why == "uses low"
    assert [found.name for found in references(top.item)] == ["low__candidate_1a2b3c4d"]
    assert top.item.folder == "candidate/1a2b3c4d"


def test_a_tested_pipeline_is_copied_with_what_leads_to_the_release_folder_and_nothing_else() -> None:
    both = pipeline("both", reference(Kind.PIPELINES, "daily"), reference(Kind.PIPELINES, "top"))
    wanted = [*WHOLE, both]
    plan = planned(wanted, live(wanted), tested=["BOTH"])
    assert copied(plan) == {"pipelines/both", "pipelines/daily", "pipelines/score"}
    found = {copy.original.name: copy for level in plan.copies for copy in level}
    assert {item.name for item in references(found["both"].item)} == {"top", "daily__candidate_1a2b3c4d"}
    notebook = found["score"].item.properties["activities"][0]["typeProperties"]["notebookPath"]
    assert notebook == {"value": f"@concat('{FOLDER}', '/notebooks/score')", "type": "Expression"}


def test_a_first_release_copies_all_and_makes_what_is_shared() -> None:
    plan = planned(WHOLE, [])
    assert copied(plan) == {str(item) for item in WHOLE if item.kind in COPIED}
    assert [[str(item) for item in level] for level in plan.shared] == [["linkedServices/ls"]]
    assert "triggers" not in {str(item.kind) for level in plan.puts for item in level}


def test_shared_objects_bring_what_they_need_and_unused_ones_wait_for_the_switch() -> None:
    runtime = FactoryObject(Kind.INTEGRATION_RUNTIMES, "ir", {"type": "Managed"})
    via = linked_service(connectVia={"referenceName": "ir", "type": "IntegrationRuntimeReference"})
    plan = planned([runtime, via, linked_service("unused"), SCORE], [])
    assert [[str(item) for item in level] for level in plan.shared] == [
        ["integrationRuntimes/ir"],
        ["linkedServices/ls"],
    ]


def test_a_changed_linked_service_is_used_as_it_is_live_and_named() -> None:
    plan = planned([linked_service(url="new"), SCORE], live([linked_service(url="old")]))
    assert not plan.shared
    assert plan.notes == ("linkedServices/ls changes (properties.url); the candidate uses it as it is live",)


def test_a_changed_global_parameter_makes_its_readers_change() -> None:
    reader = pipeline("reader", wait="@pipeline().globalParameters.limit")
    plan = planned([reader, ALONE], live([reader, ALONE]), global_changes=CHANGES)
    assert [copy.why for copy in plan.copies[0]] == ["reads a global parameter that changes"]
    assert plan.copies[0][0].item.properties["wait"] == "@json('3')"


def test_literal_notebook_paths_lead_to_the_candidates_slot() -> None:
    literal = pipeline("literal", notebook=None, activities=[])
    activity = {"name": "n", "type": "DatabricksNotebook", "typeProperties": {"notebookPath": "/devops-deployed/x"}}
    literal = FactoryObject(Kind.PIPELINES, "literal", {"activities": [activity]}, "x.json")
    paths = {"/devops-deployed": "slot"}
    blue = map_notebooks([literal], paths, "/root/blue")[0]
    green = map_notebooks([literal], paths, "/root/green")[0]
    plan = planned(blue, live(blue), mapped=green, tested=["literal"])
    copy = plan.copies[0][0].item
    assert copy.properties["activities"][0]["typeProperties"]["notebookPath"] == "/root/green/notebooks/x"
    assert not planned(blue, live(blue), mapped=green).copies


def test_what_cannot_be_followed_is_refused_only_where_it_is_copied() -> None:
    odd = pipeline("odd", x="@pipeline().globalParameters[item()]")
    assert refused([odd], [], tested=[]) == [
        "pipeline/odd.json: pipelines/odd properties.x: position 2: which global parameter is read can't be said "
        "before a run"
    ]
    assert refused([odd], live([odd])) == []


def test_other_mistakes_are_all_named() -> None:
    squatter = pipeline("alone__candidate_1a2b3c4d")
    lost = pipeline("lost", reference(Kind.DATASETS, "nowhere"))
    findings = refused([ALONE, lost], live([squatter]), tested=["absent"])
    assert len(findings) == 3
    assert "absent: is to be tested, and there is no such pipeline" in findings[0]
    assert "would have the name alone__candidate_1a2b3c4d, which an object has already" in findings[1]
    assert "needs datasets/nowhere, which is neither in the source nor in the factory" in findings[2]


@pytest.mark.parametrize("kind", COPIED)
def test_names_keep_the_services_limits_and_stay_different(kind: Kind) -> None:
    limit = 140 if kind is Kind.PIPELINES else 260
    names = ["a", "a" * (limit - 20), "a" * (limit - 19), "a" * limit, "a" * (limit - 1) + "b"]
    made = [candidate_name(kind, name, "1a2b3c4d") for name in names]
    assert made[0] == "a__candidate_1a2b3c4d"
    assert len(set(made)) == len(names)
    assert all(len(name) <= limit and name.endswith("__candidate_1a2b3c4d") for name in made)


@pytest.mark.parametrize(
    ("name", "folder", "annotations"),
    [
        ("a", "candidate/1a2b3c4d", [f"{ANNOTATION}1a2b3c4d"]),
        ("a__candidate_1a2b3c4d", "candidate/1a2b3c4d", []),
        ("a__candidate_1a2b3c4d", "candidate/1a2b3c4d", None),
        ("a__candidate_1a2b3c4d", "mine", [f"{ANNOTATION}1a2b3c4d"]),
        ("a__candidate_1a2b3c4d", "candidate/1a2b3c4de", [f"{ANNOTATION}1a2b3c4d"]),
        ("a__candidate_1a2b3c4d", "candidate/1a2b3c4d", [f"{ANNOTATION}ffffffff"]),
        ("a__candidate_1a2b3c4dx", "candidate/1a2b3c4d", [f"{ANNOTATION}1a2b3c4d"]),
        ("a__candidate_tomorrow", "candidate/tomorrow", [f"{ANNOTATION}tomorrow"]),
    ],
)
def test_only_our_own_copies_are_ever_removed(name: str, folder: str, annotations: Any) -> None:
    theirs = pipeline(name, folder={"name": folder}, annotations=annotations)
    assert removals([theirs]) == ()
    ours = pipeline(
        "a__candidate_1a2b3c4d", folder={"name": "candidate/1a2b3c4d/x"}, annotations=[f"{ANNOTATION}1a2b3c4d"]
    )
    assert removals([theirs, ours]) == (ours,)
    trigger_of = FactoryObject(Kind.TRIGGERS, ours.name, ours.properties)
    assert removals([trigger_of]) == ()


def test_a_reference_to_the_object_itself_is_led_to_the_copy() -> None:
    loop = pipeline("loop", reference(Kind.PIPELINES, "Loop"))
    copy = planned([loop], []).copies[0][0].item
    used = copy.properties["activities"][0]["typeProperties"]["ifTrueActivities"][0]
    assert used["typeProperties"]["deep"][0]["it"]["referenceName"] == copy.name


def test_a_copy_in_the_source_is_nobodys_source() -> None:
    copy = planned([LS, SCORE], []).copies[0][0].item
    plan = planned([LS, SCORE, copy], live([LS, SCORE]))
    assert not plan.copies


def test_descriptions_stay_and_secrets_stay_secret() -> None:
    secret = Secret("a@{pipeline().globalParameters.other}")
    text = "@{pipeline().globalParameters.releaseFolder}"
    activity = {"name": text, "type": "X", "description": text, "typeProperties": {"description": text, "name": text}}
    item = pipeline("p", activities=[activity], description=text, annotations=[text], header=Secret("s"))
    steered, problems = steer(item, {"releaseFolder": FOLDER})
    assert problems == []
    assert steered["description"] == text
    assert steered["annotations"] == [text]
    assert isinstance(steered["header"], Secret)
    inner = steered["activities"][0]
    assert (inner["name"], inner["description"]) == (text, text)
    assert inner["typeProperties"] == {"description": FOLDER, "name": FOLDER}
    kept = steer(pipeline("p", x=secret), {"other": 1})[0]["x"]
    assert isinstance(kept, Secret)
    assert kept == secret


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[FactoryObject], list[FactoryObject], list[str]]:
    wanted = draw(factories())
    names = [item.name for item in wanted if item.kind is Kind.PIPELINES]
    tested = draw(st.lists(st.sampled_from(names), max_size=2)) if names else []
    return wanted, draw(lives(wanted)), tested


@settings(max_examples=150)
@given(cases())
def test_no_live_object_is_touched_and_copies_are_closed_under_references(case: Any) -> None:
    wanted, there, tested = case
    factory = factory_with(there)
    plan = planned(wanted, there, tested=tested, global_changes=CHANGES)
    carry_out(factory, plan)  # raises for a reference to nothing
    before, after = by_key(there), by_key(factory.there.values())
    assert {key: after[key] for key in before} == before
    made = {key for key in after if key not in before}
    shared = {item.key for level in plan.shared for item in level}
    assert all(is_candidate(factory.there[key]) for key in made - shared)
    assert shared <= {item.key for item in wanted}
    # Whatever a copy leads to by live objects is the same in the source, and reads nothing that would be different. Of what
    # is copied only because the test starts it, the live object is as good as the copy.
    originals = {copy.original.key for level in plan.copies for copy in level}
    source = {item.key: item for item in wanted}
    for level in plan.copies:
        for copy in level:
            pending = [found.key for found in references(copy.item) if found.key[0] in COPIED]
            while pending:
                key = pending.pop()
                if key in source:
                    assert key not in originals or source[key].name in tested
                    assert after[key] == source[key].properties
                    assert steer(source[key], {**CHANGES, "releaseFolder": FOLDER})[0] == source[key].properties
                    pending += [found.key for found in references(source[key]) if found.key[0] in COPIED]


@settings(max_examples=100)
@given(cases())
def test_a_second_time_changes_nothing_and_removal_leaves_what_was_there(case: Any) -> None:
    wanted, there, tested = case
    factory = factory_with(there)
    plan = planned(wanted, there, tested=tested, global_changes=CHANGES)
    carry_out(factory, plan)
    again = planned(wanted, list(factory.there.values()), tested=tested, global_changes=CHANGES)
    assert again.puts == []
    assert again.left_overs == ()
    assert {copy.item.key for level in again.copies for copy in level} == {
        copy.item.key for level in plan.copies for copy in level
    }
    later = planned(wanted, list(factory.there.values()), "f" * 64, tested=tested, global_changes=CHANGES)
    carry_out(factory, later)
    assert all(item.name.endswith("ffffffff") for item in factory.there.values() if is_candidate(item))
    for item in removals(factory.there.values()):
        factory.delete(item.kind, item.name)  # raises where it is still used
    assert set(factory.there) == {item.key for item in there} | {item.key for level in plan.shared for item in level}


@given(factories())
def test_renaming_there_and_back_is_the_same_object(wanted: list[FactoryObject]) -> None:
    names = {item.key: candidate_name(item.kind, item.name, "1a2b3c4d") for item in wanted if item.kind in COPIED}
    back = {(kind, names[kind, name].lower()): name for kind, name in names}
    for item in wanted:
        there = FactoryObject(item.kind, item.name, rename(item, names))
        assert all(found.name in names.values() for found in references(there) if found.kind in COPIED)
        home = FactoryObject(item.kind, item.name, rename(there, back))
        lowered = {key: name.lower() for key, name in {i.key: i.name for i in wanted}.items()}
        assert rename(home, lowered) == rename(item, lowered)
        assert rename(item, {}) == item.properties
