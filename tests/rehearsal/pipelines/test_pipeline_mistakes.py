"""What the checker says about stages, jobs and steps that are wrong, or that a rehearsal does not have."""

from __future__ import annotations

import pytest

from rehearsal.pipelines.check import Finding, check_repository, main
from tests.rehearsal.pipelines.project import Project

STEPS = "steps: [{bash: x}]"

PIPELINES = {
    "two kinds": ("stages: []\nsteps: []\n", "exactly one of 'stages', 'jobs' and 'steps'"),
    "no kind": ("trigger: none\n", "exactly one of"),
    "no stages": ("stages: []\n", "at least one stage"),
    "unknown key": (f"{STEPS}\ntriger: none\n", "Unexpected value 'triger'"),
    "key that a rehearsal lacks": (
        f"{STEPS}\nresources: {{containers: [{{container: c, image: i}}]}}\n",
        "This rehearsal has no 'containers'",
    ),
    "trigger": (f"{STEPS}\ntrigger: {{branch: [main]}}\n", "Unexpected value 'branch'"),
    "trigger text": (f"{STEPS}\ntrigger: main\n", "Unexpected value 'main': it is one of none"),
    "trigger filters": (f"{STEPS}\npr: {{branches: {{includ: [main]}}}}\n", "Unexpected value 'includ'"),
    "cron": (f"{STEPS}\nschedules: [{{cron: '* * *', branches: {{include: [main]}}}}]\n", "'cron' has five parts"),
    "lock": (
        f"{STEPS}\nlockBehavior: sequentiall\n",
        "Unexpected value 'sequentiall': it is one of sequential, runLatest",
    ),
    "variable key": (f"{STEPS}\nvariables: [{{name: a, valu: b}}]\n", "Unexpected value 'valu'"),
    "variable name": (
        f"{STEPS}\nvariables: [{{value: b}}]\n",
        "Unexpected value 'value': a variable begins with 'name', 'group'",
    ),
    "variable expression": (f"{STEPS}\nvariables: {{a: '$[ eq(1) ]'}}\n", "too few parameters"),
    "stage name": (
        f"stages: [{{stage: my-stage, jobs: [{{job: a, {STEPS}}}]}}]\n",
        "The stage name 'my-stage' is not valid",
    ),
    "stage key": (f"stages: [{{stage: a, dependOn: b, jobs: [{{job: a, {STEPS}}}]}}]\n", "Unexpected value 'dependOn'"),
    "stage without jobs": ("stages: [{stage: a}]\n", "Stage a must contain at least one job with no dependencies."),
    "stage pool": (
        f"stages: [{{stage: a, pool: [x], jobs: [{{job: a, {STEPS}}}]}}]\n",
        "A sequence was not expected",
    ),
    "unknown dependency": (
        f"stages: [{{stage: a, dependsOn: b, jobs: [{{job: a, {STEPS}}}]}}]\n",
        "The stage 'a' depends on the unknown stage 'b'",
    ),
    "unknown job": (f"jobs: [{{job: a, dependsOn: [b], {STEPS}}}]\n", "The job 'a' depends on the unknown job 'b'"),
    "circle": (
        f"jobs: [{{job: a, dependsOn: c, {STEPS}}}, {{job: b, dependsOn: a, {STEPS}}}, {{job: c, dependsOn: b, {STEPS}}}]\n",
        "The jobs depend on each other in a circle: a -> c -> b -> a",
    ),
    "itself": (f"jobs: [{{job: a, dependsOn: a, {STEPS}}}]\n", "in a circle: a -> a"),
    "same name": (f"jobs: [{{job: a, {STEPS}}}, {{job: A, {STEPS}}}]\n", "The job name 'A' appears more than once"),
    "job of no kind": ("jobs: [{jobb: a}]\n", "Unexpected value 'jobb'"),
    "job key": (f"jobs: [{{job: a, timeout: 5, {STEPS}}}]\n", "Unexpected value 'timeout'"),
    "matrix": (f"jobs: [{{job: a, strategy: {{matrix: $(m)}}, {STEPS}}}]\n", "This rehearsal has no matrix by '$(m)'"),
    "time-out": (
        f"jobs: [{{job: a, timeoutInMinutes: soon, {STEPS}}}]\n",
        "Unexpected value 'soon': it is a number, 0 or more",
    ),
    "yes or no": (
        f"jobs: [{{job: a, continueOnError: maybe, {STEPS}}}]\n",
        "Unexpected value 'maybe': it is true or false",
    ),
    "dependsOn of mappings": (f"jobs: [{{job: a, dependsOn: [{{b: c}}], {STEPS}}}]\n", "A mapping was not expected"),
    "deployment without environment": (
        "jobs: [{deployment: a, strategy: {runOnce: {deploy: {steps: []}}}}]\n",
        "A deployment needs an 'environment'",
    ),
    "deployment without strategy": ("jobs: [{deployment: a, environment: e}]\n", "A deployment needs a 'strategy'"),
    "reserved name": (
        "jobs: [{deployment: deploy, environment: e, strategy: {runOnce: {deploy: {steps: []}}}}]\n",
        "The name 'deploy' is reserved",
    ),
    "rolling": (
        "jobs: [{deployment: a, environment: e, strategy: {rolling: {}}}]\n",
        "This rehearsal has no 'rolling'",
    ),
    "misspelt hook": (
        "jobs: [{deployment: a, environment: e, strategy: {runOnce: {deploy: {steps: []}, predeploy: {steps: []}}}}]\n",
        "Unexpected value 'predeploy'",
    ),
    "no deploy": ("jobs: [{deployment: a, environment: e, strategy: {runOnce: {}}}]\n", "'runOnce' needs 'deploy'"),
    "misspelt on": (
        "jobs: [{deployment: a, environment: e, strategy: {runOnce: {deploy: {steps: []}, on: {failed: {steps: []}}}}}]\n",
        "Unexpected value 'failed'",
    ),
    "resource of an environment": (
        "jobs: [{deployment: a, environment: e.vm1, strategy: {runOnce: {deploy: {steps: []}}}}]\n",
        "no resources of environments",
    ),
    "step of no kind": ("steps: [{displayName: x}]\n", "Unexpected value 'displayName': a step begins with"),
    "step key": ("steps: [{bash: x, displayname: y}]\n", "Unexpected value 'displayname'"),
    "PowerShell": ("steps: [{pwsh: x}]\n", "This rehearsal has no task 'PowerShell@2'"),
    "step in a container": ("steps: [{bash: x, target: c}]\n", "This rehearsal has no container 'c'"),
    "checkout of another": ("steps: [{checkout: other}]\n", "checks out 'self' or 'none', not 'other'"),
    "download of another": ("steps: [{download: pipeline1}]\n", "downloads from 'current' or 'none', not 'pipeline1'"),
    "empty script": ("steps: [{script: ''}]\n", "CmdLine@2 needs the input 'script'"),
    "step name": ("steps: [{bash: x, name: a b}]\n", "The step name 'a b' is not valid"),
    "step name twice": (
        "steps: [{bash: x, name: a}, {bash: x, name: a}]\n",
        "The step name 'a' appears more than once",
    ),
    "env": ("steps: [{bash: x, env: [A]}]\n", "Expected a mapping"),
    "env value": ("steps: [{bash: x, env: {A: [b]}}]\n", "A sequence was not expected"),
    "unknown task": ("steps: [{task: Docker@2}]\n", "This rehearsal has no task 'Docker@2'"),
    "other version of a task": ("steps: [{task: AzureCLI@1}]\n", "This rehearsal has no task 'AzureCLI@1'"),
    "unknown input": (
        "steps: [{task: UsePythonVersion@0, inputs: {versionspec: '3.11', version: 3}}]\n",
        "Unexpected input 'version' of UsePythonVersion@0",
    ),
    "missing input": ("steps: [{task: Cache@2, inputs: {path: x}}]\n", "Cache@2 needs the input 'key'"),
    "input of another type": (
        "steps: [{task: PublishTestResults@2, inputs: {testResultsFormat: JUnit, mergeTestResults: maybe}}]\n",
        "is true or false, not 'maybe'",
    ),
    "choice": (
        "steps: [{task: PublishTestResults@2, inputs: {testResultsFormat: NUnit}}]\n",
        "This rehearsal has no 'NUnit' for 'testResultsFormat'",
    ),
    "input that a rehearsal lacks": (
        "steps: [{task: AzureCLI@2, inputs: {azureSubscription: s, scriptType: bash, addSpnToEnvironment: true}}]\n",
        "This rehearsal has no input 'addSpnToEnvironment' of AzureCLI@2",
    ),
    "service connection in a variable": (
        "steps: [{task: AzureCLI@2, inputs: {azureSubscription: $(sc), scriptType: bash, inlineScript: x}}]\n",
        "must be known before the run",
    ),
    "condition": ("steps: [{bash: x, condition: succeded()}]\n", "Unrecognized value: 'succeded'"),
    "condition with a parameter": ("steps: [{bash: x, condition: parameters.x}]\n", "Unrecognized value: 'parameters'"),
    "step condition with dependencies": (
        "steps: [{bash: x, condition: dependencies.a.result}]\n",
        "Unrecognized value: 'dependencies'",
    ),
    "condition of a stage it does not wait for": (
        f"stages: [{{stage: a, jobs: [{{job: a, {STEPS}}}]}}, "
        f"{{stage: b, dependsOn: [], condition: dependencies.a.result, jobs: [{{job: a, {STEPS}}}]}}]\n",
        "The condition asks for 'a', which is not in 'dependsOn'",
    ),
    "condition of a job it does not wait for": (
        f"jobs: [{{job: a, {STEPS}}}, {{job: b, condition: \"eq(dependencies['a'].result, 'x')\", {STEPS}}}]\n",
        "The condition asks for 'a', which is not in 'dependsOn'",
    ),
}


