"""What a release wants of an environment's factory, from the export or the Git folder in it, as a candidate needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from slipway.command import Context
from slipway.domain.environment import Environment
from slipway.domain.factory.candidate import Source
from slipway.domain.factory.comparison import merge_global_parameters
from slipway.domain.factory.export import Export, render
from slipway.domain.factory.export_files import find_export
from slipway.domain.factory.export_from_git import export_of
from slipway.domain.factory.export_notebooks import RELEASE_FOLDER, map_notebooks
from slipway.domain.factory.export_parameters import Values
from slipway.domain.factory.git_folder import read_git_folder
from slipway.errors import Finding, ReleaseError
from slipway.steps.factory_values import EXPORTS, GIT_FOLDER, checked, with_secrets

_NOTHING = "Nothing was changed."


@dataclass(frozen=True)
class Wanted:
    """The definitions that a release has, checked, with their values for the environment (secrets apart)."""

    export: Export
    values: Values
    environment: Environment

    def source(self, *, live: str, candidate: str, live_globals: Mapping[str, Any]) -> Source:
        """What to compare with a factory whose pipelines read the slot folder `live` now, and to test with the folder
        `candidate`. Raises ReleaseError."""
        definition, findings = render(self.export, self.values, factory=self.environment.resources.data_factory)
        if findings:
            raise ReleaseError(f"{self.export.where} can't be rendered.", findings)
        paths = self.environment.data_factory.notebook_paths
        objects, _mapped, _left = map_notebooks(definition.objects, paths, live)
        mapped, _mapped, _left = map_notebooks(definition.objects, paths, candidate)
        others = {name: item for name, item in definition.global_parameters.items() if name != RELEASE_FOLDER}
        _map, lines = merge_global_parameters(others, live_globals)
        changes = {name: others[name]["value"] for name in (line[2:] for line in lines)}
        return Source(objects=objects, folder=candidate, mapped=mapped, global_changes=changes)

    def with_secrets(self, context: Context) -> Wanted:
        """With the vault's secrets in their places. Raises NotPossible with all that are not there."""
        return replace(self, values=with_secrets(context, self.values))


def read_wanted(context: Context) -> Wanted:
    """Reads what `data_factory.source` names, and finds every mistake in it. Raises ReleaseError."""
    environment = context.environment
    if environment.data_factory.source == "git":
        databricks = environment.data_factory.parameterise_databricks
        files = export_of(read_git_folder(context.release / GIT_FOLDER), parameterise_databricks=databricks)
        findings = list[Finding]()
    else:
        path = context.release / EXPORTS
        if not path.exists():
            raise ReleaseError(
                f"{environment.name} imports an export (data_factory.source), and the release has no {EXPORTS}.",
                next_step=f"Put what Studio exported there ({path}), and build the release again.",
            )
        files, findings = find_export(path)
    export, values = checked(
        context, files, findings, what=f"What the factory of {environment.name} shall be, in {files.where},"
    )
    return Wanted(export, values, environment)
