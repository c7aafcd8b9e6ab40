"""The variables of a job: what `$(name)` and `variables['name']` mean, and what becomes an environment variable.

Source: learn.microsoft.com/azure/devops/pipelines/process/variables; [agent] Variables.cs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from rehearsal.pipelines.agent.masking import Masker

_MACRO = re.compile(r"\$\(([^()$\r\n]+)\)")
_DEPTH = 50


@dataclass(frozen=True)
class _Held:
    name: str
    value: str
    secret: bool
    readonly: bool


class ReadOnlyVariableError(Exception):
    """A step tried to overwrite a variable that may not change."""


class Variables:
    """Names ignore case. A secret's value goes to the masker at once and never becomes an environment variable by itself."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._held: dict[str, _Held] = {}

    def assign(
        self, name: str, value: str, *, secret: bool = False, readonly: bool = False, system: bool = False
    ) -> None:
        """Raises ReadOnlyVariableError when that variable was set as read-only before.

        system: the agent itself sets it, whatever it is, and it stays what it was.
        """
        known = self._held.get(name.lower())
        if system:
            readonly = readonly or (known is not None and known.readonly)
        elif known is not None and known.readonly:
            raise ReadOnlyVariableError(f"Overwriting readonly variable '{name}' is not permitted.")
        # Once secret, always secret: a later plain value of the same name is masked too.
        secret = secret or (known is not None and known.secret)
        if secret:
            self._masker.add(value)
        self._held[name.lower()] = _Held(name, value, secret, readonly)

    def update(self, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            self.assign(name, value)

    def get(self, name: str) -> str | None:
        """The value, with the variables in it put in; None when there is no such variable."""
        held = self._held.get(name.lower())
        return None if held is None else self._expand(held.value, _DEPTH, {name.lower()})

    def expand(self, text: str) -> str:
        """Text with every `$(name)` that names a variable replaced; the others stay."""
        return self._expand(text, _DEPTH, set())

    def _expand(self, text: str, depth: int, inside: set[str]) -> str:
        def one(match: re.Match[str]) -> str:
            name = match.group(1).lower()
            held = self._held.get(name)
            if held is None or name in inside or depth == 0:
                return match.group()
            return self._expand(held.value, depth - 1, inside | {name})

        return _MACRO.sub(one, text)

    def resolve(self, change: Callable[[str], str]) -> None:
        """Give every value that begins with `$[` to `change`, and keep what comes back."""
        for key, held in self._held.items():
            if held.value.lstrip().startswith("$["):
                self._held[key] = _Held(held.name, change(held.value), held.secret, held.readonly)

    def plain(self) -> dict[str, str]:
        """Every variable with its value, for `variables` in expressions; secrets too, as in the agent."""
        return {held.name: self.get(held.name) or "" for held in self._held.values()}

    def environment(self) -> dict[str, str]:
        """Every variable that is not a secret and has none in its value, by the name that the agent gives it in a process."""
        return {environment_name(held.name): self.get(held.name) or "" for held in self._visible()}

    def _visible(self) -> Iterator[_Held]:
        return (held for held in self._held.values() if not self._has_secret(held))

    def _has_secret(self, held: _Held) -> bool:
        """[agent] Variables.RecalculateExpanded: a value that takes a secret in is one."""
        seen: set[str] = set()
        open_ = [held]
        while open_:
            at = open_.pop()
            if at.secret:
                return True
            names = macros([at.value]) - seen
            seen |= names
            open_ += [self._held[name] for name in names if name in self._held]
        return False


def environment_name(name: str) -> str:
    """`Build.SourceBranch` -> `BUILD_SOURCEBRANCH`: upper case, dots and blanks become underscores."""
    return name.replace(".", "_").replace(" ", "_").upper()


def macros(texts: Iterable[str]) -> set[str]:
    """All names in `$(name)`, in lower case."""
    return {name.lower() for text in texts for name in _MACRO.findall(text)}
