"""The table of functions, and those of the service that are missing here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rehearsal.data_factory.expressions import collections, conversions, dates, logic, numbers, strings
from rehearsal.data_factory.expressions.function import Function

NOT_HERE = frozenset(
    {
        "base64tobinary", "binary", "datauri", "datauritobinary", "datauritostring", "decodedatauri",
        "uricomponenttobinary", "xml", "xpath",
    }
)  # fmt: skip


def table(now: Callable[[], float]) -> Mapping[str, Function]:
    """Every function by its lower-case name. now: seconds since the epoch."""
    return {
        **strings.FUNCTIONS,
        **collections.FUNCTIONS,
        **logic.FUNCTIONS,
        **conversions.FUNCTIONS,
        **numbers.FUNCTIONS,
        **dates.functions(now),
    }


NAMES = frozenset(table(lambda: 0.0)) | {"if"}
