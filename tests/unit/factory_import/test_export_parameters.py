"""Every parameter gets a value, secure ones only from the environment; expressions are those that exports have."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.factory.comparison import digest, holds_secret
from slipway.domain.factory.export_expressions import Evaluator, Unsupported, is_expression, literal
from slipway.domain.factory.export_parameters import Declaration, Secret, Values, VaultSecret, override_of, resolve
from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.errors import Finding


def declared(name: str, kind: str = "string", **more: Any) -> Declaration:
    return Declaration(name, kind, more.get("default"), "default" in more, "t.json")


def values(
    declarations: list[Declaration], file: dict[str, Any] | None = None, **overrides: Any
) -> tuple[Values, list[Finding]]:
    findings: list[Finding] = []
    given_ = {name: override_of(value) for name, value in overrides.items()}
    result = resolve(declarations, file or {}, given_, factory="adf-test", configuration="test.yml", find=findings)
    return result, findings


def test_the_environment_wins_over_the_file_and_the_file_over_the_default() -> None:
    three = [declared("a", default="1"), declared("b", default="1"), declared("c", default="1")]
    found, findings = values(three, {"a": "2", "b": "2"}, a="3")
    assert findings == []
    assert dict(found.values) == {"a": "3", "b": "2", "c": "1"}
    assert found.kept == ("b", "c")


def test_the_factory_is_the_environments() -> None:
    found, findings = values([declared("factoryName", default="adf-dev")], {"factoryName": "adf-dev"})
    assert (dict(found.values), findings) == ({"factoryName": "adf-test"}, [])
    (finding,) = values([declared("factoryName")], factoryName="adf-x")[1]
    assert "is resources.data_factory" in finding.text


@pytest.mark.parametrize("kind", ["secureString", "securestring", "secureObject"])
@pytest.mark.parametrize("file", [{}, {"a": ""}, {"a": "planted-dev-secret"}])
def test_a_secure_parameter_never_keeps_the_exports_value(kind: str, file: dict[str, Any]) -> None:
    found, (finding,) = values([declared("a", kind, default="planted-default")], file)
    assert "is secure and has no value" in finding.text
    assert "planted" not in str(finding)
    assert "a" not in found.values


def test_secrets_of_the_vault() -> None:
    found, findings = values(
        [declared("a", "secureString"), declared("b")], a={"key_vault": "kv-a"}, b={"key_vault": "kv-b"}
    )
    assert findings == []
    assert dict(found.vault) == {"a": "kv-a", "b": "kv-b"}
    filled = found.with_secrets({"kv-a": "planted-1", "kv-b": "planted-2"})
    assert filled.values == {"a": "planted-1", "b": "planted-2"}
    assert "planted" not in repr(filled) + repr(list(filled.values.values()))


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("secureString", "", "is secure and empty"),
        ("secureObject", {}, "is secure and empty"),
        ("string", 5, "must be text; quote it"),
        ("int", "5", "must be a whole number"),
        ("int", True, "must be a whole number"),
        ("bool", "true", "must be true or false"),
        ("array", "x", "must be a list"),
        ("object", [], "must be a mapping"),
        ("array", {"key_vault": "x"}, "a secret is text"),
    ],
)
def test_values_of_the_wrong_form(kind: str, value: Any, text: str) -> None:
    (finding,) = values([declared("a", kind)], a=value)[1]
    assert text in finding.text
    assert (finding.file, finding.path) == ("test.yml", "data_factory.parameters.a")


def test_an_override_that_names_no_parameter_says_which_one_was_meant() -> None:
    (finding,) = values([declared("ls_url", default="x")], ls_urls="y")[1]
    assert finding.text.endswith("did you mean ls_url?")


def test_case_does_not_matter_as_in_resource_manager() -> None:
    found, findings = values([declared("LS_Url", default="x")], ls_url="y")
    assert (found.values["LS_Url"], findings) == ("y", [])
    (finding,) = values([declared("LS_Url", default="x")], ls_url="y", LS_URL="z")[1]
    assert "twice" in finding.text


def test_a_default_is_template_text_and_a_files_value_is_not() -> None:
    both = [
        declared("a", default="[[x]"),
        declared("b", default="[concat(parameters('factoryName'), '!')]"),
        declared("c"),
    ]
    found, findings = values(both, {"c": "[[x]"})
    assert findings == []
    assert dict(found.values) == {"a": "[x]", "b": "adf-test!", "c": "[[x]"}


@given(st.text(), st.text())
def test_a_secret_stays_secret_in_longer_text(before: str, after: str) -> None:
    quoted = [text.replace("'", "''") for text in (before, after)]
    secret = Secret("planted")
    made = Evaluator({"s": secret}).value(f"[concat('{quoted[0]}', parameters('s'), '{quoted[1]}')]")
    assert made == f"{before}planted{after}"
    assert holds_secret({"deep": [made]})
    assert repr(made) == "'***'"
    one, two = (FactoryObject(Kind.LINKED_SERVICES, "x", {"p": Secret(text)}) for text in ("planted", "other"))
    assert digest(one) == digest(two)


@given(st.text())
def test_studios_escaping_is_undone(text: str) -> None:
    written = f"[{text}" if text.startswith("[") else text
    assert Evaluator({}).value({"x": [written]}) == {"x": [text]}
    assert not is_expression(written)
    assert literal(written) == text


def test_names_and_formats() -> None:
    known = Evaluator(
        {"factoryName": "adf", "n": 5, "o": {"k": "[[not]"}}, {"id": "[concat('f/', parameters('FACTORYNAME'))]"}
    )
    assert known.value("[concat(parameters('factoryName'), '/it''s')]") == "adf/it's"
    assert known.value("[format('{0}/{1}{{}}', parameters('factoryName'), 5)]") == "adf/5{}"
    assert known.value("[ variables( 'id' ) ]") == "f/adf"
    assert known.value("[parameters('o')]") == {"k": "[[not]"}
    assert known.value("[concat('n=', parameters('n'))]") == "n=5"


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "[x]",
        "[concat(]",
        "[concat('a')",
        "[concat('a' 'b')]",
        "[parameters('a').b]",
        "[parameters(1)]",
        "[f('x')]",
        "[concat('a'))]",
        "[parameters('none')]",
        "[variables('none')]",
        "[format('{0}')]",
        "[format('{0:x}', 1)]",
        "[concat(parameters('o'))]",
        "[" + "concat(" * 200 + ")" * 200 + "]",
    ],
)
def test_what_can_not_be_evaluated_is_refused(text: str) -> None:
    if not is_expression(text):
        return
    with pytest.raises(Unsupported):
        Evaluator({"o": {}}).value(text)


@given(st.text("[]()',concatprmes 0123", max_size=40))
def test_any_expression_is_evaluated_or_refused(text: str) -> None:
    try:
        Evaluator({"a": "1"}).value(f"[{text}]")
    except Unsupported as error:
        assert (
            "position" in str(error)
            or "declared" in str(error)
            or "no export has" in str(error)
            or "needs" in str(error)
        )


def test_override_of() -> None:
    assert override_of({"key_vault": "x"}) == VaultSecret("x")
    assert override_of({"key_vault": "x", "more": 1}) == {"key_vault": "x", "more": 1}
