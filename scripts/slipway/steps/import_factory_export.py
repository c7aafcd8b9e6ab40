"""Imports what Data Factory Studio exported (a ZIP, or a folder) into an environment's factory: only what differs."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from slipway.command import Context, run_step
from slipway.domain.environment import Environment
from slipway.domain.factory.export import Export
from slipway.domain.factory.export_age import stale_objects
from slipway.domain.factory.export_files import ExportFiles, find_export
from slipway.domain.factory.export_from_git import export_of
from slipway.domain.factory.export_notebooks import RELEASE_FOLDER
from slipway.domain.factory.export_parameters import Values
from slipway.domain.factory.git_folder import read_git_folder
from slipway.domain.factory.part import FactoryPart
from slipway.domain.slot import SLOTS, Slot
from slipway.domain.switch import Journal
from slipway.errors import Finding, NotPossible, ReleaseError, UsageError
from slipway.steps.auditing import audited
from slipway.steps.claiming import claim_options
from slipway.steps.factory_deployment import say_plan
from slipway.steps.factory_switch import FactoryWork
from slipway.steps.factory_targets import definition_target
from slipway.steps.factory_values import EXPORTS, GIT_FOLDER, checked
from slipway.steps.release_source import version_of
from slipway.steps.session import Session, open_session
from slipway.steps.switching import begin, finish_or_take_back, settle


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
    session = open_session(context, version_of(context, "an export, by hand"))
    slot: Slot | None = context.arguments.slot or session.load().live
    if context.what_if:
        plan, _live = _work(session, work, slot).plan()
        with context.log.section(f"What would change in data factory {environment.resources.data_factory}"):
            say_plan(context.log, plan)
        return
    with audited(session, "import"), session.claimed(keep=False):
        settle_import(session)
        session.refuse_open_switch()
        part = deploy_alone(session, _work(session, work, slot), version_of(context, "an export, by hand"), slot)
        if part is not None:
            context.log.summary(_summary(environment, work.export, part))


def _work(session: Session, work: _Checked, slot: Slot | None) -> FactoryWork:
    return FactoryWork(session, session.factory, definition_target(session, work.export, work.values, slot))


def settle_import(session: Session) -> None:
    """An import that was cut short is taken back first: the factory is planned against what it was before."""
    journal = session.state.switch
    if journal is not None and journal.kind == "import":
        settle(session)


def deploy_alone(session: Session, factory: FactoryWork, version: str, slot: Slot | None) -> FactoryPart | None:
    """Deploys under a journal of its own, so that an import which fails or is cut short is taken back whole. None where
    there is nothing to do."""
    part = factory.begin(even_if_empty=False)
    if part is None:
        session.log.info("Nothing to do.")
        return None
    state = session.state
    journal = Journal(
        kind="import",
        version=version,
        manifest="",
        source=state.live,
        target=slot or state.idle,
        actions=(),
        settings="",
        kept=None,
        started=session.service_time(),
        holder=session.holder.id,
        number=session.number,
        factory=part,
    )
    begin(session, journal)
    finish_or_take_back(session, factory)
    return part


@dataclass(frozen=True)
class _Checked:
    """An export that was checked, and its values for the environment (secrets of the vault not yet among them)."""

    export: Export
    values: Values


def _read(context: Context) -> _Checked:
    path, files, findings = _files(context)
    try:
        export, values = checked(context, files, findings, what=f"The export {path}")
    except ReleaseError:
        context.log.info(f"{path} was not imported into {context.environment.resources.data_factory}.")
        raise
    _say(context, export, values)
    _warn_of_age(context, export)
    return _Checked(export, values)


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


def _summary(environment: Environment, export: Export, part: FactoryPart) -> str:
    lines = [
        f"### Data factory {environment.resources.data_factory}",
        "",
        f"From `{export.where}`: {len(part.created)} objects created, {len(part.updated)} updated, "
        f"{len(part.removed)} deleted.",
    ]
    return "\n".join(lines) + "\n"
