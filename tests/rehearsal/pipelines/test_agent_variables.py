"""Matrices, counters, variable groups and the states of what came before: what a run works out when a job's turn comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.pipelines.groups import read_groups
from rehearsal.pipelines.host import GroupVariable
from rehearsal.pipelines.yaml_nodes import PipelineErrors
from tests.rehearsal.pipelines.project import Project

NONE = "      - checkout: none\n"


def test_a_matrix_is_a_job_for_each_leg(project: Project) -> None:
    project.write(
        main="""
        jobs:
          - job: build
            displayName: Build
            variables: {python: none, same: all}
            strategy:
              maxParallel: 2
              matrix:
                old: {python: "3.10"}
                new: {python: "3.12"}
            steps:
              - checkout: none
              - bash: |
                  echo "$(python) $PYTHON $(same) $(System.JobName) $(System.JobPositionInPhase)/$(System.TotalJobsInPhase)"
                  echo "##vso[task.setvariable variable=made;isOutput=true]$(python)"
                name: step
          - job: after
            dependsOn: build
            variables:
              old: $[ dependencies.build.outputs['old.step.made'] ]
            condition: and(succeeded(), eq(dependencies.build.outputs['new.step.made'], '3.12'))
            steps:
              - checkout: none
              - bash: echo "after $(old)"
        """
    )
    result = project.run()
    assert result.result == "succeeded"
    assert project.told.lines == ["3.10 3.10 all old 1/2", "3.12 3.12 all new 2/2", "after 3.10"]
    assert [job.title for job in result.stages[0].jobs] == ["Build old", "Build new", "after"]


def test_a_leg_that_fails_fails_the_job_and_the_others_still_run(project: Project) -> None:
    project.write(
        main="""
        jobs:
          - job: build
            strategy: {matrix: {a: {code: 1}, b: {code: 0}}}
            steps: [{checkout: none}, {bash: "echo $(System.JobName); exit $(code)"}]
          - job: after
            dependsOn: build
            condition: failed()
            steps: [{checkout: none}, {bash: echo after}]
        """
    )
    assert project.run().result == "failed"
    assert [line for line in project.told.lines if line in ("a", "b", "after")] == ["a", "b", "after"]


def test_a_matrix_that_an_earlier_job_writes(project: Project) -> None:
    project.write(
        main="""
        jobs:
          - job: plan
            steps:
              - checkout: none
              - bash: echo '##vso[task.setvariable variable=legs;isOutput=true]{"x":{"n":1},"y":{"n":"two"}}'
                name: make
          - job: work
            dependsOn: plan
            strategy: {matrix: "$[ dependencies.plan.outputs['make.legs'] ]"}
            steps: [{checkout: none}, {bash: "echo $(System.JobName) $(n)"}]
        """
    )
    assert project.run().result == "succeeded"
    assert project.told.lines == ["x 1", "y two"]


@pytest.mark.parametrize("text", ["nothing", "[1]", '{"a": 1}'])
def test_a_matrix_that_is_none_fails_its_job(project: Project, text: str) -> None:
    project.write(
        main=f"""
        jobs:
          - job: work
            variables: {{legs: '{text}'}}
            strategy: {{matrix: "$[ variables.legs ]"}}
            steps: [{{checkout: none}}, {{bash: echo never}}]
        """
    )
    result = project.run()
    assert result.result == "failed"
    assert "The matrix of the job 'work'" in result.issues[0].text
    assert "never" not in project.told.lines


def test_parallel_is_the_same_job_several_times(project: Project) -> None:
    project.write(
        main="""
        jobs:
          - job: slice
            strategy: {parallel: 3}
            steps: [{checkout: none}, {bash: "echo $(System.JobPositionInPhase) of $(System.TotalJobsInPhase)"}]
        """
    )
    assert project.run().result == "succeeded"
    assert project.told.lines == ["1 of 3", "2 of 3", "3 of 3"]


def test_counters_count_from_run_to_run_and_once_in_each(project: Project) -> None:
    project.write(
        main="""
        variables:
          day: $[ format('{0:yyyyMMdd}', pipeline.startTime) ]
          build: $[ counter(variables['day'], 100) ]
          plain: $[ counter('other') ]
        jobs:
          - job: a
            steps: [{checkout: none}, {bash: "echo $(day) $(build) $(plain)"}]
          - job: b
            steps: [{checkout: none}, {bash: "echo $(day) $(build) $(plain)"}]
        """
    )
    project.run()
    assert project.told.lines == ["20231114 100 0", "20231114 100 0"]
    project.told.events.clear()
    project.run_number = 8
    project.run()
    assert project.told.lines == ["20231114 101 1", "20231114 101 1"]


def test_variable_groups_come_from_the_host_and_their_secrets_are_masked(project: Project) -> None:
    project.groups["Shared"] = {"plain": GroupVariable("visible"), "token": GroupVariable("s3cr3t-value", secret=True)}
    project.write(
        main="""
        variables:
          - {name: plain, value: before}
          - group: shared
        steps:
          - checkout: none
          - bash: |
              echo "$(plain) $PLAIN ${TOKEN:-not mapped} $(token)"
          - bash: echo later
            condition: eq(variables.plain, 'visible')
        """
    )
    assert project.run().result == "succeeded"
    assert project.told.lines == ["visible visible not mapped ***", "later"]


def test_a_group_that_nobody_gave_is_refused_before_anything_runs(project: Project) -> None:
    project.write(main="variables: [{group: secrets}]\nsteps: [{bash: x}]\n")
    with pytest.raises(PipelineErrors) as caught:
        project.run()
    assert "(Line: 1, Col: 21): Variable group secrets was not found" in str(caught.value)
    assert "--variable-group secrets=FILE" in str(caught.value)
    assert project.opened == []


def test_groups_are_read_from_files(tmp_path: Path) -> None:
    file = tmp_path / "g.yml"
    file.write_text("a: 1\nb: {value: hidden-value, secret: true}\n")
    assert read_groups([f"g={file}"]) == {
        "g": {"a": GroupVariable("1"), "b": GroupVariable("hidden-value", secret=True)}
    }
    for text, says in (("a: [hidden-value]\n", "'a' is neither"), ("- x\n", "no mapping"), ("a: [", "no YAML")):
        file.write_text(text)
        with pytest.raises(ValueError, match=says) as caught:
            read_groups([f"g={file}"])
        assert "hidden-value" not in str(caught.value)
    with pytest.raises(ValueError, match="write it as NAME=FILE"):
        read_groups(["g"])


GRAPH = """
jobs:
  - job: ok
    steps: [{checkout: none}]
  - job: bad
    steps: [{checkout: none}, {bash: exit 1}]
  - job: skipped
    condition: false
    steps: [{checkout: none}]
