"""Builds the release: collects it, checks it for every environment, and writes it with release.json."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from slipway.command import ROOT, new_parser, run_guarded
from slipway.domain.environment import load_all
from slipway.domain.release import VERSION, ReleaseJson, collect, write_release_json
from slipway.domain.release_checks import check_release
from slipway.errors import ReleaseError, UsageError
from slipway.log import Log


def main(argv: Sequence[str] | None = None, variables: Mapping[str, str] | None = None, root: Path = ROOT) -> int:
    parser = new_parser(__doc__ or "")
    parser.add_argument("--output", type=Path, metavar="DIR", help="where the release goes (default: dist/release)")
    parser.add_argument("--version", help="default: the pipeline's build number, or one made of the commit")
    parser.add_argument("--build", help="the build's id (default: that of the pipeline)")
    parser.add_argument(
        "--wheel",
        type=Path,
        metavar="DIR",
        help="a folder with the wheels (default: the library's wheel is built)",
    )
    arguments = parser.parse_args(argv)
    variables = dict(os.environ) if variables is None else variables
    return run_guarded(
        lambda log: build_release(log, arguments, variables, root), variables=variables, verbose=arguments.verbose
    )


def build_release(log: Log, arguments: argparse.Namespace, variables: Mapping[str, str], root: Path) -> None:
    """Raises ConfigurationError, ReleaseError with everything that is wrong, UsageError."""
    environments = load_all(root)
    log.info(f"Configuration of {', '.join(environment.name for environment in environments)}: no mistakes.")
    commit = _commit(root, variables)
    version = arguments.version or variables.get("BUILD_BUILDNUMBER") or f"0.0.0+{commit[:12] or 'local'}"
    if not re.fullmatch(VERSION, version):
        raise UsageError(f"{version!r} is not a version: letters, digits and . _ + -, at most 64.")
    build = arguments.build if arguments.build is not None else variables.get("BUILD_BUILDID", "")
    output = arguments.output or root / "dist" / "release"
    with tempfile.TemporaryDirectory(prefix="slipway-wheel-") as scratch:
        wheels = build_wheels(log, root, arguments.wheel, Path(scratch))
        with log.section("Checking the release"):
            files, findings = collect(root, wheels)
            findings += check_release(files, environments)
            if findings:
                count = "one thing" if len(findings) == 1 else f"{len(findings)} things"
                raise ReleaseError(f"The release is refused: {count} to correct.", findings)
            log.info(f"{len(files)} files, for {len(environments)} environments: nothing to correct.")
        release = _write(output, files, version=version, commit=commit, build=build)
    size = sum(entry.size for entry in release.files.values())
    log.info(
        f"Release {version} ({commit[:12] or 'no commit'}): {len(release.files)} files, {size / 1e6:.1f} MB, {output}"
    )


def _commit(root: Path, variables: Mapping[str, str]) -> str:
    """The commit that is built: the pipeline says it, or git; "" outside both."""
    said = variables.get("BUILD_SOURCEVERSION")
    if said:
        return said
    git = shutil.which("git")
    if git is None:
        return ""
    answer = subprocess.run([git, "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else ""


def build_wheels(log: Log, root: Path, folder: Path | None, scratch: Path) -> list[Path]:
    """The wheels in the folder; with none given the library's, built now (one built before may be an old one), or, in
    a project without library/, those in dist/wheel."""
    library = root / "library"
    if folder is not None or not (library / "pyproject.toml").is_file():
        chosen = folder or root / "dist" / "wheel"
        wheels = sorted(chosen.glob("*.whl")) if chosen.is_dir() else []
        if folder is not None and not wheels:
            raise UsageError(f"There is no wheel in {folder}.", changed="Nothing was changed.")
        log.info(f"Wheels from {chosen}: {', '.join(wheel.name for wheel in wheels) or 'none'}")
        return wheels
    with log.section("Building the wheel"):
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(scratch), str(library)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False, env=_reproducible(os.environ))
        log.detail(answer.stdout)
        if answer.returncode != 0:
            raise ReleaseError(
                f"The wheel could not be built: {(answer.stderr or answer.stdout).strip()[-2000:]}",
                next_step="The build tools are in requirements/build.txt; or build the wheel elsewhere and give --wheel.",
            )
    return sorted(scratch.glob("*.whl"))


def _reproducible(variables: Mapping[str, str]) -> dict[str, str]:
    """Times in the wheel come from here, so equal sources give equal wheels
    (https://reproducible-builds.org/specs/source-date-epoch/)."""
    return {"SOURCE_DATE_EPOCH": "1577836800", **variables}


def _write(output: Path, files: Mapping[str, Path], *, version: str, commit: str, build: str) -> ReleaseJson:
    """Puts the release in place as a whole: written beside, release.json last, then exchanged."""
    output = output.absolute()
    if output.exists() and any(output.iterdir()) and not (output / "release.json").exists():
        raise UsageError(
            f"{output} holds something that is not a release.",
            changed="It was left as it is.",
            next_step="Name another folder with --output, or empty that one.",
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        for name, source in files.items():
            target = fresh / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        release = write_release_json(fresh, version=version, commit=commit, build=build, files=files)
        fresh.chmod(0o755)
        _exchange(fresh, output)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return release


def _exchange(fresh: Path, output: Path) -> None:
    """A folder can't replace a full one in one step; for a moment there is none, never half of one."""
    if not output.exists():
        fresh.rename(output)
        return
    former = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    output.rename(former / "release")
    fresh.rename(output)
    shutil.rmtree(former, ignore_errors=True)
