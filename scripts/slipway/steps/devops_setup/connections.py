"""The service connection of an environment, without a secret, and what lets its tokens sign in as the release identity."""

from __future__ import annotations

import json
import shlex

from slipway.command import Context
from slipway.domain import devops as rules
from slipway.domain.devops import Json
from slipway.services.azure_devops import ENDPOINT, AlreadyThere
from slipway.services.resource_manager.identities import AUDIENCE, Identities
from slipway.steps.bootstrap.report import again, az
from slipway.steps.devops_setup.work import COMMAND, Work, refusal, to_be_made
from slipway.steps.federation import Federation, credential_name, ensure_federation

CREATORS = "Endpoint Creators or Project Administrators of the project"


def ensure_connection(work: Work, context: Context, name: str) -> Json | None:
    """The connection as it is at the end, or would be; None where it is not there, or not for this environment.

    One that holds a secret is left as it is, with a warning.
    """
    place = work.settings("Project settings", "Service connections")
    azure = context.environment.azure
    new = f"{place} > New service connection > Azure Resource Manager > App registration or managed identity (manual), "
    new += f"{name}: application {azure.release_identity.client_id}, subscription {azure.subscription_id}"
    with work.report.part(context, refusal(f"make the service connection {name}", CREATORS, new)):
        found = work.devops.connection(name)
        made = False
        if found is None:
            made = work.add(context, f"service connection {name}, with workload identity federation")
            if not made:
                if identity := azure.release_identity.name:
                    work.add(context, f"service connection {name} signs in as {identity}")
                if context.environment.production:
                    ensure_branches(work, context, to_be_made(name), place)
                return to_be_made(name)
            found = _create(work, context, name)
        else:
            context.log.info(f"= service connection {name} is there")
        if found is not None:
            found = _right(work, context, found, place)
        if found is None:
            return None
        if rules.is_federated(found):
            _federation(work, context, found, new=made)
        else:
            context.log.warning(
                f"Service connection {name} signs in with a secret, which ends one day; it is left as it is. {place} > {name} > "
                "Convert lets it do without."
            )
        if context.environment.production:
            ensure_branches(work, context, found, place)
        return found
    return None


def ensure_branches(work: Work, context: Context, found: Json, place: str) -> None:
    """Only main may sign in to production: an approval guards the environment, and not a connection, which a YAML of another
    branch could use without it. A check that is there stays as people made it."""
    name = str(found["name"])
    what = f"branch control of service connection {name}: {rules.MAIN} alone"
    where = f"{place} > {name} > Approvals and checks > + > Branch control, {rules.MAIN}"
    with work.report.part(context, refusal(f"add the {what}", "an administrator of the connection", where)):
        there = work.devops.checks(ENDPOINT, str(found["id"]), name) if found["id"] else []
        if any(rules.controls_branches(one) for one in there):
            context.log.info(f"= service connection {name} has a branch control")
        elif work.add(context, what):
            work.devops.create_check(ENDPOINT, str(found["id"]), name, rules.branches_body())


def _create(work: Work, context: Context, name: str) -> Json | None:
    try:
        made = work.devops.create_connection(rules.connection_body(context.environment, name, work.project))
        # Where the answer does not name issuer and subject yet, the connection itself does.
        return made if all(rules.issuer_and_subject(made)) else work.devops.connection(name)
    except AlreadyThere as error:
        work.report.done.pop()
        place = work.settings("Project settings", "Service connections", name, "Security")
        work.wrong(
            context, error.what, f"{place}: let whoever runs this be a User of it, or give another name in the list."
        )
        return None


def _right(work: Work, context: Context, found: Json, place: str) -> Json | None:
    """The connection, put right where --correct asks for it; None where it is for something else."""
    differences = rules.connection_differences(found, context.environment)
    if not differences:
        return found
    name = found["name"]
    if theirs := rules.made_for_others(found, context.environment):
        text = f"Service connection {name} was made for something else ({theirs}): {'; '.join(differences)}."
        step = f"Give {context.environment.name} another serviceConnection in templates/environments.yml, then {COMMAND}. Or, "
        work.wrong(context, text, f"{step}where nothing uses it any more, remove it: {place} > {name}")
        return None
    if context.arguments.correct and found.get("type") == "azurerm":
        what = f"service connection {name} is for {context.environment.name} ({'; '.join(differences)} before)"
        if not work.add(context, what):
            return None
        return work.devops.update_connection(rules.corrected(found, context.environment, work.project))
    work.wrong(
        context,
        f"Service connection {name} is not for {context.environment.name}: {'; '.join(differences)}.",
        f"{COMMAND} --environment {context.environment.name} --correct, where nothing else uses it; or remove or rename it: "
        f"{place} > {name}",
    )
    return None


def _federation(work: Work, context: Context, found: Json, *, new: bool) -> None:
    """The federated credential on the release identity, for exactly what the connection's tokens say."""
    issuer, subject = rules.issuer_and_subject(found)
    azure = context.environment.azure
    identity = azure.release_identity.name
    if rules.is_older_issuer(issuer):
        place = work.settings("Project settings", "Service connections", found["name"], "Update")
        context.log.warning(
            f"Service connection {found['name']} has an issuer that retires on 2027-07-01 ({issuer}). {place}, then run this again."
        )
    if not issuer or not subject:
        work.wrong(
            context,
            f"Azure DevOps names no issuer and subject of service connection {found['name']}.",
            work.settings("Project settings", "Service connections", found["name"]) + ": verify and save it once.",
        )
    elif identity is None:
        if new:
            work.report.refused.append(
                refusal(
                    f"let service connection {found['name']} sign in as application {azure.release_identity.client_id}",
                    "an owner of the application",
                    _application_command(azure.release_identity.client_id, found["name"], issuer, subject),
                )
            )
        else:
            context.log.info("= the release identity is somebody else's: its federation is not looked at")
    else:
        _on_identity(work, context, identity, Federation(connection=found["name"], issuer=issuer, subject=subject))


def _on_identity(work: Work, context: Context, identity: str, federation: Federation) -> None:
    azure = context.environment.azure
    command = az(
        *("identity", "federated-credential", "create"),
        name=credential_name(federation.connection),
        identity_name=identity,
        resource_group=azure.state.resource_group,
        subscription=azure.subscription_id,
        issuer=federation.issuer,
        subject=federation.subject,
        audiences=AUDIENCE,
    )
    who = f"Managed Identity Contributor, Contributor or Owner of {azure.state.resource_group}"
    what = f"let service connection {federation.connection} sign in as {identity}"
    with work.report.part(context, refusal(what, who, command)):
        if Identities(work.resources, azure.state.resource_group).get(identity) is None:
            text = f"There is no identity {identity} in {azure.state.resource_group} yet, so {federation.connection} can't sign in."
            work.wrong(context, text, again(context))
        elif ensure_federation(context, work.resources, federation):
            work.report.done.append(what)


def _application_command(client_id: str, name: str, issuer: str, subject: str) -> str:
    body = {"name": credential_name(name), "issuer": issuer, "subject": subject, "audiences": [AUDIENCE]}
    return f"az ad app federated-credential create --id {client_id} --parameters {shlex.quote(json.dumps(body))}"
