"""Steps on this machine: scripts, variables, logging commands, secrets, conditions, time-outs."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rehearsal.pipelines.agent import job_runner
from rehearsal.pipelines.events import ArtifactPublished, Attachment, Issue, LogLine, Summary, TestResults
from rehearsal.pipelines.yaml_nodes import PipelineErrors
from tests.rehearsal.pipelines.project import CONNECTION, TOKEN, Project


def test_a_script_prints_and_fails_with_its_exit_code(project: Project) -> None:
    result = project.steps("""
        - script: |
            echo one
            false
            echo two
          displayName: Goes on
        - bash: exit 3
          displayName: Fails
        - bash: echo never
          displayName: Not reached
    """)
    assert result.result == "failed"
    assert project.told.lines == ["one", "two", "Bash exited with code '3'."]
    assert project.told.step("Goes on").result == "succeeded"
    assert project.told.step("Fails").result == "failed"
    assert project.told.step("Not reached").result == "skipped"
    assert [issue.text for issue in result.issues] == ["Bash exited with code '3'."]


def test_conditions_of_steps(project: Project) -> None:
    result = project.steps("""
        - {bash: exit 1, displayName: bad}
        - {bash: echo a, displayName: a, condition: succeeded()}
        - {bash: echo b, displayName: b, condition: failed()}
        - {bash: echo c, displayName: c, condition: always()}
        - {bash: echo d, displayName: d, condition: succeededOrFailed()}
        - {bash: echo e, displayName: e, condition: "and(failed(), eq(variables['Agent.JobStatus'], 'Failed'))"}
        - {bash: echo f, displayName: f, condition: canceled()}
        - {bash: echo g, displayName: g, condition: always(), enabled: false}
    """)
    assert result.result == "failed"
    assert [line for line in project.told.lines if len(line) == 1] == ["b", "c", "d", "e"]
    assert project.told.step("a").reason == "its condition is false: succeeded()"
    assert project.told.step("g").reason == "not enabled"


def test_continue_on_error_leaves_issues_behind(project: Project) -> None:
    result = project.steps("""
        - {bash: exit 1, continueOnError: true, displayName: bad}
        - {bash: echo next}
    """)
    assert result.result == "succeededWithIssues"
    assert project.told.step("bad").result == "succeededWithIssues"
    assert project.told.lines[-1] == "next"


def test_variables_reach_scripts_by_their_environment_names(project: Project) -> None:
    project.write(
        main="""
        variables:
          my.name: value of $(other)
          other: other
        steps:
          - checkout: none
          - bash: echo "$MY_NAME|$(my.name)|$(MY.NAME)|\\$(not.there)|$BUILD_BUILDID|$(Build.BuildNumber)|$TF_BUILD|$(pwd)"
            workingDirectory: $(Agent.TempDirectory)
        """
    )
    project.run()
    temp = project.work / "run-7/jobs/__default-Job_temp"
    assert project.told.lines == [f"value of other|value of other|value of other|$(not.there)|7|20231114.7|True|{temp}"]


def test_a_variable_set_in_a_step_is_there_in_the_next_one(project: Project) -> None:
    project.steps("""
        - bash: |
            echo "##vso[task.setvariable variable=colour]blue"
            echo "here: $COLOUR."
        - bash: 'echo "next: $COLOUR $(colour)"'
        - bash: echo "##vso[task.setvariable variable=slot;isOutput=true]green"
          name: choose
        - bash: 'echo "output: $(choose.slot) $CHOOSE_SLOT"'
          condition: eq(variables['choose.slot'], 'green')
    """)
    assert project.told.lines[:2] == ["here: .", "next: blue blue"]
    assert project.told.lines[2:] == ["output: green green"]


def test_read_only_variables_stay_and_the_step_fails(project: Project) -> None:
    result = project.steps("""
        - bash: echo "##vso[task.setvariable variable=x;isReadOnly=true]1"
        - bash: echo "##vso[task.setvariable variable=x]2"
          displayName: overwrite
        - bash: echo $(x)
          condition: always()
    """)
    assert result.result == "failed"
    assert project.told.step("overwrite").result == "failed"
    assert project.told.lines[-1] == "1"


def test_secrets_are_masked_everywhere_and_never_mapped_by_themselves(project: Project) -> None:
    result = project.steps("""
        - bash: |
            secret="pa;ss"" word"; other="other""-secret"
            echo "##vso[task.setvariable variable=password;isSecret=true]$secret"
            echo "##vso[task.setsecret]$other"
            echo "now: $secret and $other, ${secret/;/%3B}" | sed 's/%3Bss /%3Bss%20/'
        - bash: 'echo "env: ${PASSWORD:-not there} macro: $(password)" ; echo "##vso[task.logissue type=error]has other""-secret"'
        - bash: 'echo "mapped: ${#MINE} $MINE"'
          env: {MINE: $(password)}
    """)
    assert project.told.lines == [
        "now: *** and ***, ***",
        "env: not there macro: ***",
        "has ***",
        "mapped: 10 ***",
    ]
    assert "pa;ss word" not in repr(project.told.events)
    assert "other-secret" not in repr(project.told.events)
    assert result.issues[0].text == "has ***"


def test_a_secret_of_several_lines_is_refused(project: Project) -> None:
    result = project.steps("""
        - bash: printf '##vso[task.setvariable variable=key;isSecret=true]one%%0Atwo\\n'
    """)
    assert result.result == "failed"
    assert "multiple lines" in result.issues[0].text


def test_the_token_of_the_job_is_only_where_it_is_mapped(project: Project) -> None:
    project.steps("""
        - bash: 'echo "token: ${SYSTEM_ACCESSTOKEN:-none}; $SYSTEM_OIDCREQUESTURI"'
        - bash: 'echo "token has ${#SYSTEM_ACCESSTOKEN} characters: $SYSTEM_ACCESSTOKEN"'
          env: {SYSTEM_ACCESSTOKEN: $(System.AccessToken)}
    """)
    job = project.opened[0]
    assert project.told.lines == [
        f"token: none; https://dev.azure.com/slipway/oidc/{job}",
        f"token has {len(TOKEN)} characters: ***",
    ]
    assert project.closed == [job]


def test_only_the_allow_list_is_inherited(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "inherited")
    project.environment["HTTPS_PROXY"] = "http://127.0.0.1:1"
    project.steps("""
        - bash: 'echo "${AZURE_CLIENT_SECRET:-none} $HTTPS_PROXY $(basename $HOME)"'
    """)
    assert project.told.lines == ["none http://127.0.0.1:1 __default-Job_temp"]


def test_kinds_of_lines(project: Project) -> None:
    project.steps("""
        - bash: |
            echo "##[group]Title"
            echo "##[error]not a failure"
            echo "##[endgroup]"
            echo "##[unknown]text"
            printf 'progress 1\\rprogress 2\\n'
    """)
    found = [(line.kind, line.text) for line in project.told.of(LogLine) if line.kind not in ("command", "section")]
    assert found == [
        ("group", "Title"),
        ("error", "not a failure"),
        ("endgroup", ""),
        ("plain", "##[unknown]text"),
        ("plain", "progress 2"),
    ]


def test_issues_summaries_and_attachments(project: Project) -> None:
    result = project.steps("""
        - bash: |
            echo '# Done' > $(Agent.TempDirectory)/plan.md
            echo "##vso[task.logissue type=warning;sourcepath=a.yml;linenumber=3]has 50%AZP25, two lines%0Ahere"
            echo "##vso[task.uploadsummary]$(Agent.TempDirectory)/plan.md"
            echo "##vso[task.addattachment type=t;name=n]$(Agent.TempDirectory)/plan.md"
            echo "##vso[task.debug]quiet"
            echo "##vso[telemetry.publish area=a;feature=b]{}"
            echo "##vso[task.prependpath]$(Agent.TempDirectory)"
            echo "##vso[build.updatebuildnumber]2.0"
        - bash: echo "${PATH%%:*}"
    """)
    assert [(issue.kind, issue.text) for issue in project.told.of(Issue)] == [
        ("warning", "a.yml(3): has 50%, two lines\nhere"),
        ("warning", "This rehearsal has no logging command 'telemetry.publish'; it is ignored"),
    ]
    assert [(summary.name, summary.markdown) for summary in project.told.of(Summary)] == [("plan", "# Done\n")]
    assert [(one.type, one.name) for one in project.told.of(Attachment)] == [("t", "n")]
    assert project.told.lines[-1].endswith("__default-Job_temp")
    assert result.build_number == "2.0"
    assert result.result == "succeeded"


@pytest.mark.parametrize(
    "command",
    [
        "task.uploadsummary]relative.md",
        "task.uploadsummary]/nowhere/at/all.md",
        "task.logissue type=note]no such type",
        "task.teleport]no such command",
        "task.logdetail name=n]no id",
        "task.addattachment type=a;name=../b]/etc/hostname",
        "artifact.upload artifactname=a]/nowhere/at/all",
        "results.publish type=NUnit;resultFiles=a.xml]",
        "build.addbuildtag]",
        "task.setvariable]no name",
        "task.complete result=Perfect]x",
    ],
)
def test_a_command_that_can_not_be_obeyed_fails_its_step(project: Project, command: str) -> None:
    result = project.steps(f"""
        - bash: echo "##vso[{command}"
    """)
    assert result.result == "failed"
    assert "Unable to process command" in result.issues[0].text


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Succeeded", "succeeded"),
        ("SucceededWithIssues", "succeededWithIssues"),
        ("Failed", "failed"),
        ("Skipped", "skipped"),
    ],
)
def test_a_step_may_say_how_it_ended(project: Project, said: str, expected: str) -> None:
    project.steps(f"""
        - bash: echo "##vso[task.complete result={said};]because"
          displayName: it
    """)
    step = project.told.step("it")
    assert (step.result, step.reason) == (expected, "because")


@pytest.mark.release
def test_a_step_that_takes_too_long_is_stopped_with_its_children(project: Project, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    started = time.monotonic()
    result = project.steps(f"""
        - bash: |
            sleep 600 & echo $! > {pid}
            echo started
            wait
          displayName: slow
          timeoutInMinutes: 0.01
        - bash: echo after
          condition: always()
    """)
    assert time.monotonic() - started < 60
    assert project.told.step("slow").result == "failed"
    assert project.told.lines == ["started", "The task has timed out.", "after"]
    assert result.result == "failed"
    assert_gone(int(pid.read_text()))


def test_a_background_process_does_not_hold_the_step_and_does_not_survive_it(project: Project, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    result = project.steps(f"""
        - bash: sleep 600 & echo $! > {pid}; echo done
    """)
    assert result.result == "succeeded"
    assert_gone(int(pid.read_text()))


def assert_gone(pid: int) -> None:
    """The process is not running; a zombie that its new parent has not reaped yet counts as gone."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        status = Path(f"/proc/{pid}/stat")
        if status.is_file() and status.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError(f"{pid} still runs")


