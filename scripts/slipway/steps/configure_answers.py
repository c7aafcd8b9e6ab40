"""What configure asks of Azure and of people: at most six answers, each with a value that it has already."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from slipway.errors import NotPossible, UsageError
from slipway.services.resource_manager.groups import Resources
from slipway.services.resource_manager.tenancy import Subscription, WorkspaceResource

NEW = "new"
_PROJECT = re.compile(r"(https://dev\.azure\.com/[^/\s]+)/([^/\s][^/]*?)/?")

Ask = Callable[[str], str]
T = TypeVar("T")
_TRIES = 3


@dataclass
class Answers:
    """`given` by the command line, by option; `ask` is a person at a terminal, None without one: then `now` stays."""

    given: Mapping[str, str | None]
    ask: Ask | None
    asked: list[str] = field(default_factory=list)

    def of(self, option: str, question: str, now: str) -> str:
        """The answer to a question: given, or asked for, or what it is now."""
        given = self.given.get(option)
        if given:
            return given.strip()
        if self.ask is None:
            return now
        self.asked.append(option)
        try:
            return self.ask(f"{question} [{now}]: ").strip() or now
        except EOFError as error:
            raise UsageError(f"There was no answer. Give --{option}.", changed="Nothing was changed.") from error


def patiently(answers: Answers, option: str, choose: Callable[[], T], say: Callable[[str], None]) -> T:
    """What `choose` gives. A person at a terminal whose answer is no good is told why by `say`, and asked again, twice.

    Raises UsageError where nobody is there to be asked, or the option was given.
    """
    for _ in range(_TRIES - 1):
        try:
            return choose()
        except UsageError as error:
            if answers.ask is None or answers.given.get(option) or option not in answers.asked:
                raise
            say(error.what)
    return choose()


def choose_subscription(
    answers: Answers, seen: Sequence[Subscription], now: str, tenant_now: str, *, signed_in: str = ""
) -> Subscription:
    """The subscription that is given or chosen, by id or name; the tenant is checked against it. `signed_in`: to which tenant.

    Raises NotPossible where the sign-in sees none (that can be used), UsageError where there is no such one, or several.
    """
    if not seen:
        raise NotPossible(
            f"This sign-in{f' (to tenant {signed_in})' if signed_in else ''} sees no subscription.",
            changed="Nothing was changed.",
            next_step="Sign in where the subscription is: az login --tenant <tenant>. Or have somebody give you a role in it.",
        )
    seen = _of_tenant(answers, seen, tenant_now)
    first = now if any(one.id == now for one in seen) else seen[0].id
    listed = "\n".join(f"  {one.id}  {one.name}" + ("" if one.usable else f" ({one.state})") for one in seen)
    if len(seen) == 1 and not answers.given.get("subscription"):
        wanted = first
    elif answers.ask is None and not answers.given.get("subscription") and first != now:
        raise UsageError(f"Which subscription? Give --subscription:\n{listed}", changed="Nothing was changed.")
    else:
        wanted = answers.of("subscription", f"Subscriptions:\n{listed}\nSubscription, by id or name", first)
    found = [one for one in seen if wanted.lower() in (one.id.lower(), one.name.lower())]
    if len(found) != 1:
        problem = f"{len(found)} subscriptions are named" if found else "This sign-in sees no subscription"
        chosen = "\n".join(f"  {one.id}  {one.name}" for one in found) or listed
        raise UsageError(f"{problem} {wanted!r}. Give the id:\n{chosen}", changed="Nothing was changed.")
    if not found[0].usable:
        raise NotPossible(
            f"Subscription {found[0].name} ({found[0].id}) is {found[0].state}: nothing can be made in it.",
            changed="Nothing was changed.",
            next_step="Enable it (portal: Subscriptions), or choose another.",
        )
    return found[0]


def _of_tenant(answers: Answers, seen: Sequence[Subscription], now: str) -> Sequence[Subscription]:
    tenants = sorted({one.tenant_id for one in seen})
    asked = answers.given.get("tenant")
    if asked and asked.lower() not in tenants:
        raise NotPossible(
            f"This sign-in sees no subscription of tenant {asked}; it sees those of {', '.join(tenants)}.",
            changed="Nothing was changed.",
            next_step=f"Sign in there: az login --tenant {asked}",
        )
    if not asked and len(tenants) == 1:
        return seen
    listed = "\n".join(f"  {one}" for one in tenants)
    tenant = answers.of("tenant", f"Tenants:\n{listed}\nTenant", now if now in tenants else tenants[0])
    chosen = [one for one in seen if one.tenant_id.lower() == tenant.lower()]
    if not chosen:
        raise UsageError(f"This sign-in sees no subscription of tenant {tenant!r}.", changed="Nothing was changed.")
    return chosen


def choose_location(answers: Answers, known: Sequence[str], now: str) -> str:
    """The short name of a location that the subscription has."""
    location = answers.of("location", "Location", now).replace(" ", "").lower()
    if location not in known:
        raise UsageError(
            f"The subscription has no location {location!r}. It has {', '.join(known)}.", changed="Nothing was changed."
        )
    return location


def choose_workspace(
    answers: Answers, seen: Sequence[WorkspaceResource], resources: Resources, now: str
) -> WorkspaceResource | None:
    """The workspace that is given or chosen, by name, resource id or address; None for one that bootstrap is to make.

    Raises UsageError where the subscription shows no such one.
    """
    listed = "\n".join(f"  {one.name}  {one.host}  {one.location}" for one in seen) or "  (none)"
    first = now if any(now in (one.id, one.host) for one in seen) else (seen[0].name if seen else NEW)
    question = f"Databricks workspaces:\n{listed}\nWorkspace, by name, or {NEW} to have it made"
    wanted = answers.of("workspace", question, first).rstrip("/")
    if wanted.lower() == NEW:
        return None
    found = [one for one in seen if wanted.lower() in (one.id.lower(), one.name.lower(), one.host.lower())]
    if len(found) != 1:
        problem = f"{len(found)} workspaces are named" if found else "The subscription shows no workspace"
        raise UsageError(
            f"{problem} {wanted!r} ({resources.subscription_id}). It shows:\n{listed}",
            changed="Nothing was changed.",
            next_step="Give its resource id, or --workspace new to have bootstrap_environment make one.",
        )
    return found[0]


def choose_project(answers: Answers, now: str) -> tuple[str, str] | None:
    """Organization and project of Azure DevOps; None for `none`."""
    wanted = answers.of("devops", "Azure DevOps project (https://dev.azure.com/organization/project), or none", now)
    if wanted.lower() == "none":
        return None
    found = _PROJECT.fullmatch(wanted)
    if not found:
        raise UsageError(
            f"{wanted!r} is not a project of Azure DevOps: https://dev.azure.com/organization/project.",
            changed="Nothing was changed.",
        )
    return found[1], found[2].replace("%20", " ")
