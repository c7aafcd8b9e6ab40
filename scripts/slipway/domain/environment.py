"""An environment: config/environments/<name>.yml over config/defaults.yml, checked whole before anything is touched."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from slipway.domain import audit, configuration
from slipway.domain.configuration import Key, Places, Resolver, show
from slipway.domain.environment_schema import NAME, SCHEMA, cross_check
from slipway.domain.schema import check
from slipway.errors import ConfigurationError, Finding, UsageError

OnBreach = Literal["rollback", "report"]
DEFAULTS = "config/defaults.yml"
FOLDER = "config/environments"


@dataclass(frozen=True, kw_only=True)
class ReleaseIdentity:
    """`name` is that of a user-assigned identity in the state's resource group, which bootstrap makes; None: the identity
    is made and kept by somebody else."""

    client_id: str
    object_id: str
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class StateStorage:
    resource_group: str
    storage_account: str
    container: str


@dataclass(frozen=True, kw_only=True)
class Azure:
    tenant_id: str
    subscription_id: str
    location: str
    resource_group: str
    release_identity: ReleaseIdentity
    state: StateStorage


@dataclass(frozen=True, kw_only=True)
class AzureDevOps:
    """The project whose pipelines release; `approvers` are people or groups that approve a release to production."""

    organization: str
    project: str
    approvers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Network:
    default_action: Literal["Allow", "Deny"]
    ip_rules: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Resources:
    template: str
    storage_account: str
    container: str
    key_vault: str
    data_factory: str
    network: Network


@dataclass(frozen=True, kw_only=True)
class Databricks:
    """`workspace_resource_id` is None where only users of the workspace release (no Azure headers are sent then)."""

    host: str
    workspace_resource_id: str | None
    root: str
    readers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SecretScope:
    name: str
    backend: Literal["databricks", "key_vault"]
    readers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Secret:
    """Where a secret's value comes from (`account`, `secret` or `variable` says which one) and where it goes."""

    name: str
    source: Literal["storage_key", "key_vault", "environment_variable"]
    to: Literal["scope", "key_vault"]
    account: str | None = None
    secret: str | None = None
    variable: str | None = None


@dataclass(frozen=True, kw_only=True)
class JobsPolicy:
    """`run_as` is the Jobs API's own object; `values` are for `{{ }}` in config/jobs; `drift` is what becomes of
    settings that people changed by hand."""

    schedules: Literal["as_defined", "paused"]
    run_as: Mapping[str, str]
    values: Mapping[str, Any]
    drift: Literal["keep", "overwrite", "stop"] = "overwrite"


@dataclass(frozen=True, kw_only=True)
class IntegrationTest:
    """`factory_pipelines`: pipelines that run after the notebook, as candidate copies, with their parameters."""

    notebook: str
    timeout_minutes: int
    parameters: Mapping[str, str]
    cluster: Mapping[str, Any]
    factory_pipelines: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DataFactoryPolicy:
    """How the factory's definitions are released.

    `parameterise_databricks` (source git): parameters also for what differs by workspace, which Studio's default leaves
    as it is. `parameters` are values by parameter name, {"key_vault": name} where the vault has it; `notebook_paths`
    lead literal notebook paths to "slot" or to a folder. `delete_limit_percent` is the most of a factory that one
    release may delete.
    """

    source: Literal["none", "export", "git"] = "none"
    parameterise_databricks: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)
    notebook_paths: Mapping[str, str] = field(default_factory=dict)
    delete_removed: bool = False
    delete_limit_percent: int = 30
    triggers: Literal["as_defined", "stopped"] = "as_defined"


@dataclass(frozen=True, kw_only=True)
class Drain:
    """What happens before a slot is overwritten where the identity may not see every active run: `warn` that it can't
    be proven that none reads from the slot, or `stop`."""

    unseen_runs: Literal["warn", "stop"] = "warn"


