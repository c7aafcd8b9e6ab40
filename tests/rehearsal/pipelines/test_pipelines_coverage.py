"""The page that says what the rehearsal's Azure Pipelines can do is true."""

from __future__ import annotations

import re
from pathlib import Path

from rehearsal.pipelines import tasks
from rehearsal.pipelines.agent import step_commands
from rehearsal.pipelines.agent.task_runners import RUNNERS

PAGE = Path(tasks.__file__).with_name("COVERAGE.md").read_text()


def test_the_tasks_are_those_that_run() -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith("| tasks |"))
    assert set(re.findall(r"\w+@\d", row)) == {task for task in RUNNERS if "@" in task} == set(tasks.TASKS)


def test_the_logging_commands_are_those_that_are_obeyed() -> None:
    section = PAGE.partition("## Logging commands")[2].partition("\n\n")
    source = Path(step_commands.__file__).read_text()
    obeyed = set(re.findall(r'^            "(\w+\.\w+)":', source, re.MULTILINE)) - {"task.issue"}
    assert set(re.findall(r"[a-z]+\.[a-z]+", section[0])) == obeyed
    assert set(re.findall(r"[a-z]+\.[a-z]+", section[2].partition(". A command")[0])) == set(step_commands.NOT_HERE)
