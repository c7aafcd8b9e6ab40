"""configure: what it asks, what it writes, and what it refuses; in front of a wire that answers as Resource Manager does."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from slipway.domain.environment import load_environment
from slipway.services.credentials import Credential
from slipway.steps import configure
from tests.unit.services.conftest import ROOT, Answer, Wire

TENANT = "7a6f3c1e-52d4-4b8e-9d0a-1f2e3d4c5b6a"
OURS = "2c9d8e7f-6a5b-4c3d-8e1f-0a9b8c7d6e5f"
OTHER, TWIN = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
WORKSPACE = f"/subscriptions/{OTHER}/resourceGroups/rg-data/providers/Microsoft.Databricks/workspaces/dbw-data"

Run = Callable[..., int]


def subscription(number: str, name: str, tenant: str = TENANT, state: str = "Enabled") -> dict[str, str]:
    return {"subscriptionId": number, "displayName": name, "tenantId": tenant, "state": state}


def sees(wire: Wire, *found: dict[str, str]) -> None:
    wire.on("GET", r"/subscriptions\?", Answer(body={"value": list(found)}))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    shutil.copytree(ROOT / "config", root / "config")
    return root


@pytest.fixture
def run(root: Path, wire: Wire, identity: Credential, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr("slipway.steps.configure.credential", lambda _: identity)
    sees(wire, subscription(OURS, "Data"))
    wire.on("GET", "/locations", Answer(body={"value": [{"name": "westeurope"}, {"name": "swedencentral"}]}))
    wire.on("GET", r"/resources\?", Answer(body={"value": []}))
    found = {
        "id": WORKSPACE,
        "name": "dbw-data",
        "location": "swedencentral",
        "properties": {"workspaceUrl": "adb-42.7.azuredatabricks.net"},
    }
    wire.on("GET", rf"{OTHER}/resources\?", Answer(body={"value": [{"id": WORKSPACE}]}))
    wire.on("GET", "/workspaces/dbw-data", Answer(body=found))

    def run(*arguments: str, ask: Callable[[str], str] | None = None) -> int:
        return configure.main(arguments, variables={}, root=root, ask=ask)

    return run


def changes(root: Path, file: str = "config/defaults.yml") -> list[str]:
    before, after = ((base / file).read_text(encoding="utf-8").splitlines() for base in (ROOT, root))
    lines = list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]
    return [f"{line[0]} {line[1:]}" for line in lines if line[0] in "+-"]


def test_everything_by_options_and_only_that_is_changed(run: Run, root: Path, wire: Wire) -> None:
    sees(wire, subscription(OURS, "Data"), subscription(OTHER, "More data"))
    given = ("--subscription", "more data", "--location", "Sweden Central", "--app", "taxi", "--workspace", "dbw-data")
    assert run(*given, "--devops", "https://dev.azure.com/us/Our%20taxis") == 0
    expected = [
        "- app: bikeshare",
        "+ app: taxi",
        f"-   subscription_id: {OURS}",
        f"+   subscription_id: {OTHER}",
        "-   location: westeurope",
        "+   location: swedencentral",
        "-   organization: https://dev.azure.com/slipway",
        "-   project: Slipway",
        '-   approvers: ["[Slipway]\\\\Project Administrators"]',
        "+   organization: https://dev.azure.com/us",
        "+   project: Our taxis",
        "+   approvers: ['[Our taxis]\\Project Administrators']",
        "-   host: https://adb-7405612345678901.1.azuredatabricks.net",
        "-   workspace_resource_id: /subscriptions/{{ azure.subscription_id }}/resourceGroups/rg-databricks/providers/"
        "Microsoft.Databricks/workspaces/dbw-{{ app }}",
        "+   host: https://adb-42.7.azuredatabricks.net",
        f"+   workspace_resource_id: {WORKSPACE}",
    ]
    assert sorted(changes(root)) == sorted(expected)
    assert load_environment(root, "dev").resources.storage_account == "sttaxidev"
    assert run(*given, "--devops", "https://dev.azure.com/us/Our%20taxis") == 0
    assert all(one.method == "GET" for one in wire.sent)


def test_at_most_six_questions_and_enter_keeps_what_is_there(run: Run, root: Path, wire: Wire) -> None:
    sees(wire, subscription(OURS, "Data"), subscription(OTHER, "Other", tenant=TWIN))
    asked: list[str] = []

    def enter(question: str) -> str:
        asked.append(question)
        return ""

    assert run(ask=enter) == 0
    assert 1 <= len(asked) <= 6
    assert changes(root) == []


def test_an_answer_that_is_no_good_is_asked_for_again_and_the_others_are_not_lost(
    run: Run, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = {
        "Location": ["the moon", "swedencentral"],
        "Name": ["Our Taxis", "taxi"],
        "Azure DevOps": ["us/taxis", "none"],
    }

    def answer(question: str) -> str:
        said = next((said for word, said in answers.items() if question.startswith(word)), None)
        return said.pop(0) if said else ""

    assert run(ask=answer) == 0
    assert not any(answers.values())
    said = capsys.readouterr()
    assert "no location 'themoon'" in said.err + said.out
    assert "The project can't be called 'Our Taxis'" in said.err + said.out
    assert {"+   location: swedencentral", "+ app: taxi", "+ azure_devops: null"} <= set(changes(root))
    assert load_environment(root, "dev").azure_devops is None


def test_who_gives_no_good_answer_three_times_is_let_go(run: Run, root: Path) -> None:
    assert run(ask=lambda question: "the moon" if question.startswith("Location") else "") == 2
    assert changes(root) == []


def test_what_an_environment_says_itself_is_named(run: Run, capsys: pytest.CaptureFixture[str], wire: Wire) -> None:
    sees(wire, subscription(OTHER, "More data"))
    assert run("--workspace", "dbw-data") == 0
    said = capsys.readouterr()
    assert (
        "config/environments/prod.yml has its own databricks.host, databricks.workspace_resource_id"
        in said.err + said.out
    )


def test_what_if_writes_nothing(run: Run, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--app", "taxi", "--what-if") == 0
    assert "+app: taxi" in capsys.readouterr().out
    assert changes(root) == []


def test_two_subscriptions_of_one_name_are_told_apart_by_id(
    run: Run, root: Path, wire: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    sees(wire, subscription(OTHER, "Data"), subscription(TWIN, "Data"))
    assert run("--subscription", "Data") == 2
    said = capsys.readouterr()
    assert OTHER in said.err + said.out
    assert TWIN in said.err + said.out
    assert changes(root) == []
    assert run("--subscription", TWIN, "--workspace", "new") == 0
    assert f"+   subscription_id: {TWIN}" in changes(root)


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (("--tenant", TWIN), 9, f"az login --tenant {TWIN}"),
        (("--subscription", "nothing"), 2, "no subscription 'nothing'"),
        (("--location", "the moon"), 2, "no location 'themoon'"),
        (("--workspace", "dbw-of-others"), 2, "no workspace 'dbw-of-others'"),
        (("--devops", "https://example.com/a/b"), 2, "not a project of Azure DevOps"),
        (("--app", "Has Capitals"), 3, "is not an app's name"),
        (("--app", "a-name-with-dashes"), 3, "is not a storage account's name"),
        (("--app", "taxi", "--set", "a=b"), 2, "exclude each other"),
        (("--environment", "dev"), 2, "belongs to --set"),
        (("--environment", "nope", "--set", "app=x"), 2, "no environment 'nope'"),
        (("--set", "app"), 2, "key.path=value"),
        (("--set", "databricks.rout=/Workspace/x"), 3, "unknown key"),
        (("--environment", "dev", "--set", "databricks.readers=me"), 3, "databricks.readers"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_written(
    run: Run, root: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, expected: str
) -> None:
    assert run(*arguments) == code
    said = capsys.readouterr()
    assert expected in said.err + said.out
    for path in (ROOT / "config").rglob("*.yml"):
        assert (root / path.relative_to(ROOT)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((), f"This sign-in (to tenant {TENANT}) sees no subscription"),
        ((subscription(OURS, "Data", state="Disabled"),), "is Disabled"),
    ],
)
def test_a_sign_in_without_a_subscription_that_can_be_used(
    run: Run,
    wire: Wire,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    found: tuple[dict[str, str], ...],
    expected: str,
) -> None:
    monkeypatch.setattr(Credential, "claims", lambda _: {"tid": TENANT})
    sees(wire, *found)
    assert run("--app", "taxi") == 9
    said = capsys.readouterr()
    assert expected in said.err + said.out


def test_a_sign_in_that_has_expired(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Expired:
        def get_token(self, *_: str, **__: Any) -> Any:
            raise ClientAuthenticationError("AADSTS700082: The refresh token has expired due to inactivity.")

    monkeypatch.setattr("slipway.steps.configure.credential", lambda _: Credential(Expired(), who="somebody"))
    assert run("--app", "taxi") == 5
    said = capsys.readouterr()
    assert "AADSTS700082" in said.err + said.out
    assert "az login" in said.err + said.out


def test_one_value_of_one_environment(run: Run, root: Path) -> None:
    assert run("--environment", "dev", "--set", "resources.key_vault=kv-other", "--set", "databricks.readers=[]") == 0
    assert changes(root, "config/environments/dev.yml") == [
        "+ resources:",
        "+   key_vault: kv-other",
        "+ databricks:",
        "+   readers: []",
    ]
    assert load_environment(root, "dev").resources.key_vault == "kv-other"
    assert load_environment(root, "test").resources.key_vault == "kv-bikeshare-test"


def test_an_expression_is_a_value_like_any_other(run: Run, root: Path) -> None:
    assert run("--set", "resources.key_vault={{ app }}-{{ environment }}-kv") == 0
    assert load_environment(root, "test").resources.key_vault == "bikeshare-test-kv"
