"""A new environment made from one that is there: its file, its block in the pipeline's list, and what else Azure needs.

All of it works on text, so that comments, order and spelling stay as a person wrote them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import yaml

from slipway.domain.environment import Environment
from slipway.errors import NotPossible, UsageError

LIST_FILE = "templates/environments.yml"
# A stage of Azure Pipelines is named after its environment: letters and digits, no dash
# (https://learn.microsoft.com/azure/devops/pipelines/yaml-schema/stages-stage).
NAME = re.compile(r"[a-z][a-z0-9]{0,19}")
# Keys whose values hold an environment's name without a separator: storage accounts have letters and digits only.
_RUN_TOGETHER = ("storage_account", "account")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One environment in the pipeline's list; start and end are offsets of its lines in the file."""

    name: str
    service_connection: str
    depends_on: tuple[str, ...]
    start: int
    end: int
    node: Any


@dataclass(frozen=True, kw_only=True)
class Need:
    """Something that Slipway can't make: what, and how to get or check it."""

    what: str
    how: str


def check_names(source: str, target: str, known: Sequence[str]) -> None:
    """Raises UsageError when `target` is no name for a new environment, or `source` is none that is there."""
    if source not in known:
        raise UsageError(f"There is no environment {source!r}. Environments here: {', '.join(known) or 'none'}.")
    if not NAME.fullmatch(target):
        raise UsageError(
            f"{target!r} is not a name for an environment: lower-case letters and digits, a letter first, at most 20. "
            "It becomes the name of a stage and part of the names of resources."
        )
    if target in known:
        raise UsageError(f"The environment {target!r} exists already.", changed="Nothing was changed.")


def clone_configuration(text: str, source: str, target: str) -> str:
    """An environment's file for the new environment: its name replaced in values, and in capitals in comments."""
    replaced = _replace(
        text, _scalar_values(yaml.compose(text)), lambda key, value: _rename(key, value, source, target)
    )
    lines = [_rename_comment(line, source, target) for line in replaced.splitlines(keepends=True)]
    return "".join(lines)


def _rename(key: str, text: str, source: str, target: str) -> str:
    text = _word(source).sub(target, text)
    if key in _RUN_TOGETHER:
        text = re.sub(f"(?<=[a-z0-9]){re.escape(source)}(?![A-Za-z0-9])", target, text)
    return text


def _rename_comment(line: str, source: str, target: str) -> str:
    """Only capitals: in a sentence `test` may be the word and not the environment."""
    before, mark, comment = line.partition("#")
    if not mark or (before.strip() and not before.endswith((" ", "\t"))):
        return line
    return before + mark + _word(source.upper()).sub(target.upper(), comment)


def _word(name: str) -> re.Pattern[str]:
    return re.compile(f"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])")


def blocks(text: str) -> list[Block]:
    """The environments in the pipeline's list, in order. Raises NotPossible when the list is not found."""
    try:
        root = yaml.compose(text)
    except yaml.YAMLError as error:
        raise NotPossible(f"{LIST_FILE} can't be read: {error}") from error
    for parameter in _items(_value(root, "parameters")):
        if _text(_value(parameter, "name")) == "environments":
            return list(_blocks(text, _items(_value(parameter, "default"))))
    raise NotPossible(
        f"{LIST_FILE} has no parameter 'environments' with a list of environments.",
        changed="Nothing was changed.",
        next_step="Add the environment to the pipeline by hand.",
    )


def _blocks(text: str, items: Sequence[Any]) -> Iterator[Block]:
    for item in items:
        start = text.rfind("\n", 0, item.start_mark.index) + 1
        # A mapping ends where the next thing begins: blank lines and comments between them are not part of it.
        last = max(value.end_mark.index for _, value in item.value) if item.value else item.end_mark.index
        for key, value in item.value:
            if not isinstance(value, yaml.ScalarNode) and not getattr(value, "flow_style", False):
                last = max(last, *(scalar.end_mark.index for _, scalar in _scalar_values(value)), key.end_mark.index)
        content = text[start:last].rstrip()
        end = text.find("\n", start + len(content))
        yield Block(
            name=_text(_value(item, "name")),
            service_connection=_text(_value(item, "serviceConnection")),
            depends_on=tuple(_text(other) for other in _items(_value(item, "dependsOn"))),
            start=start,
            end=len(text) if end < 0 else end + 1,
            node=item,
        )


def add_block(text: str, source: str, target: str, after: str) -> str:
    """The pipeline's list with a block for `target`, copied from `source`, in the chain right after `after`.

    What waited for `after` waits for `target` from then on. Raises NotPossible or UsageError.
    """
    found = {block.name: block for block in blocks(text)}
    if source not in found:
        raise NotPossible(f"{LIST_FILE} has no block for {source!r} to copy.", changed="Nothing was changed.")
    if after not in found:
        raise UsageError(f"{LIST_FILE} has no block for {after!r}; it has {', '.join(found)}.")
    if target in found:
        raise UsageError(f"{LIST_FILE} has a block for {target!r} already.", changed="Nothing was changed.")
    new = _new_block(text, found[source], target, after)
    edits: list[tuple[int, int, str]] = []
    for block in found.values():
        if after in block.depends_on:
            for node in _items(_value(block.node, "dependsOn")):
                if _text(node) == after:
                    edits.append((node.start_mark.index, node.end_mark.index, target))
    place = found[after].end
    gap = "" if text[:place].endswith("\n") else "\n"
    spaced = "\n" if _blank_between(text, list(found.values())) else ""
    edits.append((place, place, f"{gap}{spaced}{new}"))
    return _apply(text, edits)


