"""The project of Azure DevOps: service connection, environment, pipelines, and what they may use.

A person asks as themselves; inside a pipeline the build identity asks, with what it may read.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import partial

from slipway.domain import devops as rules
from slipway.domain.devops import Json
from slipway.domain.diagnosis import PORTAL, Finding, Severity
from slipway.errors import NotPossible
from slipway.services.azure_devops import (
    APPROVAL,
    BUILD_VALIDATION,
    ENDPOINT,
    ENVIRONMENT,
    EXCLUSIVE_LOCK,
    QUEUE,
    NotSignedIn,
)
from slipway.services.resource_manager import reading
from slipway.services.resource_manager.identities import AUDIENCE
from slipway.steps.doctor import devops_place as place
from slipway.steps.doctor import facts
from slipway.steps.doctor.examination import Check, Examination, NotSeen, Said

ADMINISTRATORS = "a Project Administrator"


def checks(examination: Examination) -> list[Check]:
    if examination.environment.azure_devops is None:
        return [Check(title="Azure DevOps", look=_not_configured, short=False)]
    looks = {
        "the project of Azure DevOps": _project_there,
        "the service connection": _connection,
        "who signs in by the service connection": _federation,
        "the Azure DevOps environment": _environment,
        "the pipelines": _pipelines,
        "secret variables of the release pipeline": _variables,
        "what the pipelines may use": _permissions,
        "the agent pool": _pool,
        "the build of pull requests": _policy,
    }
    # The sign-in of a release proves the rest; that nothing reaches production unapproved, nothing else does.
    short = {"the Azure DevOps environment"} if examination.environment.production else set()
    return [Check(title=title, look=partial(look, examination), short=title in short) for title, look in looks.items()]


def _not_configured() -> Iterator[Said]:
    raise NotSeen("the configuration names no project (azure_devops)")
    yield  # a check is a generator


def _project_there(examination: Examination) -> Iterator[Said]:
    devops = place.client(examination)
    try:
        examination.fact("devops project", devops.get_project)
    except NotSignedIn as error:
        raise NotSeen(f"{error.what} {error.next_step}") from error
    except NotPossible as error:
        yield Finding(
            id="devops.project",
            what=error.what,
            why="Its pipelines release.",
            mend=examination.configure("azure_devops.project", "NAME"),
            who="somebody who sees the project, or gives its right name",
        )


def _connection(examination: Examination) -> Iterator[Said]:
    name, found = place.listed(examination).connection, place.the_connection(examination)
    if found is None:
        yield Finding(
            id="devops.connection",
            what=f"There is no service connection {name}, or it does not show itself to you.",
            why="A run that names it is refused before its first stage.",
            mend=place.mend(examination),
            who="an Endpoint Creator or Project Administrator",
        )
        return
    if examination.environment.production:
        yield from _branches(examination, found)
    if not rules.is_federated(found):
        yield Finding(
            id="devops.connection_secret",
            what=f"Service connection {name} signs in with a secret.",
            why="It ends one day, and a job can read it; scripts sign in by federation.",
            mend=place.portal(examination, "Project settings", "Service connections", name, "Convert"),
            severity="warning",
            who="an administrator of the connection",
        )
    elif rules.is_older_issuer(rules.issuer_and_subject(found)[0]):
        yield Finding(
            id="devops.connection_issuer",
            what=f"Service connection {name} has the issuer of Azure DevOps.",
            why="It retires on 2027-07-01; nothing signs in by it from then on.",
            mend=place.portal(examination, "Project settings", "Service connections", name, "Update"),
            severity="warning",
            who="an administrator of the connection",
        )
    if differences := rules.connection_differences(found, examination.environment):
        facts.settled(examination)
        theirs = rules.made_for_others(found, examination.environment)
        other = f"{PORTAL} none: give {examination.environment.name} another serviceConnection in templates/environments.yml"
        yield Finding(
            id="devops.connection_target",
            what=f"Service connection {name} is not for {examination.environment.name}: {'; '.join(differences)}"
            + (f" ({theirs})." if theirs else "."),
            why="A release would sign in as somebody else, or to somewhere else.",
            mend=other if theirs else place.mend(examination, "--correct"),
            who="an administrator of the connection; where other pipelines use it, give another name in the list instead",
        )


def _branches(examination: Examination, found: Json) -> Iterator[Said]:
    """An approval guards the environment alone: a YAML that names the connection without it would sign in."""
    name = str(found["name"])
    checks = place.client(examination).checks(ENDPOINT, str(found["id"]), name)
    if any(map(rules.controls_branches, checks)) or rules.check_of(checks, APPROVAL):
        return
    yield Finding(
        id="devops.branches",
        what=f"Every branch may use service connection {name}, which is for production.",
        why="Whoever pushes a branch could sign in to production by it, past the approval of the environment.",
        mend=place.mend(examination),
        severity="warning",
        who="an administrator of the connection",
    )


def _federation(examination: Examination) -> Iterator[Said]:
    found, azure = place.the_connection(examination), examination.environment.azure
    if found is None:
        raise NotSeen("there is no service connection yet")
    if not rules.is_federated(found):
        return
    name = azure.release_identity.name
    if name is None:
        raise NotSeen(
            f"application {azure.release_identity.client_id} is kept by others: azure.release_identity has no name"
        )
    issuer, subject = rules.issuer_and_subject(found)
    identity = str(facts.identity_id(examination))
    if facts.resource(examination, identity, reading.IDENTITIES) is None:
        raise NotSeen(f"identity {name} is not there")
    path = f"{identity}/federatedIdentityCredentials"
    known = [one["properties"] for one in examination.azure.every(path, reading.IDENTITIES) or []]
    wanted = {"issuer": issuer, "subject": subject}
    if not any(wanted.items() <= one.items() and AUDIENCE in (one.get("audiences") or []) for one in known):
        yield Finding(
            id="devops.federation",
            what=f"No federated credential of {name} lets in service connection {found['name']} (subject {subject}).",
            why="No job can sign in by it.",
            mend=place.mend(examination),
            who=f"a Contributor or Managed Identity Contributor of {azure.state.resource_group}",
        )


def _environment(examination: Examination) -> Iterator[Said]:
    name, production = examination.environment.name, examination.environment.production
    found = place.the_environment(examination)
    severity: Severity = "error" if production else "warning"
    if found is None and place.inside_a_pipeline(examination):
        # The stage that runs this could not have begun without it.
        raise NotSeen(f"the environment {name} does not show itself to the build identity, which is no Reader of it")
    if found is None:
        yield Finding(
            id="devops.environment",
            what=f"There is no environment {name} in Azure DevOps.",
            why="The first run would make it, without any approval or lock.",
            mend=place.mend(examination),
            severity=severity,
            who="somebody with the role Creator for environments",
        )
        return
    there = place.client(examination).checks(ENVIRONMENT, str(found["id"]), name)
    if rules.check_of(there, EXCLUSIVE_LOCK) is None:
        yield Finding(
            id="devops.lock",
            what=f"The environment {name} has no exclusive lock.",
            why="Two runs would come to it at the same time; one of them waits for the other's claim then, with an agent.",
            mend=place.mend(examination),
            severity="warning",
            who="an administrator of the environment",
        )
    if production:
        yield from _approval(examination, there)


def _approval(examination: Examination, checks: list[Json]) -> Iterator[Said]:
    """`checks` are the environment's. What other checks ask for is not known here, so with them it is only a warning."""
    name, approval = examination.environment.name, rules.check_of(checks, APPROVAL)
    if approval is None:
        others = [rules.name_of(one) for one in checks if rules.may_ask(one)]
        yield Finding(
            id="devops.approval",
            what=f"Nobody approves releases to {name}, which is production"
            + (f"; it has other checks ({', '.join(others)})." if others else "."),
            why="Every push to main would go through to production"
            + (" with no yes of a person, unless these ask for one." if others else "."),
            mend=place.mend(examination),
            severity="warning" if others else "error",
            who="an administrator of the environment",
        )
        return
    ids = [str(one["id"]) for one in rules.approvers_of(approval)]
    people = place.client(examination).identities(ids) if ids else []
    if all(one.get("isContainer") and not one.get("members") for one in people):
        yield Finding(
            id="devops.approvers",
            what=f"Nobody is in the groups that approve releases to {name}.",
            why="A release would wait for an approval until it is given up.",
            mend=place.portal(examination, "Project settings", "Permissions", "the group", "Members"),
            severity="warning",
            who=ADMINISTRATORS,
        )


