"""Bootstrap: the identity that releases, its ids in the configuration, its roles, and who signs in as it."""

from __future__ import annotations

from dataclasses import replace

from slipway.command import Context
from slipway.domain.environment import Environment, load_environment
from slipway.services.resource_manager.groups import Resources, has_role
from slipway.services.resource_manager.identities import Identities, UserIdentity
from slipway.steps.bootstrap.report import Refusal, Report, az
from slipway.steps.bootstrap.state import account_id, shared_tags
from slipway.steps.configuration_files import file_for, write_values

SECTION = "azure.release_identity"


def ensure_identity(context: Context, resources: Resources, report: Report) -> Context | None:
    """The identity is there and the configuration names it; None where it is not (refused, or --what-if).

    The context that comes back has the configuration as it is then: everything else needs its ids.
    """
    environment, azure = context.environment, context.environment.azure
    name = azure.release_identity.name
    if name is None:
        context.log.info(f"= {azure.release_identity.client_id} is kept by others: {SECTION}.name is not given")
        return context
    refusal = Refusal(
        what=f"make the release identity {name}",
        who=f"Managed Identity Contributor, Contributor or Owner of {azure.state.resource_group}",
        mend=az(
            *("identity", "create", "--tags", *(f"{key}={value}" for key, value in shared_tags(environment).items())),
            name=name,
            resource_group=azure.state.resource_group,
            location=azure.location,
            subscription=azure.subscription_id,
        ),
    )
    with report.part(context, refusal):
        identities = Identities(resources, azure.state.resource_group)
        found = identities.get(name)
        if found is not None:
            context.log.info(f"= {name} is there")
            if found.tags.get("slipway_app") != environment.app:
                context.log.warning(
                    f"{name} was not made for {environment.app} by bootstrap: whoever signs in as it has the rights of a release."
                )
        else:
            context.log.info(f"+ {name}, user-assigned, in {azure.state.resource_group}")
            report.done.append(f"identity {name}")
            if context.what_if:
                context.log.info("  its ids are written into the configuration")
                return None
            found = identities.create(name, azure.location, shared_tags(context.environment))
        return _configured(context, found, report)
    return None


def _configured(context: Context, found: UserIdentity, report: Report) -> Context:
    """The ids go where the configuration names the identity."""
    said = context.environment.azure.release_identity
    if (said.client_id.lower(), said.object_id.lower()) == (found.client_id.lower(), found.object_id.lower()):
        return context
    environment = context.environment.name
    # An environment with ids or a name of its own has an identity of its own.
    file = file_for(context.root, context.environment, SECTION, _place)
    context.log.info(f"~ {file}: {SECTION}.client_id is {found.client_id}, object_id {found.object_id}")
    report.done.append(f"{SECTION} in {file}")
    if context.what_if:
        return context
    values = {f"{SECTION}.client_id": found.client_id, f"{SECTION}.object_id": found.object_id}
    write_values(context.root, file, values)
    context.log.warning(f"{file} was changed: commit this. Releases read the identity's ids from it.")
    return replace(context, environment=load_environment(context.root, environment))


def _place(environment: Environment) -> tuple[str, str, str | None]:
    azure = environment.azure
    return azure.subscription_id, azure.state.resource_group.lower(), azure.release_identity.name


def ensure_roles(context: Context, resources: Resources, report: Report, *, new: bool) -> None:
    """The roles of the release identity. `new`: it, or what they are on, is not there yet (--what-if), so none is asked for."""
    azure = context.environment.azure
    principal = azure.release_identity.object_id
    group = f"/subscriptions/{azure.subscription_id}/resourceGroups/{azure.resource_group}"
    wanted = {
        group: ("Contributor", "Role Based Access Control Administrator"),
        account_id(context.environment): ("Storage Blob Data Contributor",),
    }
    for scope, roles in wanted.items():
        place = scope.partition("/resourceGroups/")[2]
        held: list[dict[str, object]] | None = [] if new else None
        for role in roles:
            with report.part(context, _role_refused(principal, role, scope, place)):
                if held is None:
                    held = resources.assignments(scope, principal)
                if has_role(held, role):
                    context.log.info(f"= {role} on {place}")
                    continue
                context.log.info(f"+ {role} on {place}")
                if not context.what_if:
                    resources.assign(scope, principal, role)
                report.done.append(f"role {role} on {place}")


def _role_refused(principal: str, role: str, scope: str, place: str) -> Refusal:
    return Refusal(
        what=f"give the release identity the role {role} on {place}",
        who="Owner, User Access Administrator or Role Based Access Control Administrator there",
        mend=az(
            *("role", "assignment", "create"),
            assignee_object_id=principal,
            assignee_principal_type="ServicePrincipal",
            role=role,
            scope=scope,
        ),
    )
