"""Modules that Databricks' runtime has and this rehearsal does not: importing one says so, instead of asking for an install."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

# Source: release notes "System environment" of Databricks Runtime; delta is delta-spark's package.
MODULES = frozenset({"dbruntime", "delta", "mlflow", "py4j", "databricks"})


class _NotHere(importlib.abc.MetaPathFinder):
    """Asked last, when no installed package has the module."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        """Raises ModuleNotFoundError for a module of the runtime; knows nothing of others."""
        if fullname in MODULES:
            text = f"No module named {fullname!r} in this rehearsal: Databricks' runtime has it, Sail's Spark does not"
            raise ModuleNotFoundError(text, name=fullname)
        return None


def explain_missing() -> None:
    """From now on, in this process."""
    sys.meta_path.append(_NotHere())
