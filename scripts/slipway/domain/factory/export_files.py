"""Finds the files of a Data Factory export in a ZIP or a folder, whatever else lies there, and reads them carefully.

Three generations are known (all measured on exports of 2020 to 2026): `arm_template.json` with
`arm_template_parameters.json`; the same with `factory/<name>_arm_template*.json`; and since 2022
`ARMTemplateForFactory.json` with `ARMTemplateParametersForFactory.json`. The publish branch has the same files under a
folder with the factory's name, with `globalParameters/` and a history (`PartialArmTemplates/`) that is no export.
"""

from __future__ import annotations

import json
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from slipway.domain.factory.json_file import UTF_16, Unreadable, parse_text
from slipway.errors import Finding

TEMPLATES = ("armtemplateforfactory.json", "arm_template.json")
PARAMETERS = {
    "armtemplateforfactory.json": "armtemplateparametersforfactory.json",
    "arm_template.json": "arm_template_parameters.json",
}
_BESIDE = ("linkedtemplates", "factory", "globalparameters", "partialarmtemplates", "__macosx", ".git")
_MASTER = "linkedtemplates/armtemplate_master.json"

LARGEST_FILE = 64 * 1024 * 1024
"""Bytes of one file, unpacked. Resource Manager takes templates of 4 MB; linked ones together may be larger."""
LARGEST = 256 * 1024 * 1024
"""Bytes of all files that are read."""
MOST_FILES = 20_000


@dataclass(frozen=True)
class Document:
    """A JSON file of the export. `file` is its place for people: `export.zip!ARMTemplateForFactory.json`."""

    file: str
    content: Any
    text: str = field(repr=False, default="")


@dataclass(frozen=True)
class ExportFiles:
    """The parts of one export. `template` is None where only linked templates are there: `chunks`, in order."""

    where: str
    template: Document | None = None
    parameters: Document | None = None
    chunks: tuple[Document, ...] = ()
    factory: Document | None = None
    factory_parameters: Document | None = None
    global_parameters: Document | None = None


def find_export(path: Path) -> tuple[ExportFiles, list[Finding]]:
    """The export at `path` (a ZIP, a folder with the files or with one ZIP, or the template itself), and every mistake.

    Nothing is unpacked to disk; links out of a folder are not followed.
    """
    where = str(path)
    findings: list[Finding] = []
    if path.is_dir():
        members = _folder(path, findings)
        zips = [name for name in members if name.lower().endswith(".zip") and "/" not in name]
        if zips and not _templates(members):
            if len(zips) > 1:
                findings.append(
                    Finding(where, "", f"has {len(zips)} ZIP files ({', '.join(zips)}); name the one to use")
                )
                return ExportFiles(where), findings
            return find_export(path / zips[0])
        return _assemble(where, f"{where.rstrip('/')}/", members, findings), findings
    if not path.is_file():
        return ExportFiles(where), [Finding(where, "", "there is no such file or folder")]
    if path.suffix.lower() == ".json":
        beside = [path, *_siblings(path)]
        members = {found.name: _Lazy(found) for found in beside}
        return _assemble(where, f"{path.parent}/", members, findings, wanted=path.name), findings
    archive = _zip(path, findings)
    return _assemble(where, f"{where}!", archive, findings), findings


def _parameters_of(template: str) -> str:
    """The parameters file that lies beside a template: Studio's, or that of generate_factory_template."""
    name = template.lower()
    return PARAMETERS.get(name, f"{name.removesuffix('.json')}.parameters.json")


class _Lazy:
    """A file that is read when it turns out to be part of the export."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes:
        with self._path.open("rb") as stream:
            return stream.read(LARGEST_FILE + 1)


class _Member:
    """A file in a ZIP. Its header is not believed: reading ends at the limit."""

    def __init__(self, path: Path, info: zipfile.ZipInfo) -> None:
        self._path = path
        self._info = info

    def read(self) -> bytes:
        with zipfile.ZipFile(self._path) as archive, archive.open(self._info) as stream:
            return stream.read(LARGEST_FILE + 1)


_Members = Mapping[str, "_Lazy | _Member"]


def _siblings(path: Path) -> list[Path]:
    """The parameters file of a template that was named itself."""
    other = _parameters_of(path.name)
    return [found for found in path.parent.iterdir() if found.name.lower() == other and found.is_file()]


def _folder(path: Path, findings: list[Finding]) -> _Members:
    members: dict[str, _Lazy | _Member] = {}
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if name not in (".git", "node_modules", "__MACOSX"))
        for name in sorted(names):
            found = Path(folder) / name
            if found.is_symlink() and not found.resolve().is_relative_to(path.resolve()):
                continue
            members[found.relative_to(path).as_posix()] = _Lazy(found)
            if len(members) > MOST_FILES:
                findings.append(
                    Finding(str(path), "", f"has more than {MOST_FILES} files; name the export's own folder")
                )
                return {}
    return members


def _zip(path: Path, findings: list[Finding]) -> _Members:
    def find(text: str, member: str = "") -> None:
        findings.append(Finding(f"{path}!{member}" if member else str(path), "", text))

    members: dict[str, _Lazy | _Member] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, ValueError, NotImplementedError) as error:
        find(f"is not a whole ZIP file: {error}; export or download it again")
        return {}
    if len(infos) > MOST_FILES:
        find(f"has {len(infos)} files; an export has not")
        return {}
    seen: set[str] = set()
    for info in infos:
        name = info.filename.replace("\\", "/")
        if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in PurePosixPath(name).parts:
            find("this name leads out of the ZIP; Studio writes no such thing", info.filename)
        elif info.is_dir():
            continue
        elif stat.S_ISLNK(info.external_attr >> 16):
            find("is a symbolic link; Studio writes no such thing", info.filename)
        elif name.lower() in seen:
            find("is in the ZIP twice", info.filename)
        elif info.flag_bits & 1:
            find("is encrypted; an export is not", info.filename)
        else:
            seen.add(name.lower())
            members[name] = _Member(path, info)
    return members


def _templates(members: Iterable[str]) -> list[str]:
    """The names that look like an export's template, in no folder that lies beside one."""
    return [
        name
        for name in members
        if PurePosixPath(name).name.lower() in TEMPLATES
        and not any(part.lower() in _BESIDE for part in PurePosixPath(name).parts[:-1])
    ]