def test_retries(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_runner, "RETRY_SECONDS", 0.0)
    result = project.steps(f"""
        - bash: echo x >> {tmp_path}/tries; test $(wc -l < {tmp_path}/tries) -ge 3
          retryCountOnTaskFailure: 3
          displayName: flaky
    """)
    assert result.result == "succeeded"
    assert (tmp_path / "tries").read_text() == "x\nx\nx\n"


@pytest.mark.release
def test_a_person_cancels(project: Project, tmp_path: Path) -> None:
    project.told.on_line = lambda line: project.cancel.set() if line == "started" else None
    result = project.steps("""
        - bash: echo started; sleep 600
          displayName: long
        - {bash: echo next, displayName: next}
        - {bash: echo cleaning, displayName: clean, condition: always()}
    """)
    assert result.result == "canceled"
    assert project.told.step("long").result == "canceled"
    assert project.told.step("next").result == "skipped"
    assert project.told.step("clean").result == "succeeded"
    assert project.told.lines[-1] == "cleaning"


def test_azure_cli_gives_the_service_connection_to_its_own_script_alone(project: Project) -> None:
    project.steps("""
        - task: AzureCLI@2
          inputs:
            azureSubscription: sc-dev
            scriptType: bash
            scriptLocation: inlineScript
            inlineScript: |
              echo "$AZURESUBSCRIPTION_CLIENT_ID $AZURESUBSCRIPTION_TENANT_ID"
              echo "$AZURESUBSCRIPTION_SERVICE_CONNECTION_ID $1 ($2)"
            arguments: --first "second word"
        - bash: 'echo "after: ${AZURESUBSCRIPTION_CLIENT_ID:-none}"'
    """)
    assert "`az login` is not done" in project.told.lines[0]
    assert project.told.lines[1:] == ["client tenant", f"{CONNECTION.id} --first (second word)", "after: none"]


