"""What workspace/import makes of the bytes it is given: a notebook, a file, or a folder of both, and under which name."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

from rehearsal.databricks import archives, formats, paths
from rehearsal.databricks.errors import ApiError, exists, invalid, not_simulated
from rehearsal.databricks.members import Member
from rehearsal.databricks.tree import DIRECTORY, FILE, NOTEBOOK, Node, Tree

LARGEST_NOTEBOOK = 10 * 1024 * 1024


@dataclass(frozen=True)
class Options:
    """format is one of `formats.FORMATS`; language is empty or one of `formats.EXTENSIONS`."""

    format: str
    language: str
    overwrite: bool


@dataclass(frozen=True)
class Import:
    """One import: who puts which uploaded file (of `size` bytes) where; `echo` is the path as asked for."""

    tree: Tree
    member: Member
    path: str
    echo: str
    options: Options
    upload: Path
    size: int

    def renamed(self, name: str) -> tuple[str, str]:
        return paths.join(paths.parent_of(self.path), name), paths.join(paths.parent_of(self.echo), name)


def too_large(limit: int) -> ApiError:
    return ApiError(
        400, "MAX_NOTEBOOK_SIZE_EXCEEDED", f"File size imported exceeds the maximum allowed size of {limit} bytes"
    )


def run(asked: Import) -> Node:
    """Put an uploaded file into the tree; the upload is moved or rewritten. Raises ApiError."""
    options = asked.options
    if options.format not in formats.FORMATS:
        raise invalid(f"Unknown import format: {options.format}")
    if options.language and options.language not in formats.EXTENSIONS:
        raise invalid(f"Unknown language: {options.language}")
    if options.format in ("HTML", "R_MARKDOWN"):
        raise not_simulated(f"import format {options.format}")
    with asked.upload.open("rb") as file:
        head = file.read(64)
    if options.format == "AUTO":
        return _auto(asked, head)
    if options.format == "RAW":
        return put_file(asked)
    if options.format == "JUPYTER":
        return _put_jupyter(asked, asked.path, asked.echo)
    if options.format == "DBC":
        return _put_folder(asked, archives.read_dbc(asked.upload))
    if options.language:
        return _put_source(asked, asked.path, asked.echo, options.language)
    # SOURCE without a language means a zip of a folder (databricks/cli integration tests).
    if not head.startswith(b"PK\x03\x04"):
        raise invalid("The zip archive contains no items.")
    return _put_folder(asked, archives.read_zip(asked.upload))


def _auto(asked: Import, head: bytes) -> Node:
    """A notebook loses its extension, anything else is a file under its own name (databricks/cli `libs/filer` tests)."""
    name = paths.name_of(asked.path)
    if name.lower().endswith((".zip", ".dbc", ".designer.ipynb")):
        # A folder or an object of another kind; under which name is not known.
        raise not_simulated(f"automatic import of {name}; import archives as DBC, or as SOURCE without a language")
    found = formats.detect(name, head)
    if found is None:
        return put_file(asked)
    stem, language = found
    path, echo = asked.renamed(stem)
    return _put_source(asked, path, echo, language) if language else _put_jupyter(asked, path, echo)


def put_file(asked: Import) -> Node:
    asked.tree.check_target(asked.member, asked.path, FILE, asked.options.overwrite, asked.echo)
    return asked.tree.put(asked.member, asked.path, FILE, "", asked.upload, asked.size)


def _put_source(asked: Import, path: str, echo: str, language: str) -> Node:
    if asked.size > LARGEST_NOTEBOOK:
        raise too_large(LARGEST_NOTEBOOK)
    asked.tree.check_target(asked.member, path, NOTEBOOK, asked.options.overwrite, echo)
    source = formats.with_header(language, asked.upload.read_bytes())
    asked.upload.write_bytes(source)
    return asked.tree.put(asked.member, path, NOTEBOOK, language, asked.upload, len(source))


def _put_jupyter(asked: Import, path: str, echo: str) -> Node:
    if asked.size > LARGEST_NOTEBOOK:
        raise too_large(LARGEST_NOTEBOOK)
    asked.tree.check_target(asked.member, path, NOTEBOOK, asked.options.overwrite, echo)
    language, source = formats.from_jupyter(asked.upload.read_bytes())
    asked.upload.write_bytes(source)
    return asked.tree.put(asked.member, path, NOTEBOOK, language, asked.upload, len(source), jupyter=True)


def _put_folder(asked: Import, items: list[archives.Item]) -> Node:
    """What an archive holds, as a new folder; an archive of one notebook that lies in no folder is that notebook. The folder
    that an archive's paths have in common is the one that is named (both unverified)."""
    tree, member = asked.tree, asked.member
    if asked.options.overwrite:
        raise invalid("Overwrite is not supported for archives")  # that it is not is documented
    one = len(items) == 1 and "/" not in items[0].path
    tree.check_target(member, asked.path, NOTEBOOK if one else DIRECTORY, False, asked.echo)
    places = {paths.join(asked.path, item.path): item for item in _without_top(items)}
    if one:
        return _put_item(asked, asked.path, items[0])
    if len(places) < len(items):
        raise exists(f"Two items of the archive would have the same name in {asked.echo}")
    tree.mkdirs(member, asked.path, asked.echo)
    for path, item in sorted(places.items()):
        tree.mkdirs(member, paths.parent_of(path), paths.parent_of(path))
        _put_item(asked, path, item)
    return tree.get(member, asked.path, asked.echo)


def _without_top(items: list[archives.Item]) -> list[archives.Item]:
    tops = {item.path.partition("/")[0] for item in items if "/" in item.path}
    if len(tops) != 1 or any("/" not in item.path for item in items):
        return items
    return [archives.Item(i.path.partition("/")[2], i.language, i.content, i.jupyter) for i in items]


def _put_item(asked: Import, path: str, item: archives.Item) -> Node:
    kind = NOTEBOOK if item.language else FILE
    asked.tree.check_target(asked.member, path, kind, False, path)
    part = asked.upload.with_name(uuid.uuid4().hex)
    part.write_bytes(item.content)
    size = len(item.content)
    return asked.tree.put(asked.member, path, kind, item.language, part, size, jupyter=item.jupyter)
