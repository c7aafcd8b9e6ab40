"""What the service would refuse is refused with file, line and column; bad input ends in words, never in a stack trace."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from rehearsal.pipelines.preview_command import main

STEPS = "steps: [{script: x}]"
REFUSED = {
    "unknown key of the pipeline": (f"{STEPS}\ntriger: none", "2:1", "Unexpected value 'triger'"),
    "unknown key of a stage": (
        f"stages: [{{stage: a, job: [], jobs: [{{job: b, {STEPS}}}]}}]",
        "1:21",
        "Unexpected value 'job'",
    ),
    "unknown key of a job": (f"jobs: [{{job: a, timeout: 5, {STEPS}}}]", "1:17", "Unexpected value 'timeout'"),
    "unknown key of a step": ("steps:\n- script: x\n  displayname: y", "3:3", "Unexpected value 'displayname'"),
    "unknown key of a hook": (
        "jobs: [{deployment: a, environment: e, strategy: {runOnce: {deploi: {steps: []}}}}]",
        "1:61",
        "Unexpected value 'deploi'",
    ),
    "unknown strategy": (
        "jobs: [{deployment: a, environment: e, strategy: {once: {}}}]",
        "1:51",
        "'once': a deployment's strategy begins with 'runOnce', 'rolling', 'canary'",
    ),
    "step of no kind": ("steps:\n- bosh: x", "2:3", "Unexpected value 'bosh': a step begins with"),
    "job of no kind": ("jobs:\n- displayName: x", "2:3", "Unexpected value 'displayName': a job begins with"),
    "no steps, jobs or stages": ("trigger: none", "1:1", "exactly one of 'stages', 'jobs' and 'steps'"),
    "steps and jobs": (f"{STEPS}\njobs: []", "2:1", "exactly one of"),
    "mapping for text": ("steps:\n- script: x\n  condition: {a: b}", "3:14", "A mapping was not expected"),
    "sequence for text": ("steps:\n- script: [x]", "2:11", "A sequence was not expected"),
    "text for a sequence": ("steps: nope", "1:8", "Unexpected value 'nope'"),
    "text for a mapping": ("steps:\n- nope", "2:3", "Unexpected value 'nope'"),
    "nothing for a sequence": ("steps:", "1:7", "Unexpected value ''"),
    "no boolean": ("steps:\n- script: x\n  enabled: maybe", "3:12", "Unexpected value 'maybe'"),
    "no number": ("steps:\n- script: x\n  timeoutInMinutes: soon", "3:21", "Unexpected value 'soon'"),
    "pool of a wrong shape": (f"pool: [ubuntu-latest]\n{STEPS}", "1:7", "A sequence was not expected"),
    "image of a wrong shape": (f"pool: {{vmImage: [a]}}\n{STEPS}", "1:17", "A sequence was not expected"),
    "demands of a wrong shape": (
        f"pool: {{name: a, demands: {{b: c}}}}\n{STEPS}",
        "1:26",
        "A mapping was not expected",
    ),
    "task without version": ("steps:\n- task: CmdLine", "2:9", "a task is written as its name, @ and its version"),
    "input that is no text": ("steps:\n- task: A@1\n  inputs: {b: [c]}", "3:15", "A sequence was not expected"),
    "trigger": (f"trigger: {{branch: [a]}}\n{STEPS}", "1:11", "Unexpected value 'branch'"),
    "directive in a trigger": (
        f"trigger:\n- ${{{{ if true }}}}:\n  - a\n{STEPS}",
        "2:3",
        "A template expression is not allowed in this context",
    ),
    "expression in a repository": (
        f"resources:\n  repositories:\n  - repository: a\n    name: ${{{{ 'b' }}}}\n{STEPS}",
        "4:11",
        "A template expression is not allowed in this context",
    ),
    "schedule": (f"schedules: [{{cron: '* *'}}]\n{STEPS}", "1:20", "five parts"),
    "lock": (f"lockBehavior: all\n{STEPS}", "1:15", "Unexpected value 'all': it is one of sequential, runLatest"),
    "key twice": ("steps: []\nSteps: []", "2:1", "'Steps' is already defined"),
    "variable of no kind": (f"variables: [{{value: b}}]\n{STEPS}", "1:14", "Unexpected value 'value'"),
    "variable that is no text": (f"variables: {{a: [b]}}\n{STEPS}", "1:16", "A sequence was not expected"),
    "runtime expression": (f"variables: {{a: '$[ eq(1) ]'}}\n{STEPS}", "1:16", "Unexpected symbol: ')'"),
    "else without if": (
        "steps:\n- ${{ else }}:\n  - script: x",
        "2:3",
        "directive 'else' is not supported in this context",
    ),
    "elseif after else": (
        "steps:\n- ${{ if true }}:\n  - script: x\n- ${{ else }}:\n  - script: x\n- ${{ elseif true }}:\n  - script: x",
        "6:3",
        "directive 'elseif' is not supported in this context",
    ),
    "directive as text": (
        "steps:\n- script: ${{ if true }}",
        "2:11",
        "The directive 'if' is not allowed in this context",
    ),
    "directive in capitals": ("steps:\n- ${{ IF true }}:\n  - script: x", "2:3", "Unexpected symbol: 'true'"),
    "expression in a branch not taken": (
        "steps:\n- ${{ if false }}:\n  - script: ${{ eq(1) }}",
        "3:13",
        "Unexpected symbol: ')': too few parameters for 'eq'. Located at position 5 within expression: 'eq(1)'",
    ),
    "expression that does not end": ("steps:\n- script: ${{ 'a }}", "2:11", "The expression is not closed"),
    "unknown function": ("steps:\n- script: ${{ nosuch(1) }}", "2:11", "Unrecognized value: 'nosuch'"),
    "unknown name": ("steps:\n- script: ${{ nosuch.a }}", "2:11", "Unrecognized value: 'nosuch'"),
    "status while templates expand": (
        "steps:\n- ${{ if succeeded() }}:\n  - script: x",
        "2:3",
        "Unrecognized value: 'succeeded'",
    ),
    "counter while templates expand": (
        "steps:\n- script: ${{ counter('a', 1) }}",
        "2:11",
        "Unrecognized value: 'counter'",
    ),
    "null": ("steps:\n- script: ${{ null }}", "2:11", "Unrecognized value: 'null'"),
    "undeclared parameter": ("steps:\n- script: ${{ parameters.a }}", "2:11", "Key not found 'a'"),
    "object in text": (
        "parameters: [{name: a, type: object, default: {}}]\nsteps:\n- script: x${{ parameters.a }}",
        "3:11",
        "Unable to convert from Object to String. Value: Object",
    ),
    "order of what has none": (
        "steps:\n- script: ${{ lt(1, 'x') }}",
        "2:11",
        "Unable to convert from String to Number",
    ),
    "template that is not there": ("steps:\n- template: no.yml", "2:3", "File /no.yml not found"),
    "template in another case": ("steps:\n- template: T.yml", "2:3", "File /T.yml not found"),
    "template outside": ("steps:\n- template: ../../x.yml", "2:3", "The file path /../../x.yml is invalid"),
    "template of an unknown repository": (
        "steps:\n- template: t.yml@other",
        "2:3",
        "No repository found by name other",
    ),
    "template that includes itself": (
        "steps:\n- template: loop.yml",
        "",
        "loop.yml:2:3: Maximum object depth exceeded",
    ),
    "templates that include each other": ("steps:\n- template: ping.yml", "", "Maximum object depth exceeded"),
    "template of another kind": ("steps:\n- template: jobs.yml", "", "jobs.yml:1:1: Unexpected value 'jobs'"),
    "template with more keys": ("steps:\n- template: t.yml\n  condition: x", "3:3", "Unexpected value 'condition'"),
    "unknown parameter of a template": (
        "steps:\n- template: typed.yml\n  parameters: {n: 1, m: 2}",
        "3:25",
        "Unexpected parameter 'm'",
    ),
    "missing parameter of a template": (
        "steps:\n- template: typed.yml",
        "2:3",
        "A value for the 'n' parameter must be provided.",
    ),
    "parameter of another type": (
        "steps:\n- template: typed.yml\n  parameters: {n: abc}",
        "3:19",
        "The 'n' parameter value 'abc' is not a valid Number.",
    ),
    "parameter that is not in values": (
        "parameters: [{name: a, values: [b, c], default: B}]\nsteps: []",
        "1:49",
        "The 'a' parameter value 'B' is not a valid value. Valid values: b, c",
    ),
    "default of another type": (
        "parameters: [{name: a, type: boolean, default: yes}]\nsteps: []",
        "1:48",
        "The 'a' parameter value 'yes' is not a valid Boolean.",
    ),
    "expression as a default": (
        "parameters: [{name: a, default: \"${{ format('b') }}\"}]\nsteps: []",
        "1:33",
        "A template expression is not allowed in this context",
    ),
    "unknown type": ("parameters: [{name: a, type: String}]\nsteps: []", "1:30", "Unexpected value 'String'"),
    "type of templates alone": ("parameters: [{name: a, type: legacyObject}]\nsteps: []", "1:30", "'legacyObject'"),
    "parameter declared twice": (
        "parameters: [{name: a}, {name: A}]\nsteps: []",
        "1:32",
        "The 'A' parameter is declared more than once in the parameter list.",
    ),
    "step parameter that is no step": (
        "parameters: [{name: a, type: stepList, default: [{nope: 1}]}]\nsteps: []",
        "1:51",
        "Unexpected value 'nope'",
    ),
    "step parameter that is no list": (
        "parameters: [{name: a, type: stepList, default: {script: x}}]\nsteps: []",
        "1:49",
        "The 'a' parameter is not a valid StepList.",
    ),
    "dependency on no stage": (
        f"stages:\n- stage: a\n  dependsOn: b\n  jobs: [{{job: a, {STEPS}}}]",
        "2:3",
        "The stage 'a' depends on the unknown stage 'b'",
    ),
    "dependency on no job": (f"jobs:\n- job: a\n  dependsOn: b\n  {STEPS}", "2:3", "depends on the unknown job 'b'"),
    "circle of stages": (
        "stages:\n"
        f"- stage: a\n  dependsOn: b\n  jobs: [{{job: a, {STEPS}}}]\n"
        f"- stage: b\n  dependsOn: a\n  jobs: [{{job: a, {STEPS}}}]",
        "2:3",
        "The stages depend on each other in a circle: a -> b -> a",
    ),
    "job that waits for itself": (f"jobs:\n- job: a\n  dependsOn: a\n  {STEPS}", "2:3", "in a circle: a -> a"),
    "stage name twice": (
        f"stages:\n- stage: a\n  jobs: [{{job: a, {STEPS}}}]\n- stage: A\n  dependsOn: []\n  jobs: [{{job: a, {STEPS}}}]",
        "4:3",
        "The stage name 'A' appears more than once",
    ),
    "job name twice": (
        f"jobs:\n- job: a\n  {STEPS}\n- job: a\n  {STEPS}",
        "4:3",
        "The job name 'a' appears more than once",
    ),
    "step name twice": (
        "steps:\n- script: x\n  name: a\n- script: y\n  name: a",
        "5:9",
        "The step name 'a' appears more than once",
    ),
    "stage name": (
        f"stages: [{{stage: my-stage, jobs: [{{job: a, {STEPS}}}]}}]",
        "1:18",
        "The stage name 'my-stage' is not valid",
    ),
    "job name": (f"jobs: [{{job: 1a, {STEPS}}}]", "1:14", "The job name '1a' is not valid"),
    "reserved name": (
        "jobs: [{deployment: Deploy, environment: e, strategy: {runOnce: {deploy: {steps: []}}}}]",
        "1:8",
        "The name 'deploy' is reserved",
    ),
    "stage without jobs": (
        "stages:\n- stage: a\n  jobs: []",
        "2:3",
        "Stage a must contain at least one job with no dependencies.",
    ),
    "pipeline without stages": (
        "stages: []",
        "1:1",
        "The pipeline must contain at least one stage with no dependencies.",
    ),
    "condition of a job": (
        f"jobs:\n- job: a\n  condition: nosuch()\n  {STEPS}",
        "3:14",
        "Unrecognized value: 'nosuch'",
    ),
    "name in a condition": (
        f"jobs:\n- job: a\n  condition: eq(parameters.x, 1)\n  {STEPS}",
        "3:14",
        "Unrecognized value: 'parameters'",
    ),
    "form of a step's condition": ("steps:\n- script: x\n  condition: eq(1)", "3:14", "Unexpected symbol: ')'"),
    "phases": ("phases: []", "1:1", "This rehearsal has no 'phases', which is deprecated"),
    # What is no pipeline at all.
    "anchor": ("variables: {a: &x b}\nsteps: []", "1:16", "Anchors are not currently supported. Remove the anchor 'x'"),
    "two documents": ("steps: []\n---\nsteps: []", "2:1", "Expected stream end parse event"),
    "complex key": ("? [a]\n: b", "1:3", "A key must be text"),
    "tab": ("steps:\n\t- script: x", "2:1", "The YAML cannot be read"),
    "not closed": ("steps: [", "2:1", "The YAML cannot be read"),
    "text alone": ("hello", "1:1", "Expected a mapping"),
    "nothing": ("", "1:1", "The file is empty"),
    "nested too deep": ("steps: " + "[" * 200 + "]" * 200, "1:107", "Maximum object depth exceeded"),
}


def refused(folder: Path, text: str | bytes, capsys: pytest.CaptureFixture[str]) -> list[str]:
    file = folder / "azure-pipelines.yml"
    file.write_bytes(text if isinstance(text, bytes) else f"{text}\n".encode())
    code = main([str(file), "--root", str(folder)])
    printed = capsys.readouterr()
    assert (code, printed.out) == (1, "")
    *lines, last = printed.err.splitlines()
    assert last.startswith("Azure Pipelines would refuse this pipeline: ")
    return lines


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_its_place(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, place, says = REFUSED[case]
    for name, content in {
        "t.yml": "steps: [{script: x}]",
        "typed.yml": "parameters: [{name: n, type: number}]\nsteps: [{script: x}]",
        "jobs.yml": "jobs: []",
        "loop.yml": "steps:\n- template: loop.yml",
        "ping.yml": "steps:\n- template: pong.yml",
        "pong.yml": "steps:\n- template: ping.yml",
    }.items():
        (tmp_path / name).write_text(f"{content}\n")
    lines = refused(tmp_path, text, capsys)
    wanted = f"azure-pipelines.yml:{place}: " if place else ""
    assert [line for line in lines if line.startswith(wanted) and says in line], lines


def test_all_mistakes_of_a_stage_of_reading_are_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "steps:\n- script: ${{ nosuch.a }}\n- template: no.yml\n- bosh: x\n- script: [y]"
    assert [line.split(": ")[0].rpartition("yml:")[2] for line in refused(tmp_path, text, capsys)] == [
        "2:11",
        "3:3",
        "4:3",
        "5:11",
    ]


def test_all_expressions_that_can_not_be_read_are_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "steps:\n- ${{ if false }}:\n  - script: ${{ eq(1) }}\n  - ${{ if eq( }}: {}\n- script: ${{ 'a' + 'b' }}"
    assert [line.split(": ")[0].rpartition("yml:")[2] for line in refused(tmp_path, text, capsys)] == [
        "3:13",
        "4:5",
        "5:11",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"steps: \xff\xfe", "not UTF-8"),
        ("steps:\n- script: x".encode("utf-16"), "not UTF-8"),
        ("steps: []\n# é\n \x00".encode(), ":3:2: The YAML cannot be read: the character U+0000"),
        (b"a: !!python/object/apply:os.system ['id']\nsteps: []", "Unexpected value 'a'"),
        (b"- a", "Expected a mapping"),
    ],
)
def test_bytes_that_are_no_pipeline(text: bytes, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refused(tmp_path, text, capsys)[0]


def test_an_expansion_that_doubles_with_each_template_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(60):
        following = f"- template: t{number + 1}.yml\n" * 2 if number < 59 else "- script: x\n"
        (tmp_path / f"t{number}.yml").write_text(f"steps:\n{following}")
    assert "Maximum object size exceeded" in "".join(refused(tmp_path, "steps:\n- template: t0.yml", capsys))


def test_variables_that_double_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    doubling = "".join(f"  v{n + 1}: ${{{{ variables.v{n} }}}}${{{{ variables.v{n} }}}}\n" for n in range(40))
    lines = refused(tmp_path, f"variables:\n  v0: 0123456789\n{doubling}steps: []", capsys)
    assert "Maximum object size exceeded" in lines[0]


def test_a_function_that_makes_endless_text_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "'aaaaaaaaaa'"
    for _ in range(20):
        text = f"replace({text}, 'a', 'aaaaaaaaaa')"
    assert "Maximum object size exceeded" in refused(tmp_path, f"steps:\n- script: ${{{{ {text} }}}}", capsys)[0]


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "larger than 20 MB" in refused(tmp_path, b"#" * (21 * 1024 * 1024), capsys)[0]


def test_a_template_behind_a_link_that_leads_out_is_not_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    (tmp_path / "secret.yml").write_text("steps: [{script: x}]\n")
    (root / "t.yml").symlink_to(tmp_path / "secret.yml")
    assert "File /t.yml not found" in refused(root, "steps:\n- template: t.yml", capsys)[0]


def test_marks_names_and_lines_of_all_kinds_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = textwrap.dedent("""\
        ---
        variables: {größe: "äöü 🚲"}
        steps:
        - script: echo ${{ variables['GRÖßE'] }}
          displayName: 発売
        ...
        """)
    (tmp_path / "p.yml").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert main([str(tmp_path / "p.yml"), "--root", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "script: echo äöü 🚲" in out
    assert "displayName: 発売" in out


def test_values_that_wrap_each_other_in_every_template_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(80):
        wrapped = "[" * 20 + '"${{ parameters.x }}"' + "]" * 20
        following = f"- template: t{number + 1}.yml\n  parameters: {{x: {wrapped}}}" if number < 79 else "- script: x"
        declared = "parameters: [{name: x, type: object, default: a}]"
        (tmp_path / f"t{number}.yml").write_text(f"{declared}\nsteps:\n{following}\n")
    assert "Maximum object depth exceeded" in refused(tmp_path, "steps:\n- template: t0.yml", capsys)[0]
