"""Puts copies of the factory objects that a release changes beside the live ones, led to the idle slot, for its test."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from slipway.command import Context, run_step
from slipway.domain.factory.candidate import (
    COPIED,
    SHARED,
    CandidatePlan,
    Source,
    is_candidate,
    plan_candidate,
    removals,
)
from slipway.domain.factory.comparison import body, holds_secret
from slipway.domain.factory.objects import FactoryObject, Kind
from slipway.domain.factory.pipeline_test import check_pipelines
from slipway.domain.factory.references import references
from slipway.errors import AuthenticationError, Conflict, ReleaseError, ServiceError, SlipwayError
from slipway.services.data_factory import DataFactory
from slipway.steps.auditing import audited
from slipway.steps.claiming import claim_options
from slipway.steps.factory_candidate_source import Wanted, read_wanted
from slipway.steps.factory_switch import require_factory
from slipway.steps.release_source import release_of, version_of
from slipway.steps.run_integration_test import candidate_in
from slipway.steps.session import Session, open_session

_UNTOUCHED = "No live object, trigger or global parameter was changed."


def main() -> int:
    return run_step(run, description=__doc__ or "", options=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--remove", action="store_true", help="take all candidate copies out of the factory, and put none there"
    )
    parser.add_argument(
        "--pipeline",
        action="append",
        default=[],
        metavar="NAME",
        help="copy this pipeline in any case, beside those of integration_test.factory_pipelines; can be given several "
        "times",
    )
    claim_options(parser)


def run(context: Context) -> None:
    environment, log = context.environment, context.log
    if environment.data_factory.source == "none":
        log.info(f"{environment.name} releases no factory objects (data_factory.source: none). Nothing to do.")
        return
    if context.arguments.remove:
        session = open_session(context, version_of(context, "candidate copies, by hand"))
        remove(session, session.factory)
        return
    release = release_of(context)
    with log.section("Reading the factory's definitions"):
        wanted = read_wanted(context)
        log.info(f"{wanted.export.where}: {len(wanted.export.resources)} objects")
    session = open_session(context, release.version)
    publish(session, session.factory, wanted, release.version)


def publish(session: Session, factory: DataFactory, wanted: Wanted, version: str) -> None:
    """Puts the candidate's copies there and takes away those of earlier ones; with --what-if says what it would do.

    Raises NotPossible (no candidate in the idle slot, no factory), ReleaseError (what can't be copied), Conflict,
    ServiceError; whatever it raises, nothing that is live was changed.
    """
    log = session.log
    if session.context.what_if:
        session.load()
        plan = _plan(session, factory, wanted, version)
        with log.section(f"What would change in data factory {factory.name}"):
            _say(session, plan)
        return
    with audited(session, "candidate"), session.claimed():
        session.refuse_open_switch()
        plan = _plan(session, factory, wanted, version)
        with log.section(f"Candidate {plan.identity} in data factory {factory.name}"):
            _say(session, plan)
            if any(holds_secret(item.properties) for level in plan.puts for item in level):
                plan = _plan(session, factory, wanted.with_secrets(session.context), version)
            _put(session, factory, plan)
            for failure in _delete(session, factory, plan.left_overs):
                log.warning(f"A copy of an earlier candidate stays: {failure}")
        log.summary(_summary(factory, plan), name=f"factory-candidate-{session.environment.name}")


def remove(session: Session, factory: DataFactory) -> None:
    """Takes away every candidate's copies. Raises ServiceError with those that the service keeps."""
    log = session.log
    if factory.get() is None:
        log.info(f"There is no data factory {factory.name}. Nothing to do.")
        return
    found = removals(_listed(factory, COPIED))
    if not found:
        log.info(f"Data factory {factory.name} has no candidate copies. Nothing to do.")
        return
    if session.context.what_if:
        for item in found:
            log.info(f"- {item}")
        return
    where = f"Candidate copies in data factory {factory.name}"
    with audited(session, "candidate"), session.claimed(keep=False), log.section(where):
        found = removals(_listed(factory, COPIED))  # again: another release may have ended while this one waited
        failed = _delete(session, factory, found)
        log.info(f"{len(found) - len(failed)} copies deleted.")
        if failed:
            raise ServiceError(
                f"{len(failed)} of {len(found)} candidate copies stay in data factory {factory.name}:"
                + "".join(f"\n  {text}" for text in failed),
                changed=f"The others were deleted. {_UNTOUCHED}",
                next_step="Take away what uses them (a trigger made by hand, say), then run again with --remove.",
            )


def _plan(session: Session, factory: DataFactory, wanted: Wanted, version: str) -> CandidatePlan:
    slot = session.state.idle
    manifest = candidate_in(session, slot, version).manifest
    resource = require_factory(session, factory)
    folder = session.slot_folder(slot)
    source = wanted.source(
        live=session.slot_folder(session.state.live) if session.state.live else folder,
        candidate=folder,
        live_globals=(resource.get("properties") or {}).get("globalParameters") or {},
    )
    configured = session.environment.integration_test.factory_pipelines
    tested = {name.lower(): name for name in (*configured, *session.context.arguments.pipeline)}
    plan, findings = plan_candidate(source, _live(factory, source), manifest=manifest, tested=tested.values())
    findings += check_pipelines(configured, source.objects)
    if findings:
        raise ReleaseError(
            f"Candidate copies of release {version} can't be made for data factory {factory.name}.",
            findings,
            next_step="Correct what is named, and release again. Nothing was changed.",
        )
    return plan


def _live(factory: DataFactory, source: Source) -> list[FactoryObject]:
    """What the factory has of the kinds that matter: those that are copied, and what the source shares with it."""
    shared = {item.kind for item in source.objects} | {
        reference.kind for item in source.objects for reference in references(item)
    }
    return _listed(factory, [*COPIED, *(kind for kind in SHARED if kind in shared)])


def _listed(factory: DataFactory, kinds: Sequence[Kind]) -> list[FactoryObject]:
    with ThreadPoolExecutor(len(kinds)) as pool:
        return [item for part in pool.map(factory.objects, kinds) for item in part]


def _say(session: Session, plan: CandidatePlan) -> None:
    log = session.log
    for note in plan.notes:
        log.warning(note)
    for item in (item for level in plan.shared for item in level):
        log.info(f"+ {item}: is new, and the copies need it; it gets its own name, and stays")
    for level in plan.copies:
        for copy in level:
            log.info(f"{'=' if copy.there else '+'} {copy.item}: {copy.original.name} {copy.why}")
    for item in plan.left_overs:
        log.info(f"- {item}: of an earlier candidate")
    if not plan.copies:
        log.info("No pipeline, data flow or dataset differs from what is live: there is nothing to copy.")


def _put(session: Session, factory: DataFactory, plan: CandidatePlan) -> None:
    def put(item: FactoryObject) -> None:
        factory.put(item.kind, item.name, body(item))

    try:
        for level in plan.puts:
            session.concurrently([partial(put, item) for item in level], "factory objects")
    except (ServiceError, AuthenticationError) as error:
        raise type(error)(
            f"The candidate's copies could not be put into data factory {factory.name}: {error.what}",
            changed=_UNTOUCHED,
            next_step=error.next_step
            or "Correct it and run again; scripts/publish_factory_candidate.py --remove "
            f"--environment {session.environment.name} takes the copies away that are there.",
        ) from error


def _delete(session: Session, factory: DataFactory, items: Iterable[FactoryObject]) -> list[str]:
    """Deletes copies in the given order; returns why some stay. Raises Conflict when the claim is lost."""
    failed = []
    for item in items:
        if not is_candidate(item):
            raise AssertionError(f"{item} is no copy")
        session.guard()
        try:
            factory.delete(item.kind, item.name)
            session.log.detail(f"deleted {item}")
        except Conflict:
            raise
        except SlipwayError as error:
            failed.append(f"{item}: {error.what}")
    return failed


def _summary(factory: DataFactory, plan: CandidatePlan) -> str:
    copies = [copy for level in plan.copies for copy in level]
    lines = [f"### Candidate {plan.identity} in data factory {factory.name}", ""]
    lines += [f"- {copy.original}: {copy.why}" for copy in copies] or ["Nothing of the factory's objects differs."]
    lines += [f"- {item}: new, made under its own name" for level in plan.shared for item in level]
    lines += [f"- Not tested: {note}" for note in plan.notes]
    return "\n".join(lines) + "\n"
