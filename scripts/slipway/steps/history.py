"""Shows what happened to the environments, newest last: who released what, where, when, with what result. Reads only."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from slipway.command import ROOT, moment, new_parser, run_guarded
from slipway.domain.audit import ACTIONS, Row, each_once
from slipway.domain.codec import encode
from slipway.domain.environment import Environment, environment_names, load_environment
from slipway.domain.state import STATE_BLOB, read_state
from slipway.errors import NotBootstrapped, SlipwayError
from slipway.log import Log
from slipway.services.credentials import Credential
from slipway.steps.text_table import text_table

_HASH = 12
"""Characters of a manifest's hash that are shown."""


def main(argv: Sequence[str] | None = None, variables: Mapping[str, str] | None = None, root: Path = ROOT) -> int:
    parser = new_parser(__doc__ or "")
    parser.add_argument("--environment", metavar="NAME", help="this one only (default: all of config/environments/)")
    parser.add_argument("--since", type=moment, metavar="TIME", help="from this time on: 2026-12-24T08:00+01:00")
    parser.add_argument("--until", type=moment, metavar="TIME", help="before this time")
    parser.add_argument(
        "--action", action="append", choices=ACTIONS, default=[], help="this action only; can be repeated"
    )
    parser.add_argument("--json", action="store_true", help="as data, with every column")
    arguments = parser.parse_args(argv)
    variables = dict(os.environ) if variables is None else variables
    return run_guarded(
        lambda log: history(log, arguments, variables, root),
        variables=variables,
        verbose=arguments.verbose,
        where=arguments.environment or "",
    )


def history(log: Log, arguments: argparse.Namespace, variables: Mapping[str, str], root: Path) -> None:
    """Raises UsageError and ConfigurationError; AuthenticationError, ServiceError and NotPossible after showing what else
    there is."""
    from slipway.services.credentials import credential

    names = [arguments.environment] if arguments.environment else environment_names(root)
    environments = [load_environment(root, name) for name in names]
    found, error = _rows(log, environments, credential(variables), arguments)
    if error is not None and not found:
        raise error
    rows = chosen(found, arguments)
    if arguments.json:
        log.result(json.dumps([encode(row) for row in rows], indent=1, ensure_ascii=False))
    else:
        log.result(as_text(rows))
    if error is not None:
        error.what = f"This is not all: {error.what}"
        raise error


def chosen(rows: Iterable[Row], arguments: argparse.Namespace) -> list[Row]:
    """What was asked for: oldest first, every row once."""
    since, until = arguments.since, arguments.until
    return [
        row
        for row in each_once(rows)
        if (since is None or row.time >= since)
        and (until is None or row.time < until)
        and (not arguments.action or row.action in arguments.action)
    ]


def as_text(rows: Sequence[Row]) -> str:
    """For a person."""
    if not rows:
        return "Nothing of that is in the audit."
    lines = [["time", "environment", "release", "action", "result", "slots", "manifest", "seconds", "who", "detail"]]
    for row in rows:
        data = encode(row)
        slots = " → ".join(slot for slot in (row.from_slot, row.to_slot) if slot)
        seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
        lines.append(
            [
                *(data[name] for name in ("time", "environment", "release", "action", "result")),
                slots,
                row.manifest[:_HASH],
                seconds,
                row.who,
                row.detail,
            ]
        )
    return "\n".join(text_table(lines))


def _rows(
    log: Log, environments: Sequence[Environment], identity: Credential, arguments: argparse.Namespace
) -> tuple[list[Row], SlipwayError | None]:
    """From the tables of all state accounts, and from the states, where rows wait that no step could write yet. With the
    last error of what can't be read; earlier ones are warnings."""
    from slipway.services.audit import AuditTable

    rows: list[Row] = []
    errors: list[SlipwayError] = []
    for app, account in sorted({(each.app, each.azure.state.storage_account) for each in environments}):
        names = [each.name for each in environments if (each.app, each.azure.state.storage_account) == (app, account)]
        try:
            rows += AuditTable(account, identity).read(app, names, since=arguments.since, until=arguments.until)
        except SlipwayError as error:
            errors.append(error)
    for environment in environments:
        try:
            waiting = _waiting(environment, identity)
        except SlipwayError as error:
            errors.append(error)
            continue
        if waiting:
            log.info(f"{len(waiting)} rows of {environment.name} wait in its state for the next step to write them.")
        rows += waiting
    for each in errors[:-1]:
        log.warning(each.what)
    return rows, errors[-1] if errors else None


def _waiting(environment: Environment, identity: Credential) -> tuple[Row, ...]:
    from slipway.services.storage import StateStore

    where = environment.azure.state
    try:
        found = StateStore(where.storage_account, where.container, identity).read(STATE_BLOB)
    except NotBootstrapped:  # never released to
        return ()
    if found is None:
        return ()
    return read_state(found[0], app=environment.app, environment=environment.name).audit