"""


@pytest.mark.parametrize(
    ("depends_on", "condition", "runs"),
    [
        ("[ok, skipped]", "succeeded()", False),
        ("[ok, skipped]", "succeeded('ok')", True),
        ("[ok, skipped]", "succeeded('OK', 'skipped')", False),
        ("[ok, skipped]", "succeededOrFailed()", True),
        ("[skipped]", "succeededOrFailed()", False),
        ("[skipped]", "failed()", False),
        ("[skipped]", "not(canceled())", True),
        ("[skipped]", "always()", True),
        ("[bad]", "succeededOrFailed()", True),
        ("[bad]", "failed('bad')", True),
        ("[bad, ok]", "failed()", True),
        ("[ok]", "succeeded('nosuchjob')", False),
        ("[]", "succeededOrFailed()", True),
        ("[]", "succeeded()", True),
        ("[]", "failed()", False),
    ],
)
def test_what_status_functions_say_of_jobs_before(
    project: Project, depends_on: str, condition: str, runs: bool
) -> None:
    asked = f"  - job: asked\n    dependsOn: {depends_on}\n    condition: {condition}\n    steps:\n{NONE}      - bash: echo ran\n"
    project.file("azure-pipelines.yml", GRAPH + asked)
    project.run()
    assert ("ran" in project.told.lines) is runs


def test_a_stage_may_ask_for_jobs_of_stages_before_it(project: Project) -> None:
    project.write(
        main="""
        stages:
          - stage: one
            jobs:
              - job: a
                steps:
                  - checkout: none
                  - bash: echo "##vso[task.setvariable variable=go;isOutput=true]yes"
                    name: s
          - stage: two
            condition: eq(stageDependencies.one.a.outputs['s.go'], 'yes')
            jobs: [{job: b, steps: [{checkout: none}, {bash: echo two}]}]
        """
    )
    project.run()
    assert project.told.lines == ["two"]


def test_the_number_of_a_run_is_made_of_tokens_and_variables(project: Project) -> None:
    project.write(
        main="""
        name: $(my.version)-$(Year:yy)-$(date:yyMMdd)-$(SourceBranchName)-$(Build.SourceBranchName)-$(other)$(Rev:.rr)
        variables: {my.version: 1.$(minor), minor: 2}
        steps:
          - checkout: none
          - bash: echo '$(Build.BuildNumber)'
        """
    )
    result = project.run()
    assert project.told.lines == [result.build_number]
    assert result.build_number == "1.2-23-231114-main-main-$(other).07"
