"""Where the paths that notebooks use lead: `dbfs:/`, `/dbfs`, `/Volumes`, `/Workspace`, `/databricks-datasets`,
`abfss://`.

Two kinds of path, as on Databricks (docs "Work with files", "root path" table): Spark and dbutils.fs start at the DBFS
root, plain Python starts at the driver's own disk, where DBFS is seen under /dbfs.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from rehearsal.notebooks.errors import NotInRehearsal
from rehearsal.notebooks.source import EXTENSIONS

DATASETS = "/databricks-datasets"
WILDCARD = re.compile(r"[*?\[{]")
_AZURE = re.compile(r"(?P<container>[^@/]+)@(?P<account>[a-z0-9]{3,24})\.dfs\.core\.windows\.net(?P<path>/.*)?$")


@dataclass(frozen=True)
class LocalPlace:
    """A file or folder that lies on this machine. shown: how Databricks spells the path. writable: whether a
    run may change it. notebook: it stands for a NOTEBOOK object, which has a name but can't be read as a file.
    """

    real: Path
    shown: str
    writable: bool
    notebook: bool = False


@dataclass(frozen=True)
class AzurePlace:
    """A path in Azure storage. path: within the container, without slashes at its ends."""

    account: str
    container: str
    path: str

    @property
    def shown(self) -> str:
        return f"abfss://{self.container}@{self.account}.dfs.core.windows.net/{self.path}"


Place = LocalPlace | AzurePlace


@dataclass(frozen=True)
class Folders:
    """The folders of this machine that stand for Databricks' roots.

    files: FILE objects of the workspace; notebooks: its NOTEBOOK objects as source files; spare: the run's own, for what
    must have a place on this machine and is not in files: empty stand-ins of notebooks, folders that hold notebooks only.
    disk: the driver's own disk (`/local_disk0`).
    """

    files: Path
    notebooks: Path
    dbfs: Path
    volumes: Path
    datasets: Path | None
    spare: Path
    disk: Path

    def local(self, path: str) -> LocalPlace | None:
        """What an absolute path of the driver's disk stands for, or None when it is just a path of this machine."""
        path = _normal(path)
        root, _, rest = path[1:].partition("/")
        if root == "Workspace":
            return self._workspace(rest, path)
        if root == "dbfs":
            place = self._dbfs("/" + rest)
            return LocalPlace(place.real, path, place.writable)
        if root == "Volumes":
            return LocalPlace(self.volumes / rest, path, writable=True)
        if root == "local_disk0":
            return LocalPlace(self.disk / rest, path, writable=True)
        return None

    def _workspace(self, rest: str, shown: str) -> LocalPlace:
        if not (self.files / rest).exists():
            if (self.notebooks / rest).is_dir():
                (self.spare / rest).mkdir(parents=True, exist_ok=True)
                return LocalPlace(self.spare / rest, shown, writable=False)
            if self._is_notebook(rest):
                (self.spare / rest).parent.mkdir(parents=True, exist_ok=True)
                (self.spare / rest).touch()
                return LocalPlace(self.spare / rest, shown, writable=False, notebook=True)
        return LocalPlace(self.files / rest, shown, writable=False)

    def _is_notebook(self, rest: str) -> bool:
        return bool(rest) and any((self.notebooks / (rest + extension)).is_file() for extension in EXTENSIONS)

    def beside(self, path: str) -> Path | None:
        """A second folder whose names belong to a workspace folder: its notebooks and the folders that hold only such."""
        path = _normal(path)
        if path != "/Workspace" and not path.startswith("/Workspace/"):
            return None
        rest = path[len("/Workspace/") :]
        if not (self.files / rest).is_dir() or not (self.notebooks / rest).is_dir():
            self._fill(rest)
            return None
        self._fill(rest)
        return self.spare / rest

    def _fill(self, rest: str) -> None:
        for source in (self.notebooks / rest).iterdir() if (self.notebooks / rest).is_dir() else ():
            name = source.name if source.is_dir() else source.stem
            self.local(f"/Workspace/{rest}/{name}")

    def _dbfs(self, path: str) -> LocalPlace:
        path = _normal(path)
        shown = f"dbfs:{path}"
        if path == DATASETS or path.startswith(DATASETS + "/"):
            rest = path[len(DATASETS) + 1 :]
            return LocalPlace((self.datasets or self.spare / "no-datasets") / rest, shown, writable=False)
        if path == "/Volumes" or path.startswith("/Volumes/"):
            return LocalPlace(self.volumes / path[9:], path, writable=True)
        return LocalPlace(self.dbfs / path[1:], shown, writable=True)

    def place(self, uri: str) -> Place:
        """What a path of Spark or dbutils.fs leads to.

        Raises NotInRehearsal for a scheme that is not there, ValueError for an abfss address that has no account.
        """
        scheme, colon, rest = uri.partition(":")
        if not colon or "/" in scheme:
            return self._dbfs("/" + uri)
        if scheme == "dbfs":
            return self._dbfs(_path_of(rest))
        if scheme == "file":
            path = _normal(_path_of(rest))
            place = self.local(path)
            return LocalPlace(place.real if place else Path(path), f"file:{path}", place.writable if place else True)
        if scheme in ("abfss", "abfs"):
            return _azure_place(uri, rest)
        raise NotInRehearsal(f"paths that start with {scheme}:", "use abfss://, dbfs:/, /Volumes or file:/")


def _azure_place(uri: str, rest: str) -> AzurePlace:
    match = _AZURE.match(rest.removeprefix("//"))
    if match is None:
        raise ValueError(f"{uri} is not abfss://<container>@<account>.dfs.core.windows.net/<path>")
    path = posixpath.normpath(match["path"] or "/").strip("/")
    return AzurePlace(match["account"], match["container"], path)


def _path_of(rest: str) -> str:
    """The path of an address after its scheme: `/x`, `///x` and `//host/x` (a host is not meant here) give `/x`."""
    return "/" + rest.lstrip("/")


def _normal(path: str) -> str:
    """Without `.`, `..` and double slashes; never above the root."""
    return posixpath.normpath("/" + path.lstrip("/"))


def glob_pattern(path: str) -> re.Pattern[str]:
    """Hadoop's wildcards (`*`, `?`, `[ab]`, `[^a]`, `{a,b}`) as a pattern; it also matches what lies below such a
    path.
    """
    pattern, depth = "", 0
    for piece in re.findall(r"\[[^\]\[\\]+\]|.", path, re.DOTALL):
        if piece in ("*", "?"):
            pattern += "[^/]*" if piece == "*" else "[^/]"
        elif len(piece) > 1:
            pattern += "[^" + piece[2:-1] + "]" if piece[1] in "^!" else piece
        elif piece == "{" or (depth and piece in ",}"):
            depth += {"{": 1, "}": -1}.get(piece, 0)
            pattern += {"{": "(?:", "}": ")", ",": "|"}[piece]
        else:
            pattern += re.escape(piece)
    return re.compile(pattern + "(?:/.*)?$", re.DOTALL)
