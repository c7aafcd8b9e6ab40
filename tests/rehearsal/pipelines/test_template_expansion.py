"""Templates, parameters and directives: what comes out, and where a mistake is."""

from __future__ import annotations

from decimal import Decimal

import pytest

from rehearsal.pipelines.expansion import Expander
from rehearsal.pipelines.expressions import Value, to_text
from rehearsal.pipelines.files import Files
from rehearsal.pipelines.yaml_nodes import PipelineErrors, to_value
from tests.rehearsal.pipelines.project import Project


def expanded(project: Project, parameters: dict[str, Value] | None = None, **variables: str) -> Value:
    expander = Expander(Files(project.root), {name.replace("_", "."): value for name, value in variables.items()})
    node = expander.pipeline("azure-pipelines.yml", parameters or {})
    assert expander.errors == []
    return to_value(node)


def steps(project: Project, body: str, parameters: dict[str, Value] | None = None) -> Value:
    project.write(main=body)
    return expanded(project, parameters)["steps"]


def error(project: Project, parameters: dict[str, Value] | None = None) -> str:
    with pytest.raises(PipelineErrors) as caught:
        project.compile(parameters)
    return str(caught.value)


def test_text_keeps_and_joins_values(project: Project) -> None:
    body = """
        parameters:
          - {name: flag, type: boolean, default: true}
          - {name: count, type: number, default: 3}
          - {name: word, type: string, default: x}
          - {name: list, type: object, default: [1, two]}
        steps:
          - bash: ${{ parameters.word }}-${{ parameters.count }}-${{ parameters.flag }}${{ variables.missing }}
            env:
              LIST: ${{ join('+', parameters.list) }}
              QUOTED: ${{ 'a }} b' }}
              ${{ upper(parameters.word) }}: $(runtime) $[ runtime ]
          - ${{ parameters.list }}
        """
    assert steps(project, body.replace("          - ${{ parameters.list }}\n", "")) == [
        {"bash": "x-3-True", "env": {"LIST": "1+two", "QUOTED": "a }} b", "X": "$(runtime) $[ runtime ]"}}
    ]


def test_branches_in_sequences_and_mappings(project: Project) -> None:
    body = """
        parameters:
          - {name: where, type: string, default: test}
        steps:
          - ${{ if eq(parameters.where, 'dev') }}:
              - bash: dev
          - ${{ elseif eq(parameters.where, 'test') }}:
              - bash: test
              - bash: second
          - ${{ else }}:
              - bash: other
          - bash: always
            ${{ if eq(parameters.where, 'test') }}:
              displayName: in test
              env:
                ${{ if eq(parameters.where, 'dev') }}:
                  A: dev
                ${{ else }}:
                  A: not dev
            ${{ elseif eq(parameters.where, 'prod') }}:
              displayName: in prod
          - ${{ if eq(parameters.where, 'prod') }}:
              bash: prod only
        """
    assert steps(project, body) == [
        {"bash": "test"},
        {"bash": "second"},
        {"bash": "always", "displayName": "in test", "env": {"A": "not dev"}},
    ]
    assert steps(project, body, {"where": "prod"}) == [
        {"bash": "other"},
        {"bash": "always", "displayName": "in prod"},
        {"bash": "prod only"},
    ]


def test_each_goes_through_sequences_and_mappings(project: Project) -> None:
    body = """
        parameters:
          - name: environments
            type: object
            default:
              - {name: dev, tags: {a: 1, b: 2}}
              - {name: test}
          - {name: none, type: object, default: }
        steps:
          - ${{ each environment in parameters.environments }}:
              - bash: ${{ environment.name }}
                env:
                  ${{ each tag in environment.tags }}:
                    ${{ tag.key }}: ${{ tag.value }}
          - ${{ each nothing in parameters.none }}:
              - bash: never
        """
    assert steps(project, body) == [
        {"bash": "dev", "env": {"a": Decimal(1), "b": Decimal(2)}},
        {"bash": "test", "env": {}},
    ]


def test_insert_and_spliced_lists(project: Project) -> None:
    body = """
        parameters:
          - {name: more, type: object, default: {B: "2", C: "3"}}
          - {name: before, type: stepList, default: [{bash: first}, {bash: "${x}"}]}
        steps:
          - ${{ parameters.before }}
          - bash: last
            env:
              A: 1
              ${{ insert }}: ${{ parameters.more }}
        """
    assert steps(project, body) == [
        {"task": "Bash@3", "inputs": {"targetType": "inline", "script": "first"}},
        {"task": "Bash@3", "inputs": {"targetType": "inline", "script": "${x}"}},
        {"bash": "last", "env": {"A": "1", "B": "2", "C": "3"}},
    ]


