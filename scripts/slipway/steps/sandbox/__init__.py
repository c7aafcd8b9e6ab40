"""Keeps a developer's own folder in the workspace, /Workspace/Users/<me>/<app>, in step with this checkout.

push brings there what changed here: notebooks/, the library's wheel, config/environment.json with the values of an environment.
pull brings back what was changed there. run runs a notebook that lies there. What both sides changed is shown and left as it is.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from slipway.command import ROOT, Context, new_parser, run_guarded
from slipway.domain.environment import load_environment
from slipway.log import Log
from slipway.services.credentials import credential
from slipway.services.databricks import Workspace, connect
from slipway.steps.sandbox.place import find_place
from slipway.steps.sandbox.pull import pull
from slipway.steps.sandbox.push import push
from slipway.steps.sandbox.run import run_notebook, run_options


def main(argv: Sequence[str] | None = None, *, variables: Mapping[str, str] | None = None, root: Path = ROOT) -> int:
    arguments = _parser().parse_args(argv)
    variables = dict(os.environ) if variables is None else variables

    def work(log: Log) -> None:
        environment = load_environment(root, arguments.environment)
        context = Context(
            environment=environment,
            release=root,
            log=log,
            variables=variables,
            what_if=arguments.what_if,
            arguments=arguments,
            root=root,
        )
        workspace = connect(environment, credential(variables), variables)
        sandbox(context, workspace, ask=_ask if sys.stdin.isatty() else None)

    return run_guarded(work, variables=variables, verbose=arguments.verbose)


def sandbox(context: Context, workspace: Workspace, *, ask: Callable[[str], bool] | None) -> None:
    """What the arguments ask for. Raises Conflict, NotPossible, UsageError, TestFailed, and what the workspace answers."""
    place = find_place(context, workspace, ask)
    if context.arguments.action == "push":
        with tempfile.TemporaryDirectory(prefix="slipway-sandbox-") as scratch:
            push(place, Path(scratch))
    elif context.arguments.action == "pull":
        pull(place)
    else:
        run_notebook(place)


def _parser() -> argparse.ArgumentParser:
    parser = new_parser(__doc__ or "")
    actions = parser.add_subparsers(dest="action", required=True, metavar="push | pull | run")
    for name, says in (
        ("push", "bring what changed here to the workspace"),
        ("pull", "bring what was changed in the workspace here"),
        ("run", "run a notebook that lies in the sandbox"),
    ):
        one = actions.add_parser(name, help=says, description=says, allow_abbrev=False)
        one.add_argument(
            "--environment", default="dev", metavar="NAME", help="whose values and workspace (default: %(default)s)"
        )
        one.add_argument("--folder", metavar="PATH", help="in the workspace (default: /Workspace/Users/<me>/<app>)")
        one.add_argument("--what-if", action="store_true", help="say what would be done, and do nothing")
        if name == "run":
            run_options(one)
        else:
            _sync_options(one, name)
    return parser


def _sync_options(parser: argparse.ArgumentParser, action: str) -> None:
    whose = "yours over the workspace's" if action == "push" else "the workspace's over yours"
    parser.add_argument(
        "--force", nargs="*", metavar="FILE", help=f"of what both sides changed, put {whose}: these files, or all"
    )
    parser.add_argument("--delete", action="store_true", help="delete what is gone on this side without asking")
    if action == "pull":
        return
    parser.add_argument(
        "--wheel", type=Path, metavar="DIR", help="a folder with the wheels (default: the library's wheel is built)"
    )


def _ask(question: str) -> bool:
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
