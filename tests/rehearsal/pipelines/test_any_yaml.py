"""Whatever stands in a pipeline's file, the checker answers with places and texts, and never falls over."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearsal.pipelines.check import Finding, check_repository

KEYS = st.sampled_from(
    [
        *(
            "stages",
            "stage",
            "jobs",
            "job",
            "deployment",
            "environment",
            "strategy",
            "runOnce",
            "deploy",
            "on",
            "failure",
        ),
        *("steps", "bash", "script", "task", "inputs", "env", "condition", "dependsOn", "displayName", "name", "pool"),
        *(
            "variables",
            "value",
            "group",
            "template",
            "parameters",
            "type",
            "default",
            "values",
            "trigger",
            "pr",
            "branches",
        ),
        *("schedules", "cron", "timeoutInMinutes", "continueOnError", "publish", "download", "artifact", "checkout"),
        *("${{ if true }}", "${{ if parameters.x }}", "${{ elseif false }}", "${{ else }}", "${{ insert }}"),
        *(
            "${{ each x in parameters.list }}",
            "${{ each y in x }}",
            "${{ parameters.x }}",
            "${{ x }}",
            "${{",
            "${{ eq(1) }}",
        ),
    ]
)
TEXTS = st.one_of(
    st.none(),
    st.sampled_from(
        [
            *(
                "a",
                "b",
                "self",
                "none",
                "AzureCLI@2",
                "azure-pipelines.yml",
                "t.yml",
                "/t.yml",
                "true",
                "5",
                "string",
                "object",
            ),
            *(
                "$(x)",
                "$[ variables.x ]",
                "succeeded()",
                "eq(1, 2)",
                "${{ parameters.x }}",
                "${{ parameters.list }}",
                "${{ x.y }}",
            ),
            *(
                "a${{ parameters.x }}b",
                "${{ if x }}",
                "${{ convertToJson(parameters) }}",
                "${{",
                "* * * * *",
                "${{ 1.2.3 }}",
            ),
        ]
    ),
    st.text(max_size=8),
)
VALUES = st.recursive(
    TEXTS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=25,
)
PARAMETERS = [
    {"name": "x", "type": "string", "default": "a"},
    {"name": "list", "type": "object", "default": ["a", {"b": "c"}]},
]


def check(text: str) -> list[Finding]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "azure-pipelines.yml").write_text(text, encoding="utf-8")
        (Path(folder) / "t.yml").write_text("steps:\n  - bash: x\n")
        return check_repository(Path(folder))


def well_placed(findings: list[Finding]) -> bool:
    return all(finding.line >= 1 and finding.column >= 1 and finding.message for finding in findings)


@settings(max_examples=120)
@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_any_tree(tree: dict[str, Any]) -> None:
    assert well_placed(check(yaml.safe_dump({**tree, "parameters": PARAMETERS}, allow_unicode=True, sort_keys=False)))


@settings(max_examples=120)
@given(
    st.lists(st.dictionaries(KEYS, VALUES, max_size=4), max_size=4),
    st.sampled_from(["stages", "jobs", "steps", "variables"]),
)
def test_any_list_of_stages_jobs_or_steps(items: list[dict[str, Any]], role: str) -> None:
    assert well_placed(
        check(yaml.safe_dump({role: items, "parameters": PARAMETERS}, allow_unicode=True, sort_keys=False))
    )


@settings(max_examples=120)
@given(st.text(alphabet="abc:-{}[]$'\"#&*!|>% \n\t,?@`\u00e9\u0085", max_size=60))
def test_any_text(text: str) -> None:
    assert well_placed(check(text))