@pytest.mark.parametrize("case", PIPELINES)
def test_every_mistake_is_found(project: Project, case: str) -> None:
    text, says = PIPELINES[case]
    project.file("azure-pipelines.yml", text)
    findings = check_repository(project.root)
    assert [finding for finding in findings if says in finding.message], findings
    assert all(
        finding.file == "azure-pipelines.yml" and finding.line >= 1 and finding.column >= 1 for finding in findings
    )


def test_a_good_pipeline_has_no_findings(project: Project) -> None:
    project.write(
        main="""
        trigger: [main]
        pr: none
        pool: {vmImage: ubuntu-24.04}
        stages:
          - stage: a
            jobs: [{job: a, steps: [{bash: x}]}]
          - stage: b
            condition: and(succeeded(), eq(dependencies.a.outputs['a.s.v'], 'x'))
            jobs: [{job: a, steps: [{bash: x}]}]
        """
    )
    assert check_repository(project.root) == []


def test_both_sides_of_a_pull_request_are_checked(project: Project) -> None:
    project.write(
        main="""
        steps:
          - ${{ if eq(variables['Build.Reason'], 'PullRequest') }}:
              - bosh: x
          - ${{ else }}:
              - bish: x
        """
    )
    assert [finding.line for finding in check_repository(project.root)] == [4, 6]


def test_templates_that_nobody_uses_are_read_too(project: Project) -> None:
    project.write(
        main="steps: [{bash: x}]\n",
        templates__steps__unused="steps:\n  - bash: ${{ eq(1) }}\n",
        templates__steps__typed="parameters:\n  - {name: a, type: strng}\nsteps: []\n",
        templates__pipelines__by_hand="parameters:\n  - {name: environment, type: string}\nstages: [{stage: s}]\n",
    )
    assert [(finding.file, finding.line) for finding in check_repository(project.root)] == [
        ("templates/pipelines/by_hand.yml", 3),
        ("templates/steps/typed.yml", 2),
        ("templates/steps/unused.yml", 2),
    ]


def test_the_command_prints_places_and_fails(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.write(main="steps:\n  - bosh: x\n")
    assert main([str(project.root)]) == 1
    assert "azure-pipelines.yml:2:5: Unexpected value 'bosh'" in capsys.readouterr().out
    project.write(main="steps:\n  - bash: x\n")
    assert main([str(project.root)]) == 0


def test_a_finding_reads_like_a_compilers() -> None:
    assert str(Finding("a.yml", 3, 5, "text")) == "a.yml:3:5: text"