def test_a_connection_with_a_secret_gives_a_script_nothing(project: Project) -> None:
    project.connection = replace(CONNECTION, federated=False)
    project.steps("""
        - task: AzureCLI@2
          inputs:
            azureSubscription: sc-dev
            scriptType: bash
            scriptLocation: inlineScript
            inlineScript: 'echo "seen: ${AZURESUBSCRIPTION_CLIENT_ID:-none}"'
    """)
    assert "The service connection has a secret" in project.told.lines[1]
    assert project.told.lines[2:] == ["seen: none"]


def test_a_script_file_with_arguments(project: Project) -> None:
    project.file("say.sh", 'echo "$0 $# $2"\n')
    project.write(
        main="""
        steps:
          - task: Bash@3
            inputs: {filePath: say.sh, arguments: one "two words"}
        """
    )
    project.run()
    assert project.told.lines[-1].endswith("s/say.sh 2 two words")


def test_an_unknown_service_connection_is_refused_before_anything_runs(project: Project) -> None:
    with pytest.raises(PipelineErrors) as caught:
        project.steps("""
            - task: AzureCLI@2
              inputs: {azureSubscription: nobody, scriptType: bash, scriptLocation: inlineScript, inlineScript: echo}
        """)
    assert "service connection nobody which could not be found" in str(caught.value)
    assert project.told.events == []


