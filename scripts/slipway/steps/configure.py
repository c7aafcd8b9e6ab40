"""Writes your tenant, subscription, names, workspace and Azure DevOps project into config/defaults.yml, comments kept. Asks at
most six questions; each can be answered by an option too. With --set, writes single values and asks nothing.
"""

from __future__ import annotations

import argparse
import difflib
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from slipway.command import ROOT, new_parser, run_guarded
from slipway.domain.configuration import Resolver, look_up, parse
from slipway.domain.devops import listed_environments
from slipway.domain.environment import DEFAULTS, FOLDER, environment_names, load_all
from slipway.domain.yaml_edit import set_value
from slipway.errors import ConfigurationError, NotPossible, UsageError, saying
from slipway.log import Log
from slipway.services.credentials import credential
from slipway.services.resource_manager.groups import Resources
from slipway.services.resource_manager.tenancy import locations, subscriptions, workspaces
from slipway.steps.configuration_files import write_text
from slipway.steps.configure_answers import (
    Answers,
    Ask,
    choose_location,
    choose_project,
    choose_subscription,
    choose_workspace,
    patiently,
)

_NO_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
_OPTIONS = {
    "tenant": "the tenant, where the sign-in sees several",
    "subscription": "the subscription, by id or name",
    "location": "where resources are made, such as westeurope",
    "app": "the name of your project: short, lower-case; part of the names of resources",
    "workspace": "the Databricks workspace, by name, resource id or address; new: bootstrap_environment is to make it",
    "devops": "https://dev.azure.com/organization/project, or none",
}


def main(
    argv: Sequence[str] | None = None,
    *,
    variables: Mapping[str, str] | None = None,
    root: Path = ROOT,
    ask: Ask | None = None,
) -> int:
    parser = new_parser(__doc__ or "")
    for name, text in _OPTIONS.items():
        parser.add_argument(f"--{name}", metavar="TEXT", help=text)
    parser.add_argument("--environment", metavar="NAME", help="with --set: its own file, not that of the defaults")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a key path and its value, as YAML; null: none"
    )
    parser.add_argument("--what-if", action="store_true", help="show what would be written, and write nothing")
    arguments = parser.parse_args(argv)
    variables = dict(os.environ) if variables is None else variables
    if ask is None and sys.stdin is not None and sys.stdin.isatty():
        ask = input

    def work(log: Log) -> None:
        with saying("Nothing was changed."):
            file, values = _wanted(log, root, arguments, variables, ask)
            _write(log, root, file, values, what_if=arguments.what_if)

    return run_guarded(work, variables=variables, verbose=arguments.verbose, where=arguments.environment or "")


def _wanted(
    log: Log, root: Path, arguments: argparse.Namespace, variables: Mapping[str, str], ask: Ask | None
) -> tuple[str, dict[str, Any]]:
    """The file to change, and its values by key path."""
    if not (root / DEFAULTS).is_file() or (root / "release.json").exists():
        raise NotPossible(f"There is no {DEFAULTS} to write here.", next_step="Run this in the repository.")
    given = {name: getattr(arguments, name) for name in _OPTIONS}
    if not arguments.set:
        if arguments.environment:
            raise UsageError("--environment belongs to --set.", next_step="See --help.")
        return DEFAULTS, _answered(log, root, Answers(given, ask), variables)
    if any(given.values()):
        raise UsageError("--set and the other options exclude each other.", next_step="Run it twice.")
    values = dict(_assignment(text) for text in arguments.set)
    if not arguments.environment:
        return DEFAULTS, values
    known = environment_names(root)
    if arguments.environment not in known:
        raise UsageError(f"There is no environment {arguments.environment!r}. Environments here: {', '.join(known)}.")
    return f"{FOLDER}/{arguments.environment}.yml", values


def _assignment(text: str) -> tuple[str, Any]:
    key, mark, value = text.partition("=")
    if not mark or not all(part.strip() == part != "" for part in key.split(".")):
        raise UsageError(f"--set {text}: write it as key.path=value.")
    try:
        return key, yaml.safe_load(value) if value.strip() else ""
    except yaml.YAMLError as error:
        if "{{" in value:  # an expression of the configuration is text for people, and a mapping for YAML
            return key, value
        problem = getattr(error, "problem", None) or "it can't be read"
        raise UsageError(f"--set {text}: the value is not YAML: {problem}.") from error