@dataclass(frozen=True, kw_only=True)
class WatchPolicy:
    """How an environment watches what it switched to; `hours` 0: not at all."""

    hours: int = 0
    max_failures: int = 0
    on_breach: OnBreach = "report"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One environment, all values resolved. `values` is the whole configuration, for expressions in job definitions."""

    app: str
    name: str
    production: bool
    azure: Azure
    resources: Resources
    databricks: Databricks
    secret_scope: SecretScope
    secrets: Mapping[str, Secret]
    notebooks: Mapping[str, str]
    jobs: JobsPolicy
    integration_test: IntegrationTest
    archive_keep: int
    values: Mapping[str, Any]
    data_factory: DataFactoryPolicy = field(default_factory=DataFactoryPolicy)
    drain: Drain = field(default_factory=Drain)
    watch: WatchPolicy = field(default_factory=WatchPolicy)
    azure_devops: AzureDevOps | None = None


def environment_names(root: Path) -> list[str]:
    """The environments that have a file, in order."""
    folder = root / FOLDER
    return sorted(path.stem for path in folder.glob("*.yml")) if folder.is_dir() else []


def load_environment(root: Path, name: str) -> Environment:
    """Reads and checks one environment of the project at `root`.

    Raises UsageError for a name that has no file, ConfigurationError with every mistake otherwise.
    """
    names = environment_names(root)
    if not re.fullmatch(NAME, name) or name not in names:
        listed = ", ".join(names) or f"none: {root / FOLDER} has no .yml file"
        raise UsageError(
            f"There is no environment {name!r}. Environments here: {listed}.", changed="Nothing was changed."
        )
    environment, findings = _load(root, name)
    if findings or environment is None:
        raise ConfigurationError(f"The configuration of {name} has {_count(findings)}.", findings)
    return environment


def load_all(root: Path) -> list[Environment]:
    """Every environment of the project, and that no two of them stand on each other. Raises ConfigurationError."""
    environments: list[Environment] = []
    findings: list[Finding] = []
    for name in environment_names(root):
        if not re.fullmatch(NAME, name):
            findings.append(Finding(f"{FOLDER}/{name}.yml", "", f"{name!r} is not {_NAME_SAYS}"))
            continue
        environment, found = _load(root, name)
        findings += [finding for finding in found if finding not in findings]
        if environment is not None:
            environments.append(environment)
    if not environments and not findings:
        findings.append(Finding(FOLDER, "", "there is no environment: no .yml file is here"))
    findings += _shared(environments)
    if findings:
        raise ConfigurationError(f"The configuration has {_count(findings)}.", findings)
    return environments


_NAME_SAYS = "a name for an environment: lower-case letters, digits and single dashes, at most 20, a letter first"


def _count(findings: Sequence[Finding]) -> str:
    return "a mistake" if len(findings) == 1 else f"{len(findings)} mistakes"


def _load(root: Path, name: str) -> tuple[Environment | None, list[Finding]]:
    file = f"{FOLDER}/{name}.yml"
    base, places, findings = _read(root, DEFAULTS)
    over, over_places, over_findings = _read(root, file)
    findings += over_findings
    if any(not finding.path for finding in findings):  # a file that can't be read: the rest would be noise
        return None, findings
    # A null in the defaults themselves takes nothing away: it says that there is no such thing.
    merged = configuration.merge(configuration.merge({}, base), over)
    places = {**places, **over_places}
    resolver = Resolver(merged, {"environment": name}, places)
    values = resolver.resolve()
    findings += resolver.findings

    def report(path: Key, text: str) -> None:
        findings.append(_finding(places, path, text, file))

    check(SCHEMA, values, (), report)
    cross_check(values, report)
    return (None, _sorted(findings)) if findings else (_build(name, values), [])


def _read(root: Path, file: str) -> tuple[dict[str, Any], Places, list[Finding]]:
    try:
        text = (root / file).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}, {}, [Finding(file, "", "is missing")]
    except (OSError, UnicodeDecodeError) as error:
        return {}, {}, [Finding(file, "", f"can't be read: {error}")]
    return configuration.parse(text, file)


def _finding(places: Places, path: Key, text: str, file: str) -> Finding:
    """A finding at the key itself, or, for a key that is not there, at the nearest one above it."""
    for length in range(len(path), 0, -1):
        if path[:length] in places:
            found, line = places[path[:length]]
            return Finding(found, show(path), text, line)
    return Finding(file, show(path), text)


def _sorted(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: (finding.file, finding.line or 0, finding.path))


def _shared(environments: list[Environment]) -> list[Finding]:
    """Two environments must not share what holds one environment's release."""
    findings: list[Finding] = []
    owner: dict[tuple[str, ...], str] = {}
    for environment in environments:
        databricks, azure = environment.databricks, environment.azure
        owner.setdefault(("azure.state.container", azure.state.storage_account, audit.CONTAINER), "the audit")
        owned: list[tuple[str, tuple[str, ...]]] = [
            ("databricks.root", (databricks.host, databricks.root)),
            ("secret_scope.name", (databricks.host, environment.secret_scope.name.lower())),
            ("azure.state.container", (azure.state.storage_account, azure.state.container)),
            ("resources.storage_account", (environment.resources.storage_account,)),
            ("resources.key_vault", (environment.resources.key_vault.lower(),)),
            ("resources.data_factory", (environment.resources.data_factory.lower(),)),
        ]
        for path, thing in owned:
            other = owner.setdefault((path, *thing), environment.name)
            if other != environment.name:
                text = f"{thing[-1]} is used by {other} as well; each environment needs its own"
                findings.append(Finding(f"{FOLDER}/{environment.name}.yml", path, text))
    return findings


