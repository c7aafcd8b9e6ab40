"""Stages, jobs and the hooks of deployments: what runs, in which order, and what each of them sees."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rehearsal.pipelines.events import JobFinished, JobStarted, LogLine, RunStarted, StageFinished
from rehearsal.pipelines.results import RunResult
from rehearsal.pipelines.yaml_nodes import PipelineErrors
from tests.rehearsal.pipelines.project import Project


def results(result: RunResult) -> dict[str, str]:
    return {stage.name: stage.result for stage in result.stages}


STAGE = "jobs: [{job: j, steps: [{checkout: none}, {bash: 'echo $(System.StageName)'}]}]"
BAD = "jobs: [{job: j, steps: [{checkout: none}, {bash: exit 1}]}]"


def test_stages_wait_for_each_other_and_a_failed_one_skips_what_follows(project: Project) -> None:
    project.write(
        main=f"""
        stages:
          - stage: last
            dependsOn: [first, third]
            {STAGE}
          - stage: first
            dependsOn: []
            {STAGE}
          - stage: second
            {BAD}
          - stage: third
            {STAGE}
          - stage: besides
            dependsOn: first
            {STAGE}
          - stage: after
            dependsOn: second
            condition: failed()
            {STAGE}
          - stage: always
            dependsOn: third
            condition: always()
            {STAGE}
          - stage: chosen
            dependsOn: [first, second]
            condition: and(succeeded('first'), eq(dependencies.second.result, 'Failed'))
            {STAGE}
        """
    )
    result = project.run()
    assert result.result == "failed"
    assert results(result) == {
        "last": "skipped",
        "first": "succeeded",
        "second": "failed",
        "third": "skipped",
        "besides": "succeeded",
        "after": "succeeded",
        "always": "succeeded",
        "chosen": "succeeded",
    }
    assert [line for line in project.told.lines if "exited" not in line] == [
        "first",
        "besides",
        "after",
        "always",
        "chosen",
    ]
    reasons = {stage.name: stage.reason for stage in result.stages}
    assert reasons["third"] == "second did not succeed"
    assert reasons["last"] == "second, third did not succeed"
    assert project.told.of(RunStarted)[0].stages[0] == "last"


def test_only_some_stages(project: Project) -> None:
    steps = "[{bash: 'echo $(System.StageName)'}]"
    deploys = f"jobs: [{{deployment: d, environment: e, strategy: {{runOnce: {{deploy: {{steps: {steps}}}}}}}}}]"
    project.write(
        main=f"""
        stages:
          - stage: build
            {STAGE}
          - stage: dev
            {deploys}
          - stage: test
            {deploys}
          - stage: prod
            {deploys}
        """
    )
    result = project.run(only={"test"})
    assert results(result) == {"build": "succeeded", "dev": "skipped", "test": "succeeded", "prod": "skipped"}
    assert project.told.lines == ["build", "test"]
    assert result.result == "succeeded"
    assert {event.where.stage: event.reason for event in project.told.of(StageFinished)}["prod"] == "not asked for"


def test_only_a_stage_that_is_not_there(project: Project) -> None:
    project.write(main=f"stages:\n- stage: build\n  {STAGE}\n")
    with pytest.raises(PipelineErrors, match=r"There is no stage 'uat'\. The stages are: build"):
        project.run(only={"uat"})


def test_a_pull_request_deploys_nothing(project: Project) -> None:
    project.write(
        main=f"""
        stages:
          - stage: build
            {STAGE}
          - ${{{{ if ne(variables['Build.Reason'], 'PullRequest') }}}}:
              - stage: dev
                {STAGE}
        """
    )
    assert results(project.run(reason="PullRequest")) == {"build": "succeeded"}
    assert results(project.run()) == {"build": "succeeded", "dev": "succeeded"}


def test_jobs_run_by_their_dependencies_and_pass_outputs(project: Project) -> None:
    project.write(
        main="""
        stages:
          - stage: one
            jobs:
              - job: b
                dependsOn: a
                variables:
                  slot: $[ dependencies.a.outputs['choose.slot'] ]
                steps:
                  - checkout: none
                  - bash: echo "b $SLOT $(slot)"
              - job: a
                steps:
                  - checkout: none
                  - bash: echo "##vso[task.setvariable variable=slot;isOutput=true]green"
                    name: choose
              - job: broken
                continueOnError: true
                steps: [{checkout: none}, {bash: exit 1}]
              - job: c
                dependsOn: [broken, a]
                steps: [{checkout: none}, {bash: echo c}]
          - stage: two
            condition: eq(dependencies.one.outputs['a.choose.slot'], 'green')
            jobs:
              - job: d
                condition: eq(stageDependencies.one.a.result, 'Succeeded')
                variables:
                  slot: $[ stageDependencies.one.a.outputs['choose.slot'] ]
                steps: [{checkout: none}, {bash: echo d $(slot)}]
        """
    )
    result = project.run()
    assert [line for line in project.told.lines if "exited" not in line] == ["b green green", "c", "d green"]
    assert result.result == "succeededWithIssues"


HOOKS = """
        stages:
          - stage: dev
            variables: {shared: from the stage}
            jobs:
              - deployment: release
                environment: dev
                strategy:
                  runOnce:
                    preDeploy:
                      steps: [{bash: "%(preDeploy)s"}]
                    deploy:
                      steps: [{bash: "%(deploy)s", name: choose}]
                    routeTraffic:
                      steps: [{bash: "%(routeTraffic)s"}]
                    postRouteTraffic:
                      steps: [{bash: "%(postRouteTraffic)s"}]
                    on:
                      failure: {steps: [{bash: echo failure}]}
                      success: {steps: [{bash: "%(success)s"}]}