def test_artifacts_come_back_as_they_were(project: Project) -> None:
    result = project.steps("""
        - bash: mkdir -p out/sub && echo a > out/a.txt && echo b > out/sub/b.md
        - publish: $(System.DefaultWorkingDirectory)/out
          artifact: stuff
        - download: current
          artifact: stuff
          patterns: |
            **
            !**/*.txt
        - bash: cd $(Pipeline.Workspace)/stuff && find . -type f
        - task: DownloadPipelineArtifact@2
          inputs: {artifact: stuff, path: $(Pipeline.Workspace)/flat}
        - bash: cd $(Pipeline.Workspace)/flat && cat a.txt sub/b.md
        - publish: out
          artifact: stuff
          displayName: again
    """)
    assert [(one.name, one.files, one.bytes) for one in result.artifacts] == [("stuff", 2, 4)]
    assert result.artifacts == tuple(project.told.of(ArtifactPublished))
    assert {"./sub/b.md", "a", "b"} <= set(project.told.lines)
    assert "./a.txt" not in project.told.lines
    assert project.told.step("again").result == "failed"
    assert "already exists" in result.issues[0].text


JUNIT = """<testsuites><testsuite name="s">
<testcase classname="c" name="good" time="0.5"/>
<testcase classname="c" name="bad" time="1"><failure message="1 != 2">trace</failure></testcase>
<testcase classname="c" name="broken"><error>boom</error></testcase>
<testcase classname="c" name="left out"><skipped/></testcase>
</testsuite></testsuites>"""


def test_test_results(project: Project) -> None:
    project.file("TEST-a.xml", JUNIT)
    project.file("TEST-b.xml", "<testsuite/>")
    project.file("TEST-c.xml", "<html/>")
    project.file("TEST-d.xml", "not XML")
    project.write(
        main="""
        steps:
          - task: PublishTestResults@2
            displayName: publish
            inputs:
              testResultsFormat: JUnit
              testResultsFiles: "**/TEST-*.xml"
              testRunTitle: All
              failTaskOnFailedTests: true
        """
    )
    result = project.run()
    assert [(case.name, case.outcome, case.message) for case in result.tests[0].cases] == [
        ("good", "passed", ""),
        ("bad", "failed", "1 != 2"),
        ("broken", "error", "boom"),
        ("left out", "skipped", ""),
    ]
    assert [results.title for results in project.told.of(TestResults)] == ["All", "All"]
    assert [issue.text for issue in result.issues][-1] == "There are 2 failed tests: bad, broken"
    assert any("TEST-c.xml is not JUnit" in issue.text for issue in result.issues)
    assert project.told.step("publish").result == "failed"


def test_no_test_results(project: Project) -> None:
    result = project.steps("""
        - task: PublishTestResults@2
          displayName: lenient
          inputs: {testResultsFormat: JUnit, testResultsFiles: none.xml}
        - task: PublishTestResults@2
          displayName: strict
          inputs: {testResultsFormat: JUnit, testResultsFiles: none.xml, failTaskOnMissingResultsFile: true}
    """)
    assert project.told.step("lenient").result == "succeeded"
    assert project.told.step("strict").result == "failed"
    assert [issue.kind for issue in result.issues] == ["warning", "error"]


