"""Generates a factory's template and parameters file from its Git folder: what Studio's export would be. Works offline."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from slipway.command import ROOT, new_parser, run_guarded
from slipway.domain.factory.git_folder import read_git_folder
from slipway.domain.factory.limits import Output, within_limits
from slipway.domain.factory.template import generate, to_bytes
from slipway.errors import UsageError
from slipway.log import Log


def main(argv: Sequence[str] | None = None, variables: Mapping[str, str] | None = None, root: Path = ROOT) -> int:
    parser = new_parser(__doc__ or "")
    parser.add_argument("--source", type=Path, metavar="DIR", help="the factory's Git folder (default: datafactory)")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="where the template goes")
    parser.add_argument(
        "--parameters", type=Path, metavar="FILE", help="where its parameters go (default: OUTPUT.parameters.json)"
    )
    parser.add_argument("--factory", metavar="NAME", help="factoryName's value, and which file in factory/ counts")
    parser.add_argument(
        "--parameterise-databricks",
        action="store_true",
        help="parameters for domain, workspaceResourceId and jobId too, which Studio leaves as they are",
    )
    arguments = parser.parse_args(argv)
    variables = dict(os.environ) if variables is None else variables
    return run_guarded(
        lambda log: generate_factory_template(log, arguments, root), variables=variables, verbose=arguments.verbose
    )


def generate_factory_template(log: Log, arguments: argparse.Namespace, root: Path) -> None:
    """Raises ReleaseError with every mistake in the Git folder; then nothing is written."""
    source: Path = arguments.source or root / "datafactory"
    output: Path = arguments.output
    parameters: Path = arguments.parameters or output.with_name(f"{output.stem}.parameters.json")
    if output == parameters:
        raise UsageError(f"--output and --parameters are both {output}.")
    folder = read_git_folder(source)
    whole = generate(folder, factory_name=arguments.factory, parameterise_databricks=arguments.parameterise_databricks)
    result = within_limits(whole)
    for warning in whole.warnings:
        log.warning(str(warning))
    if not whole.parameters["factoryName"].default:
        log.warning(f"{source} has no factory/ that says the factory's name: factoryName has no default.")
    _write(output, to_bytes(result.template))
    _write(parameters, to_bytes(result.parameters))
    log.info(f"{len(whole.resources)} resources, {len(whole.parameters)} parameters{_parts(result)}: {output}")
    log.info(f"Their values: {parameters}")


def _parts(result: Output) -> str:
    text = f", in {result.parts} nested parts" if result.parts else ""
    return f"{text}, as members of `values` and `secrets`" if result.packed else text


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    beside = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}.") from None