def _new_block(text: str, block: Block, target: str, after: str) -> str:
    copied = text[block.start : block.end]
    waits = _value(block.node, "dependsOn")
    edits: list[tuple[int, int, str]] = []
    for key, node in _scalar_values(block.node):
        inside = waits is not None and waits.start_mark.index <= node.start_mark.index < waits.end_mark.index
        if not inside:
            old = text[node.start_mark.index : node.end_mark.index]
            edits.append((node.start_mark.index, node.end_mark.index, _rename(key, old, block.name, target)))
    if waits is None:
        raise NotPossible(
            f"The block of {block.name!r} in {LIST_FILE} has no dependsOn.", changed="Nothing was changed."
        )
    if isinstance(waits, yaml.SequenceNode) and not waits.flow_style:
        first = waits.value[0]
        edits += [(first.start_mark.index, first.end_mark.index, after)]
        if len(waits.value) > 1:
            # The other items' lines go: the new environment waits for one.
            edits.append((first.end_mark.index, waits.value[-1].end_mark.index, ""))
    else:
        edits.append((waits.start_mark.index, waits.end_mark.index, f"[{after}]"))
    shifted = [(start - block.start, end - block.start, new) for start, end, new in edits]
    renamed = _apply(copied, shifted)
    return renamed if renamed.endswith("\n") else renamed + "\n"


def _blank_between(text: str, found: Sequence[Block]) -> bool:
    return any(text[one.end : other.start].startswith("\n") for one, other in pairwise(found))


def needs(environment: Environment, block: Block | None, others: Sequence[Environment]) -> list[Need]:
    """What the new environment needs besides these files, with its own names in it."""
    azure, resources, databricks = environment.azure, environment.resources, environment.databricks
    connection = block.service_connection if block is not None else f"slipway-{environment.name}"
    setup = ""
    if environment.azure_devops is not None:
        setup = (
            f"python scripts/setup_azure_devops.py --environment {environment.name}, after the bootstrap; or by hand: "
        )
    found = [
        Need(
            what=f"Service connection {connection}",
            how=f"{setup}Azure DevOps, Project settings, Service connections: Azure Resource Manager, workload identity "
            f"federation, application {azure.release_identity.client_id}, subscription {azure.subscription_id}. Add its "
            "issuer and subject to the application as a federated credential, and allow this pipeline to use it.",
        ),
        Need(
            what=f"Azure DevOps environment {environment.name}",
            how=f"{setup}Pipelines, Environments: make it before the first run (a run would make it without any check), then add "
            "Approvals, Branch control for main, and Exclusive lock.",
        ),
        Need(
            what="Names that must be unique in all of Azure",
            how=f"storage account {resources.storage_account} (az storage account check-name --name "
            f"{resources.storage_account}), key vault {resources.key_vault}, data factory {resources.data_factory}. "
            "Give others in config/environments when one is taken.",
        ),
        Need(
            what=f"State container {azure.state.container} in {azure.state.storage_account}, and the folder {databricks.root}",
            how=f"Once, by a platform admin: python scripts/bootstrap_environment.py --environment {environment.name}",
        ),
        Need(
            what="Where you release from GitHub: its workflows, in place of the first two",
            how=f"A job {environment.name} in .github/workflows/release.yml, its name in the lists of rollback.yml and "
            "recover-and-watch.yml, a GitHub environment, a federated credential: docs/github.md.",
        ),
    ]
    return found + _shared(environment, others)


def _shared(environment: Environment, others: Sequence[Environment]) -> list[Need]:
    """What the environment has in common with others: meant, or forgotten."""
    identity = [o.name for o in others if o.azure.release_identity == environment.azure.release_identity]
    workspace = [o.name for o in others if o.databricks.host == environment.databricks.host]
    found: list[Need] = []
    if identity:
        found.append(
            Need(
                what=f"Release identity shared with {', '.join(identity)}",
                how="Meant? Otherwise give azure.release_identity in its file. It needs Contributor and Role Based Access "
                f"Control Administrator on {environment.azure.resource_group}, and manage rights on the Databricks root.",
            )
        )
    if workspace:
        found.append(
            Need(
                what=f"Databricks workspace shared with {', '.join(workspace)}",
                how="Meant? Otherwise give databricks.host and databricks.workspace_resource_id in its file.",
            )
        )
    return found


def compare(configured: Sequence[str], listed: Sequence[Block]) -> list[str]:
    """What is missing between the files of environments and the pipeline's list."""
    names = [block.name for block in listed]
    missing = [
        f"config/environments/{name}.yml has no block in {LIST_FILE}" for name in configured if name not in names
    ]
    missing += [
        f"{LIST_FILE}: {name!r} has no config/environments/{name}.yml" for name in names if name not in configured
    ]
    missing += [
        f"{LIST_FILE}: {block.name!r} has no serviceConnection" for block in listed if not block.service_connection
    ]
    missing += [
        f"{LIST_FILE}: {name!r} is there {names.count(name)} times"
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
    return missing


def _value(node: Any, key: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        return next((value for name, value in node.value if name.value == key), None)
    return None


def _items(node: Any) -> list[Any]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    return [] if node is None else [node]


def _text(node: Any) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def _scalar_values(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar that is a value, with the key that it stands under."""
    if isinstance(node, yaml.ScalarNode):
        yield key, node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalar_values(item, key)
    elif isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _scalar_values(value, str(name.value))


def _replace(text: str, scalars: Iterator[tuple[str, Any]], change: Any) -> str:
    edits = []
    for key, node in scalars:
        old = text[node.start_mark.index : node.end_mark.index]
        edits.append((node.start_mark.index, node.end_mark.index, change(key, old)))
    return _apply(text, edits)


def _apply(text: str, edits: Sequence[tuple[int, int, str]]) -> str:
    for start, end, new in sorted(edits, key=lambda edit: edit[:2], reverse=True):
        text = text[:start] + new + text[end:]
    return text