"""
ECHO = {name: f"echo {name}" for name in ("preDeploy", "deploy", "routeTraffic", "postRouteTraffic", "success")}


@pytest.mark.parametrize(
    ("fails", "ran", "expected"),
    [
        ("", ["preDeploy", "deploy", "routeTraffic", "postRouteTraffic", "success"], "succeeded"),
        ("preDeploy", ["failure"], "failed"),
        ("deploy", ["preDeploy", "failure"], "failed"),
        ("routeTraffic", ["preDeploy", "deploy", "failure"], "failed"),
        ("postRouteTraffic", ["preDeploy", "deploy", "routeTraffic", "failure"], "failed"),
        ("success", ["preDeploy", "deploy", "routeTraffic", "postRouteTraffic"], "failed"),
    ],
)
def test_hooks_in_order(project: Project, fails: str, ran: list[str], expected: str) -> None:
    project.write(main=HOOKS % {**ECHO, **({fails: "exit 1"} if fails else {})})
    result = project.run()
    assert [line for line in project.told.lines if "exited" not in line] == ran
    assert result.result == expected
    assert len(set(project.opened)) == len(result.stages[0].jobs) == len(project.closed)
    assert {event.environment for event in project.told.of(JobStarted)} == {"dev"}


def test_a_hook_is_a_job_of_its_own(project: Project) -> None:
    project.file("in-the-repository.txt", "x")
    look = (
        "echo ${OWN:-no variable}, $SHARED, $(ls $(Pipeline.Workspace) $(Build.SourcesDirectory) | grep -c txt) files"
    )
    write = (
        "; echo x > left.txt; echo x > $(Pipeline.Workspace)/left.txt; echo '##vso[task.setvariable variable=own]mine'"
    )
    project.write(main=HOOKS % dict.fromkeys(ECHO, look + write))
    project.run()
    assert project.told.lines == ["no variable, from the stage, 0 files"] * 5
    assert list((project.work / "run-7" / "jobs").iterdir()) == []


def test_artifacts_arrive_by_themselves_in_deploy_only(project: Project) -> None:
    project.file("notes.txt", "x")
    look = "ls $(Pipeline.Workspace)/release 2>/dev/null || echo nothing"
    build = """
        stages:
          - stage: build
            jobs: [{job: j, steps: [{publish: notes.txt, artifact: release}]}]
