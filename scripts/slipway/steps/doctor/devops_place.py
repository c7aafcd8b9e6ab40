"""What the doctor knows of the project of Azure DevOps: asked once each, and shared by its checks."""

from __future__ import annotations

from functools import partial

from slipway.domain import devops as rules
from slipway.domain.devops import Json, Listed
from slipway.errors import NotPossible
from slipway.services.azure_devops import AzureDevOps, NotSignedIn, of_person, of_pipeline
from slipway.steps.doctor.examination import Examination, NotSeen


def client(examination: Examination) -> AzureDevOps:
    place = examination.environment.azure_devops
    if place is None:
        raise NotSeen("the configuration names no project (azure_devops)")
    organization, project = place.organization, place.project

    def connect() -> AzureDevOps:
        inside = of_pipeline(organization, project, examination.context.variables)
        return inside or of_person(organization, project, examination.credential)

    return examination.fact("devops", connect)


def inside_a_pipeline(examination: Examination) -> bool:
    return examination.context.variables.get("TF_BUILD", "").lower() == "true"


def project(examination: Examination) -> Json:
    """Raises NotSeen where nothing of the project can be seen; its own check says why."""
    try:
        return examination.fact("devops project", client(examination).get_project)
    except (NotPossible, NotSignedIn) as error:
        raise NotSeen("the project can't be reached") from error


def listed(examination: Examination) -> Listed:
    """The environment in the pipelines' list. Raises NotSeen."""
    listed = examination.fact("devops list", partial(rules.listed_environments, examination.context.root))
    name = examination.environment.name
    found = next((one for one in listed if one.name == name), None)
    if found is None:
        raise NotSeen(f"the pipelines do not release to {name}: templates/environments.yml has no block for it")
    return found


def the_connection(examination: Examination) -> Json | None:
    project(examination)
    name = listed(examination).connection
    found = examination.fact("devops connection", partial(client(examination).connection, name))
    if found is None and inside_a_pipeline(examination):
        raise NotSeen("service connections do not show themselves to the build identity")
    return found


def the_environment(examination: Examination) -> Json | None:
    project(examination)
    name = examination.environment.name
    return examination.fact("devops environment", partial(client(examination).environment, name))


def the_pipelines(examination: Examination) -> list[Json]:
    project(examination)
    return examination.fact("devops pipelines", client(examination).pipelines)


def release_pipeline(examination: Examination) -> Json:
    """Raises NotSeen where there is none: its own check says so."""
    found = rules.pipeline_of(rules.RELEASE_FILE, the_pipelines(examination))
    if found is None:
        raise NotSeen("there is no release pipeline yet")
    return found


def mend(examination: Examination, *more: str) -> str:
    return " ".join(["python scripts/setup_azure_devops.py --environment", examination.environment.name, *more])


def portal(examination: Examination, *path: str) -> str:
    devops = client(examination)
    return f"portal: {devops.organization}/{devops.project} > " + " > ".join(path)
