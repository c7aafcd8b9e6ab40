"""Makes plain Python (`open`, `os`, `pathlib`, `shutil`) see `/Workspace`, `/dbfs` and `/Volumes` in this process.

The functions that pathlib, shutil, glob and pandas end up in are replaced by ones that translate paths; code that opens
files by itself in C (for example pyarrow with a path) is not reached. The working directory is the notebook's folder
(docs: "default current working directory", DBR 14 and above), and belongs to a notebook, not to the process, because
`dbutils.notebook.run` runs another notebook beside it.
"""

from __future__ import annotations

import builtins
import errno
import functools
import glob
import io
import itertools
import os
import posixpath
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rehearsal.notebooks.paths import Folders
from rehearsal.notebooks.per_notebook import PerNotebook

# Which positional arguments are paths, by function; and whether the call changes them.
_READERS: dict[str, tuple[int, ...]] = {
    "stat": (0,),
    "lstat": (0,),
    "access": (0,),
    "readlink": (0,),
    "statvfs": (0,),
    "getxattr": (0,),
    "listxattr": (0,),
}
_WRITERS: dict[str, tuple[int, ...]] = {
    "mkdir": (0,),
    "rmdir": (0,),
    "remove": (0,),
    "unlink": (0,),
    "rename": (0, 1),
    "replace": (0, 1),
    "chmod": (0,),
    "lchmod": (0,),
    "chown": (0,),
    "lchown": (0,),
    "chflags": (0,),
    "setxattr": (0,),
    "removexattr": (0,),
    "mkfifo": (0,),
    "utime": (0,),
    "truncate": (0,),
    "symlink": (1,),
    "link": (0, 1),
}


class Entry:
    """What os.scandir gives, with the path as the notebook spells it."""

    def __init__(self, entry: os.DirEntry[str], folder: str) -> None:
        self._entry = entry
        self.name = entry.name
        self.path = posixpath.join(folder, entry.name)

    def __fspath__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entry, name)


