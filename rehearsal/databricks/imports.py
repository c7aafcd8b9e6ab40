"""What workspace/import makes of the bytes it is given: a notebook or a file, and under which name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rehearsal.databricks import formats, paths
from rehearsal.databricks.errors import ApiError, invalid, not_simulated
from rehearsal.databricks.members import Member
from rehearsal.databricks.tree import FILE, NOTEBOOK, Node, Tree

LARGEST_NOTEBOOK = 10 * 1024 * 1024


@dataclass(frozen=True)
class Options:
    """format is one of `formats.FORMATS`; language is empty or one of `formats.EXTENSIONS`."""

    format: str
    language: str
    overwrite: bool


def too_large(limit: int) -> ApiError:
    return ApiError(
        400, "MAX_NOTEBOOK_SIZE_EXCEEDED", f"File size imported exceeds the maximum allowed size of {limit} bytes"
    )


def import_object(tree: Tree, member: Member, path: str, echo: str, options: Options, upload: Path, size: int) -> Node:
    """Put an uploaded file (of `size` bytes) into the tree; the upload is moved or rewritten. Raises ApiError."""
    if options.format not in formats.FORMATS:
        raise invalid(f"Unknown import format: {options.format}")
    if options.language and options.language not in formats.EXTENSIONS:
        raise invalid(f"Unknown language: {options.language}")
    if options.format in ("DBC", "HTML", "R_MARKDOWN"):
        raise not_simulated(f"import format {options.format}")
    with upload.open("rb") as file:
        head = file.read(64)
    if options.format == "AUTO":
        return _import_auto(tree, member, path, echo, options, upload, size, head)
    if options.format == "RAW":
        return _put_file(tree, member, path, echo, options, upload, size)
    if options.format == "JUPYTER":
        return _put_jupyter(tree, member, path, echo, options, upload, size)
    if not options.language:
        # SOURCE without a language means a zip of a folder (databricks/cli integration tests).
        if head.startswith(b"PK\x03\x04"):
            raise not_simulated("import of zip archives")
        raise invalid("The zip archive contains no items.")
    return _put_source(tree, member, path, echo, options, upload, size)


def _import_auto(
    tree: Tree, member: Member, path: str, echo: str, options: Options, upload: Path, size: int, head: bytes
) -> Node:
    """A notebook loses its extension, anything else is a file under its own name (databricks/cli `libs/filer` tests)."""
    name = paths.name_of(path)
    if name.lower().endswith((".zip", ".dbc", ".designer.ipynb")):
        raise not_simulated(f"automatic import of {name}")
    found = formats.detect(name, head)
    if found is None:
        return _put_file(tree, member, path, echo, options, upload, size)
    stem, language = found
    path, echo = paths.join(paths.parent_of(path), stem), paths.join(paths.parent_of(echo), stem)
    if not language:
        return _put_jupyter(tree, member, path, echo, options, upload, size)
    return _put_source(tree, member, path, echo, Options("SOURCE", language, options.overwrite), upload, size)


def _put_file(tree: Tree, member: Member, path: str, echo: str, options: Options, upload: Path, size: int) -> Node:
    tree.check_target(member, path, FILE, options.overwrite, echo)
    return tree.put(member, path, FILE, "", upload, size)


def _put_source(tree: Tree, member: Member, path: str, echo: str, options: Options, upload: Path, size: int) -> Node:
    if size > LARGEST_NOTEBOOK:
        raise too_large(LARGEST_NOTEBOOK)
    tree.check_target(member, path, NOTEBOOK, options.overwrite, echo)
    source = formats.with_header(options.language, upload.read_bytes())
    upload.write_bytes(source)
    return tree.put(member, path, NOTEBOOK, options.language, upload, len(source))


def _put_jupyter(tree: Tree, member: Member, path: str, echo: str, options: Options, upload: Path, size: int) -> Node:
    if size > LARGEST_NOTEBOOK:
        raise too_large(LARGEST_NOTEBOOK)
    tree.check_target(member, path, NOTEBOOK, options.overwrite, echo)
    language, source = formats.from_jupyter(upload.read_bytes())
    upload.write_bytes(source)
    return tree.put(member, path, NOTEBOOK, language, upload, len(source))