def _pipelines(examination: Examination) -> Iterator[Said]:
    known = place.the_pipelines(examination)
    for one in rules.wanted_pipelines(examination.context.root, examination.environment.app):
        found, first = rules.pipeline_of(one.file, known), one.file == rules.RELEASE_FILE
        if found is None:
            yield Finding(
                id="devops.pipeline" if first else "devops.pipelines",
                what=f"There is no pipeline of {one.file}.",
                why="Nothing releases." if first else "A rollback, a recovery or a watch would have to be run by hand.",
                mend=place.mend(examination),
                severity="error" if first else "warning",
                who="a Contributor of the project",
            )
        elif str(found.get("queueStatus", "enabled")).lower() != "enabled":
            yield Finding(
                id="devops.pipeline_disabled",
                what=f"The pipeline {found['name']} of {one.file} is {found['queueStatus']}.",
                why="It runs for nobody.",
                mend=place.portal(examination, "Pipelines", str(found["name"]), "Settings", "Enabled"),
                severity="error" if first else "warning",
                who="a Contributor of the project",
            )


def _variables(examination: Examination) -> Iterator[Said]:
    wanted = rules.secret_variables(place.listed(examination))
    if not wanted:
        return
    pipeline, devops = place.release_pipeline(examination), place.client(examination)
    known = {name.lower(): one for name, one in (pipeline.get("variables") or {}).items()}
    for variable, secret in wanted.items():
        found = known.get(variable.lower())
        words = ["--org", devops.organization, "--project", devops.project, "--pipeline-id", str(pipeline["id"])]
        words += ["--name", variable, "--secret", "true"]
        if found is None:
            if rules.uses_groups(examination.context.root):
                raise NotSeen(f"{variable} may come from a variable group")
            yield Finding(
                id="devops.variable",
                what=f"The pipeline {pipeline['name']} has no variable {variable}, which {secret} is taken from.",
                why="The secret would get the text of the reference as its value.",
                mend=shlex.join(["az", "pipelines", "variable", "create", *words]),
                who="a Contributor of the project, who has the value",
            )
        elif not found.get("isSecret"):
            yield Finding(
                id="devops.variable_open",
                what=f"The variable {variable} of pipeline {pipeline['name']} is not secret.",
                why="Whoever sees the pipeline reads its value.",
                mend=shlex.join(["az", "pipelines", "variable", "update", *words]),
                severity="warning",
                who="a Contributor of the project",
            )