class Scan:
    """One or more open scans of os.scandir, as one of the folder that they stand for; each name is given once."""

    def __init__(self, scans: list[Any], folder: str) -> None:
        self._scans = scans
        self._entries = itertools.chain.from_iterable(scans)
        self._seen: set[str] = set()
        self._folder = folder

    def __iter__(self) -> Iterator[Entry]:
        return self

    def __next__(self) -> Entry:
        entry = next(each for each in self._entries if each.name not in self._seen)
        self._seen.add(entry.name)
        return Entry(entry, self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for scan in self._scans:
            scan.close()


class MappedFiles:
    """Translates paths of a notebook's Python code; `install` puts it in place for the whole process."""

    def __init__(self, folders: Folders, directories: PerNotebook[str]) -> None:
        self._folders = folders
        self._directories = directories

    def real(self, path: Any, *, change: bool = False, content: bool = False) -> Any:
        """The path to hand to the operating system. change, content: what the call is going to do with it.

        Raises PermissionError when something that a run may not change would be changed. Workspace files are read-only
        here: a release's slot is, for everybody but the release identity, and the stand-in keeps its own account of
        them.
        """
        if isinstance(path, int) or path is None:
            return path
        text = os.fspath(path)
        if isinstance(text, bytes):
            return os.fsencode(self.real(os.fsdecode(text), change=change, content=content))
        absolute = text if text.startswith("/") else posixpath.join(self._directories.get(), text)
        place = self._folders.local(absolute)
        if place is None:
            return absolute
        if content and place.notebook:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported: a notebook is no file", text)
        if change and not place.writable:
            raise PermissionError(errno.EACCES, "Permission denied (read-only in runs of this rehearsal)", text)
        return str(place.real)

    def install(self) -> Callable[[], None]:
        """Replaces the functions; what it returns puts the old ones back."""
        replaced: list[tuple[Any, str, Any]] = []

        def put(module: Any, name: str, new: Any) -> None:
            replaced.append((module, name, getattr(module, name)))
            setattr(module, name, new)

        for functions, change in ((_READERS, False), (_WRITERS, True)):
            for name, positions in functions.items():
                if hasattr(os, name):  # some are there on some systems only
                    put(os, name, self._wrapped(getattr(os, name), positions, change=change))
        opened = self._open(builtins.open)
        put(builtins, "open", opened)
        put(io, "open", opened)
        put(os, "open", self._os_open(os.open))
        put(os, "listdir", self._listdir(os.listdir))
        put(os, "scandir", self._scandir(os.scandir))
        globber = getattr(glob, "_StringGlobber", None)
        if globber is not None:  # Python 3.13 and above: pathlib's wildcards hold on to the function itself
            put(globber, "scandir", staticmethod(lambda path: os.scandir(path or ".")))
        put(os, "getcwd", self._directories.get)
        put(os, "getcwdb", lambda: os.fsencode(self._directories.get()))
        put(os, "chdir", self._chdir)
        put(shutil, "rmtree", self._rmtree(shutil.rmtree))

        def undo() -> None:
            for module, name, old in reversed(replaced):
                setattr(module, name, old)

        return undo

    def _wrapped(self, function: Callable[..., Any], positions: tuple[int, ...], *, change: bool) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            if any(options.get(name) is not None for name in ("dir_fd", "src_dir_fd", "dst_dir_fd")):
                return function(*arguments, **options)
            given = list(arguments) or ([] if options else ["."])
            for name, position in zip(("path", "src", "dst"), (0, 0, 1), strict=True):
                if name in options and position in positions:
                    options[name] = self.real(options[name], change=change)
            spelled = given[:]
            for position in positions:
                if position < len(given):
                    given[position] = self.real(given[position], change=change)
            return _as_spelled(lambda: function(*given, **options), spelled, given)

        return call

    def _open(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            change = any(letter in str(mode) for letter in "wax+")
            real = self.real(file, change=change, content=True)
            return _as_spelled(lambda: function(real, mode, *arguments, **options), [file], [real])

        return call

    def _os_open(self, function: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(function)
        def call(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            if dir_fd is not None:
                return function(path, flags, mode, dir_fd=dir_fd)
            change = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND))
            real = self.real(path, change=change, content=True)
            opened: int = _as_spelled(lambda: function(real, flags, mode), [path], [real])
            return opened

        return call

    def _scandir(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(path: Any = ".") -> Any:
            beside = self._beside(path)
            real = self.real(path)
            entries = _as_spelled(lambda: function(real), [path], [real])
            if isinstance(path, (int, bytes)):
                return entries
            scans = [entries, function(beside)] if beside else [entries]
            return Scan(scans, os.fspath("." if path is None else path))

        return call

    def _listdir(self, function: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
        @functools.wraps(function)
        def call(path: Any = ".") -> list[Any]:
            beside = self._beside(path)
            real = self.real(path)
            names: list[Any] = _as_spelled(lambda: function(real), [path], [real])
            return list(dict.fromkeys([*names, *function(beside)])) if beside else names

        return call

    def _beside(self, path: Any) -> str | None:
        if isinstance(path, (int, bytes)):
            return None
        beside = self._folders.beside(posixpath.join(self._directories.get(), os.fspath(path or ".")))
        return str(beside) if beside else None

    def _chdir(self, path: Any) -> None:
        text = os.fsdecode(path)
        target = posixpath.normpath(posixpath.join(self._directories.get(), text))
        if not Path(self.real(target)).exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), text)
        if not Path(self.real(target)).is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), text)
        self._directories.set(target)

    def _rmtree(self, function: Any) -> Callable[..., None]:
        # shutil.rmtree works with file descriptors below the folder, where paths can't be checked any more.
        @functools.wraps(function)
        def call(path: Any, *arguments: Any, **options: Any) -> None:
            self.real(path, change=True)
            function(path, *arguments, **options)

        return call


def _as_spelled(action: Callable[[], Any], spelled: list[Any], real: list[Any]) -> Any:
    """Runs it; an OSError names the paths as the notebook spelled them, not where they lie on this machine."""
    try:
        return action()
    except OSError as error:
        names = {str(now): then for now, then in zip(real, spelled, strict=True) if not isinstance(then, int)}
        if error.filename is not None:
            error.filename = names.get(str(error.filename), error.filename)
        if error.filename2 is not None:
            error.filename2 = names.get(str(error.filename2), error.filename2)
        raise
