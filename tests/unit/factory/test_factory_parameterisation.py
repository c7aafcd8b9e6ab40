"""Studio's rules for parameters, one by one; the cases are those that real exports showed."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.domain.factory.parameterisation import Definition, Parameter, ParameterReference
from slipway.domain.factory.secrets import secret_properties
from tests.unit.factory.made import linked, secret

TYPE = "Microsoft.DataFactory/factories/"


def apply(kind: Kind, properties: Any, rules: Any = None, name: str = "o") -> tuple[Any, dict[str, Parameter]]:
    """The changed properties, and the parameters by name."""
    definition = Definition(None if rules is None else {kind.type_name: rules})
    changed, parameters = definition.apply(FactoryObject(kind, name, properties))
    return changed, {one.name: one for one in parameters}


def service(connector: str, **settings: Any) -> dict[str, Parameter]:
    """The parameters of a linked service by the default rules."""
    return apply(Kind.LINKED_SERVICES, linked("o", connector, **settings)["properties"])[1]


def pipeline(properties: Any, rules: Any) -> dict[str, Parameter]:
    return apply(Kind.PIPELINES, properties, {"properties": rules})[1]


@pytest.mark.parametrize(
    ("rule", "value", "name", "kind", "default"),
    [
        ("=", "v", "o_properties_a_b", "string", ("v",)),
        ("-", "v", "o_properties_a_b", "string", ()),
        ("|", "v", "o_properties_a_b", "secureString", ("v",)),
        ("=:c", "v", "o_properties_a_c", "string", ("v",)),
        ("=:-c", "v", "o_c", "string", ("v",)),
        ("-::secureString", "v", "o_properties_a", "secureString", ()),
        ("=::int", "5", "o_properties_a", "int", ("5",)),
        ("-::number", 5, "o_properties_a", "int", ()),
        ("=:c:int", "5", "o_properties_a_c", "int", ("5",)),
        ("=:-c:int", "5", "o_c", "int", ("5",)),
        ("=", 5, "o_properties_a_b", "int", (5,)),
        ("=", True, "o_properties_a_b", "bool", (True,)),
        ("=", ["x"], "o_properties_a_b", "array", (["x"],)),
        ("=", {"x": 1}, "o_properties_a_b", "object", ({"x": 1},)),
        ("=", 1.5, "o_properties_a_b", "string", ("1.5",)),
        ("=", {"value": "@x", "type": "Expression"}, "o_properties_a_b", "string", ("@x",)),
        ("-", secret("s"), "o_properties_a_b", "object", ()),
        ("|", secret("s"), "o_properties_a_b_secretName", "string", ("s",)),
        ("|", secret({"value": "@s", "type": "Expression"}), "o_properties_a_b_secretName", "string", ("@s",)),
    ],
)
def test_a_rule_for_a_value(rule: str, value: Any, name: str, kind: str, default: Any) -> None:
    (found,) = pipeline({"a": {"b": value}}, {"a": {"b": rule}}).values()
    assert (found.name, found.type, found.default) == (name, kind, default)


def test_the_parameter_stands_where_the_value_was() -> None:
    value = {"a": {"value": "@x", "type": "Expression"}, "k": secret("s"), "f": 1.5, "n": None, "other": 1}
    changed, _ = apply(Kind.PIPELINES, value, {"properties": {"a": "=", "k": "|", "f": "=", "n": "="}})
    assert changed["a"] == {"value": ParameterReference("o_properties_a"), "type": "Expression"}
    assert changed["k"]["secretName"] == ParameterReference("o_properties_k_secretName")
    assert changed["f"] == ParameterReference("o_properties_f", is_json=True)
    assert (changed["n"], changed["other"]) == (None, 1)
    assert value["f"] == 1.5


def test_lists_drop_their_own_key_for_a_label_or_an_index() -> None:
    items = [{"name": "n1", "t": {"x": 1, "l": [{"egg": "e"}]}}, {"name": "n2", "t": {"x": 2}}]
    rule = {"t": {"x": "=", "l": [{"egg": "="}]}}
    by_index = pipeline({"items": items}, {"items": [rule]})
    assert list(by_index) == ["o_properties_0_t_x", "o_properties_0_t_0_egg", "o_properties_1_t_x"]
    by_label = pipeline({"items": items}, {"items": [rule, "name"]})
    assert list(by_label) == ["o_properties_n1_t_x", "o_properties_n1_t_0_egg", "o_properties_n2_t_x"]
    by_path = pipeline({"items": items}, {"items": [{"name": "="}, "t.x"]})
    assert list(by_path) == ["o_properties_0_name", "o_properties_1_name"]  # the label is no text


def test_a_key_goes_before_a_star() -> None:
    found = pipeline({"a": 1, "b": 2, "c": 3}, {"*": "=", "b": "-:-other"})
    assert list(found) == ["o_properties_a", "o_other", "o_properties_c"]


def test_rules_that_do_not_fit_the_value_do_nothing() -> None:
    assert pipeline({"a": "text", "b": [1], "c": {"d": 1}}, {"a": {"x": "="}, "b": {"x": "="}, "c": ["="]}) == {}
    assert pipeline({"a": 1}, {"a": "*"}) == {}
    assert apply(Kind.PIPELINES, {"a": 1}, "=") == ({"a": 1}, {})


def test_connectors_have_a_level_of_their_own_and_it_replaces_the_star() -> None:
    rules = {
        "*": {"properties": {"typeProperties": {"server": "="}}},
        "MySql": {"properties": {"typeProperties": {"port": "="}}},
        "properties": {"typeProperties": {"database": "="}},
    }
    settings = {"server": "s", "port": 1, "database": "d"}
    of_star = apply(Kind.LINKED_SERVICES, {"type": "Oracle", "typeProperties": settings}, rules)[1]
    of_type = apply(Kind.LINKED_SERVICES, {"type": "MySql", "typeProperties": settings}, rules)[1]
    assert [list(of_star), list(of_type)] == [
        ["o_properties_typeProperties_server"],
        ["o_properties_typeProperties_port"],
    ]


def test_credentials_have_no_such_level() -> None:
    properties = {"type": "ServicePrincipal", "typeProperties": {"token": "t"}}
    assert apply(Kind.CREDENTIALS, properties)[1] == {}  # so the default's own rule has no effect, as in Studio
    assert apply(Kind.CREDENTIALS, properties, {"properties": {"typeProperties": {"token": "="}}})[1]


def test_a_definition_replaces_the_default_whole() -> None:
    assert Definition({}).apply(FactoryObject(Kind.LINKED_SERVICES, "o", {"typeProperties": {"url": "u"}}))[1] == []


def test_secrets_are_parameters_whatever_the_definition_says() -> None:
    properties = {"type": "Sftp", "typeProperties": {"host": "h", "password": {"type": "SecureString", "value": "**"}}}
    changed, found = apply(Kind.LINKED_SERVICES, properties, {})
    assert list(found) == ["o_password"]
    assert found["o_password"].type == "secureString"
    assert found["o_password"].default == ()
    assert found["o_password"].metadata == "Secure string for 'password' of 'o'"
    assert changed["typeProperties"]["password"] == {"type": "SecureString", "value": ParameterReference("o_password")}


@pytest.mark.parametrize(
    ("connector", "settings", "secrets"),
    [
        ("AzureBlobFS", {}, ("accountKey",)),
        ("AzureBlobFS", {"servicePrincipalId": "i"}, ("servicePrincipalCredential",)),
        ("AzureDatabricks", {}, ("accessToken",)),
        ("AzureDatabricksDeltaLake", {}, ("accessToken",)),
        ("AzureFunction", {}, ("functionKey",)),
        ("AmazonS3", {}, ("secretAccessKey",)),
        ("Salesforce", {}, ("password", "securityToken")),
        ("SharePointOnlineList", {"servicePrincipalId": "i"}, ("servicePrincipalKey",)),
        ("DynamicsCrm", {"servicePrincipalId": "i"}, ("servicePrincipalCredential",)),
        ("Dynamics", {"username": "u"}, ("password",)),
        ("AzureBlobStorage", {"servicePrincipalId": "i"}, ("servicePrincipalKey",)),
        ("AzureSqlDatabase", {"authenticationType": "SQL"}, ("password",)),
        ("HDInsight", {}, ("password",)),
        ("Odbc", {"connectionString": "Driver=x", "userName": "u"}, ("password",)),
    ],
)
def test_what_was_encrypted_becomes_the_connectors_secret(connector: str, settings: Any, secrets: Any) -> None:
    assert secret_properties({"type": connector, "typeProperties": settings}) == secrets
    found = service(connector, **settings, encryptedCredential="xyz")
    assert [one.name for one in found.values() if one.secure] == [f"o_{name}" for name in secrets]
    assert "xyz" not in str(found)


def test_beside_a_connection_string_nothing_more_is_secret() -> None:
    changed, found = apply(
        Kind.LINKED_SERVICES,
        linked("o", "AzureBlobStorage", connectionString="A=b;", encryptedCredential="x",
               accountKey={"type": "SecureString", "value": "**********"})["properties"],
    )  # fmt: skip
    assert list(found) == ["o_connectionString"]
    assert changed["typeProperties"] == {"connectionString": ParameterReference("o_connectionString")}


@pytest.mark.parametrize(
    ("settings", "default"),
    [
        ({"connectionString": "Server=s;Database=d"}, ("Server=s;Database=d",)),
        ({"connectionString": "Server=s", "encryptedCredential": "x"}, ()),
        ({"connectionString": "Server=s;Password=hunter2"}, ()),
        ({"connectionString": "Server=s;Password=@{linkedService().p}"}, ("Server=s;Password=@{linkedService().p}",)),
        ({"sasUri": "https://x/?sv=1&sig=abc"}, ()),
    ],
)
def test_a_connection_string_keeps_its_default_only_without_a_secret(settings: Any, default: Any) -> None:
    (found,) = service("AzureSqlDatabase", **settings).values()
    assert (found.type, found.default) == ("secureString", default)


def test_an_encrypted_secret_that_lies_in_the_vault_too_is_not_asked_for() -> None:
    assert service("AzureDatabricks", accessToken=secret("t"), encryptedCredential="x") == {}


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({f"{TYPE}pipeline": {}}, "is no type of resource"),
        ({f"{TYPE}datasets": {"properties": {}}}, "has no effect, as in Studio"),
        ({f"{TYPE}pipelines": {"properties": {"a": [{"b": "yes"}]}}}, "begins with none of"),
    ],
)
def test_rules_without_effect_are_said(rules: Any, said: str) -> None:
    (warning,) = Definition(rules, source="definition.json").warnings
    assert said in warning.text
    assert warning.file == "definition.json"


def test_types_of_resources_are_known_whatever_their_case() -> None:
    rules = {"microsoft.datafactory/FACTORIES/pipelines": {"properties": {"a": "="}}}
    assert len(Definition(rules).apply(FactoryObject(Kind.PIPELINES, "o", {"a": 1}))[1]) == 1
