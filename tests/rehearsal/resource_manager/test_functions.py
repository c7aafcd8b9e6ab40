"""Functions of the template language; expected values from Microsoft's function reference unless a comment says otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.resource_manager.template.errors import ExpressionError, TemplateError
from rehearsal.resource_manager.template.hashes import guid, unique_string
from rehearsal.resource_manager.template.json_reader import JsonError, locate, parse
from rehearsal.resource_manager.template.syntax import parse as parse_expression
from rehearsal.resource_manager.template.syntax import render
from tests.rehearsal.resource_manager.engine import outputs, value
from tests.rehearsal.resource_manager.local_azure import GROUP_ID, SUBSCRIPTION_ID, template

BASE = "/providers/Microsoft.Authorization/roleDefinitions/x"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # strings
        ("concat('a', 1, true())", "a1True"),
        ("format('{0}, {1,5}|{2,-4}|{3:N0}|{4}', 'a', 1, 2, 1234567, true())", "a,     1|2   |1,234,567|True"),
        ("format('{0}', createObject('a', 'b', '!c', 2))", "{'a':'b','!c':2}"),
        ("format('{{{0}}}', 'x')", "{x}"),
        ("padLeft('123', 6, '0')", "000123"),
        ("padLeft(7, 3)", "  7"),
        ("toUpper('aB')", "AB"),
        ("join(createArray('a', 'b'), ', ')", "a, b"),
        ("split('a,b;c', createArray(',', ';'))", ["a", "b", "c"]),
        ("string(createObject('a', createArray(1, true())))", '{"a":[1,true]}'),
        ("string('it''s')", "it's"),
        ("uriComponent('http://contoso.com/a b')", "http%3A%2F%2Fcontoso.com%2Fa%20b"),
        ("uri('http://contoso.org/firstpath', 'myscript.sh')", "http://contoso.org/myscript.sh"),
        ("uri('https://a.b/c/d/', './nested/e.json?x=1')", "https://a.b/c/d/nested/e.json?x=1"),
        ("uri('https://a.b/c/d/', '../e.json')", "https://a.b/c/e.json"),
        ("uri('http://contoso.org/firstpath/', 'myscript.sh')", "http://contoso.org/firstpath/myscript.sh"),
        (
            "uri('http://contoso.org/firstpath/azuredeploy.json', 'myscript.sh')",
            "http://contoso.org/firstpath/myscript.sh",
        ),
        (
            "uri('http://contoso.org/firstpath/azuredeploy.json/', 'myscript.sh')",
            "http://contoso.org/firstpath/azuredeploy.json/myscript.sh",
        ),
        ("base64ToJson(base64('{\"a\":1}')).a", 1),
        ("json('null')", None),
        ("substring('abc', 1)", "bc"),
        ("last('abc')", "c"),
        ("first('')", ""),
        # arrays and objects
        ("contains(createObject('Key', 1), 'KEY')", True),
        ("contains('abc', 'B')", False),
        ("contains(createArray('a', 1), 1)", True),
        ("indexOf(createArray('a', 'b', 'a'), 'a')", 0),
        ("lastIndexOf(createArray('a', 'b', 'a'), 'a')", 2),
        ("length(createObject('a', 1))", 1),
        ("skip('hello', 2)", "llo"),
        ("take(createArray(1, 2, 3), 9)", [1, 2, 3]),
        ("flatten(createArray(createArray(1), createArray(2, 3)))", [1, 2, 3]),
        ("min(createArray(3, 1, 2))", 1),
        ("max(1, 5, 2)", 5),
        ("range(5, 0)", []),
        ("tryGet(createObject('a', 1), 'b')", None),
        ("createObject('a', 1).?b", None),
        ("createArray(1)[?4]", None),
        ("indexFromEnd(createArray('a', 'b'), 1)", "b"),
        (
            "union(createObject('a', createArray(1), 'o', createObject('x', 1)), "
            "createObject('a', createArray(2), 'o', createObject('y', 2)))",
            {"a": [2], "o": {"x": 1, "y": 2}},
        ),
        ("union(createArray(1, 1, 2), createArray(2, 3))", [1, 2, 3]),
        ("shallowMerge(createArray(createObject('o', createObject('x', 1)), createObject('o', 2)))", {"o": 2}),
        ("items(createObject('b', 1, 'A', 2, '0', 3))[0].key", "0"),
        ("objectKeys(createObject('b', 1, 'a', 2))", ["a", "b"]),
        # numbers, logic, comparison
        ("div(-7, 2)", -3),
        ("mod(-7, 3)", -1),
        ("int('10')", 10),
        ("bool('1')", True),
        ("if(false(), div(1, 0), 'lazy')", "lazy"),
        ("or(true(), equals(div(1, 0), 1))", True),
        ("and(not(false()), equals('a', 'A'))", False),
        ("equals(1, true())", False),
        ("greater('A', 'a')", True),
        ("coalesce(null(), 'b')", "b"),
        # dates
        ("dateTimeAdd('2020-01-31T00:00:00Z', 'P1M', 'yyyy-MM-dd')", "2020-02-29"),
        ("dateTimeAdd('2020-03-01 00:00:00Z', '-PT1H30M', 'u')", "2020-02-29 22:30:00Z"),
        ("dateTimeFromEpoch(1683040573)", "2023-05-02T15:16:13Z"),
        ("dateTimeToEpoch('2023-05-02T15:16:13Z')", 1683040573),
        # networks
        ("parseCidr('10.144.0.0/20').lastUsable", "10.144.15.254"),
        ("cidrSubnet('10.144.0.0/20', 24, 1)", "10.144.1.0/24"),
        ("cidrHost('10.144.3.0/24', 0)", "10.144.3.1"),
        # lambdas
        ("map(range(0, 3), lambda('i', mul(lambdaVariables('i'), 2)))", [0, 2, 4]),
        (
            "map(createArray('a'), lambda('v', 'i', format('{0}{1}', lambdaVariables('v'), lambdaVariables('i'))))",
            ["a0"],
        ),
        ("filter(range(0, 5), lambda('i', greater(lambdaVariables('i'), 2)))", [3, 4]),
        ("reduce(range(1, 4), 0, lambda('a', 'b', add(lambdaVariables('a'), lambdaVariables('b'))))", 10),
        ("sort(createArray(3, 1, 2), lambda('a', 'b', less(lambdaVariables('a'), lambdaVariables('b'))))", [1, 2, 3]),
        ("toObject(createArray('x'), lambda('k', lambdaVariables('k')), lambda('k', 1))", {"x": 1}),
        ("groupBy(createArray('a1', 'b1', 'a2'), lambda('s', first(lambdaVariables('s')))).a", ["a1", "a2"]),
        ("mapValues(createObject('a', 1), lambda('v', add(lambdaVariables('v'), 1)))", {"a": 2}),
        # resources
        ("resourceGroup().location", "westeurope"),
        ("subscription().id", SUBSCRIPTION_ID),
        ("environment().suffixes.storage", "core.windows.net"),
        ("deployment().name", "main"),
        ("resourceId('A.B/c/d', 'x/y')", f"{GROUP_ID}/providers/A.B/c/x/d/y"),
        ("subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'x')", SUBSCRIPTION_ID + BASE),
        ("tenantResourceId('Microsoft.Authorization/roleDefinitions', 'x')", BASE),
        (
            "extensionResourceId('/a', 'Microsoft.Authorization/locks', 'l')",
            "/a/providers/Microsoft.Authorization/locks/l",
        ),
        ("CONCAT(toupper('a'), resourcegroup().NAME)", "Arg-app"),
    ],
)
def test_function(expression: str, expected: Any) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("nonsense('a')", "The template function 'nonsense' is not valid"),
        ("concat('a'", "expected token 'RightParenthesis' and actual 'EndOfData'"),
        ("concat('a') concat('b')", "expected token 'EndOfData' and actual 'Identifier'"),
        ("add('1', 2)", "expects its parameter to be an integer. The provided value is of type 'String'"),
        ("if('yes', 1, 2)", "all arguments should be of type 'boolean'"),
        (
            "substring('1234567890', 0, 11)",
            "The index parameter: '0', the length parameter: '11', the length of the string parameter: '10'",
        ),
        ("createObject('one', 1).two", "property 'two' doesn't exist, available properties are 'one'"),
        ("createArray(1)[1]", "array index '1' is out of bounds. Array size '1'"),
        ("div(1, 0)", "can't divide by zero"),
        ("utcNow()", "can only be used in the default value of a parameter"),
        ("copyIndex()", "'copyIndex' is not expected at this location"),
        ("resourceId('A.B/c/d', 'x')", "requires '2' resource name argument"),
        ("length()", "function requires 1 argument(s) while 0 were provided"),
        ("range(0, 10001)", "from 0 to 10000"),
        ("like('a', 'b')", "is not part of this rehearsal"),
        ("managementGroup()", "is not expected at this location"),
        ("toLogicalZone('s', 'westeurope', 'westeurope-az4')", "finds no zone 'westeurope-az4'"),
        ("pickZones('Microsoft.Compute', 'virtualMachines', 'westeurope', 4)", "can't pick 4 of 3 zones"),
        ("providers('Microsoft.Storage', 'none')", "has no resource type 'none'"),
        ("fail('stop here')", "stop here"),
        ("parameters('none')", "The template parameter 'none' is not found"),
        ("variables('none')", "The template variable 'none' is not found"),
        ("json('{')", "cannot be parsed"),
        ("lambda('a', 1)", "takes a lambda function"),
        ("format('{1}', 'a')", "Index (zero based) must be greater than or equal to zero"),
        ("mul(9223372036854775807, 2)", "does not fit into 64 bits"),
    ],
)
def test_refusal(expression: str, sentence: str) -> None:
    with pytest.raises((TemplateError, ExpressionError)) as caught:
        value(expression)
    assert sentence in str(caught.value)


def test_escaped_bracket_is_text() -> None:
    document = template(
        outputs={"a": {"type": "string", "value": "[[concat('a')]"}, "b": {"type": "string", "value": "[x"}}
    )
    assert outputs(document) == {"a": "[concat('a')]", "b": "[x"}


def test_own_functions() -> None:
    member = {
        "parameters": [{"name": "prefix", "type": "string"}],
        "output": {"type": "string", "value": "[concat(toLower(parameters('prefix')), '-x')]"},
    }
    functions = [{"namespace": "contoso", "members": {"uniqueName": member}}]
    assert value("contoso.uniquename('ABC')", functions=functions) == "abc-x"
    member["output"] = {"type": "string", "value": "[variables('v')]"}
    with pytest.raises(TemplateError, match="can't access variables"):
        value("contoso.uniqueName('ABC')", functions=functions, variables={"v": 1})


def test_guid_is_stable() -> None:
    assert guid(["a", "b"]) == guid(["a-b"])
    assert guid(["a"]) != guid(["b"])


@given(st.lists(st.text(), min_size=1, max_size=3))
def test_unique_string_is_always_thirteen_letters(texts: list[str]) -> None:
    found = unique_string([text.encode("utf-8", "replace").decode() for text in texts])
    assert len(found) == 13
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz234567")


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"])))
def test_string_literals_come_back(text: str) -> None:
    expression = parse_expression("['" + text.replace("'", "''") + "']")
    assert parse_expression(f"[{render(expression)}]") == expression


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.text(alphabet=st.characters(blacklist_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc'\"\\", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_lenient_reader_reads_json(document: Any) -> None:
    import json

    text = "/* first */ " + json.dumps(document, indent=1) + " // last"
    assert parse(text) == document


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{a: 1, 'b': \"x\ny\", c: [1, 2,],}", {"a": 1, "b": "x\ny", "c": [1, 2]}),
        ('{"properties": {"template": {"a": 1}, mode: "x"}}', {"properties": {"template": {"a": 1}, "mode": "x"}}),
        ('{"a": -1.5e3}', {"a": -1500.0}),
    ],
)
def test_lenient_reader(text: str, expected: Any) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["", "{", '{"a" 1}', "[1 2]", '{"a": b}', '{"a": "b', "{} x", "[" * 5000])
def test_broken_json_is_refused(text: str) -> None:
    with pytest.raises(JsonError):
        parse(text)


def test_positions() -> None:
    text = '{\n  "a": {\n    "b": [1, "two"]\n  }\n}'
    assert locate(text, ("a",)) == (2, 8)
    assert locate(text, ("a", "b", 1)) == (3, 18)
    assert locate(text, ("a", "c")) is None
