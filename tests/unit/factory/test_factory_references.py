"""Order and rings of any graph of objects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.domain.factory.references import CycleError, order, references
from tests.unit.factory.made import ref


def pipelines(needs: dict[int, set[int]]) -> list[FactoryObject]:
    return [
        FactoryObject(Kind.PIPELINES, f"P{one}", {"x": [ref(f"p{other}", "Pipeline") for other in sorted(needs[one])]})
        for one in needs
    ]


@given(st.dictionaries(st.integers(0, 12), st.sets(st.integers(0, 12), max_size=3), max_size=13))
def test_each_object_comes_after_what_it_needs_or_a_ring_is_named(needs: dict[int, set[int]]) -> None:
    objects = pipelines(needs)
    reachable: dict[int, set[int]] = {one: others & needs.keys() - {one} for one, others in needs.items()}
    for middle in needs:
        for one in needs:
            if middle in reachable[one]:
                reachable[one] = reachable[one] | reachable[middle]
    has_ring = any(one in others for one, others in reachable.items())
    try:
        levels = order(objects)
    except CycleError as error:
        assert has_ring
        for ring in error.rings:
            assert [edge.target for edge in ring] == [*(edge.source for edge in ring[1:]), ring[0].source]
        return
    assert not has_ring
    place = {one.key: number for number, level in enumerate(levels) for one in level}
    assert len(place) == len(needs)
    assert all(place[one.key] > place[r.key] for one in objects for r in references(one) if r.key in place)


def test_a_chain_of_any_length_is_ordered() -> None:
    assert len(order(pipelines({one: {one + 1} for one in range(3000)}))) == 3000


def test_where_a_reference_stands() -> None:
    (found,) = references(
        FactoryObject(Kind.TRIGGERS, "t", {"pipelines": [{"pipelineReference": ref("p", "Pipeline")}]})
    )
    assert (found.kind, found.name) == (Kind.PIPELINES, "p")
    assert found.path == ("properties", "pipelines", 0, "pipelineReference", "referenceName")


@pytest.mark.parametrize(
    "value",
    [
        ref("s", "SparkJobDefinition"),
        ref({"value": "@x", "type": "Expression"}, "Pipeline"),
        ref("@item()", "Dataset"),
        {"referenceName": "x"},
        {"referenceName": "x", "type": 3},
        {"activity": "x", "type": "ActivityDependency"},
    ],
)
def test_what_is_no_reference(value: object) -> None:
    assert references(FactoryObject(Kind.PIPELINES, "p", {"x": value})) == []


def test_kinds_are_known_by_their_types_without_regard_to_case() -> None:
    assert Kind.of_type("microsoft.datafactory/factories/LINKEDSERVICES") is Kind.LINKED_SERVICES
    assert Kind.of_type("Microsoft.DataFactory/factories/globalParameters") is Kind.GLOBAL_PARAMETERS
    assert Kind.of_type("Microsoft.DataFactory/factories") is None
