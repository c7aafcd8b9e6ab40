"""What a release wants of an environment's factory, from the export or the Git folder in it, as a candidate needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from slipway.command import Context
from slipway.domain.environment import FOLDER, Environment
from slipway.domain.factory.candidate import Source
from slipway.domain.factory.comparison import merge_global_parameters
from slipway.domain.factory.export import Export, parameter_values, read_export, render
from slipway.domain.factory.export_files import find_export
from slipway.domain.factory.export_from_git import export_of
from slipway.domain.factory.export_notebooks import RELEASE_FOLDER, map_notebooks
from slipway.domain.factory.export_parameters import Values, override_of
from slipway.domain.factory.git_folder import read_git_folder
from slipway.errors import Finding, NotPossible, ReleaseError
from slipway.steps.import_factory_export import EXPORTS, GIT_FOLDER
from slipway.steps.provision_secrets import Services

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
        names = sorted(set(self.values.vault.values()))
        if not names:
            return self
        vault = Services(context).vault
        found = {name: value for name in names if (value := vault.get(name))}
        missing = [name for name in names if name not in found]
        if missing:
            raise NotPossible(
                f"Key Vault {self.environment.resources.key_vault} has no {', '.join(missing)}, which "
                "data_factory.parameters asks for.",
                changed=_NOTHING,
                next_step="Provide them (secrets in the configuration, or az keyvault secret set), then run again.",
            )
        for value in found.values():
            context.log.mask(value)
        return replace(self, values=self.values.with_secrets(found))


def read_wanted(context: Context) -> Wanted:
    """Reads what `data_factory.source` names, and finds every mistake in it. Raises ReleaseError."""
    environment = context.environment
    target = environment.resources.data_factory
    if environment.data_factory.source == "git":
        databricks = environment.data_factory.parameterise_databricks
        files = export_of(read_git_folder(context.root / GIT_FOLDER), parameterise_databricks=databricks)
        findings = list[Finding]()
    else:
        path = context.root / EXPORTS
        if not path.exists():
            raise ReleaseError(
                f"{environment.name} imports an export (data_factory.source), and the release has no {EXPORTS}.",
                next_step=f"Put what Studio exported there ({path}), and build the release again.",
            )
        files, findings = find_export(path)
    if not findings:
        export, findings = read_export(files, target=target)
        overrides = {name: override_of(value) for name, value in environment.data_factory.parameters.items()}
        configuration = f"{FOLDER}/{environment.name}.yml"
        values, found = parameter_values(export, overrides, factory=target, configuration=configuration)
        findings += found
        findings += render(export, values, factory=target)[1]
        if not findings:
            return Wanted(export, values, environment)
    count = "a mistake" if len(findings) == 1 else f"{len(findings)} mistakes"
    raise ReleaseError(f"The factory's definitions in {files.where} have {count}.", findings)