def test_a_cache_says_that_there_is_none(project: Project) -> None:
    project.steps("""
        - task: Cache@2
          displayName: cache
          inputs: {key: pip | x, path: .pip, cacheHitVar: HIT}
        - bash: echo $HIT
    """)
    assert project.told.step("cache").result == "skipped"
    assert "There is no cache in a rehearsal" in project.told.lines[0]
    assert project.told.lines[-1] == "false"


def test_commands_that_are_none_are_shown(project: Project) -> None:
    result = project.steps("""
        - bash: |
            echo "##vso[task.logissue]no type"
            echo "##vso[unknown.thing]data"
            echo "##vso[task.setvariable variable=x"
            echo "##vso is a prefix"
    """)
    assert result.result == "succeeded"
    assert [issue.text for issue in result.issues] == [
        "Can't create an issue from a logging command without 'type'",
        "Can't find a command extension for ##vso[unknown.command]",
        "A line contains '##vso' and is no logging command; it is shown as it is",
        "A line contains '##vso' and is no logging command; it is shown as it is",
    ]
    assert "##vso is a prefix" in project.told.lines


def test_escapes_and_percents(project: Project) -> None:
    project.file(
        "azure-pipelines.yml",
        """
jobs:
- job: plain
  steps:
  - checkout: none
  - bash: echo '##vso[task.setvariable variable=a%3Bb]1%5D%3B2%AZP253B'
  - bash: env | grep '^A;B='
- job: percents
  variables: {DECODE_PERCENTS: 'false'}
  steps:
  - checkout: none
  - bash: echo '##vso[task.setvariable variable=v]50%AZP25'
  - bash: echo "$(v)"
""",
    )
    project.run()
    assert project.told.lines == ["A;B=1];2%3B", "50%AZP25"]


def test_a_restricted_step_obeys_some_commands_alone(project: Project) -> None:
    result = project.steps("""
        - bash: |
            echo '##vso[task.setvariable variable=allowed_one]yes'
            echo '##vso[task.setvariable variable=other]yes'
            echo '##vso[build.updatebuildnumber]stolen'
            echo '##vso[task.uploadsummary]/etc/hostname'
          target: {container: host, commands: restricted, settableVariables: [allowed*]}
        - bash: echo "${ALLOWED_ONE:-no} ${OTHER:-no}"
        - bash: echo '##vso[task.setvariable variable=third]yes'
          target: {settableVariables: none}
        - bash: echo "${THIRD:-no}"
    """)
    assert project.told.lines[-3:] == [
        "yes no",
        "Setting the variable 'third' is not allowed in this step: its target says which may be set",
        "no",
    ]
    assert result.build_number != "stolen"
    assert result.summaries == ()
    assert result.result == "succeeded"


def test_files_artifacts_results_and_tags_by_command(project: Project) -> None:
    result = project.steps("""
        - bash: |
            cd $(Agent.TempDirectory)
            echo '<testsuite><testcase name="a"/><testcase name="b"><failure/></testcase></testsuite>' > r.xml
            echo "##vso[results.publish type=JUnit;resultFiles=$PWD/r.xml;runTitle=Mine;]"
            echo "##vso[artifact.upload artifactname=files;containerfolder=files]$PWD/r.xml"
            echo "##vso[task.uploadfile]$PWD/r.xml"
            echo "##vso[build.addbuildtag]nightly"
        - download: current
          artifact: files
        - bash: cat "$(Pipeline.Workspace)/files/r.xml" | wc -l
    """)
    assert [(tests.title, len(tests.cases)) for tests in result.tests] == [("Mine", 2)]
    assert [artifact.name for artifact in result.artifacts] == ["files"]
    assert [one.name for one in project.told.of(Attachment)] == ["r.xml"]
    assert any("tag 'nightly'" in event.text for event in project.told.of(LogLine))
    assert project.told.lines[-1].strip() == "1"


def test_output_on_standard_error_fails_a_step_that_asks_for_it(project: Project) -> None:
    result = project.steps("""
        - {bash: "echo out; echo err >&2", displayName: both, failOnStderr: true}
        - {script: "echo out", displayName: quiet, failOnStderr: true, condition: always()}
        - {bash: "echo err >&2; exit 2", displayName: code, failOnStderr: true, condition: always()}
        - {bash: "echo err >&2", displayName: taken, condition: always()}
    """)
    assert result.result == "failed"
    results = {name: project.told.step(name).result for name in ("both", "quiet", "code", "taken")}
    assert results == {"both": "failed", "quiet": "succeeded", "code": "failed", "taken": "succeeded"}
    assert sorted(project.told.lines[:2]) == ["err", "out"]
    assert [issue.text for issue in result.issues] == [
        "Bash wrote one or more lines to the standard error stream.",
        "Bash exited with code '2'.",
    ]


