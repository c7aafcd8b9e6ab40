"""`%pip`: the installs that a rehearsal can make, everything else refused by name."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from packaging.utils import canonicalize_name

from rehearsal.notebooks.errors import NotInRehearsal
from rehearsal.notebooks.libraries import Libraries

# Options that change nothing here: wheels are unpacked without asking anybody, and always anew.
_QUIET = frozenset(
    {"-q", "--quiet", "-U", "--upgrade", "--force-reinstall", "--no-deps", "--no-cache-dir", "--no-index"}
)


def pip(command: str, libraries: Libraries, absolute: Callable[[str], str]) -> list[str]:
    """Runs a `%pip` line: `install` of wheels by path, of names that the environment or the wheelhouse has, or `-r` a
    file.

    absolute: a path as seen from the notebook's folder. Returns what was installed.
    The other commands that are there give what they say.
    Raises NotInRehearsal for other commands and options, LibraryProblem when something can't be installed.
    """
    words = shlex.split(command.replace("\\\n", " "), comments=True)
    if words[:1] in (["list"], ["freeze"], ["show"], ["uninstall"]):
        return _other(words[0], [word for word in words[1:] if word not in ("-y", "--yes", *_QUIET)], libraries)
    if not words or words[0] != "install":
        raise NotInRehearsal(f"%pip {words[0] if words else ''}".rstrip(), "only install, uninstall, list, freeze and show")
    installed: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        if word in _QUIET:
            continue
        if word in ("-r", "--requirement"):
            installed += libraries.install_file(absolute(next(rest, "")))
        elif word.startswith("-"):
            raise NotInRehearsal(f"%pip install {word.partition('=')[0]}")
        elif word.endswith(".whl") and "@" not in word:
            installed += libraries.install_wheel(word if ":" in word else absolute(word))
        elif "/" in word and "@" not in word:
            raise NotInRehearsal(f"%pip install {word.partition('?')[0]}", "install a wheel of the release")
        else:
            installed += libraries.install_requirement(word)
    return installed


def _other(command: str, names: list[str], libraries: Libraries) -> list[str]:
    """What a command that installs nothing says."""
    if option := next((name for name in names if name.startswith("-")), None):
        raise NotInRehearsal(f"%pip {command} {option.partition('=')[0]}")
    if command == "uninstall":
        return [libraries.uninstall(name) for name in names]
    known = libraries.known()
    if command == "show":
        return [f"Name: {name}\nVersion: {version}" for name, version in known if name in {*map(canonicalize_name, names)}]
    return [f"{name}=={version}" if command == "freeze" else f"{name:<32} {version}" for name, version in known]