def test_what_an_expression_gives_is_not_expanded_again(project: Project) -> None:
    body = """
        parameters:
          - {name: text, type: string, default: ""}
        steps:
          - bash: ${{ parameters.text }}
        """
    assert steps(project, body, {"text": "${{ 1 }}"}) == [{"bash": "${{ 1 }}"}]


def test_templates_of_every_kind_with_relative_and_absolute_paths(project: Project) -> None:
    project.write(
        main="""
        variables:
          - template: templates/variables/common.yml
            parameters: {colour: blue}
          - {name: own, value: "${{ variables.colour }}er"}
        stages:
          - template: templates/stages/one.yml
            parameters: {name: first}
        """,
        templates__variables__common="""
        parameters:
          - {name: colour, type: string}
        variables:
          colour: ${{ parameters.colour }}
        """,
        templates__stages__one="""
        parameters:
          - {name: name, type: string}
        stages:
          - stage: ${{ parameters.name }}
            variables: {depth: stage}
            jobs:
              - template: ../jobs/two.yml
                parameters:
                  name: ${{ parameters.name }}_job
        """,
        templates__jobs__two="""
        parameters:
          name: legacy
        jobs:
          - job: ${{ parameters.name }}
            variables: {depth: job}
            steps:
              - template: /templates/steps/three.yml@self
              - template: ..\\\\steps\\\\three.yml
        """,
        templates__steps__three="""
        steps:
          - bash: echo ${{ variables.colour }} ${{ variables.own }} ${{ variables.depth }}
        """,
    )
    found = expanded(project)
    job = found["stages"][0]["jobs"][0]
    assert job["job"] == "first_job"
    assert job["steps"] == [{"bash": "echo blue blueer job"}] * 2
    assert found["variables"] == [{"name": "colour", "value": "blue"}, {"name": "own", "value": "blueer"}]


def test_variables_of_the_run_are_known_before_it(project: Project) -> None:
    body = """
        steps:
          - ${{ if ne(variables['Build.Reason'], 'PullRequest') }}:
              - bash: deploy
          - ${{ else }}:
              - bash: check
    """
    project.write(main=body)
    assert expanded(project, Build_Reason="IndividualCI")["steps"] == [{"bash": "deploy"}]
    assert expanded(project, Build_Reason="PullRequest")["steps"] == [{"bash": "check"}]


def test_runtime_values_are_not_known_before_the_run(project: Project) -> None:
    body = """
        variables:
          later: $[ variables.x ]
        steps:
          - bash: a${{ variables.later }}b
    """
    assert steps(project, body) == [{"bash": "ab"}]


@pytest.mark.parametrize(
    ("declaration", "given", "expected"),
    [
        ("type: string", "5", "5"),
        ("type: string, default: d", None, "d"),
        ("type: string, values: [a, b]", "b", "b"),
        ("type: number", "1,000.5", "1000.5"),
        ("type: boolean", "TRUE", "True"),
        ("type: stringList", ["a", "b"], "a+b"),
        ("type: object", ["a"], "a"),
    ],
)
def test_parameters_take_what_their_type_says(project: Project, declaration: str, given: Value, expected: str) -> None:
    text = "${{ join('+', parameters.p) }}" if isinstance(given, list) else "${{ parameters.p }}"
    body = f"parameters:\n  - {{name: p, {declaration}}}\nsteps:\n  - bash: '{text.replace(chr(39), chr(39) * 2)}'\n"
    found = steps(project, body, {} if given is None else {"P": given})
    assert to_text(found[0]["bash"]) == expected


@pytest.mark.parametrize(
    ("declaration", "given", "says"),
    [
        ("type: string", {}, "A value for the 'p' parameter must be provided."),
        ("type: string", {"p": ["a"]}, "The 'p' parameter is not a valid String."),
        ("type: number", {"p": "abc"}, "The 'p' parameter value 'abc' is not a valid Number."),
        ("type: number", {"p": ""}, "is not a valid Number."),
        ("type: boolean", {"p": "yes"}, "The 'p' parameter value 'yes' is not a valid Boolean."),
        ("type: boolean", {"p": "$(x)"}, "is not a valid Boolean."),
        ("type: boolean, default: perhaps", {}, "is not a valid Boolean."),
        ("type: string, values: [a, b]", {"p": "c"}, "value 'c' is not a valid value. Valid values: a, b"),
        ("type: string, values: [a, b], default: z", {}, "value 'z' is not a valid value"),
        ("type: stepList", {"p": "x"}, "is not a valid StepList."),
        ("type: step", {"p": ["x"]}, "is not a valid Step."),
        ("type: stringList", {"p": [["x"]]}, "is not a valid StringList."),
        ("type: strng", {"p": ""}, "Unexpected value 'strng'"),
        ("typ: string", {"p": ""}, "Unexpected value 'typ'"),
        ("type: string, default: '${{ 1 }}'", {}, "not allowed in this context"),
        ("type: string", {"p": "", "q": ""}, "Unexpected parameter 'q'"),
    ],
)
def test_parameters_that_are_wrong(project: Project, declaration: str, given: dict[str, Value], says: str) -> None:
    project.write(main=f"parameters:\n  - {{name: p, {declaration}}}\nsteps:\n  - bash: x\n")
    assert says in error(project, given)


