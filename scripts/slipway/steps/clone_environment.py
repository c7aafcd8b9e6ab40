"""Adds an environment by copying one that is there: its file in config/environments/ and its block in the pipeline's list,
comments kept. Then says what else Azure needs. Changes nothing outside this repository.
"""

from __future__ import annotations

import argparse
import difflib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from slipway.command import ROOT, new_parser, run_guarded
from slipway.domain import clone
from slipway.domain.environment import DEFAULTS, FOLDER, Environment, environment_names, load_all
from slipway.errors import ConfigurationError, NotPossible, UsageError
from slipway.log import Log


def main(argv: Sequence[str] | None = None, *, variables: Mapping[str, str] | None = None, root: Path = ROOT) -> int:
    parser = new_parser(__doc__ or "")
    parser.add_argument("--from", dest="source", metavar="NAME", help="the environment to copy")
    parser.add_argument("--to", dest="target", metavar="NAME", help="the new environment")
    parser.add_argument("--after", metavar="NAME", help="its place in the order of releases (default: after --from)")
    parser.add_argument("--what-if", action="store_true", help="show what would be written, and write nothing")
    parser.add_argument("--check", action="store_true", help="check what is there: --to NAME, or every environment")
    arguments = parser.parse_args(argv)
    variables = dict(os.environ) if variables is None else variables

    def work(log: Log) -> int:
        if arguments.check:
            return check(log, root, arguments.target)
        return clone_environment(log, root, arguments)

    return run_guarded(work, variables=variables, verbose=arguments.verbose, where=arguments.target or "")


def clone_environment(log: Log, root: Path, arguments: argparse.Namespace) -> int:
    """Writes both files, or with --what-if shows them. Raises UsageError, ConfigurationError, NotPossible."""
    source, target = arguments.source, arguments.target
    if not source or not target:
        raise UsageError("--from NAME and --to NAME are needed.", next_step="See --help.")
    clone.check_names(source, target, environment_names(root))
    config_file, list_file = root / FOLDER / f"{target}.yml", root / clone.LIST_FILE
    config = clone.clone_configuration((root / FOLDER / f"{source}.yml").read_text(encoding="utf-8"), source, target)
    before = _read_list(root)
    after = clone.add_block(before, source, target, arguments.after or source)
    environments = _load_with(root, target, config)
    if arguments.what_if:
        log.result(_difference("", config, f"{FOLDER}/{target}.yml"))
        log.result(_difference(before, after, clone.LIST_FILE))
        log.info("Nothing was written (--what-if).")
    else:
        _write_both(config_file, config, list_file, after)
        log.info(f"Wrote {FOLDER}/{target}.yml and the block of {target} in {clone.LIST_FILE}.")
    _say_needs(log, target, environments, clone.blocks(after))
    return 0


def check(log: Log, root: Path, target: str | None) -> int:
    """Looks whether files and list fit together; returns 3 when something is missing. Changes nothing."""
    environments = load_all(root)
    listed = clone.blocks(_read_list(root))
    names = [environment.name for environment in environments]
    if target and target not in names and target not in [block.name for block in listed]:
        raise UsageError(f"There is no environment {target!r}. Environments here: {', '.join(names)}.")
    missing = clone.compare(names, listed)
    for text in missing:
        log.error(text)
    if target in names:
        _say_needs(log, target, environments, listed)
    elif not missing:
        log.info(f"{', '.join(names)}: the files and {clone.LIST_FILE} fit together.")
    return ConfigurationError.exit_code if missing else 0


def _read_list(root: Path) -> str:
    path = root / clone.LIST_FILE
    if not path.is_file():
        raise NotPossible(
            f"{clone.LIST_FILE} is missing: it holds the environments of the pipelines.",
            changed="Nothing was changed.",
            next_step="Run this in the repository; a release's folder has no pipelines.",
        )
    return path.read_text(encoding="utf-8")


def _load_with(root: Path, target: str, config: str) -> list[Environment]:
    """Every environment as if the new file were there, so that a mistake is found before anything is written."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder)
        shutil.copytree(root / FOLDER, trial / FOLDER)
        shutil.copy2(root / DEFAULTS, trial / DEFAULTS)
        (trial / FOLDER / f"{target}.yml").write_text(config, encoding="utf-8")
        return load_all(trial)


def _write_both(config_file: Path, config: str, list_file: Path, content: str) -> None:
    """Both files or none of them."""
    with config_file.open("x", encoding="utf-8") as new:
        new.write(config)
    beside = list_file.with_name(list_file.name + ".new")
    try:
        beside.write_text(content, encoding="utf-8")
        shutil.copymode(list_file, beside)
        beside.replace(list_file)
    except OSError as error:
        config_file.unlink()
        beside.unlink(missing_ok=True)
        raise NotPossible(f"{list_file} can't be written: {error}", changed="Nothing was changed.") from error


def _difference(before: str, after: str, name: str) -> str:
    old = f"a/{name}" if before else "/dev/null"
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), old, f"b/{name}", lineterm="")
    return "\n".join(lines)


def _say_needs(log: Log, name: str, environments: Sequence[Environment], listed: Sequence[clone.Block]) -> None:
    environment = next(one for one in environments if one.name == name)
    others = [one for one in environments if one.name != name]
    block = next((one for one in listed if one.name == name), None)
    log.info(f"What {name} needs besides these files (nothing of it can be seen from here):")
    for need in clone.needs(environment, block, others):
        log.info(f"  [ ] {need.what}\n      {need.how}")