def _answered(log: Log, root: Path, answers: Answers, variables: Mapping[str, str]) -> dict[str, Any]:
    """What people and Azure say, where it differs from what is there."""
    now = _resolved(root)
    identity = credential(variables)
    known = subscriptions(Resources(identity, _NO_SUBSCRIPTION))
    tenant = "" if known else str(identity.claims().get("tid", ""))
    ask = partial(patiently, answers, say=log.warning)
    chosen = ask(
        "subscription",
        lambda: choose_subscription(
            answers, known, now("azure.subscription_id"), now("azure.tenant_id"), signed_in=tenant
        ),
    )
    resources = Resources(identity, chosen.id)
    there = locations(resources)
    location = ask("location", lambda: choose_location(answers, there, now("azure.location")))
    app = ask("app", lambda: _choose_app(answers, root, now("app")))
    seen = workspaces(resources)
    workspace = ask("workspace", lambda: choose_workspace(answers, seen, resources, now("databricks.host")))
    organization, project = now("azure_devops.organization"), now("azure_devops.project")
    devops = ask("devops", lambda: choose_project(answers, f"{organization}/{project}" if organization else "none"))
    log.info(f"  subscription {chosen.name} ({chosen.id}) of tenant {chosen.tenant_id}, {location}, app {app}")
    wanted: dict[str, Any] = {
        "app": app,
        "azure.tenant_id": chosen.tenant_id,
        "azure.subscription_id": chosen.id,
        "azure.location": location,
    }
    if workspace is not None:
        wanted |= {"databricks.host": workspace.host, "databricks.workspace_resource_id": workspace.id}
    if devops is not None:
        wanted |= {"azure_devops.organization": devops[0], "azure_devops.project": devops[1]}
        if project and devops[1] != project:
            wanted["azure_devops.approvers"] = [f"[{devops[1]}]\\Project Administrators"]
    elif organization:
        wanted = {**wanted, "azure_devops": None}
    changed = {key: value for key, value in wanted.items() if _differs(now(key), value)}
    if workspace is None:
        log.info(
            "  The workspace is made by: "
            f"python scripts/bootstrap_environment.py --environment {_first(root)} --workspace create"
        )
    elif workspace.location != location:
        log.warning(f"Workspace {workspace.name} is in {workspace.location}, not in {location}: data crosses regions.")
    # With another app or subscription the expression in the file may still say the very id.
    if "databricks.workspace_resource_id" in wanted and {"app", "azure.subscription_id"} & changed.keys():
        changed["databricks.workspace_resource_id"] = wanted["databricks.workspace_resource_id"]
    return changed


def _choose_app(answers: Answers, root: Path, now: str) -> str:
    """The name of the project. Raises UsageError for one that somebody typed, and that no resource can be called by."""
    app = answers.of("app", "Name of the project, short, lower-case", now)
    if "app" in answers.asked and app != now:
        try:
            _check(root, DEFAULTS, set_value((root / DEFAULTS).read_text(encoding="utf-8"), ["app"], app))
        except ConfigurationError as error:
            wrong = "\n".join(f"  {text}" for text in dict.fromkeys(one.text for one in error.findings))
            raise UsageError(
                f"The project can't be called {app!r}:\n{wrong}", changed="Nothing was changed."
            ) from error
    return app


def _first(root: Path) -> str:
    """The environment that is released to first."""
    try:
        return listed_environments(root)[0].name
    except (NotPossible, IndexError):
        return environment_names(root)[0]


def _differs(now: str, wanted: Any) -> bool:
    return not isinstance(wanted, str) or now.lower() != wanted.lower()


def _resolved(root: Path) -> Any:
    """What the defaults say at a key path, as text; "" where they say nothing."""
    values, places, findings = parse((root / DEFAULTS).read_text(encoding="utf-8"), DEFAULTS)
    if findings:
        raise ConfigurationError(f"{DEFAULTS} can't be read.", findings)
    resolved = Resolver(values, {"environment": "environment"}, places).resolve()

    def say(path: str) -> str:
        found, value = look_up(resolved, path)
        return str(value) if found and isinstance(value, str) else ""

    return say


def _write(log: Log, root: Path, file: str, values: Mapping[str, Any], *, what_if: bool) -> None:
    """Sets the values, checks every environment with them, and only then writes."""
    before = after = (root / file).read_text(encoding="utf-8")
    for key, value in values.items():
        after = set_value(after, key.split("."), value)
    if after == before:
        log.info(f"{file} says so already: nothing to change.")
        return
    _check(root, file, after)
    log.result("\n".join(_difference(before, after, file)))
    if what_if:
        log.info("Nothing was written (--what-if).")
        return
    write_text(root / file, after)
    log.info(f"Wrote {file}. Commit this.")
    if file == DEFAULTS:
        _say_own_values(log, root, values)


def _check(root: Path, file: str, text: str) -> None:
    """Raises ConfigurationError where any environment would not be right any more."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder)
        shutil.copytree(root / "config", trial / "config")
        (trial / file).write_text(text, encoding="utf-8")
        load_all(trial)


def _say_own_values(log: Log, root: Path, values: Mapping[str, Any]) -> None:
    """An environment's own file goes over the defaults: what it says itself has not changed."""
    for name in environment_names(root):
        file = f"{FOLDER}/{name}.yml"
        own, _, _ = parse((root / file).read_text(encoding="utf-8"), file)
        kept = [key for key in values if look_up(own, key)[0]]
        if kept:
            log.warning(f"{file} has its own {', '.join(kept)}, which stay: look whether they are right.")


def _difference(before: str, after: str, name: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), f"a/{name}", f"b/{name}", lineterm="", n=1)
    return list(lines)
