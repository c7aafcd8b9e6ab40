"""The whole first hour, as docs/azure.md prints it: from an empty subscription to a release that is live, and back to nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slipway.domain.environment import load_environment
from tests.first_hour.beginning import ORGANISATION, PROJECT, SUBSCRIPTION, TENANT, Beginning
from tests.first_hour.page import Typed, unseen, walk
from tests.unit.steps.conftest import REPOSITORY

pytestmark = pytest.mark.first_hour

APP, LOCATION = "velo", "swedencentral"
# By a word of the question, the more particular ones first.
ANSWERS = {
    "Azure DevOps": f"https://dev.azure.com/{ORGANISATION}/{PROJECT}",
    "Workspace": "new",
    "Location": LOCATION,
    "Name of the project": APP,
    "environment's name": "dev",
}
# What the page calls things, for it shows the sample.
NAMES = {
    "bikeshare": APP,
    "westeurope": LOCATION,
    "Project Slipway of https://dev.azure.com/slipway": f"Project {PROJECT} of https://dev.azure.com/{ORGANISATION}",
}
QUESTIONS = 6
OTHERS = ("test", "prod")


class Walk:
    """Somebody who reads the page and types."""

    def __init__(self, beginning: Beginning) -> None:
        self.beginning = beginning
        self.asked: list[str] = []
        self.said: list[str] = []

    def type(self, block: Typed) -> None:
        """All commands of a block. Each must end well, and the last one say what the page shows."""
        text = ""
        for command in block.commands:
            if command == "az login":
                self.beginning.log_in()
                continue
            talk = self.beginning.talk(command, ANSWERS)
            assert talk.code == 0, f"{command}\n{talk.text}"
            self.asked += [question for question, _ in talk.asked]
            self.said.append(f"$ {command}\n{talk.text}")
            text = talk.text
        assert unseen(block.seen, text, NAMES) == [], text


@pytest.fixture
def beginning(tmp_path: Path) -> Iterator[Beginning]:
    with Beginning(tmp_path) as beginning:
        yield beginning


def test_from_nothing_to_a_release_and_back_to_nothing(beginning: Beginning, figure: Callable[[str], None]) -> None:
    blocks = list(walk(REPOSITORY / "docs" / "azure.md"))
    before, walked = beginning.there(), Walk(beginning)
    assert "resources" not in before
    for block in blocks:
        if block.heading.startswith("4."):
            doctor_warns_of_new_roles(beginning)
            beginning.wait_for_roles()
        if block.heading == "Remove it all":
            break
        walked.type(block)
    assert "az login" in blocks[0].commands
    questions = len(walked.asked)
    assert 3 <= questions <= QUESTIONS, walked.asked
    figure(f"first hour: {questions} questions from an empty subscription to the first release; at most {QUESTIONS}")
    nothing_of_the_sample_is_left_in_the_configuration(beginning)
    a_release_goes_through(beginning)
    take_out_those_that_never_were(beginning)
    for block in blocks:
        if block.heading == "Remove it all":
            walked.type(block)
    assert beginning.there() == before


def doctor_warns_of_new_roles(beginning: Beginning) -> None:
    early = beginning.run("python scripts/doctor.py --environment dev")
    assert early.code == 0, early.text
    assert "roles.new: The release identity got 3 of its roles in the last " in early.text
    assert "Nothing of this keeps dev from being released to" in early.text


def nothing_of_the_sample_is_left_in_the_configuration(beginning: Beginning) -> None:
    found, sample = (load_environment(root, "dev") for root in (beginning.root, REPOSITORY))
    azure, devops = found.azure, found.azure_devops
    assert (azure.tenant_id, azure.subscription_id, azure.location, found.app) == (TENANT, SUBSCRIPTION, LOCATION, APP)
    assert devops is not None
    assert (devops.organization, devops.project) == (f"https://dev.azure.com/{ORGANISATION}", PROJECT)
    assert azure.release_identity.client_id != sample.azure.release_identity.client_id
    assert azure.release_identity.object_id != sample.azure.release_identity.object_id
    assert found.databricks.host != sample.databricks.host
    assert beginning.run("git status --short").text == "", "all of it was committed and pushed"
    assert beginning.run("git log origin/main -1 --format=%s").text == "Configure Slipway\n"


def a_release_goes_through(beginning: Beginning) -> None:
    result, said = beginning.release({"dev"})
    assert result.result == "succeeded", said[-8000:]
    status = beginning.run("python scripts/status.py --environment dev")
    assert f"{APP}, dev: live is {result.build_number} in blue" in status.text
    healthy = beginning.run("python scripts/doctor.py --environment dev")
    assert "Nothing is missing or wrong in dev" in healthy.text, healthy.text


def take_out_those_that_never_were(beginning: Beginning) -> None:
    """As the page says: their files. Until then the last one is not the last."""
    last = "python scripts/remove_environment.py --environment dev --last --yes dev"
    refused = beginning.run(last)
    assert refused.code == 9, refused.text
    assert "prod and test need st" in refused.text
    for name in OTHERS:
        (beginning.root / "config" / "environments" / f"{name}.yml").unlink()