class _Reader:
    def __init__(self, prefix: str, members: _Members, findings: list[Finding]) -> None:
        self.prefix, self.members, self.findings = prefix, members, findings
        self._by_lower = {name.lower(): name for name in members}
        self._read = 0

    def find(self, name: str, text: str, line: int | None = None) -> None:
        self.findings.append(Finding(self.prefix + name, "", text, line))

    def has(self, name: str) -> str | None:
        return self._by_lower.get(name.lower())

    def document(self, name: str | None) -> Document | None:
        """The JSON of a member, or None (then the finding is made, unless there is no such member)."""
        name = None if name is None else self.has(name)
        if name is None:
            return None
        data = self._bytes(name)
        text = None if data is None else self._text(name, data)
        if text is None:
            return None
        try:
            content, twice = parse_text(text)
        except Unreadable as error:
            self.find(name, f"is not valid JSON, column {error.column}: {error}", error.line)
            return None
        for one in twice:
            text = f"column {one.column}: has the key {one.key!r} twice in one object; take one away"
            self.find(name, text, one.line)
        return Document(self.prefix + name, content, text)

    def _bytes(self, name: str) -> bytes | None:
        try:
            data = self.members[name].read()
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            self.find(name, f"can't be read: {error}")
            return None
        self._read += len(data)
        for size, limit, what in (
            (len(data), LARGEST_FILE, "is"),
            (self._read, LARGEST, "and the files before it are"),
        ):
            if size > limit:
                self.find(name, f"{what} larger than {limit // 1024 // 1024} MB unpacked; an export is not")
                return None
        return data

    def _text(self, name: str, data: bytes) -> str | None:
        encoding = "utf-16" if data[:2] in UTF_16 else "utf-8-sig"
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            self.find(name, f"is not UTF-8 text (byte {error.start})")
            return None


def _assemble(
    where: str, prefix: str, members: _Members, findings: list[Finding], *, wanted: str | None = None
) -> ExportFiles:
    if findings:
        return ExportFiles(where)
    reader = _Reader(prefix, members, findings)
    templates = [wanted] if wanted is not None else _templates(members)
    if len(templates) > 1:
        listed = ", ".join(sorted(templates))
        which = "unpack it, and name the one to import" if prefix.endswith("!") else "name the one to import"
        findings.append(Finding(where, "", f"holds {len(templates)} templates ({listed}); {which}"))
        return ExportFiles(where)
    if not templates:
        return _only_linked(where, reader)
    template = templates[0]
    base = template[: -len(PurePosixPath(template).name)]
    return ExportFiles(
        where,
        template=reader.document(template),
        parameters=reader.document(base + _parameters_of(PurePosixPath(template).name)),
        **_factory(reader, base),
    )


def _factory(reader: _Reader, base: str) -> dict[str, Any]:
    """The parts that the newer generations have beside the template."""
    found: dict[str, Document | None] = {}
    for key, pattern in (
        ("factory", r"factory/[^/]+_arm_?template(forfactory)?\.json"),
        ("factory_parameters", r"factory/[^/]+_arm_?template_?parameters(forfactory)?\.json"),
        ("global_parameters", r"globalparameters/[^/]+_globalparameters\.json"),
    ):
        names = [name for name in reader.members if re.fullmatch(re.escape(base.lower()) + pattern, name.lower())]
        if len(names) > 1:
            reader.find(names[0], f"and {', '.join(names[1:])}: parts of more than one factory are here")
        found[key] = reader.document(names[0]) if len(names) == 1 else None
    return found


def _only_linked(where: str, reader: _Reader) -> ExportFiles:
    """An export of which only linkedTemplates/ is there: the files that its master lists (others are left-overs)."""
    masters = [name for name in reader.members if f"/{name}".lower().endswith("/" + _MASTER)]
    if len(masters) != 1:
        text = "holds no factory export: there is no ARMTemplateForFactory.json or arm_template.json in it"
        reader.findings.append(Finding(where, "", text))
        return ExportFiles(where)
    folder = masters[0].rpartition("/")[0]
    master = reader.document(masters[0])
    chunks = []
    resources = master.content.get("resources") if master and isinstance(master.content, dict) else None
    for resource in resources if isinstance(resources, list) else []:
        match = re.search(r"/(ArmTemplate_\d+\.json)", json.dumps(resource), re.I)
        if match is None or reader.has(f"{folder}/{match[1]}") is None:
            reader.find(masters[0], f"lists {match[1] if match else 'a template'} that is not there")
            continue
        chunk = reader.document(f"{folder}/{match[1]}")
        if chunk is not None:
            chunks.append(chunk)
    base = folder[: -len("linkedTemplates")]
    return ExportFiles(
        where,
        parameters=reader.document(f"{folder}/ArmTemplateParameters_master.json"),
        chunks=tuple(chunks),
        **_factory(reader, base),
    )
