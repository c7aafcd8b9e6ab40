"""What the definitions of a factory get from the environment: a value for every parameter, and the vault's secrets."""

from __future__ import annotations

from slipway.command import Context
from slipway.domain.environment import FOLDER
from slipway.domain.factory.export import Export, parameter_values, read_export, render
from slipway.domain.factory.export_files import ExportFiles
from slipway.domain.factory.export_parameters import Values, override_of
from slipway.errors import Finding, NotPossible, ReleaseError

EXPORTS = "arm/datafactory"
GIT_FOLDER = "datafactory"


def checked(context: Context, files: ExportFiles, findings: list[Finding], *, what: str) -> tuple[Export, Values]:
    """The definitions in `files`, and their values for the environment, the vault's secrets not yet among them.

    findings: what reading the files has found already; what: how an error calls them. Raises ReleaseError with every mistake.
    """
    environment = context.environment
    target = environment.resources.data_factory
    if not findings:
        export, findings = read_export(files, target=target)
        overrides = {name: override_of(value) for name, value in environment.data_factory.parameters.items()}
        configuration = f"{FOLDER}/{environment.name}.yml"
        values, found = parameter_values(export, overrides, factory=target, configuration=configuration)
        findings += found
        definition, found = render(export, values, factory=target)
        findings += found
        for warning in definition.warnings:
            context.log.warning(str(warning))
        if not findings:
            return export, values
    count = "a mistake" if len(findings) == 1 else f"{len(findings)} mistakes"
    raise ReleaseError(f"{what} has {count}.", findings)


def with_secrets(context: Context, values: Values) -> Values:
    """The values with the vault's secrets in their places. Raises NotPossible with all that are not there."""
    names = sorted(set(values.vault.values()))
    if not names:
        return values
    from slipway.steps.provision_secrets import Services  # brings clients that most environments do not need here

    vault = Services(context).vault
    found = {name: value for name in names if (value := vault.get(name))}
    for value in found.values():
        context.log.mask(value)
    missing = [name for name in names if name not in found]
    if missing:
        raise NotPossible(
            f"Key Vault {context.environment.resources.key_vault} has no {', '.join(missing)}, which "
            "data_factory.parameters asks for.",
            changed="Nothing was changed.",
            next_step="Provide them (secrets in the configuration, or az keyvault secret set), then run again.",
        )
    return values.with_secrets(found)