CASES = {
    "else without if": (
        "- ${{ else }}:\n  - bash: x",
        "2:5",
        "The expression directive 'else' is not supported in this context",
    ),
    "else after else": (
        "- ${{ if true }}:\n  - bash: x\n- ${{ else }}:\n  - bash: x\n- ${{ else }}:\n  - bash: x",
        "6:5",
        "The expression directive 'else' is not supported in this context",
    ),
    "else after another directive": (
        "- ${{ if true }}:\n  - bash: x\n- ${{ each a in split('b', ',') }}:\n  - bash: y\n- ${{ else }}:\n  - bash: x",
        "6:5",
        "The expression directive 'else' is not supported in this context",
    ),
    "text in a branch": ("- ${{ if true }}: x", "2:21", "Expected a sequence"),
    "sequence in a mapping": ("- bash: x\n  ${{ if true }}:\n  - a", "4:5", "Expected a mapping"),
    "misspelt directive": ("- ${{ eech x in y }}:\n  - bash: x", "2:5", "Unexpected symbol: 'x'"),
    "each without in": ("- ${{ each x of y }}:\n  - bash: x", "2:5", "Expected 'each <name> in <expression>'"),
    "each over text": ("- ${{ each x in 'text' }}:\n  - bash: x", "2:5", "Expected a sequence or a mapping"),
    "name in use": (
        "- ${{ each parameters in variables }}:\n  - bash: x",
        "2:5",
        "The identifier 'parameters' has already been defined within the current scope",
    ),
    "insert of text": ("- bash: x\n  ${{ insert }}: text", "3:20", "Expected a mapping"),
    "insert twice": ("- bash: x\n  ${{ insert }}:\n    bash: y", "4:7", "'bash' is already defined"),
    "insert with more": ("- ${{ insert x }}: {}", "2:5", "'insert' takes no expression"),
    "not closed": ("- bash: ${{ variables.x }", "2:11", "The expression is not closed"),
    "syntax in an untaken branch": ("- ${{ if false }}:\n  - bash: ${{ eq(1) }}", "3:13", "too few parameters"),
    "directive as text": ("- bash: ${{ if true }}", "2:11", "The directive 'if' is not allowed in this context"),
    "unknown name": ("- bash: ${{ nothing.x }}", "2:11", "Unrecognized value: 'nothing'"),
    "list in text": ("- bash: a${{ split('a,b', ',') }}", "2:11", "Unable to convert from Array to String"),
    "key that is no text": (
        "- ${{ split('a', ',') }}: x",
        "2:5",
        "Expected a scalar value: the expression of a key must give text",
    ),
    "template missing": ("- template: no.yml", "2:5", "File /no.yml not found"),
    "template outside": ("- template: ../secret.yml", "2:5", "The file path /../secret.yml is invalid"),
    "other repository": ("- template: a.yml@templates", "2:5", "No repository found by name templates"),
    "template with more": ("- template: t.yml\n  displayName: x", "3:5", "Unexpected value 'displayName'"),
    "template without path": ("- template:", "2:14", "Unexpected value for 'template'"),
    "unknown parameter": ("- template: t.yml\n  parameters: {nam: x, word: y}", "3:23", "Unexpected parameter 'nam'"),
    "missing parameter": ("- template: t.yml", "2:5", "A value for the 'word' parameter must be provided."),
    "text among steps": (
        "- just text",
        "2:5",
        "Unexpected value 'just text': expected a mapping in a sequence of steps",
    ),
    "wrong kind of template": ("- template: jobs.yml", "1:1", "Unexpected value 'jobs': this is a template of steps"),
    "empty template": ("- template: empty.yml", "1:1", "A template of steps needs 'steps'"),
    "loop": (
        "- template: loop.yml",
        "2:5",
        "Maximum object depth exceeded: templates are nested deeper than 100 levels",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_mistakes_name_their_place(project: Project, case: str) -> None:
    body, place, says = CASES[case]
    project.file("azure-pipelines.yml", "steps:\n" + "".join(f"  {line}\n" for line in body.splitlines()))
    project.write(
        t="parameters:\n- {name: word, type: string}\nsteps:\n- bash: x\n",
        jobs="jobs: []\n",
        empty="parameters: []\n",
        loop="steps:\n  - template: loop.yml\n",
    )
    found = error(project)
    line, column = place.split(":")
    assert says in found
    assert f"(Line: {line}, Col: {column})" in found


def test_all_mistakes_are_told_at_once(project: Project) -> None:
    project.write(
        main="""
        stages:
          - stage: one
            jobs:
              - job: a
                steps:
                  - bash: ${{ unknown.x }}
                  - template: missing.yml
                  - bosh: x
              - jib: b
          - stage: two
            dependsOn: [three]
            conditon: x
            jobs: []
        """
    )
    found = error(project)
    for says in ("Unrecognized value: 'unknown'", "/missing.yml not found", "'bosh'", "'jib'", "'conditon'"):
        assert says in found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "The file is empty"),
        ("- a\n", "Expected a mapping"),
        ("a: [1\n", "The YAML cannot be read"),
        ("a: 1\n\tb: 2\n", "The YAML cannot be read"),
        ("a: 1\na: 2\n", "'a' is already defined"),
        ("a: &x 1\nb: *x\n", "Anchors are not currently supported. Remove the anchor 'x'"),
        ("? [a]\n: b\n", "A key must be text"),
        ("steps: x\n", "Unexpected value 'x': expected a sequence of steps"),
        ("extends: {template: x.yml}\n", "File /x.yml not found"),
        ("a: 1\n---\nb: 1\n", "Expected stream end parse event"),
        ("parameters: text\nsteps: []\n", "Expected a sequence of parameters"),
        ("parameters: [{type: string}]\nsteps: []\n", "Unexpected value 'type': a parameter begins with 'name'"),
        ("parameters: [{name: a}, {name: A}]\nsteps: []\n", "declared more than once"),
        ("variables: x\nsteps: [{bash: x}]\n", "Unexpected value 'x': expected a mapping or a sequence of variables"),
        ("variables: {a: [b]}\nsteps: [{bash: x}]\n", "A sequence was not expected: the variable 'a' is text"),
    ],
)
def test_files_that_are_no_pipelines(project: Project, text: str, says: str) -> None:
    project.file("azure-pipelines.yml", text)
    assert says in error(project)


