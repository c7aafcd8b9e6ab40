"""Makes what a project of Azure DevOps needs for its pipelines to release: service connections without a secret, environments
with an exclusive lock and, in production, an approval, the pipelines, who may use what, and the build of pull requests. Run
again it changes nothing that is there; what it is not let do, it names with the place in the portal.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from slipway.command import ROOT, Context, default_release, new_parser, run_guarded
from slipway.domain.devops import Listed, listed_environments, wanted_pipelines
from slipway.domain.environment import AzureDevOps as Place
from slipway.domain.environment import load_environment
from slipway.errors import UsageError, adding, saying
from slipway.log import Log
from slipway.services.azure_devops import of_person
from slipway.services.credentials import Credential, credential
from slipway.services.resource_manager.groups import Resources
from slipway.steps.bootstrap.report import GOING_ON
from slipway.steps.devops_setup.connections import ensure_connection
from slipway.steps.devops_setup.environments import ensure_environment, ensure_permissions, ensure_queue
from slipway.steps.devops_setup.pipelines import choose_repository, ensure_pipelines, ensure_policy, warn_of_hosted_jobs
from slipway.steps.devops_setup.work import SetupReport, Work, conclude


def main(argv: Sequence[str] | None = None, *, variables: Mapping[str, str] | None = None, root: Path = ROOT) -> int:
    parser = new_parser(__doc__ or "")
    parser.add_argument("--environment", metavar="NAME", help="only this one of templates/environments.yml")
    parser.add_argument(
        "--repository", metavar="NAME", help="the Git repository of the project that holds the pipelines"
    )
    parser.add_argument(
        "--correct",
        action="store_true",
        help="put right a service connection that is for another subscription or identity",
    )
    parser.add_argument("--what-if", action="store_true", help="say what would change, and change nothing")
    arguments = parser.parse_args(argv)
    variables = dict(os.environ) if variables is None else variables

    def work(log: Log) -> None:
        setup_azure_devops(log, root, arguments, variables)

    return run_guarded(work, variables=variables, verbose=arguments.verbose, where=arguments.environment or "")


def setup_azure_devops(log: Log, root: Path, arguments: argparse.Namespace, variables: Mapping[str, str]) -> None:
    """Raises UsageError for an environment that is not listed; NotPossible at the end where something is not for this
    configuration, AuthenticationError where something was refused, both with all of it."""
    projects = _projects(log, root, arguments, variables)
    if not projects:
        log.info("The configuration names no project of Azure DevOps (azure_devops), so nothing is looked at.")
        return
    identity = credential(variables)
    report = SetupReport()
    for place, environments in projects.items():
        with adding(lambda: "" if arguments.what_if or not report.done else GOING_ON):
            _project(log, place, environments, identity, report)
    conclude(log, report, what_if=arguments.what_if)


def _projects(
    log: Log, root: Path, arguments: argparse.Namespace, variables: Mapping[str, str]
) -> dict[tuple[str, str], list[tuple[Listed, Context]]]:
    """What is asked for, by organization and project, in the order of the list."""
    listed = listed_environments(root)
    asked = arguments.environment
    if asked is not None and asked not in [one.name for one in listed]:
        names = ", ".join(one.name for one in listed)
        raise UsageError(
            f"The pipelines have no environment {asked!r}. They have: {names}.", changed="Nothing was changed."
        )
    found: dict[tuple[str, str], list[tuple[Listed, Context]]] = {}
    for one in listed:
        if asked not in (None, one.name):
            continue
        environment = load_environment(root, one.name)
        context = Context(
            environment=environment,
            release=default_release(root),
            log=log,
            variables=variables,
            what_if=arguments.what_if,
            arguments=arguments,
            root=root,
        )
        if (place := environment.azure_devops) is not None:
            found.setdefault(_key(place), []).append((one, context))
    return found


def _key(place: Place) -> tuple[str, str]:
    return place.organization, place.project


def _project(
    log: Log,
    place: tuple[str, str],
    environments: Sequence[tuple[Listed, Context]],
    identity: Credential,
    report: SetupReport,
) -> None:
    organization, project = place
    devops = of_person(organization, project, identity)
    first = environments[0][1]
    with log.section(f"Project {project} of {organization}"):
        with saying("Nothing was changed."):
            found = devops.get_project()
            log.info(f"  signed in as {devops.caller().get('providerDisplayName')}")
        resources = Resources(identity, first.environment.azure.subscription_id)
        work = Work(devops=devops, project=found, resources=resources, report=report)
        known = devops.pipelines()
        repository = choose_repository(work, first, known, first.arguments.repository)
        wanted = wanted_pipelines(first.root, first.environment.app)
        release = ensure_pipelines(work, first, wanted, known, repository)
        ensure_policy(work, first, release, repository)
        if any(listed.pool is None for listed, _ in environments):
            warn_of_hosted_jobs(work, first)
    for listed, context in environments:
        with log.section(f"Environment {listed.name}"):
            work.resources = Resources(identity, context.environment.azure.subscription_id)
            connection = ensure_connection(work, context, listed.connection)
            environment = ensure_environment(work, context, listed.name)
            queue = ensure_queue(work, context, listed.pool) if listed.pool else None
            ensure_permissions(work, context, listed, connection, environment, queue)
