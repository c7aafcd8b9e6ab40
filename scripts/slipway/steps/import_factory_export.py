"""Imports what Data Factory Studio exported (a ZIP, or a folder) into an environment's factory: only what differs."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway.command import Context, run_step
from slipway.domain.environment import Environment
from slipway.domain.factory.export import Definition, Export, render
from slipway.domain.factory.export_age import stale_objects
from slipway.domain.factory.export_files import ExportFiles, find_export
from slipway.domain.factory.export_from_git import export_of
from slipway.domain.factory.export_notebooks import RELEASE_FOLDER, map_notebooks
from slipway.domain.factory.export_parameters import Values
from slipway.domain.factory.git_folder import read_git_folder
from slipway.domain.slot import SLOTS, Slot
from slipway.errors import Finding, NotPossible, ReleaseError, UsageError
from slipway.services.credentials import credential
from slipway.services.data_factory import DataFactory
from slipway.steps.claiming import claim_options
from slipway.steps.factory_deployment import Deployment, Rules, make_plan, read_live, say_plan
from slipway.steps.factory_values import checked, with_secrets
from slipway.steps.session import Session, open_session

EXPORTS = "arm/datafactory"
GIT_FOLDER = "datafactory"


def main() -> int:
    return run_step(import_export, description=__doc__ or "", options=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "export",
        type=Path,
        nargs="?",
        metavar="FILE_OR_FOLDER",
        help=f"the ZIP or folder of Export ARM template (default: what lies under {EXPORTS}/, or, with source: git, {GIT_FOLDER}/)",
    )
    parser.add_argument("--slot", choices=SLOTS, help="where mapped notebook paths lead (default: the live slot)")
    claim_options(parser)


def import_export(context: Context) -> None:
    """Checks the export without asking any service, plans against the live factory, deploys what differs.

    Raises ReleaseError with every mistake in the export, NotPossible, Conflict, and what a service refused.
    """
    environment = context.environment
    with context.log.section("Reading the export"):
        work = _read(context)
    session = open_session(context, _version(context))
    azure = environment.azure
    identity = credential(context.variables)
    factory = DataFactory(
        identity,
        azure.subscription_id,
        azure.resource_group,
        environment.resources.data_factory,
        sleep=context.sleep,
    )
    if context.what_if:
        session.load()
        _Import(session, factory, work).what_if()
        return
    former = session.load().claim
    held = former is not None and former.holder == session.holder.id
    with session.claimed():
        session.refuse_open_switch()
        _Import(session, factory, work).run()
    if not held:
        session.release_claim()


@dataclass(frozen=True)
class _Work:
    """An export that was checked, and its values for the environment (secrets of the vault not yet among them)."""

    export: Export
    values: Values


def _read(context: Context) -> _Work:
    path, files, findings = _files(context)
    try:
        export, values = checked(context, files, findings, what=f"The export {path}")
    except ReleaseError:
        context.log.info(f"{path} was not imported into {context.environment.resources.data_factory}.")
        raise
    _say(context, export, values)
    _warn_of_age(context, export)
    return _Work(export, values)


def _files(context: Context) -> tuple[Path, ExportFiles, list[Finding]]:
    """The export that was named, or what data_factory.source says: the one in the release, or the Git folder."""
    environment, named = context.environment, context.arguments.export
    if environment.data_factory.source == "git":
        path = context.root / GIT_FOLDER
        if named is not None:
            raise NotPossible(
                f"The factory of {environment.name} is generated from its Git folder (data_factory.source: git).",
                changed="Nothing was changed.",
                next_step=f"Leave {named} out, or set data_factory.source: export.",
            )
        databricks = environment.data_factory.parameterise_databricks
        return path, export_of(read_git_folder(path), parameterise_databricks=databricks), []
    path = named or context.root / EXPORTS
    if not path.exists():
        raise UsageError(f"There is no {path}.", changed="Nothing was changed.")
    return path, *find_export(path)


def _say(context: Context, export: Export, values: Values) -> None:
    log, target = context.log, context.environment.resources.data_factory
    log.info(
        f"{export.where}: {len(export.resources)} objects of factory {export.factory or '(unnamed)'}, for {target}"
    )
    for note in export.notes:
        log.info(note)
    kept = [name for name in values.kept if f"_{RELEASE_FOLDER}_value" not in name]  # that one is always the slot's
    if kept:
        log.info(f"{len(kept)} parameters keep the export's values: {', '.join(kept)}")
    for name in values.plain_secrets:
        log.warning(f"data_factory.parameters.{name} is secure and stands in the configuration; use {{key_vault: …}}.")


def _warn_of_age(context: Context, export: Export) -> None:
    """Says which objects have changed in the factory's Git folder since the export, where there is one."""
    folder = context.root / GIT_FOLDER
    if context.environment.data_factory.source == "git" or not folder.is_dir():
        return
    try:
        git = read_git_folder(folder)
    except ReleaseError:
        context.log.info(f"{GIT_FOLDER}/ has mistakes, so the export was not compared with it.")
        return
    if export.factory.lower() not in (factory.name.lower() for factory in git.factories):
        return
    lines = stale_objects(export, git.objects, factory=context.environment.resources.data_factory)
    if lines:
        context.log.warning(
            f"The export is not of the state that {GIT_FOLDER}/ is in ({len(lines)} objects: "
            f"{'; '.join(lines[:20])}{'; …' if len(lines) > 20 else ''}). Was it exported before the last change?"
        )


