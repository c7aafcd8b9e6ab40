"""Libraries of a run: wheels unpacked into a folder of the run's own, that comes first on sys.path.

A run must use the release's own wheel, and nothing from the internet: a wheel comes from the workspace, a volume, or
the local wheelhouse; what it needs must be there too, or in the rehearsal's environment. Anything else is refused by
name.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib
import importlib.metadata
import sys
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from rehearsal.notebooks.errors import NotInRehearsal


class LibraryProblem(Exception):
    """A library can't be installed; the text names it and says why."""


class Libraries:
    """Installs wheels into one folder.

    folder: new, the run's own. wheelhouse: local wheels that requirements may be met from. real: where a path of the
    workspace, a volume or the driver's disk lies on this machine. from_dbfs: whether wheels on the DBFS root are
    installed.
    """

    def __init__(
        self, folder: Path, wheelhouse: Path | None, real: Callable[[str], Path], *, from_dbfs: bool = False
    ) -> None:
        self._folder = folder
        self._wheelhouse = wheelhouse
        self._real = real
        self._from_dbfs = from_dbfs

    def install_task_library(self, library: Mapping[str, Any]) -> list[str]:
        """One entry of a task's `libraries` (Jobs API): whl, requirements or pypi. Returns what was installed.

        Raises NotInRehearsal for other kinds, LibraryProblem when it can't be installed.
        """
        if "whl" in library:
            return self.install_wheel(str(library["whl"]))
        if "requirements" in library:
            return self.install_file(str(library["requirements"]))
        if "pypi" in library:
            if repository := library["pypi"].get("repo"):
                raise NotInRehearsal(f"libraries from {repository}", "the wheelhouse and the environment have what there is")
            return self.install_requirement(str(library["pypi"].get("package", "")))
        raise NotInRehearsal(f"libraries of kind {', '.join(library)}", "use a wheel of the release")

    def install_wheel(self, path: str) -> list[str]:
        """A wheel by its path, with what it needs."""
        on_dbfs = path.startswith(("dbfs:", "/dbfs/")) and not path.startswith("dbfs:/Volumes/")
        if on_dbfs and not self._from_dbfs:
            # DBR 15.1 and above no longer install from the DBFS root (docs: "Install libraries").
            raise LibraryProblem(
                f"{path}: libraries on the DBFS root are not installed; use workspace files or volumes"
            )
        place = path.removeprefix("file:").removeprefix("dbfs:")
        real = self._real(f"/dbfs{place}" if on_dbfs and not place.startswith("/dbfs/") else place)
        if not real.is_file():
            raise LibraryProblem(f"{path}: there is no such file")
        return self._install(real, path)

    def install_file(self, path: str) -> list[str]:
        """A requirements file by its path; only names with versions, and paths of wheels."""
        real = self._real(path)
        if not real.is_file():
            raise LibraryProblem(f"{path}: there is no such file")
        done: list[str] = []
        for row in real.read_text(encoding="utf-8").splitlines():
            row = row.partition(" #")[0].strip()
            if not row or row.startswith("#"):
                continue
            if row.startswith("-"):
                raise NotInRehearsal(f"{path}: the option {row.split()[0]}")
            done += (
                self.install_wheel(row) if row.endswith(".whl") and "@" not in row else self.install_requirement(row)
            )
        return done

    def install_requirement(self, text: str) -> list[str]:
        """A requirement such as `name==1.2`: nothing to do when it is met, else from the wheelhouse."""
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise LibraryProblem(f"{text!r} is not a requirement: {error}") from None
        if requirement.url:
            raise LibraryProblem(f"{text}: this rehearsal downloads nothing")
        return self._meet(requirement, "")

    def _meet(self, requirement: Requirement, wanted_by: str) -> list[str]:
        installed = self._installed_version(requirement.name)
        if installed is not None and requirement.specifier.contains(installed, prereleases=True):
            return self._needs(requirement.name, installed, requirement.extras) if requirement.extras else []
        for wheel in self._candidates(requirement):
            return self._install(wheel, wheel.name, requirement.extras)
        here = f"here is {installed}" if installed else "it is not installed here"
        house = "the wheelhouse has none that fits" if self._wheelhouse else "there is no wheelhouse"
        needed = f" (needed by {wanted_by})" if wanted_by else ""
        raise LibraryProblem(f"{requirement}{needed}: {here}, {house}, and this rehearsal downloads nothing")

    def _installed_version(self, name: str) -> str | None:
        for distribution in importlib.metadata.distributions(name=name, path=self._places()):
            return distribution.version
        return None

    def _candidates(self, requirement: Requirement) -> Iterable[Path]:
        """Wheels of the wheelhouse that meet a requirement and run on this Python, newest first."""
        found = []
        for wheel in self._wheelhouse.glob("*.whl") if self._wheelhouse else ():
            try:
                name, version, _, tags = parse_wheel_filename(wheel.name)
            except InvalidWheelFilename:
                continue
            fits = name == canonicalize_name(requirement.name) and requirement.specifier.contains(version)
            if fits and not tags.isdisjoint(sys_tags()):
                found.append((version, wheel))
        return [wheel for _, wheel in sorted(found, reverse=True)]

    def _install(self, wheel: Path, shown: str, extras: Collection[str] = ()) -> list[str]:
        try:
            name, version, _, tags = parse_wheel_filename(wheel.name)
        except InvalidWheelFilename as error:
            raise LibraryProblem(f"{shown}: {error}") from None
        if tags.isdisjoint(sys_tags()):
            raise LibraryProblem(f"{shown}: not a wheel for this Python ({sys.version_info[0]}.{sys.version_info[1]})")
        self._remove(name)
        unpack_wheel(wheel, self._folder, shown)
        self._put_first()
        return [f"{name} {version}", *self._needs(name, str(version), extras)]

    def _needs(self, name: str, version: str, extras: Collection[str]) -> list[str]:
        """Installs what a library needs, for itself and for these extras of it."""
        done: list[str] = []
        for text in self._requirements(name):
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                done += self._meet(requirement, f"{name} {version}")
        return done

    def _remove(self, name: str) -> None:
        """Take away another version of a library that this run installed before."""
        for distribution in importlib.metadata.distributions(name=name, path=[str(self._folder)]):
            for file in distribution.files or []:
                (self._folder / str(file)).unlink(missing_ok=True)
                for cached in (self._folder / str(file)).parent.glob(f"__pycache__/{Path(str(file)).stem}.*"):
                    cached.unlink(missing_ok=True)

    def _requirements(self, name: str) -> list[str]:
        for distribution in importlib.metadata.distributions(name=name, path=self._places()):
            return distribution.requires or []
        return []

    def _places(self) -> list[str]:
        return [str(self._folder), *(each for each in sys.path if each)]

    def known(self) -> list[tuple[str, str]]:
        """Names and versions of what can be imported; of several the one that comes first."""
        found: dict[str, str] = {}
        for distribution in importlib.metadata.distributions(path=self._places()):
            found.setdefault(canonicalize_name(distribution.metadata["Name"] or ""), distribution.version)
        return sorted(found.items())

    def uninstall(self, name: str) -> str:
        """Takes away what this run installed. Raises NotInRehearsal for anything else."""
        for distribution in importlib.metadata.distributions(name=name, path=[str(self._folder)]):
            version = distribution.version
            self._remove(name)
            return f"Uninstalled {name} {version}"
        raise NotInRehearsal(f"%pip uninstall {name}", "only what the run itself installed can be taken away")

    def _put_first(self) -> None:
        if str(self._folder) in sys.path:
            sys.path.remove(str(self._folder))
        sys.path.insert(0, str(self._folder))
        importlib.invalidate_caches()