def _build(name: str, values: Mapping[str, Any]) -> Environment:
    azure, resources, databricks = values["azure"], values["resources"], values["databricks"]
    scope, jobs, test = values["secret_scope"], values["jobs"], values["integration_test"]
    network = resources["network"]
    return Environment(
        app=values["app"],
        name=name,
        production=values["production"],
        azure=Azure(
            tenant_id=azure["tenant_id"],
            subscription_id=azure["subscription_id"],
            location=azure["location"],
            resource_group=azure["resource_group"],
            release_identity=ReleaseIdentity(**azure["release_identity"]),
            state=StateStorage(**azure["state"]),
        ),
        resources=Resources(
            template=resources["template"],
            storage_account=resources["storage_account"],
            container=resources["container"],
            key_vault=resources["key_vault"],
            data_factory=resources["data_factory"],
            network=Network(default_action=network["default_action"], ip_rules=tuple(network["ip_rules"])),
        ),
        databricks=Databricks(
            host=databricks["host"],
            workspace_resource_id=databricks.get("workspace_resource_id"),
            root=databricks["root"],
            readers=tuple(databricks["readers"]),
        ),
        secret_scope=SecretScope(name=scope["name"], backend=scope["backend"], readers=tuple(scope["readers"])),
        secrets={key: _secret(key, item) for key, item in values["secrets"].items()},
        notebooks=values["notebooks"],
        jobs=JobsPolicy(
            schedules=jobs["schedules"],
            run_as=jobs["run_as"],
            values=jobs["values"],
            drift=jobs.get("drift", "stop" if values["production"] else "overwrite"),
        ),
        integration_test=IntegrationTest(
            notebook=test["notebook"],
            timeout_minutes=test["timeout_minutes"],
            parameters=test["parameters"],
            cluster=test["cluster"],
            factory_pipelines=test.get("factory_pipelines", {}),
        ),
        archive_keep=values["archive"]["keep"],
        values={**values, "environment": name},
        data_factory=DataFactoryPolicy(**values.get("data_factory", {})),
        drain=Drain(**values.get("drain", {})),
        watch=WatchPolicy(**values.get("watch", {})),
        azure_devops=_azure_devops(values.get("azure_devops")),
    )


def _azure_devops(section: Mapping[str, Any] | None) -> AzureDevOps | None:
    if section is None:
        return None
    return AzureDevOps(**{**section, "approvers": tuple(section.get("approvers", ()))})


_SOURCES: dict[str, Literal["storage_key", "key_vault", "environment_variable"]] = {
    "storage_key": "storage_key",
    "key_vault": "key_vault",
    "environment_variable": "environment_variable",
}


def _secret(name: str, item: Mapping[str, str]) -> Secret:
    return Secret(
        name=name,
        source=_SOURCES[item["from"]],
        to="scope" if item["to"] == "scope" else "key_vault",
        account=item.get("account"),
        secret=item.get("secret"),
        variable=item.get("variable"),
    )
