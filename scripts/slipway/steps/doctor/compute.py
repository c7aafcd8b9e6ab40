"""What clusters of jobs and of the integration test are made of: runtimes, node types, cluster policies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from slipway.domain.diagnosis import PORTAL, Finding
from slipway.domain.job import parse_definition, resolved
from slipway.steps.doctor import facts, people
from slipway.steps.doctor.examination import Check, Examination, Said
from slipway.steps.doctor.people import ADMIN

TEST = "the integration test"
FOLDER = "config/jobs"
_NEW_POLICY = f"{PORTAL} the workspace > Compute > Policies > Create policy; its id goes where the old one stands"


def checks(examination: Examination) -> list[Check]:
    return [
        Check(title="runtimes of clusters", look=partial(_runtimes, examination)),
        Check(title="node types of clusters", look=partial(_node_types, examination)),
        Check(title="cluster policies", look=partial(_policies, examination)),
    ]


def clusters(examination: Examination) -> list[tuple[str, Mapping[str, Any]]]:
    """Every cluster that a release would ask for: where it stands, and its settings. What does not render is left out:
    the build refuses it."""
    return examination.fact("clusters", lambda: _clusters(examination))


def free_clusters(examination: Examination) -> list[str]:
    """Where clusters stand that no policy covers."""
    return [where for where, cluster in clusters(examination) if not cluster.get("policy_id")]


def _clusters(examination: Examination) -> list[tuple[str, Mapping[str, Any]]]:
    environment = examination.environment
    found: list[tuple[str, Mapping[str, Any]]] = []
    if environment.integration_test.cluster:
        found.append((TEST, environment.integration_test.cluster))
    for path in sorted((examination.context.root / FOLDER).glob("*.json")):
        name = f"{FOLDER}/{path.name}"
        definition, _ = parse_definition(path.read_text(encoding="utf-8"), name)
        if definition is not None:
            settings = resolved(definition, environment, lambda _path, _text: None)
            found += [(name, cluster) for cluster in _new_clusters(settings)]
    return found


def _new_clusters(settings: Any) -> Iterator[Mapping[str, Any]]:
    """Every `new_cluster` inside, however deep: of job clusters, tasks, and tasks of loops."""
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            if key == "new_cluster" and isinstance(value, Mapping):
                yield value
            else:
                yield from _new_clusters(value)
    elif isinstance(settings, list):
        for value in settings:
            yield from _new_clusters(value)


def _asked_for(examination: Examination, key: str) -> dict[str, list[str]]:
    """The values of a key of clusters, each with where it stands."""
    asked: dict[str, list[str]] = {}
    for where, cluster in clusters(examination):
        value = cluster.get(key)
        if isinstance(value, str) and value and where not in asked.setdefault(value, []):
            asked[value].append(where)
    return asked


def _runtimes(examination: Examination) -> Iterator[Said]:
    asked = _asked_for(examination, "spark_version")
    if not asked:
        return
    people.inside(examination)
    there = examination.workspace.spark_versions()
    for version, places in asked.items():
        if version in there or version.startswith("custom:"):
            continue
        choice = next((one for one in there if "-ml-" not in one and "gpu" not in one), "VERSION")
        yield Finding(
            id="compute.spark_version",
            what=f"The workspace has no runtime {version}, which {_do(places, 'ask')} for.",
            why="A runtime is taken off the list when its support ends, and some time later no cluster starts with it.",
            mend=_replace(examination, "spark_version", version, choice),
            severity="warning",
        )


def _node_types(examination: Examination) -> Iterator[Said]:
    asked: dict[str, list[str]] = {}
    for key in ("node_type_id", "driver_node_type_id"):
        for name, places in _asked_for(examination, key).items():
            asked[name] = [*asked.get(name, []), *places]
    if not asked:
        return
    people.inside(examination)
    there = examination.workspace.node_types()
    for name, places in asked.items():
        found = there.get(name)
        refused = "NotAvailableInRegion" in json.dumps((found or {}).get("node_info") or {})
        if found is not None and not refused:
            continue
        choice = min(there, key=lambda one: (float(there[one].get("num_cores") or 99), one), default="NODE_TYPE")
        yield Finding(
            id="compute.node_type",
            what=f"The workspace's region has no node type {name}, which {_do(places, 'ask')} for.",
            why="No cluster starts on machines that are not there.",
            mend=_replace(examination, "node_type_id", name, choice),
        )


def _replace(examination: Examination, key: str, old: str, new: str) -> str:
    """The mend where a value of jobs.values is wrong; where it stands in a cluster itself, there."""
    for name, value in examination.environment.jobs.values.items():
        if value == old:
            return examination.configure(f"jobs.values.{name}", new)
    for name, value in examination.environment.integration_test.cluster.items():
        if value == old:
            return examination.configure(f"integration_test.cluster.{name}", new)
    return f'sed -i \'s|"{key}": "{old}"|"{key}": "{new}"|\' {FOLDER}/*.json'


def _do(places: list[str], verb: str) -> str:
    """What these places do: "a names", "a, b name"."""
    return f"{', '.join(places)} {verb}{'s' * (len(places) == 1)}"


def _policies(examination: Examination) -> Iterator[Said]:
    asked = _asked_for(examination, "policy_id")
    if not asked:
        return
    people.inside(examination)
    there = {str(one["policy_id"]): one for one in examination.fact("policies", examination.workspace.policies)}
    for policy, places in asked.items():
        if policy in there:
            yield from _usable(examination, policy, places)
        elif people.is_admin(examination):
            choice = next(iter(there), "")
            yield Finding(
                id="compute.policy",
                what=f"The workspace has no cluster policy {policy}, which {_do(places, 'name')}.",
                why="A cluster under a policy that is not there is refused.",
                mend=_replace(examination, "policy_id", policy, choice) if choice else _NEW_POLICY,
            )
        else:
            # Whoever is no admin sees only the policies that they may use.
            yield _unusable(examination, policy, places)


def _usable(examination: Examination, policy: str, places: list[str]) -> Iterator[Said]:
    """An admin sees every policy; whether the release identity may use it, its access list says."""
    if not people.is_admin(examination):
        return
    client_id = facts.release_client_id(examination)
    member = people.principal(examination, client_id)
    if member is None:
        return
    names = {client_id.lower(), people.USERS, *map(str.lower, people.groups_of(member))}
    answer = examination.workspace.get_permissions("cluster-policies", policy)
    for entry in answer.get("access_control_list") or []:
        if str(entry.get("service_principal_name") or entry.get("group_name") or "").lower() in names:
            return
    if people.ADMINS not in names:
        yield _unusable(examination, policy, places)


def _unusable(examination: Examination, policy: str, places: list[str]) -> Finding:
    client_id = facts.release_client_id(examination)
    body = {"access_control_list": [{"service_principal_name": client_id, "permission_level": "CAN_USE"}]}
    return Finding(
        id="compute.policy_use",
        what=f"The release identity {client_id} may not use cluster policy {policy}, which {_do(places, 'name')}.",
        why="A cluster under a policy that one may not use is refused.",
        mend=people.rest(examination, "patch", f"/permissions/cluster-policies/{policy}", body),
        who=ADMIN,
    )
