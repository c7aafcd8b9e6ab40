"""`dbutils.fs` over folders of this machine and Azure storage (docs: "File system utility")."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from rehearsal.notebooks.azure_files import AzureFiles
from rehearsal.notebooks.errors import ExecutionError, NotInRehearsal
from rehearsal.notebooks.paths import DATASETS, AzurePlace, Folders, LocalPlace, Place


@dataclass(frozen=True)
class FileInfo:
    """One entry of `ls`. name: ends with a slash for a folder; modificationTime: milliseconds since the epoch."""

    path: str
    name: str
    size: int
    modificationTime: int  # noqa: N815

    def isDir(self) -> bool:  # noqa: N802
        return self.name.endswith("/")

    def isFile(self) -> bool:  # noqa: N802
        return not self.isDir()


class FileSystem:
    """`dbutils.fs`; a missing path fails with the service's java.io.FileNotFoundException."""

    def __init__(self, folders: Folders, azure: AzureFiles) -> None:
        self._folders = folders
        self._azure = azure

    def ls(self, path: str) -> list[FileInfo]:
        """What is in a folder; of a file, the file itself."""
        place = self._folders.place(path)
        kind = self._kind(place)
        if kind is None:
            raise _missing("ls", place)
        if isinstance(place, AzurePlace):
            if kind == "file":
                found = self._azure.properties(place)
                return [FileInfo(place.shown, found.name, found.size, found.modified)]
            base = place.shown.rstrip("/")
            return [
                FileInfo(
                    f"{base}/{each.name}{'/' * each.folder}", each.name + "/" * each.folder, each.size, each.modified
                )
                for each in self._azure.list(place)
            ]
        if kind == "file":
            return [_info(place.real, place.shown)]
        children = {child.name: child for child in place.real.iterdir()}
        if place.shown == "dbfs:/" and self._folders.datasets is not None:
            children[DATASETS[1:]] = self._folders.datasets
        base = place.shown.rstrip("/")
        return [_info(children[name], f"{base}/{name}") for name in sorted(children)]

    def head(self, file: str, maxBytes: int = 65536) -> str:  # noqa: N803
        """The first bytes of a file as UTF-8 text."""
        place = self._folders.place(file)
        kind = self._kind(place)
        if kind is None:
            raise _missing("head", place)
        if kind == "folder":
            raise ExecutionError(
                "head", "java.lang.IllegalArgumentException", f"Cannot head a directory: {place.shown}"
            )
        if isinstance(place, AzurePlace):
            return self._azure.read(place, maxBytes).decode("utf-8", "replace")
        with place.real.open("rb") as opened:
            return opened.read(maxBytes).decode("utf-8", "replace")

    def put(self, file: str, contents: str, overwrite: bool = False) -> bool:
        """Writes a text to a file; the folders above it are made."""
        place = self._folders.place(file)
        if self._kind(place) is not None and not overwrite:
            raise ExecutionError(
                "put", "org.apache.hadoop.fs.FileAlreadyExistsException", f"{place.shown} already exists."
            )
        self._write(place, contents.encode(), "put")
        print(f"Wrote {len(contents.encode())} bytes.")
        return True

    def mkdirs(self, path: str) -> bool:
        """Makes a folder and the ones above it; one that is there is fine."""
        place = self._folders.place(path)
        if self._kind(place) == "file":
            text = f"{place.shown} already exists and is not a directory"
            raise ExecutionError("mkdirs", "org.apache.hadoop.fs.FileAlreadyExistsException", text)
        if isinstance(place, AzurePlace):
            self._azure.make_folder(place)
        else:
            _writable(place, "mkdirs").mkdir(parents=True, exist_ok=True)
        return True

    def rm(self, path: str, recurse: bool = False) -> bool:
        """Removes a file or a folder; False when nothing is there. A folder that is not empty needs recurse."""
        place = self._folders.place(path)
        kind = self._kind(place)
        if kind is None:
            return False
        if kind == "folder" and not recurse and self.ls(path):
            text = f"Cannot delete recursively without recurse=True: {place.shown}"
            raise ExecutionError("rm", "java.io.IOException", text)
        if isinstance(place, AzurePlace):
            self._azure.remove(place)
        elif kind == "folder":
            shutil.rmtree(_writable(place, "rm"))
        else:
            _writable(place, "rm").unlink()
        return True

    def cp(self, from_: str, to: str, recurse: bool = False) -> bool:
        """Copies a file, or a folder with recurse, also between file systems."""
        source, target = self._folders.place(from_), self._folders.place(to)
        kind = self._kind(source)
        if kind is None:
            raise _missing("cp", source)
        if kind == "folder":
            if not recurse:
                text = f"Cannot copy directory unless recurse is set to true: {source.shown}"
                raise ExecutionError("cp", "java.lang.IllegalArgumentException", text)
            for name in self._names(source):
                self._write(_below(target, name), self._read(_below(source, name)), "cp")
            return True
        if self._kind(target) == "folder":
            target = _below(target, source.shown.rpartition("/")[2])
        self._write(target, self._read(source), "cp")
        return True

    def mv(self, from_: str, to: str, recurse: bool = False) -> bool:
        """Copies, then removes the original."""
        self.cp(from_, to, recurse)
        return self.rm(from_, recurse)

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotInRehearsal(f"dbutils.fs.{name}")

    def _kind(self, place: Place) -> str | None:
        if isinstance(place, AzurePlace):
            return self._azure.kind(place)
        if place.shown == "dbfs:/" or place.real.is_dir():
            return "folder"
        return "file" if place.real.exists() else None

    def _names(self, folder: Place) -> list[str]:
        if isinstance(folder, AzurePlace):
            prefix = folder.path + "/" if folder.path else ""
            return [name[len(prefix) :] for name in self._azure.names(folder) if name.startswith(prefix)]
        return [str(each.relative_to(folder.real)) for each in sorted(folder.real.rglob("*")) if each.is_file()]

    def _read(self, place: Place) -> bytes:
        return self._azure.read(place) if isinstance(place, AzurePlace) else place.real.read_bytes()

    def _write(self, place: Place, content: bytes, method: str) -> None:
        if isinstance(place, AzurePlace):
            self._azure.write(place, content)
            return
        real = _writable(place, method)
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_bytes(content)


def _below(place: Place, name: str) -> Place:
    if isinstance(place, AzurePlace):
        return AzurePlace(place.account, place.container, f"{place.path}/{name}".strip("/"))
    return LocalPlace(place.real / name, f"{place.shown.rstrip('/')}/{name}", place.writable)


def _info(real: Path, shown: str) -> FileInfo:
    status = real.stat()
    folder = real.is_dir()
    slash = "/" * folder
    name = shown.rpartition("/")[2]
    return FileInfo(shown + slash, name + slash, 0 if folder else status.st_size, int(status.st_mtime * 1000))


def _missing(method: str, place: Place) -> ExecutionError:
    return ExecutionError(method, "java.io.FileNotFoundException", f"No such file or directory {place.shown}")


def _writable(place: LocalPlace, method: str) -> Path:
    if not place.writable:
        text = f"{place.shown} is read-only in runs of this rehearsal"
        raise ExecutionError(method, "java.nio.file.AccessDeniedException", text)
    return place.real
