"""Whatever is sent, the answer is one of the service's own: no crash, no kind word for nonsense."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rehearsal.resource_manager.local_azure import GROUP_ID, REPOSITORY, Azure, deployment, envelope, template
from tests.rehearsal.resource_manager.test_main_template import MAIN, values

STATE = json.loads((REPOSITORY / "arm" / "state.json").read_text(encoding="utf-8"))
NONSENSE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 900)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        [
            "",
            "x",
            "/",
            "a/b",
            "[",
            "[]",
            "[[",
            "[x",
            "[concat(",
            "[null()]",
            "[createArray()]",
            "[reference('x')]",
            "[resourceGroup()]",
            "[copyIndex()]",
            "[parameters('tags')]",
            "[variables('storageId')]",
            "[utcNow()]",
            "[json('{')]",
            "[createObject('a', 1).b]",
            "Microsoft.Resources/deployments",
            "Microsoft.Storage/storageAccounts",
            "Microsoft.Authorization/roleAssignments/providers/locks",
            "providers/x",
            "[if(true(), 1, fail('no'))]",
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["copy", "name", "count", "input", "value", "type", "a"]), inner, max_size=3)
    ),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    pairs: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    for key, item in pairs:
        found += places(item, (*path, key))
    return found


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    result = copy.deepcopy(document)
    place = result
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return result


# The fixture is shared by all examples on purpose: only questions are asked, nothing is deployed.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=80)
@given(data=st.data())
def test_broken_templates_are_refused_in_the_services_shape(azure: Azure, data: st.DataObject) -> None:
    if azure.world.resources.get(GROUP_ID) is None:
        azure.group()
    document = data.draw(st.sampled_from([MAIN, STATE]))
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(places(document)))
        document = changed(document, path, data.draw(NONSENSE))
    given_values = {key: value for key, value in values(azure).items() if key in MAIN["parameters"]}
    if "parameters" in document and isinstance(document["parameters"], dict):
        given_values = {key: value for key, value in given_values.items() if key in document["parameters"]}
    for operation in ("validate", "whatIf"):
        status, body = azure.call("POST", deployment(GROUP_ID, "d") + f"/{operation}", envelope(document, given_values))
        assert status in (200, 400, 403, 404, 409, 501), body
        if status != 200:
            assert body["error"]["code"]
            assert "{position}" not in body["error"]["message"]


@pytest.mark.parametrize(
    "value",
    [
        "[" + "not(" * 5000 + "true()" + ")" * 5000 + "]",
        "[" + "'" * 24_575,
        json.loads("[" * 400 + "]" * 400),
    ],
)
def test_too_deep_or_too_long(azure: Azure, value: Any) -> None:
    azure.group()
    resource = {"type": "A.B/c", "apiVersion": "2024-01-01", "name": "n", "properties": {"x": value}}
    status, body = azure.call("POST", deployment(GROUP_ID, "d") + "/validate", envelope(template(resource)))
    assert status in (400, 501), body


def test_body_that_is_nested_too_deeply(azure: Azure) -> None:
    azure.group()
    text = '{"properties": {"mode": "Incremental", "template": ' + "[" * 100_000 + "]" * 100_000 + "}}"
    assert azure.call("POST", deployment(GROUP_ID, "d") + "/validate", text)[0] == 400
