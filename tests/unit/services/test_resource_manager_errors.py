"""Errors of Resource Manager, however nested, become lines that name the place in our file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.errors import AuthenticationError, Conflict, ReleaseError, ServiceError
from slipway.services.resource_manager.errors import finding_for, refusal, unpack
from slipway.services.resource_manager.template_lines import Template, read_template
from slipway.services.resource_manager.template_names import name_pattern

TEMPLATE = """{
  "parameters": {
    "account": { "type": "string" }
  },
  "resources": [
    {
      "type": "Microsoft.KeyVault/vaults",
      "name": "[parameters('vault')]"
    },
    {
      "type": "Microsoft.Storage/storageAccounts",
      "name": "[parameters('account')]",
      "resources": [
        {
          "type": "blobServices/containers",
          "name": "[format('default/{0}', parameters('container'))]"
        }
      ]
    },
    {
      "type": "Microsoft.Storage/storageAccounts",
      "name": "[format('{0}logs', parameters('account'))]"
    }
  ]
}"""
VALUES = {"account": "stx", "vault": "kv-x", "container": "data"}


@pytest.fixture
def template(tmp_path: Path) -> Template:
    (tmp_path / "main.json").write_text(TEMPLATE)
    return read_template(tmp_path / "main.json", "arm/main.json")


def test_json_in_strings_in_json() -> None:
    inner = json.dumps({"error": {"code": "StorageAccountAlreadyTaken", "message": "The name is taken."}}, indent=1)
    error = {
        "error": {
            "code": "DeploymentFailed",
            "message": "At least one resource deployment operation failed.",
            "details": [{"code": "Conflict", "message": inner.replace("\n", "\r\n"), "target": "/x/stx"}],
        }
    }
    assert [(one.code, one.message, one.target) for one in unpack(error)] == [
        ("StorageAccountAlreadyTaken", "The name is taken.", "/x/stx")
    ]


def test_several_and_once_each() -> None:
    one, two = {"code": "A", "message": "a"}, {"code": "B", "message": "b"}
    error = {"code": "MultipleErrorsOccurred", "message": "look inside", "details": [one, two, one]}
    assert [str(problem) for problem in unpack(error)] == ["A: a", "B: b"]


def test_only_a_wrapper_is_better_than_nothing() -> None:
    assert str(unpack({"code": "DeploymentFailed", "message": "It failed."})[0]) == "DeploymentFailed: It failed."
    assert len(unpack(None)) == 1


@settings(deadline=None)
@given(
    error=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(alphabet='{}[]":,ab \\', max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["error", "code", "message", "details", "target", "additionalInfo", "info", "path"]),
                inner,
                max_size=5,
            )
        ),
        max_leaves=15,
    )
)
def test_any_error_is_unpacked(error: Any) -> None:
    assert all(isinstance(str(problem), str) for problem in unpack(error))
    assert unpack(error)


@pytest.mark.parametrize(
    ("error", "line", "shown"),
    [
        (
            {
                "code": "InvalidTemplate",
                "message": "m",
                "additionalInfo": [
                    {"type": "TemplateViolation", "info": {"path": "properties.template.resources[1].name"}}
                ],
            },
            12,
            "storageAccounts (resources[1])",
        ),
        (
            {"code": "X", "message": "m", "target": "/subscriptions/s/x/providers/Microsoft.KeyVault/vaults/kv-x"},
            6,
            "vaults",
        ),
        (
            {"code": "X", "message": "m", "target": "/x/providers/Microsoft.Storage/storageAccounts/stx"},
            10,
            "resources[1]",
        ),
        ({"code": "X", "message": "m", "target": "/x/providers/Microsoft.Storage/storageAccounts/stxlogs"}, 20, "[2]"),
        (
            {
                "code": "X",
                "message": "m",
                "target": "/x/providers/Microsoft.Storage/storageAccounts/stx/blobServices/default/containers/data",
            },
            14,
            "resources[1]",
        ),
        (
            {"code": "InvalidTemplate", "message": "The template parameter 'account' is not found."},
            3,
            "parameters.account",
        ),
        ({"code": "InvalidTemplate", "message": "The template resource 'kv-x' at line '1' is not valid."}, 6, "vaults"),
        ({"code": "X", "message": "about /providers/Microsoft.Sql/servers/s1"}, None, ""),
        ({"code": "X", "message": "nothing to go by"}, None, ""),
    ],
)
def test_the_place_in_our_file(template: Template, error: Any, line: int | None, shown: str) -> None:
    finding = finding_for(unpack(error)[0], template, VALUES)
    assert (finding.file, finding.line) == ("arm/main.json", line)
    assert shown in finding.path


@pytest.mark.parametrize(
    ("expression", "name", "fits"),
    [
        ("stx", "stx", True),
        ("[parameters('account')]", "STX", True),
        ("[concat('a', '-', parameters('account'))]", "a-stx", True),
        ("[format('{0}/default/{1}', parameters('account'), 'it''s')]", "stx/default/it's", True),
        ("[guid(resourceGroup().id, 'x')]", "1f-2e", True),
        ("[concat('kv', uniqueString(resourceGroup().id))]", "kvabc", True),
        ("[concat('kv', uniqueString(resourceGroup().id))]", "stabc", False),
        ("[format('{0}{7}', 'a')]", "ab", True),
        ("[parameters('account')", "stx", False),
    ],
)
def test_names_are_matched(template: Template, expression: str, name: str, fits: bool) -> None:
    assert bool(re.fullmatch(name_pattern(expression, template, VALUES), name, re.I)) is fits


@given(expression=st.text(alphabet="[]()',{}0aconcatfrm ", max_size=25))
def test_any_name_is_read(expression: str) -> None:
    re.compile(name_pattern(expression, Template("", "", {}, {}), {}))


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("InvalidTemplate", 400, ReleaseError),
        ("AuthorizationFailed", 403, AuthenticationError),
        ("LinkedAuthorizationFailed", 400, AuthenticationError),
        ("DeploymentActive", 409, Conflict),
        ("SkuNotAvailable", 400, ServiceError),
    ],
)
def test_the_kind_of_error(template: Template, code: str, status: int, kind: type[Exception]) -> None:
    error = refusal(
        {"code": code, "message": "why"}, template, VALUES, doing="Deploying", status=status, changed="Nothing."
    )
    assert type(error) is kind
    assert "why" in error.what
    assert error.changed == "Nothing."