def test_a_file_that_is_not_utf_8(project: Project) -> None:
    (project.root / "azure-pipelines.yml").write_bytes(b"steps: \xff\xfe")
    assert "not UTF-8" in error(project)


def test_no_more_than_a_hundred_files(project: Project) -> None:
    def write(count: int) -> None:
        for number in range(count):
            project.file(f"t{number}.yml", "steps:\n  - bash: x\n")
        text = "".join(f"  - template: t{number}.yml\n" for number in range(count))
        project.file("azure-pipelines.yml", f"steps:\n{text * 2}")

    write(100)
    assert len(expanded(project)["steps"]) == 200
    write(101)
    assert "(Line: 102, Col: 5): More than 100 files are included" in error(project)


def test_what_stands_between_branches_does_not_end_a_chain(project: Project) -> None:
    body = """
        steps:
          - ${{ if eq(1, 2) }}:
              - bash: if
          - bash: between
          - ${{ elseif eq(1, 1) }}:
              - bash: elseif
          - ${{ else }}:
              - bash: else
        """
    assert steps(project, body) == [{"bash": "between"}, {"bash": "elseif"}]


def test_a_variable_sees_those_before_it_in_conditions_too(project: Project) -> None:
    project.write(
        main="""
        variables:
          - {name: where, value: "${{ lower('PROD') }}"}
          - ${{ if eq(variables.where, 'prod') }}:
              - {name: size, value: large}
          - {name: both, value: "${{ variables.where }}-${{ variables.size }}"}
        steps:
          - bash: x
        """
    )
    assert [variable["value"] for variable in expanded(project)["variables"]] == ["prod", "large", "prod-large"]


def test_the_old_form_of_parameters_takes_any_name_and_knows_no_types(project: Project) -> None:
    project.write(
        main="""
        steps:
          - template: old.yml
            parameters:
              Extra: given
              flag: false
              steps: [{template: templates/inner.yml}, {bash: "last"}]
        """,
        old="""
        parameters:
          flag: true
          pool: ''
          steps: []
        steps:
          - ${{ if parameters.flag }}:
              - bash: text is true, whatever it says
          - ${{ if eq(parameters.flag, 'false') }}:
              - bash: ${{ parameters.extra }}-${{ parameters.nowhere }}-${{ parameters.nowhere.deeper }}
          - ${{ each step in parameters.steps }}:
              - ${{ step }}
        """,
        templates__inner="steps: [{bash: inner}]\n",
    )
    assert [step["bash"] for step in expanded(project)["steps"]] == [
        "text is true, whatever it says",
        "given--",
        "inner",
        "last",
    ]