def unpack_wheel(wheel: Path, folder: Path, shown: str) -> None:
    """Unpacks a wheel's packages and metadata into a folder, after checking every file against the wheel's RECORD.

    Raises LibraryProblem when it is no wheel, a hash differs, a file is not in RECORD, or a path leads out of the
    folder.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            record_name = next(
                (name for name in names if name.endswith(".dist-info/RECORD") and name.count("/") == 1), None
            )
            if record_name is None:
                raise LibraryProblem(f"{shown}: no wheel, it has no RECORD")
            record = {row[0]: row[1] for row in csv.reader(archive.read(record_name).decode().splitlines()) if row}
            for name in names:
                target = _target(name, folder, shown)
                content = archive.read(name)
                if name != record_name:
                    _check(name, content, record, shown)
                if target is not None:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content)
    except zipfile.BadZipFile:
        raise LibraryProblem(f"{shown}: no wheel, it is not a ZIP file or a damaged one") from None


def _check(name: str, content: bytes, record: Mapping[str, str], shown: str) -> None:
    algorithm, _, expected = record.get(name, "").partition("=")
    if name.endswith((".dist-info/RECORD.jws", ".dist-info/RECORD.p7s")):
        return
    if algorithm not in ("sha256", "sha384", "sha512"):
        raise LibraryProblem(f"{shown}: {name} has no usable hash in RECORD")
    digest = base64.urlsafe_b64encode(hashlib.new(algorithm, content).digest()).rstrip(b"=").decode()
    if digest != expected:
        raise LibraryProblem(f"{shown}: {name} differs from its hash in RECORD")


def _target(name: str, folder: Path, shown: str) -> Path | None:
    """Where a file of a wheel goes; None for scripts, headers and data, which a notebook does not need."""
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name:
        raise LibraryProblem(f"{shown}: {name} leads out of the library's folder")
    if parts[0].endswith(".data"):
        if len(parts) < 3 or parts[1] not in ("purelib", "platlib"):
            return None
        parts = parts[2:]
    return folder.joinpath(*parts)
