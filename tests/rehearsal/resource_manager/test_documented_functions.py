"""Examples of the functions' reference pages (learn.microsoft.com/azure/azure-resource-manager/templates/template-functions)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rehearsal.resource_manager.engine import value

DOGS = (
    "createArray("
    "createObject('name', 'Evie', 'age', 5), createObject('name', 'Casper', 'age', 3), "
    "createObject('name', 'Indy', 'age', 2), createObject('name', 'Kira', 'age', 8))"
)
CASES: list[tuple[str, Any]] = [
    ("format('{0}, {1}. Formatted number: {2:N0}','Hello','User',8175133)", "Hello, User. Formatted number: 8,175,133"),
    ("padLeft('123',10,'0')", "0000000123"),
    (
        "parseCidr('10.144.0.0/20')",
        {
            "network": "10.144.0.0",
            "netmask": "255.255.240.0",
            "broadcast": "10.144.15.255",
            "firstUsable": "10.144.0.1",
            "lastUsable": "10.144.15.254",
            "cidr": 20,
        },
    ),
    ("cidrSubnet('10.144.0.0/20',24,3)", "10.144.3.0/24"),
    ("cidrSubnet('10.144.0.0/20',28,1)", "10.144.0.16/28"),
    ("cidrHost('10.144.3.0/24',4)", "10.144.3.5"),
    (
        "parseCidr('fdad:3236:5555::/48')",
        {
            "network": "fdad:3236:5555::",
            "netmask": "ffff:ffff:ffff::",
            "firstUsable": "fdad:3236:5555::",
            "lastUsable": "fdad:3236:5555:ffff:ffff:ffff:ffff:ffff",
            "cidr": 48,
        },
    ),
    ("dateTimeFromEpoch(1683040573)", "2023-05-02T15:16:13Z"),
    ("dateTimeToEpoch('2023-05-02T15:16:13Z')", 1683040573),
    ("dateTimeAdd('2020-04-07 14:53:14Z','P3Y')", "4/7/2023 2:53:14 PM"),
    ("dateTimeAdd('2020-04-07 14:53:14Z','-P9D')", "3/29/2020 2:53:14 PM"),
    ("dateTimeAdd('2020-04-07 14:53:14Z','PT1H')", "4/7/2020 3:53:14 PM"),
    ("div(5,3)", 1),
    ("mod(7,3)", 1),
    ("mul(5,3)", 15),
    ("sub(7,3)", 4),
    ("int('4')", 4),
    ("min(createArray(0,3,2,5,4))", 0),
    ("max(0,3,2,5,4)", 5),
    ("float('3.0')", 3.0),
    ("float('3')", 3.0),
    ("skip(createArray('one','two','three'),2)", ["three"]),
    ("take('one two three',2)", "on"),
    ("skip('one two three',4)", "two three"),
    ("last('One Two Three')", "e"),
    ("lastIndexOf('abcdef','F')", 5),
    ("length(createObject('a',1,'b',2))", 2),
    (
        "flatten(createArray(createArray('one','two'),createArray('three'),createArray('four','five')))",
        ["one", "two", "three", "four", "five"],
    ),
    (
        "shallowMerge(createArray(createObject('one','a','two',1),createObject('three',2)))",
        {"one": "a", "two": 1, "three": 2},
    ),
    (
        "union(createObject('one','a','two','b','three','c1'),createObject('three','c2','four','d','five','e'))",
        {"one": "a", "two": "b", "three": "c2", "four": "d", "five": "e"},
    ),
    (
        "intersection(createObject('one','a','two','b','three','c'),createObject('one','a','two','z','three','c'))",
        {"one": "a", "three": "c"},
    ),
    ("indexFromEnd(createArray('coho','chinook','sockeye'),1)", "sockeye"),
    ("items(createObject('item002',1,'item001',2))", [{"key": "item001", "value": 2}, {"key": "item002", "value": 1}]),
    ("objectKeys(createObject('b',1,'a',2))", ["a", "b"]),
    ("join(createArray('one','two','three'),';')", "one;two;three"),
    ('base64ToJson(base64(\'{"one": "a", "two": "b"}\'))', {"one": "a", "two": "b"}),
    (
        "uriComponent('http://contoso.com/resources/nested/azuredeploy.json')",
        "http%3A%2F%2Fcontoso.com%2Fresources%2Fnested%2Fazuredeploy.json",
    ),
    (
        f"filter({DOGS},lambda('dog',greaterOrEquals(lambdaVariables('dog').age,5)))",
        [{"name": "Evie", "age": 5}, {"name": "Kira", "age": 8}],
    ),
    (f"map({DOGS},lambda('dog',lambdaVariables('dog').name))", ["Evie", "Casper", "Indy", "Kira"]),
    ("map(range(0,4),lambda('i',createObject('i',lambdaVariables('i'))))", [{"i": 0}, {"i": 1}, {"i": 2}, {"i": 3}]),
    ("reduce(createArray(1,2,3),0,lambda('cur','next',add(lambdaVariables('cur'),lambdaVariables('next'))))", 6),
    (
        f"map(sort({DOGS},lambda('a','b',less(lambdaVariables('a').age,lambdaVariables('b').age))),lambda('d',lambdaVariables('d').name))",
        ["Indy", "Casper", "Evie", "Kira"],
    ),
    (
        f"toObject({DOGS},lambda('entry',lambdaVariables('entry').name),lambda('entry',lambdaVariables('entry').age))",
        {"Evie": 5, "Casper": 3, "Indy": 2, "Kira": 8},
    ),
    (
        "groupBy(createArray('foo','bar','baz'),lambda('x',substring(lambdaVariables('x'),0,1)))",
        {"f": ["foo"], "b": ["bar", "baz"]},
    ),
    ("mapValues(createObject('foo','foo'),lambda('val',toUpper(lambdaVariables('val'))))", {"foo": "FOO"}),
    ("bool('true')", True),
    ("bool(1)", True),
    ("bool('false')", False),
    ("bool(0)", False),
    ("and(bool('true'),bool('false'))", False),
    ("not(equals(1,2))", True),
    ("contains(createArray(createObject('a',1)),createObject('a',1))", True),
    ("contains(createObject('one','a'),'ONE')", True),
    ("contains('OneTwoThree','e')", True),
    ("contains('OneTwoThree','z')", False),
    (
        "subscriptionResourceId('Microsoft.Authorization/roleDefinitions','x')",
        "/subscriptions/2c9d8e7f-6a5b-4c3d-8e1f-0a9b8c7d6e5f/providers/Microsoft.Authorization/roleDefinitions/x",
    ),
    ("string(createArray('a','b','c'))", '["a","b","c"]'),
    ("string(5)", "5"),
    ("string(true())", "True"),
    ("distinct(createArray('a','b','a'))", ["a", "b"]),
    ("greaterOrEquals('A','a')", True),
    ("replace('123-123-1234','1234','xxxx')", "123-123-xxxx"),
    ("createArray(null())", [None]),
    ("empty(null())", True),
    ("coalesce(null(),'x')", "x"),
    ("trim('    one two three   ')", "one two three"),
    ("cidrSubnet('fdad:3236:5555::/48', 52, 3)", "fdad:3236:5555:3000::/52"),
    ("cidrHost('fdad:3236:5555:3000::/52', 4)", "fdad:3236:5555:3000::5"),
    (
        "parseUri('https://example.com:8443/a/b?x=1')",
        {"scheme": "https", "host": "example.com", "port": 8443, "path": "/a/b", "query": "?x=1"},
    ),
    (
        "buildUri(createObject('scheme', 'https', 'host', 'example.com', 'path', 'a/b', 'port', 8443, 'query', 'x=1'))",
        "https://example.com:8443/a/b?x=1",
    ),
    ("tryGet(createObject('a', createObject('b', 1)), 'a', 'c')", None),
    ("tryIndexFromEnd(createArray('a'), 2)", None),
]


@pytest.mark.parametrize(("expression", "expected"), CASES)
def test_documented(expression: str, expected: Any) -> None:
    assert value(expression) == expected