def _version(context: Context) -> str:
    try:
        return str(json.loads((context.release / "release.json").read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return "an export, by hand"


class _Import:
    def __init__(self, session: Session, factory: DataFactory, work: _Work) -> None:
        self.session, self.factory, self.work = session, factory, work
        self.environment: Environment = session.environment
        policy = self.environment.data_factory
        self.rules = Rules(
            delete_removed=policy.delete_removed,
            delete_limit_percent=policy.delete_limit_percent,
            keep_stopped=policy.triggers == "stopped",
        )
        self.slot: Slot | None = session.context.arguments.slot or session.state.live

    def what_if(self) -> None:
        self._check_factory()
        definition = self._definition(self.work.values, say=True)
        live = read_live(self.factory, self.session.store, definition, self.rules)
        with self.session.log.section(f"What would change in data factory {self.factory.name}"):
            say_plan(self.session.log, make_plan(definition, live, self.rules))

    def run(self) -> None:
        log, store = self.session.log, self.session.store
        deployment = Deployment(self.factory, store, log, guard=self.session.guard, clock=self.session.context.clock)
        self._check_factory()
        deployment.repair()
        definition = self._definition(self.work.values, say=True)
        live = read_live(self.factory, store, definition, self.rules)
        plan = make_plan(definition, live, self.rules)
        with log.section(f"Data factory {self.factory.name}"):
            say_plan(log, plan)
            if plan.empty:
                log.info("Nothing to do.")
                return
            filled = self._definition(with_secrets(self.session.context, self.work.values), say=False)
            deployment.run(plan, {item.key: item for item in filled.objects}, live)
        log.summary(_summary(self.environment, self.work.export, plan))

    def _check_factory(self) -> None:
        """Raises NotPossible: no factory, or one that a release must not write to."""
        environment, name = self.environment, self.factory.name
        found = self.factory.get()
        if found is None:
            raise NotPossible(
                f"There is no data factory {name} in {self.factory.resource_group}.",
                changed="Nothing was changed.",
                next_step=f"Run scripts/deploy_resources.py --environment {environment.name} first; it makes the factory.",
            )
        git = (found.get("properties") or {}).get("repoConfiguration")
        development = environment.name == "dev"
        if git and not development:
            raise NotPossible(
                f"Data factory {name} of {environment.name} is linked to Git "
                f"({git.get('accountName', '')}/{git.get('repositoryName', '')}): whoever publishes there overwrites "
                "what a release deploys, and Studio does not show it.",
                changed="Nothing was changed.",
                next_step="Disconnect the repository in Studio (Manage, Git configuration): only DEV's factory has one.",
            )
        if git:
            self.session.log.warning(f"{name} is linked to Git: Studio shows what is there, not what is imported.")
        if development and not git and self.rules.delete_removed:
            raise NotPossible(
                f"Data factory {name} is DEV's and not linked to Git: what is in it may be nowhere else, so nothing "
                "is deleted from it.",
                changed="Nothing was changed.",
                next_step=f"Set data_factory.delete_removed: false for {environment.name}, or link the factory to Git.",
            )

    def _definition(self, values: Values, *, say: bool) -> Definition:
        """The objects for this environment: rendered, notebook paths mapped, the release folder set."""
        definition, findings = render(self.work.export, values, factory=self.factory.name)
        if findings:
            raise ReleaseError("The export can't be rendered.", findings)
        paths = self.environment.data_factory.notebook_paths
        needs_slot = "slot" in paths.values() or RELEASE_FOLDER in definition.global_parameters
        if needs_slot and self.slot is None:
            raise NotPossible(
                f"No slot is live in {self.environment.name}, so notebook paths can lead to none.",
                changed="Nothing was changed.",
                next_step="Release the notebooks first, or name the slot with --slot.",
            )
        folder = self.session.slot_folder(self.slot) if self.slot is not None else ""
        objects, mapped, left = map_notebooks(definition.objects, paths, folder)
        if say:
            for line in mapped:
                self.session.log.info(line)
            for line in left:
                self.session.log.warning(
                    f"Not blue/green: {line} is written in the pipeline (data_factory.notebook_paths)."
                )
        globals_ = dict(definition.global_parameters)
        if RELEASE_FOLDER in globals_:
            globals_[RELEASE_FOLDER] = {**globals_[RELEASE_FOLDER], "value": folder}
        return Definition(tuple(objects), globals_)


def _summary(environment: Environment, export: Export, plan: Any) -> str:
    created = sum(1 for change in plan.puts if change.action == "create")
    lines = [
        f"### Data factory {environment.resources.data_factory}",
        "",
        f"From `{export.where}`: {created} objects created, {len(plan.puts) - created} updated, "
        f"{len(plan.changes) - len(plan.puts)} the same, {len(plan.removals)} deleted.",
    ]
    return "\n".join(lines) + "\n"
