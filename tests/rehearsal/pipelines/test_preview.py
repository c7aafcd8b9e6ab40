"""`python -m rehearsal pipeline`: the final YAML of any pipeline, in the form that the service's preview gives it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

from rehearsal.pipelines.preview_command import main
from tests.rehearsal.pipelines.project import Project

ROOT = Path(__file__).parents[3]


class Command:
    """The command over the files of a project, and what it printed."""

    def __init__(self, project: Project, capsys: pytest.CaptureFixture[str]) -> None:
        self.project = project
        self._capsys = capsys

    def __call__(self, *options: str) -> tuple[int, str, str]:
        code = main([str(self.project.root / "azure-pipelines.yml"), "--root", str(self.project.root), *options])
        printed = self._capsys.readouterr()
        return code, printed.out, printed.err

    def final(self, text: str, *options: str) -> str:
        self.project.file("azure-pipelines.yml", textwrap.dedent(text).lstrip("\n"))
        code, out, err = self(*options)
        assert (code, err) == (0, "")
        return out

    def refused(self, text: str, *options: str) -> list[str]:
        self.project.file("azure-pipelines.yml", textwrap.dedent(text).lstrip("\n"))
        code, out, err = self(*options)
        assert (code, out) == (1, "")
        return err.splitlines()


@pytest.fixture
def command(project: Project, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(project, capsys)


def final(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n") + "\n"


def test_steps_get_a_stage_and_a_job_and_shortcuts_become_tasks(command: Command) -> None:
    given = """
        trigger: none
        pool: {vmImage: ubuntu-latest}
        steps:
        - checkout: self
          fetchDepth: 1
        - script: echo one
          displayName: One
          workingDirectory: src
          failOnStderr: true
          retryCountOnTaskFailure: 2
        - bash: |
            echo two
            echo three
          env: {A: "1"}
          target: host
        - pwsh: Get-Date
          errorActionPreference: stop
        - powershell: Get-Date
        - publish: out
          artifact: drop
        - download: current
          artifact: drop
          patterns: '**/*.bin'
        - task: Cache@2
          inputs: {key: a}
          displayName: Cache
        - checkout: none
    """
    assert command.final(given) == final("""
        trigger:
          enabled: false
        stages:
        - stage: __default
          jobs:
          - job: Job
            pool:
              vmImage: ubuntu-latest
            steps:
            - task: 6d15af64-176c-496d-b583-fd2ae21d4df4@1
              inputs:
                repository: self
                fetchDepth: 1
            - task: CmdLine@2
              displayName: One
              retryCountOnTaskFailure: 2
              inputs:
                script: echo one
                workingDirectory: src
                failOnStderr: true
            - task: Bash@3
              env:
                A: "1"
              target:
                container: host
              inputs:
                targetType: inline
                script: |
                  echo two
                  echo three
            - task: PowerShell@2
              inputs:
                targetType: inline
                script: Get-Date
                pwsh: true
                errorActionPreference: stop
            - task: PowerShell@2
              inputs:
                targetType: inline
                script: Get-Date
            - task: ecdc45f6-832d-4ad9-b52b-ee49e94659be@1
              inputs:
                path: out
                artifactName: drop
            - task: 30f35852-3f7e-4c0c-9a88-e127b4f97211@1
              inputs:
                alias: current
                artifact: drop
                patterns: '**/*.bin'
            - task: Cache@2
              displayName: Cache
              inputs:
                key: a
            - task: 6d15af64-176c-496d-b583-fd2ae21d4df4@1
              condition: false
              inputs:
                repository: none
        """)


def test_jobs_get_a_stage_and_texts_become_lists_and_names(command: Command) -> None:
    given = """
        trigger: [main, 'releases/*']
        pr: none
        resources:
          containers:
          - {container: builder, image: node}
        variables: {a: 1}
        jobs:
        - job: one
          container: builder
          services: {redis: builder}
          strategy:
            matrix:
              x: {py: 3.10}
            maxParallel: 2
          variables:
          - name: b
            value: two
            readonly: true
          - group: secrets
          steps: []
        - deployment: two
          dependsOn: one
          environment: test
          strategy:
            runOnce:
              deploy:
                steps:
                - script: x
              on:
                failure:
                  steps:
                  - bash: y
    """
    assert command.final(given) == final("""
        trigger:
          branches:
            include:
            - main
            - 'releases/*'
        pr:
          enabled: false
        resources:
          containers:
          - container: builder
            image: node
        variables:
        - name: a
          value: 1
        stages:
        - stage: __default
          jobs:
          - job: one
            container:
              alias: builder
            services:
              redis:
                alias: builder
            strategy:
              matrix:
                x:
                  py: 3.10
              maxParallel: 2
            variables:
            - name: b
              value: two
              readonly: true
            - group: secrets
            steps: []
          - deployment: two
            dependsOn:
            - one
            environment:
              name: test
            strategy:
              runOnce:
                deploy:
                  steps:
                  - task: CmdLine@2
                    inputs:
                      script: x
                on:
                  failure:
                    steps:
                    - task: Bash@3
                      inputs:
                        targetType: inline
                        script: y
        """)


def test_what_expressions_give_is_written_as_the_service_writes_it(command: Command) -> None:
    given = """
        parameters:
        - name: settings
          type: object
          default: {number: 1.0, truth: true, text: '01', nothing: }
        steps:
        - script: x
          env:
            NUMBER: ${{ parameters.settings.number }}
            HALF: ${{ 0.50 }}
            TRUTH: ${{ parameters.settings.truth }}
            TEXT: ${{ parameters.settings.text }}
            NOTHING: ${{ parameters.settings.nothing }}
            ABSENT: ${{ variables.absent }}
            MIXED: a${{ true }}-${{ 1.2.3 }}
            LIKE_YAML: "${{ 'a: b' }}"
            ${{ true }}: key
            LINES: ${{ format('a{0}b', variables.newline) }}
    """
    assert yaml.safe_load(command.final(given, "--variable", "newline=\n"))["parameters"][0]["name"] == "settings"
    text = command.final(given, "--variable", "newline=\n")
    assert text[text.index("env:") :] == final("""
        env:
                NUMBER: 1
                HALF: 0.5
                TRUTH: True
                TEXT: 01
                NOTHING: ''
                ABSENT: ''
                MIXED: aTrue-1.2.3
                LIKE_YAML: 'a: b'
                True: key
                LINES: |-
                  a
                  b
              inputs:
                script: x
        """)


def test_extends_wraps_the_jobs_that_it_is_given(command: Command) -> None:
    command.project.write(
        templates__governed="""
            parameters:
            - {name: build, type: jobList, default: []}
            - {name: scan, type: boolean, default: true}
            variables:
              owner: platform
            stages:
            - stage: build
              jobs:
              - ${{ each job in parameters.build }}:
                - ${{ each pair in job }}:
                    ${{ if ne(pair.key, 'steps') }}:
                      ${{ pair.key }}: ${{ pair.value }}
                  steps:
                  - script: before ${{ job.job }}
                  - ${{ job.steps }}
                  - ${{ if eq(parameters.scan, true) }}:
                    - template: scan.yml
                      parameters: {component: "${{ job.job }}"}
            """,
        templates__scan="parameters: [{name: component}]\nsteps:\n- script: scan ${{ parameters.component }}\n",
        steps__mine="steps:\n- script: from my own template\n",
    )
    given = """
        variables: {mine: 1}
        extends:
          template: templates/governed.yml
          parameters:
            build:
            - job: api
              dependsOn: []
              steps:
              - script: compile
              - template: steps/mine.yml
    """
    assert command.final(given) == final("""
        variables:
        - name: mine
          value: 1
        - name: owner
          value: platform
        stages:
        - stage: build
          jobs:
          - job: api
            dependsOn: []
            steps:
            - task: CmdLine@2
              inputs:
                script: before api
            - task: CmdLine@2
              inputs:
                script: compile
            - task: CmdLine@2
              inputs:
                script: from my own template
            - task: CmdLine@2
              inputs:
                script: scan api
        """)


@pytest.mark.parametrize(
    ("declared", "given", "shown"),
    [
        ("type: string", "1.0", "1.0"),
        ("type: number", "8", "8"),
        ("type: boolean", "TRUE", "True"),
        ("type: object", '{"a": [1, true]}', "{a: [1, true]}"),
        ("type: object", "[one, two]", "[one, two]"),
        ("type: stringList", "[a, b]", "[a, b]"),
    ],
)
def test_parameters_come_from_the_command_line_by_their_type(
    command: Command, declared: str, given: str, shown: str
) -> None:
    value = "${{ convertToJson(parameters.p) }}" if shown[0] in "[{" else "${{ parameters.p }}"
    text = f"parameters: [{{name: p, {declared}}}]\nsteps:\n- script: '{value}'\n"
    script = yaml.safe_load(command.final(text, "--parameter", f"P={given}"))["stages"][0]["jobs"][0]["steps"][0][
        "inputs"
    ]
    assert yaml.safe_load(str(script["script"])) == yaml.safe_load(shown)


def test_steps_come_from_the_command_line(command: Command) -> None:
    text = "parameters: [{name: more, type: stepList}]\nsteps:\n- ${{ parameters.more }}\n"
    assert "script: echo hello" in command.final(text, "--parameter", "more=[{script: echo hello}]")


def test_templates_of_another_repository(command: Command, tmp_path: Path) -> None:
    shared = tmp_path / "clone"
    (shared / "steps").mkdir(parents=True)
    (shared / "steps" / "outer.yml").write_text(
        "steps:\n- template: inner.yml\n- template: /steps/inner.yml\n- template: own.yml@self\n"
    )
    (shared / "steps" / "inner.yml").write_text("steps:\n- script: inner\n")
    command.project.write(own="steps:\n- script: own\n")
    text = """
        resources:
          repositories:
          - {repository: shared, type: git, name: team/shared, ref: refs/tags/v1}
        steps:
        - template: steps/outer.yml@SHARED
    """
    out = command.final(text, "--repository", f"shared={shared}")
    steps = yaml.safe_load(out)["stages"][0]["jobs"][0]["steps"]
    assert [step["inputs"]["script"] for step in steps] == ["inner", "inner", "own"]
    assert "Clone it, and name the folder: --repository SHARED=FOLDER" in command.refused(text)[0]
    (shared / "steps" / "inner.yml").write_text("steps:\n- script: inner\n  x: y\n")
    assert command.refused(text, "--repository", f"shared={shared}")[0].startswith(
        "steps/inner.yml@shared:3:3: Unexpected value 'x'"
    )


def test_reason_branch_and_variables_decide_branches(command: Command) -> None:
    text = """
        steps:
        - ${{ if eq(variables['Build.Reason'], 'PullRequest') }}:
          - script: to ${{ variables['System.PullRequest.TargetBranchName'] }}
        - ${{ else }}:
          - script: on ${{ variables['Build.SourceBranch'] }} ${{ variables.mine }}
    """
    assert "script: 'on refs/heads/main '\n" in command.final(text)
    assert "on refs/heads/feature/x yes" in command.final(text, "--branch", "feature/x", "--variable", "mine=yes")
    assert "script: to main" in command.final(text, "--reason", "PullRequest")


def test_what_an_agent_would_refuse_later_is_a_warning(command: Command) -> None:
    command.project.file(
        "azure-pipelines.yml", "steps:\n- script: x\n  condition: succeded()\n- displayName: y\n  script: z\n"
    )
    code, out, err = command()
    assert code == 0
    assert "condition: succeded()" in out
    assert "warning: azure-pipelines.yml:3:14: Unrecognized value: 'succeded'" in err
    assert "warning: azure-pipelines.yml:4:3: 'script' should be the first key of a step" in err


def test_exit_codes_and_words_when_it_cannot_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.yml"
    assert main([str(file)]) == 2
    assert "there is no file" in capsys.readouterr().err
    file.write_text("steps: []\n")
    assert main([str(file), "--parameter", "x"]) == 2
    assert main([str(file), "--repository", "a=/nowhere"]) == 2
    assert main([str(file), "--root", str(tmp_path / "other")]) == 2
    assert "name its folder with --root" in capsys.readouterr().err


def test_the_command_itself_needs_no_rehearsal(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci" / "p.yml").write_text("steps:\n- template: /t.yml\n")
    (tmp_path / "t.yml").write_text("steps:\n- script: x\n")
    done = subprocess.run(
        [sys.executable, "-m", "rehearsal", "pipeline", str(tmp_path / "ci" / "p.yml")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "script: x" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [".git", "ci", "t.yml"]


def test_what_public_pipelines_do_is_taken(command: Command) -> None:
    """One construct each, as seen in pipelines that run every day; each was refused, or might have been."""
    command.project.write(
        eng__wrap="""
        stages:
        - ${{ each stage in parameters.stages }}:
          - ${{ each property in stage }}:
              ${{ if ne(property.key, 'jobs') }}:
                ${{ property.key }}: ${{ property.value }}
            jobs:
            - ${{ each job in stage.jobs }}:
              - template: jobs\\job.yml
                parameters:
                  name: ${{ job.job }}
                  ${{ each property in job }}:
                    ${{ if notIn(property.key, 'job') }}:
                      ${{ property.key }}: ${{ property.value }}
                  note:
        """,
        eng__jobs__job="""
        # Declares nothing, and passes everything on.
        jobs:
        - job: ${{ parameters.name }}
          ${{ if parameters.note }}:
            displayName: never
          ${{ each parameter in parameters }}:
            ${{ if and(ne(parameter.key, 'name'), ne(parameter.key, 'note')) }}:
              ${{ parameter.key }}: ${{ parameter.value }}
        """,
        eng__pools__small="""
        steps:
        - bash: >-
            echo
            one
        """,
    )
    printed = command.final(
        """
        name: $(Date:yyyyMMdd)$(Rev:.r)
        pr: {branches: {include: [main]}, paths: {exclude: ['**/*.md']}}
        resources:
        - repo: self
        variables:
        - name: folder
          value: pools
        - ${{ if eq(variables['Build.Reason'], 'PullRequest') }}:
          - {name: kind, value: pr}
        - ${{ elseif startsWith(variables['Build.SourceBranch'], 'refs/heads/release/') }}:
          - {name: kind, value: release}
        - ${{ else }}: # the rest
          - {name: kind, value: ci}
        stages:
        - template: eng/wrap.yml
          parameters:
            stages:
            - stage: build
              dependsOn: []
              jobs:
              - job: one
                pool:
                  name: big
                  demands: ImageOverride -equals windows
                  os: windows
                strategy:
                  matrix:
                    ${{ each version in split('3.10,3.12', ',') }}:
                      Python ${{ version }}: {version: "${{ version }}"}
                steps:
                - template: eng/${{ variables.folder }}/small.yml@self
                - script: echo two
                  condition: and(succeeded(), eq('$(kind)', 'ci'))
                  env: {TOKEN: $(System.AccessToken)}
                - task: NuGetCommand@2
                  inputs: {command: custom, arguments: 'restore -source "$(feed)"'}
        """
    )
    stages = yaml.safe_load(printed)["stages"]
    (job,) = stages[0]["jobs"]
    assert job["pool"]["demands"] == "ImageOverride -equals windows"
    assert list(job["strategy"]["matrix"]) == ["Python 3.10", "Python 3.12"]
    assert [step["task"] for step in job["steps"]] == ["Bash@3", "CmdLine@2", "NuGetCommand@2"]
    assert "displayName" not in job


def test_a_macro_in_a_condition_is_a_warning(command: Command) -> None:
    command.project.file("azure-pipelines.yml", "steps:\n- script: x\n  condition: eq($(kind), 1)\n")
    code, _, err = command()
    assert (code, err.count("warning")) == (0, 1)
    assert "variables['name']" in err