"""
    project.write(main=build + (HOOKS % dict.fromkeys(ECHO, look)).replace("        stages:\n", "").lstrip("\n"))
    project.run()
    found = [line for line in project.told.lines if line in ("nothing", "notes.txt")]
    assert found == ["nothing", "notes.txt", "nothing", "nothing", "nothing"]


def test_download_none_keeps_them_away(project: Project) -> None:
    project.file("notes.txt", "x")
    project.write(
        main="""
        jobs:
          - job: build
            steps: [{publish: notes.txt, artifact: release}]
          - deployment: d
            dependsOn: build
            environment: {name: dev}
            strategy:
              runOnce:
                deploy:
                  steps:
                    - download: none
                    - bash: ls $(Pipeline.Workspace)/release 2>/dev/null || echo nothing
        """
    )
    project.run()
    assert project.told.lines[-1] == "nothing"


def test_outputs_of_a_deployment_repeat_its_name(project: Project) -> None:
    project.write(
        main="""
        jobs:
          - deployment: d
            environment: dev
            strategy:
              runOnce:
                deploy:
                  steps:
                    - bash: echo "##vso[task.setvariable variable=slot;isOutput=true]blue"
                      name: choose
          - job: after
            dependsOn: d
            variables:
              slot: $[ dependencies.d.outputs['d.choose.slot'] ]
            steps: [{checkout: none}, {bash: "echo slot $(slot)"}]
        """
    )
    project.run()
    assert project.told.lines[-1] == "slot blue"


@pytest.mark.release
def test_a_canceled_run_does_not_run_on_failure(project: Project) -> None:
    project.told.on_line = lambda line: project.cancel.set() if line == "deploying" else None
    project.write(main=HOOKS % {**ECHO, "deploy": "echo deploying; sleep 600"})
    result = project.run()
    assert project.told.lines == ["preDeploy", "deploying"]
    assert result.result == "canceled"
    assert result.stages[0].result == "canceled"


@pytest.mark.release
def test_a_job_that_runs_too_long_is_canceled(project: Project) -> None:
    project.write(
        main="""
        jobs:
          - job: slow
            timeoutInMinutes: 0.005
            steps: [{checkout: none}, {bash: sleep 600}, {bash: echo never}, {bash: echo cleaning, condition: always()}]
          - job: other
            steps: [{checkout: none}, {bash: echo other}]
        """
    )
    result = project.run()
    assert [job.result for job in result.stages[0].jobs] == ["canceled", "succeeded"]
    assert project.told.lines[-2:] == ["cleaning", "other"]
    assert "The job ran longer than its maximum time and was canceled." in [issue.text for issue in result.issues]


def test_checkout_takes_uncommitted_work_and_leaves_what_git_ignores(project: Project) -> None:
    project.file(".gitignore", "ignored/\n")
    project.file("tracked.txt", "committed")
    git = ["git", "-C", str(project.root), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "First: with a colon"]):
        subprocess.run([*git, *arguments], check=True)
    project.file("tracked.txt", "edited")
    project.file("new.txt", "new")
    project.file("ignored/secret.txt", "x")
    project.file(".gone", "x")
    project.write(main='steps:\n  - bash: cat tracked.txt new.txt; ls; echo " $(Build.SourceVersionMessage)"\n')
    project.run()
    assert project.told.lines[1:] == ["editednewazure-pipelines.yml", "new.txt", "tracked.txt", " First: with a colon"]


def test_checkout_without_git_copies_the_folder(project: Project) -> None:
    project.file("node_modules/x.js", "x")
    project.file("a.txt", "x")
    project.write(main="steps:\n  - bash: ls; echo $(Build.SourceVersion)\n")
    project.run()
    assert project.told.lines[1:] == ["a.txt", "azure-pipelines.yml", "0" * 40]


def test_a_second_run_starts_empty(project: Project) -> None:
    project.write(
        main="steps:\n  - bash: ls $(Agent.WorkFolder)/../artifacts 2>/dev/null | wc -l\n  - {publish: ., artifact: a}\n"
    )
    assert project.run().result == "succeeded"
    assert project.run().result == "succeeded"


def test_old_runs_are_cleared_away(project: Project) -> None:
    project.write(main="steps:\n  - checkout: none\n  - bash: echo x\n")
    for number in (1, 2, 3, 4, 5, 6, 10):
        (project.work / f"run-{number}").mkdir(parents=True)
    (project.work / "run-notes").mkdir()
    project.run()
    assert sorted(path.name for path in project.work.iterdir()) == [
        "run-10",
        "run-4",
        "run-5",
        "run-6",
        "run-7",
        "run-notes",
    ]


def test_what_a_rehearsal_leaves_out_is_said(project: Project) -> None:
    project.write(main=(HOOKS % ECHO).replace("environment: dev", "environment: dev\n                pool: ours"))
    project.run()
    said = [line.text for line in project.told.of(LogLine) if line.kind == "section"]
    assert said == [
        "This machine stands for the pool 'ours'.",
        "Checks of the environment 'dev' (approvals, branch control, lock) are not in a rehearsal.",
    ]


def test_the_token_is_closed_when_the_listener_breaks(project: Project) -> None:
    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    project.told.on_line = interrupt
    project.write(main="steps:\n  - checkout: none\n  - bash: echo $$ > pid; echo x; sleep 600\n")
    with pytest.raises(KeyboardInterrupt):
        project.run()
    assert project.closed == project.opened
    assert not Path(project.work / "run-7/jobs/__default-Job").exists()


def test_a_condition_that_can_not_be_evaluated(project: Project) -> None:
    project.write(
        main=f"""
        stages:
          - stage: a
            condition: lt(1, variables['x'])
            variables: {{x: word}}
            {STAGE}
          - stage: b
            dependsOn: []
            jobs:
              - job: c
                condition: lt(1, 'word')
                steps: [{{bash: echo never}}]
              - job: d
                steps: [{{checkout: none}}, {{bash: echo d, condition: "lt(1, 'word')", displayName: d}}]
        """
    )
    result = project.run()
    assert results(result) == {"a": "skipped", "b": "failed"}
    assert project.told.step("d").result == "failed"
    assert {event.where.job: event.reason for event in project.told.of(JobFinished)}["c"].startswith(
        "its condition can not"
    )


USES = """
stages:
  - stage: build
    jobs:
      - job: one
        steps:
          - checkout: none
          - bash: echo built
  - stage: dev
    jobs:
      - deployment: release
        environment: dev
        strategy:
          runOnce:
            deploy:
              steps:
                - task: AzureCLI@2
                  inputs:
                    azureSubscription: sc-dev
                    scriptType: bash
                    scriptLocation: inlineScript
                    inlineScript: echo released
  - stage: after
    jobs:
      - job: two
        steps:
          - checkout: none
          - bash: echo after
"""


@pytest.mark.parametrize("forbidden", ["endpoint", "environment", None])
def test_a_stage_that_may_not_use_something_ends_before_its_first_job(project: Project, forbidden: str | None) -> None:
    asked: list[tuple[str, str]] = []

    def use(kind: str, name: str) -> str:
        asked.append((kind, name))
        return f"{name} is not for this pipeline." if kind == forbidden else ""

    project.use = use
    result = project.write(main=USES).run()
    assert asked == [("environment", "dev"), ("endpoint", "sc-dev")]  # when its stage begins, each once
    done = {stage.name: stage.result for stage in result.stages}
    if forbidden is None:
        assert done == {"build": "succeeded", "dev": "succeeded", "after": "succeeded"}
        return
    assert done == {"build": "succeeded", "dev": "failed", "after": "skipped"}
    assert result.stages[1].jobs == ()
    name = dict(asked)[forbidden]
    assert [issue.text for issue in result.issues] == [f"{name} is not for this pipeline."]