def _permissions(examination: Examination) -> Iterator[Said]:
    listed, devops = place.listed(examination), place.client(examination)
    number = int(place.release_pipeline(examination)["id"])
    queue = devops.queue(listed.pool) if listed.pool else None
    places = (
        (
            ENDPOINT,
            place.the_connection(examination),
            f"service connection {listed.connection}",
            "devops.permission_connection",
        ),
        (
            ENVIRONMENT,
            place.the_environment(examination),
            f"environment {listed.name}",
            "devops.permission_environment",
        ),
        (QUEUE, queue, f"agent pool {listed.pool}", "devops.permission_pool"),
    )
    for kind, found, what, finding in places:
        if found is None:  # its own check says so
            continue
        if rules.not_permitted(devops.permissions(kind, str(found["id"]), str(found["name"])), [number]):
            yield Finding(
                id=finding,
                what=f"The release pipeline may not use {what}.",
                why="A run would wait until somebody permits it.",
                mend=place.mend(examination),
                who=f"an administrator of it, or {ADMINISTRATORS}",
            )


def _pool(examination: Examination) -> Iterator[Said]:
    place.project(examination)
    pool, devops = place.listed(examination).pool, place.client(examination)
    if pool is None:
        yield from _hosted(examination)
        return
    queue = devops.queue(pool)
    if queue is None:
        there = devops.pool(pool) is not None
        organization = (
            f"portal: {devops.organization} > Organization settings > Agent pools > Add pool > Self-hosted, {pool}"
        )
        yield Finding(
            id="devops.pool",
            what=f"The project has no agent pool {pool}.",
            why=f"The jobs of {examination.environment.name} run on it.",
            mend=place.mend(examination) if there else organization,
            who=ADMINISTRATORS if there else "an administrator of the organization's agent pools",
        )
    elif not (queue.get("pool") or {}).get("isHosted") and not any(
        one.get("status") == "online" and one.get("enabled", True) for one in devops.agents(int(queue["pool"]["id"]))
    ):
        yield Finding(
            id="devops.agents",
            what=f"No agent of the pool {pool} is online.",
            why=f"The jobs of {examination.environment.name} would wait for one.",
            mend=f"portal: {devops.organization} > Organization settings > Agent pools > {pool} > Agents",
            who="whoever runs the agents",
        )


def _hosted(examination: Examination) -> Iterator[Said]:
    """A new organization has no job of Microsoft's agents until it is granted or paid for."""
    devops, visibility = place.client(examination), str(place.project(examination).get("visibility") or "private")
    count = devops.hosted_jobs(visibility)
    if count is None:
        raise NotSeen("the organization does not say how many jobs may run on Microsoft's agents")
    if count == 0:
        yield Finding(
            id="devops.hosted_jobs",
            what=f"{devops.organization} has no job of Microsoft's agents for {visibility} projects.",
            why="Every run fails at once: no hosted parallelism has been purchased or granted.",
            mend=f"portal: {devops.organization} > Organization settings > Parallel jobs > Microsoft-hosted, 1; or ask for the "
            "free grant (https://aka.ms/azpipelines-parallelism-request, days); or name a pool of your own agents in "
            "templates/environments.yml",
            who="a Project Collection Administrator",
        )


def _policy(examination: Examination) -> Iterator[Said]:
    pipeline, devops = place.release_pipeline(examination), place.client(examination)
    repository = pipeline.get("repository") or {}
    if str(repository.get("type", "TfsGit")) != "TfsGit":
        return  # the YAML's own `pr:` counts there
    number, key = int(pipeline["id"]), str(repository.get("id"))
    if not any(rules.validates(one, number, key) for one in devops.policies(BUILD_VALIDATION)):
        yield Finding(
            id="devops.policy",
            what="Pull requests to main are not built by the release pipeline.",
            why="What does not build or pass its tests could be merged, and would be released.",
            mend=place.mend(examination),
            severity="warning",
            who=ADMINISTRATORS,
        )
