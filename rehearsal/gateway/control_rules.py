"""Rules and storms as JSON: what may stand in them, and what is said of what may not."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, get_args

from rehearsal.gateway import clients
from rehearsal.gateway.faults import LONGEST_SECONDS, Distribution, Fault, Kind
from rehearsal.gateway.storm import TROUBLES, Storm

# A callback is for Python alone. A process is named by none: the one that is killed is the client itself, so that nobody who
# reaches this port can end what has nothing to do with the rehearsal.
KINDS = tuple(kind for kind in get_args(Kind) if kind != "call")
_TEXTS = ("method", "host", "path", "body")
_FLAGS = ("after",)
_WHOLE = {"skip": (0, None), "every": (1, None), "times": (1, None), "status": (200, 599), "seed": (None, None)}
_NUMBERS = {"seconds": (0, LONGEST_SECONDS), "spread": (0, LONGEST_SECONDS), "share": (0, 1)}
SETTABLE = frozenset({"kind", "distribution", "headers", *_TEXTS, *_FLAGS, *_WHOLE, *_NUMBERS})
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.6.2
_STORM = frozenset({"share", "seed", "silence", "kinds"})


def fault_from(rule: Any) -> Fault:
    """A fault from JSON; without a body it has the service's own. Raises ValueError, with a text that names the field."""
    if not isinstance(rule, dict):
        raise ValueError("a fault is an object")
    _known(rule, SETTABLE, "a fault")
    _one_of(rule, "kind", KINDS)
    _one_of({"distribution": "constant", **rule}, "distribution", get_args(Distribution))
    for name in _TEXTS:
        if not _is_text(rule.get(name, "")):
            raise ValueError(f"{name} is a string")
    for name in _FLAGS:
        if not isinstance(rule.get(name, False), bool):
            raise ValueError(f"{name} is true or false")
    _check_numbers(rule)
    headers = rule.get("headers", {})
    if not isinstance(headers, dict) or not all(_fits_a_header(*pair) for pair in headers.items()):
        raise ValueError(
            "headers is an object of strings, each on one line of ASCII; the length is not for a rule to say"
        )
    if rule["kind"] == "kill" and not clients.can_be_found():
        raise ValueError("kind kill: this system does not say which process a connection belongs to (Linux does)")
    return Fault(**{"body": None, **rule, "headers": tuple(headers.items())})


def storm_from(given: Any, aged: Callable[[str], str | None]) -> Storm:
    """A storm from JSON. Raises ValueError, with a text that names the field."""
    if not isinstance(given, dict):
        raise ValueError("a storm is an object")
    _known(given, _STORM, "a storm")
    if "share" not in given:
        raise ValueError("share is missing: which part of all requests meets trouble, from 0 to 1")
    numbers = {"share": given["share"], "seed": given.get("seed", 0), "seconds": given.get("silence", 5.0)}
    _check_numbers(numbers)
    kinds = given.get("kinds", list(TROUBLES))
    if not isinstance(kinds, list) or not kinds or not all(kind in TROUBLES for kind in kinds):
        raise ValueError(f"kinds is a list of some of: {', '.join(TROUBLES)}")
    return Storm(
        share=numbers["share"], seed=numbers["seed"], silence=numbers["seconds"], aged=aged, kinds=tuple(kinds)
    )


def shown(fault: Fault) -> dict[str, Any]:
    """A rule as JSON, with how often it matched and struck."""
    return {name: getattr(fault, name) for name in (*sorted(SETTABLE), "seen", "struck")} | {
        "headers": dict(fault.headers)
    }


def _known(given: dict[str, Any], names: frozenset[str], what: str) -> None:
    if unknown := set(given) - names:
        raise ValueError(f"{what} has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(names))}")


def _one_of(given: dict[str, Any], name: str, known: tuple[str, ...]) -> None:
    if given.get(name) not in known:
        raise ValueError(f"{name} is one of {', '.join(known)}")


def _check_numbers(given: dict[str, Any]) -> None:
    for name, (least, most) in (_WHOLE | _NUMBERS).items():
        if name not in given or (name == "times" and given[name] is None):
            continue
        if not _within(given[name], least, most, whole=name in _WHOLE):
            bounds = "" if least is None else f" from {least}{f' to {most}' if most else ''}"
            raise ValueError(f"{name} is a {'whole ' if name in _WHOLE else ''}number{bounds}")


def _within(value: object, least: float | None, most: float | None, *, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        return False
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return (least is None or least <= value) and (most is None or value <= most)


def _is_text(value: object) -> bool:
    # JSON may hold half a surrogate pair, which is no character and can't be sent.
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _fits_a_header(name: str, value: object) -> bool:
    if (
        not isinstance(value, str)
        or not _HEADER.fullmatch(name)
        or name.lower() in ("content-length", "transfer-encoding")
    ):
        return False
    return value.isascii() and value.isprintable()
