"""The workspace's tree: folders, notebooks and files, who may do what with them, and where their bytes lie.

Rules: Workspace API (`/api/2.0/workspace/*`), databricks/cli `libs/filer`, product docs "Access control lists" (folder,
notebook and file tables). Bytes: `files/<path>` for files, `notebooks/<path>.<py|sql|scala|r>` for notebooks.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rehearsal.databricks import formats, paths
from rehearsal.databricks.access import OBJECT_LEVELS, highest, rank
from rehearsal.databricks.errors import ApiError, exists, invalid, lacks, missing, not_simulated
from rehearsal.databricks.members import Member
from rehearsal.store import Collection

DIRECTORY, NOTEBOOK, FILE = "DIRECTORY", "NOTEBOOK", "FILE"
REPO = "REPO"  # a Git folder
FOLDERS = (DIRECTORY, REPO)
REPOS = "/Repos"
FIXED = ("/", "/Users", "/Shared", "/Repos")
WORDS = {"CAN_READ": "View", "CAN_RUN": "Run", "CAN_EDIT": "Edit", "CAN_MANAGE": "Manage"}
MOST_CHILDREN = 10_000
# /Projects: azure-docs issue 75434. The prefix itself can't be a folder, or it could not be reached.
RESERVED = ("/Projects", "/Workspace")


@dataclass
class Node:
    """One object. Times in milliseconds since the epoch; `jupyter`: it came as a Jupyter notebook; `acl` holds what was granted on
    the object itself."""

    path: str
    id: int
    kind: str
    created: int
    modified: int
    language: str = ""
    size: int = 0
    jupyter: bool = False
    acl: dict[str, str] = field(default_factory=dict)


class Tree:
    """One workspace's objects. Paths are kept forms (`paths.key_of`); `echo` is what messages call them."""

    def __init__(self, nodes: Collection, folder: Path, new_id: Callable[[], int], clock: Callable[[], float]) -> None:
        self._kept = nodes
        self._folder = folder
        self._new_id = new_id
        self._clock = clock
        self._nodes = {path: Node(**document) for path, document in nodes.items()}
        self._paths = {node.id: path for path, node in self._nodes.items()}
        self._children: dict[str, dict[str, None]] = {}
        for path in self._nodes:
            self._index(path)
        self._seed()

    def _seed(self) -> None:
        (self._folder / "files").mkdir(parents=True, exist_ok=True)
        (self._folder / "notebooks").mkdir(parents=True, exist_ok=True)
        if paths.ROOT not in self._nodes:
            # The root's object id is 0 (terraform provider issue 1241); /Shared belongs to everybody (product docs).
            self._add(Node(paths.ROOT, 0, DIRECTORY, self._now(), self._now(), acl={"group:admins": "CAN_MANAGE"}))
            for path in FIXED[1:]:
                acl = {"group:users": "CAN_MANAGE"} if path == "/Shared" else {}
                self._make_folder(path, acl)

    def add_home(self, member: Member) -> None:
        """The member's folder under /Users, made once; its owner manages it."""
        path = paths.join("/Users", member.name)
        if path not in self._nodes:
            self._make_folder(path, {member.key: "CAN_MANAGE"})

    # -- reading ---------------------------------------------------------------------------------------------------

    def get(self, member: Member, path: str, echo: str) -> Node:
        """The object at a path. Raises ApiError 404 when there is none, 403 when the member may not see it."""
        node = self._nodes.get(path)
        if node is None:
            raise missing(f"Path ({echo}) doesn't exist.")
        if not self._visible(member, node):
            raise lacks(member.name, WORDS["CAN_READ"], echo)
        return node

    def find(self, object_id: int, kinds: tuple[str, ...]) -> Node | None:
        node = self._nodes.get(self._paths.get(object_id, ""))
        return node if node and node.kind in kinds else None

    def children(self, member: Member, path: str, echo: str) -> list[Node]:
        """What a folder holds, as far as the member may see it, by name; for anything else the object itself."""
        node = self.get(member, path, echo)
        if node.kind not in FOLDERS:
            return [node]
        found = [self._nodes[child] for child in sorted(self._children.get(path, ()))]
        return [child for child in found if self._visible(member, child)]

    def walk(self, path: str) -> Iterator[Node]:
        """The object and everything below it, parents first. No permission is asked."""
        if node := self._nodes.get(path):
            yield node
            for child in sorted(self._children.get(path, ())):
                yield from self.walk(child)

    def level(self, member: Member, path: str) -> int:
        """How much the member may do with the object at a path: rank in OBJECT_LEVELS, inherited from every folder above."""
        chain = [path, *paths.ancestors(path)]
        return highest(OBJECT_LEVELS, (self._nodes[step].acl for step in chain if step in self._nodes), member)

    def may(self, member: Member, path: str, level: str) -> bool:
        return self.level(member, path) >= rank(OBJECT_LEVELS, level)

    def _visible(self, member: Member, node: Node) -> bool:
        # "If you grant a user access to an object inside the folder, they can view the parent folder's name" (product docs);
        # the fixed folders show to every member (unverified).
        if node.path in FIXED or self.may(member, node.path, "CAN_READ"):
            return True
        return node.kind in FOLDERS and any(
            self._visible(member, self._nodes[child]) for child in self._children.get(node.path, ())
        )

    def require(self, member: Member, path: str, level: str, echo: str) -> None:
        if not self.may(member, path, level):
            raise lacks(member.name, WORDS[level], echo)

    def at(self, path: str) -> Node | None:
        """The object at a path. No permission is asked."""
        return self._nodes.get(path)

    def has_children(self, path: str) -> bool:
        return bool(self._children.get(path))

    def repo_of(self, path: str) -> Node | None:
        """The Git folder that a path lies in, or is."""
        found = (self._nodes.get(step) for step in [path, *paths.ancestors(path)])
        return next((node for node in found if node and node.kind == REPO), None)

    def readable(self, member: Member, path: str, echo: str) -> Node:
        """The object, to read its bytes."""
        node = self.get(member, path, echo)
        self.require(member, path, "CAN_READ", echo)
        return node

    def bytes_of(self, node: Node) -> Path:
        """Where the bytes of a notebook or file lie."""
        relative = node.path.lstrip("/")
        if node.kind == NOTEBOOK:
            return self._folder / "notebooks" / f"{relative}.{formats.EXTENSIONS[node.language]}"
        return self._folder / "files" / relative

    # -- changing --------------------------------------------------------------------------------------------------

    def mkdirs(self, member: Member, path: str, echo: str) -> None:
        """Make a folder and those above it that are missing; fine when it is there already."""
        chain = [*reversed(paths.ancestors(path)), path]
        for step in chain:
            node = self._nodes.get(step)
            if node and node.kind not in FOLDERS:
                # The status is documented, the text was not seen (unverified).
                raise exists(f"Path ({paths.echo_of(step, echo)}) already exists and is not a directory.")
        absent = [step for step in chain if step not in self._nodes]
        if not absent:
            return
        self._may_create(member, absent[0], DIRECTORY, echo)
        for step in absent:
            _check_below_repos(step, DIRECTORY)
        for step in absent:
            self._make_folder(step, self._creator_acl(member, step))

    def check_target(self, member: Member, path: str, kind: str, overwrite: bool, echo: str) -> None:
        """Whether an import may put an object of that kind at the path: parent, permission, what is there already."""
        parent = self._nodes.get(paths.parent_of(path))
        if path == paths.ROOT or parent is None or parent.kind not in FOLDERS:
            raise missing(f"The parent folder ({paths.parent_of(echo)}) does not exist.")
        node = self._nodes.get(path)
        if node is None:
            self._may_create(member, path, kind, echo)
            return
        self.require(member, path, "CAN_EDIT", echo)
        if not overwrite:
            raise exists(f"{echo} already exists. Please pass overwrite=true to overwrite it.")
        if node.kind != kind:
            metadata = {"existing_type": node.kind}
            details = {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "WORKSPACE_OBJECT_TYPE_MISMATCH",
                "domain": "workspace.databricks.com",
                "metadata": metadata,
            }
            text = f"Cannot overwrite the asset at {echo} due to type mismatch (asked: {kind}, actual: {node.kind})"
            raise ApiError(400, "INVALID_PARAMETER_VALUE", text, [details])

    def put(
        self, member: Member, path: str, kind: str, language: str, source: Path, size: int, *, jupyter: bool = False
    ) -> Node:
        """Move a prepared file into place as the object's bytes; `check_target` has passed. An overwrite keeps the object id."""
        old = self._nodes.get(path)
        now = self._now()
        if old:
            node = Node(path, old.id, kind, old.created, now, language, size, jupyter, old.acl)
        else:
            node = Node(path, self._new_id(), kind, now, now, language, size, jupyter, self._creator_acl(member, path))
        target = self.bytes_of(node)
        if target.is_dir() or any(above.is_file() for above in target.parents):
            raise not_simulated(
                f"place for {path}: a folder and a notebook that differ by the notebook's extension only"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
        self._add(node)
        if old and self.bytes_of(old) != target:
            self.bytes_of(old).unlink(missing_ok=True)
        return node

    def delete(self, member: Member, path: str, recursive: bool, echo: str) -> None:
        node = self.get(member, path, echo)
        self.require(member, path, "CAN_MANAGE", echo)
        if path in FIXED or paths.parent_of(path) == "/Users":
            raise _protected(path)
        if node.kind in FOLDERS and self._children.get(path) and not recursive:
            raise ApiError(400, "DIRECTORY_NOT_EMPTY", f"Folder ({echo}) is not empty")
        for gone in reversed(list(self.walk(path))):
            self.remove(gone)

    def make_repo(self, member: Member, path: str) -> Node:
        """A Git folder; `check_target` has passed."""
        return self._make_folder(path, self._creator_acl(member, path), REPO)

    def make_folders(self, path: str) -> None:
        """A folder and those above it that are missing. No permission is asked."""
        for step in [*reversed(paths.ancestors(path)), path]:
            if step not in self._nodes:
                self._make_folder(step, {})

    def add_repos_home(self, member: Member) -> None:
        """The member's folder under /Repos, where Git folders go by default; its owner manages it (unverified)."""
        path = paths.join(REPOS, member.name)
        if path not in self._nodes:
            self._make_folder(path, {member.key: "CAN_MANAGE"})

    def set_acl(self, node: Node, acl: dict[str, str]) -> None:
        node.acl = acl
        self._add(node)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _may_create(self, member: Member, path: str, kind: str, echo: str) -> None:
        """Creating in a folder needs CAN_MANAGE on it; at the root only admins have that (product docs, folder table)."""
        parent = paths.parent_of(path)
        if path in RESERVED:
            raise invalid(f"{path.lstrip('/')} is a reserved name")
        if parent == "/Users":
            raise _protected(parent)
        if len(self._children.get(parent, ())) >= MOST_CHILDREN:
            # The words of a client's log of it; the status is that of databricks/cli `bundle/deploy/lock`.
            text = f"Size limit exceeded for folder '{paths.echo_of(parent, echo)}'."
            text += f" Current size: {MOST_CHILDREN} Limit: {MOST_CHILDREN}"
            raise ApiError(403, "MAX_CHILD_NODE_SIZE_EXCEEDED", text)
        _check_below_repos(path, kind)
        self.require(member, parent, "CAN_MANAGE", paths.echo_of(parent, echo))

    def _creator_acl(self, member: Member, path: str) -> dict[str, str]:
        """ "Users automatically have CAN MANAGE for objects that they create" (product docs)."""
        return {} if self.may(member, paths.parent_of(path), "CAN_MANAGE") else {member.key: "CAN_MANAGE"}

    def _make_folder(self, path: str, acl: dict[str, str], kind: str = DIRECTORY) -> Node:
        target = self._folder / "files" / path.lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        node = Node(path, self._new_id(), kind, self._now(), self._now(), acl=acl)
        self._add(node)
        return node

    def _add(self, node: Node) -> None:
        self._nodes[node.path] = node
        self._paths[node.id] = node.path
        self._kept[node.path] = asdict(node)
        self._index(node.path)

    def _index(self, path: str) -> None:
        if path != paths.ROOT:
            self._children.setdefault(paths.parent_of(path), {})[path] = None

    def remove(self, node: Node) -> None:
        """Take one object away; of a folder only when nothing is left in it. No permission is asked."""
        place = self.bytes_of(node)
        if node.kind in FOLDERS:
            shutil.rmtree(place, ignore_errors=True)
            shutil.rmtree(self._folder / "notebooks" / node.path.lstrip("/"), ignore_errors=True)
        else:
            place.unlink(missing_ok=True)
        del self._nodes[node.path]
        del self._paths[node.id]
        del self._kept[node.path]
        self._children.get(paths.parent_of(node.path), {}).pop(node.path, None)
        self._children.pop(node.path, None)

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _protected(path: str) -> ApiError:
    """The service's answer to a change of /Users (a test of a client library quotes it); for the other fixed folders unverified."""
    return ApiError(400, "DIRECTORY_PROTECTED", f"Folder {paths.name_of(path)} is protected")


def _check_below_repos(path: str, kind: str) -> None:
    """Under /Repos there are folders, in them Git folders, and everything else in those (Repos API docs; texts unverified)."""
    parts = path.split("/")[1:]
    if parts[0] == REPOS[1:] and len(parts) <= 3 and kind != (DIRECTORY if len(parts) == 2 else REPO):
        raise invalid(f"Only Git folders can be created in {REPOS}/{{folder}}, and only folders in {REPOS}: {path}")