def test_what_a_command_changes_is_there_in_the_next_step(project: Project) -> None:
    result = project.steps("""
        - bash: |
            echo "##vso[build.updatebuildnumber]1.2.3"
            echo "##vso[task.setvariable variable=token;isSecret=true]hidden"
            echo "##vso[task.setvariable variable=inside]with \\$(token)"
            echo "##vso[task.setvariable variable=outer]\\$(inner)"
            echo "##vso[task.setvariable variable=inner]in"
            echo "##vso[task.prependpath]/a"
            echo "##vso[task.prependpath]/b"
            echo "##vso[task.prependpath]/a"
            echo "##vso[task.debug]not shown"
        - bash: |
            echo "$(Build.BuildNumber) $BUILD_BUILDNUMBER $(outer) $OUTER [$INSIDE] ${PATH%%:/usr*}"
            echo "$BUILD_BUILDNUMBER $MAPPED"
          env: {BUILD_BUILDNUMBER: mine, MAPPED: $(outer)}
    """)
    assert result.result == "succeeded"
    assert project.told.lines[0].startswith("1.2.3 1.2.3 in in [] /a:/b:")
    assert project.told.lines[1:] == ["1.2.3 in"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("##vso[task.complete result=Failed]", "##vso[task.complete result=Succeeded]"), "failed"),
        (
            ("##vso[task.complete result=Succeeded]", "##vso[task.complete result=SucceededWithIssues]"),
            "succeededWithIssues",
        ),
        (("##vso[task.complete result=Skipped]", "##vso[task.complete result=Failed]"), "skipped"),
        (("##vso[task.complete]done",), "failed"),
        (("##vso[task.setvariable]x", "##vso[task.complete result=Succeeded]"), "failed"),
    ],
)
def test_of_several_results_the_worst_counts(project: Project, lines: tuple[str, ...], expected: str) -> None:
    said = "; ".join(f"echo '{line}'" for line in lines)
    project.steps(f"""
        - {{bash: "{said}", displayName: said}}
    """)
    assert project.told.step("said").result == expected


@pytest.mark.release
def test_what_is_tried_again_and_what_is_not(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_runner, "RETRY_SECONDS", 0.0)
    project.steps(f"""
        - bash: echo x >> {tmp_path}/said; echo '##vso[task.complete result=Failed]'
          retryCountOnTaskFailure: 2
        - bash: echo x >> {tmp_path}/wrong; echo '##vso[task.setvariable]'
          retryCountOnTaskFailure: 2
          condition: always()
        - bash: echo x >> {tmp_path}/often; exit 1
          retryCountOnTaskFailure: 50
          condition: always()
        - bash: echo x >> {tmp_path}/late; sleep 60
          retryCountOnTaskFailure: 2
          timeoutInMinutes: 0.005
          condition: always()
    """)
    tries = {name: (tmp_path / name).read_text().count("x") for name in ("said", "wrong", "often", "late")}
    assert tries == {"said": 3, "wrong": 1, "often": 11, "late": 1}


def test_artifacts_without_a_name(project: Project) -> None:
    project.write(
        main="""
        stages:
          - stage: make
            jobs:
              - job: it
                steps:
                  - checkout: none
                  - bash: mkdir -p out more empty && echo a > out/a.txt && echo b > out/b.md && echo c > more/c.txt
                  - publish: out
                  - bash: |
                      echo "##vso[artifact.upload artifactname=two]$PWD/out/b.md"
                      echo "##vso[artifact.upload artifactname=two]$PWD/more"
                      echo "##vso[artifact.upload artifactname=none]$PWD/empty"
                  - task: DownloadPipelineArtifact@2
                    inputs: {path: $(Pipeline.Workspace)/all, patterns: "two/**\\n!!make.it/*.md\\n!**/c.txt"}
                  - bash: cd $(Pipeline.Workspace)/all && find . -type f | sort
        """
    )
    result = project.run()
    assert {one.name for one in result.artifacts} == {"make.it", "two"}
    assert [line for line in project.told.lines if line.startswith("./")] == ["./make.it/b.md", "./two/b.md"]
    assert [issue.text.partition("'")[0] for issue in result.issues] == ["Directory "]
