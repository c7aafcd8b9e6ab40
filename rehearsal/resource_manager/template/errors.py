"""What can be wrong with a template, in the service's words."""

from __future__ import annotations

Path = tuple[str | int, ...]
"""Keys and indexes from the template's root, for example ("resources", 2, "properties").

One that begins with a Source leads into that linked template, not into the request.
"""


class Source(str):
    """The address of a linked template, as the first step of a path in it."""

    __slots__ = ()


class ExpressionError(Exception):
    """An expression can't be read or evaluated; the text is the service's sentence."""


class UnresolvedError(Exception):
    """A value that only a running deployment knows: reference() or list*() outside of one."""


class TemplateError(Exception):
    """The template, or what was given for its parameters, is refused.

    code: the service's error code. message: may hold `{position}` once, filled in with "at line 'n' and column 'm'", and
    `{path}` and `{where}`, filled in with "line n, position m".
    path: where in the template, if known.
    """

    def __init__(self, message: str, *, path: Path | None = None, code: str = "InvalidTemplate") -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.code = code
