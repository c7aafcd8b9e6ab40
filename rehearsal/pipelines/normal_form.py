"""The one form that the service gives everything: shortcuts as tasks, lists where one text would do, stages around all.

What becomes what was read off the service's preview by PGielniak/azdo-pipeline-emulator (fixtures/oracle, research/E04 and E12).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field

from rehearsal.pipelines.schema import STEP_COMMON
from rehearsal.pipelines.yaml_nodes import Mapping, Node, Position, Scalar, Sequence

# Three shortcuts are tasks without a name, inside the agent.
CHECKOUT = "6d15af64-176c-496d-b583-fd2ae21d4df4@1"
PUBLISH = "ecdc45f6-832d-4ad9-b52b-ee49e94659be@1"
DOWNLOAD = "30f35852-3f7e-4c0c-9a88-e127b4f97211@1"
DEFAULT_STAGE, DEFAULT_JOB = "__default", "Job"
_HOOKS = ("preDeploy", "deploy", "routeTraffic", "postRouteTraffic", "failure", "success")
_MOVED_INTO_THE_JOB = ("pool", "continueOnError", "container", "services", "strategy", "workspace")
_Pairs = list[tuple[Scalar, Node]]


@dataclass(frozen=True)
class _Shortcut:
    task: str
    main: str
    before: MappingOf[str, str] = field(default_factory=dict)
    after: MappingOf[str, str] = field(default_factory=dict)
    renamed: MappingOf[str, str] = field(default_factory=dict)


_SHORTCUTS: MappingOf[str, _Shortcut] = {
    "script": _Shortcut("CmdLine@2", "script"),
    "bash": _Shortcut("Bash@3", "script", {"targetType": "inline"}),
    "powershell": _Shortcut("PowerShell@2", "script", {"targetType": "inline"}),
    "pwsh": _Shortcut("PowerShell@2", "script", {"targetType": "inline"}, {"pwsh": "true"}),
    "checkout": _Shortcut(CHECKOUT, "repository"),
    "publish": _Shortcut(PUBLISH, "path", renamed={"artifact": "artifactName"}),
    "download": _Shortcut(DOWNLOAD, "alias"),
}
# What the service makes of these was seen nowhere: they stay as they are.
UNKNOWN_SHORTCUTS = ("downloadBuild", "getPackage", "reviewApp", "upload")


def normal_list(role: str, node: Sequence) -> Sequence:
    """A list of stages, jobs or steps in its normal form."""
    return Sequence(tuple(_PARTS[role](item) for item in node.items), node.position)


def normal_pipeline(node: Mapping) -> Mapping:
    """A whole pipeline after expansion; always `stages`, never `jobs` or `steps`."""
    pairs: _Pairs = []
    keys = node.keys()
    for key, value in node.pairs:
        at = key.position
        match key.text, value:
            case "trigger" | "pr", _:
                pairs.append((key, _trigger(value)))
            case "stages", Sequence():
                pairs.append((key, normal_list("stages", value)))
            case "jobs", Sequence():
                pairs.append((_key("stages", at), _stage_around(normal_list("jobs", value), at)))
            case "steps", Sequence():
                moved = [pair for pair in node.pairs if pair[0].text in _MOVED_INTO_THE_JOB]
                job = Mapping(
                    ((_key("job", at), _key(DEFAULT_JOB, at)), *moved, (key, normal_list("steps", value))),
                    value.position,
                )
                jobs = Sequence((_job(job),), value.position)
                pairs.append((_key("stages", at), _stage_around(jobs, at)))
            case name, _ if "steps" in keys and name in _MOVED_INTO_THE_JOB:
                pass
            case _:
                pairs.append((key, value))
    return _with_images(Mapping(tuple(pairs), node.position), _declared_containers(node))


def _stage_around(jobs: Sequence, at: Position) -> Sequence:
    stage = Mapping(((_key("stage", at), _key(DEFAULT_STAGE, at)), (_key("jobs", at), jobs)), jobs.position)
    return Sequence((stage,), at)


def _key(text: str, at: Position) -> Scalar:
    return Scalar(text, at)


def _trigger(node: Node) -> Node:
    if isinstance(node, Scalar) and node.text == "none":
        return Mapping(((_key("enabled", node.position), _key("false", node.position)),), node.position)
    if isinstance(node, Sequence):
        branches = Mapping(((_key("include", node.position), node),), node.position)
        return Mapping(((_key("branches", node.position), branches),), node.position)
    return node


def _mapped(node: Node, changes: MappingOf[str, Callable[[Node], Node]]) -> Node:
    if not isinstance(node, Mapping):
        return node
    return Mapping(
        tuple((key, changes[key.text](value) if key.text in changes else value) for key, value in node.pairs),
        node.position,
    )


def _stage(node: Node) -> Node:
    return _mapped(node, {"dependsOn": _texts, "jobs": _listed("jobs")})


def _job(node: Node) -> Node:
    changes: dict[str, Callable[[Node], Node]] = {
        "dependsOn": _texts,
        "steps": _listed("steps"),
        "environment": _environment,
        "strategy": _hooks,
    }
    return _mapped(node, changes)


def _listed(role: str) -> Callable[[Node], Node]:
    return lambda node: normal_list(role, node) if isinstance(node, Sequence) else node


def _texts(node: Node) -> Node:
    if isinstance(node, Scalar):
        return Sequence((node,) if node.text else (), node.position)
    return node


def _environment(node: Node) -> Node:
    if not isinstance(node, Scalar):
        return node
    # `name.resource` names a resource in it: [schema] content/jobs-deployment-environment.md
    name, dot, resource = node.text.partition(".")
    pairs: _Pairs = [(_key("name", node.position), Scalar(name, node.position, node.style))]
    if dot:
        pairs.append((_key("resourceName", node.position), Scalar(resource, node.position, node.style)))
    return Mapping(tuple(pairs), node.position)


def _hooks(node: Node) -> Node:
    if not isinstance(node, Mapping):
        return node
    pairs: _Pairs = []
    for key, value in node.pairs:
        if key.text in _HOOKS:
            pairs.append((key, _mapped(value, {"steps": _listed("steps")})))
        else:
            pairs.append((key, _hooks(value) if key.text in ("runOnce", "rolling", "canary", "on") else value))
    return Mapping(tuple(pairs), node.position)


def _step(node: Node) -> Node:
    if not isinstance(node, Mapping):
        return node
    main = next((key for key, _ in node.pairs if key.text == "task" or key.text in _SHORTCUTS), None)
    if main is None:
        return node
    common: _Pairs = [
        (key, _target(value) if key.text == "target" else value) for key, value in node.pairs if key.text in STEP_COMMON
    ]
    if main.text == "task":
        inputs = [pair for pair in node.pairs if pair[0].text == "inputs"]
        task = next(pair for pair in node.pairs if pair[0] is main)
        return Mapping((task, *common, *inputs), node.position)
    return _written_out(node, main, common)


def _written_out(node: Mapping, main: Scalar, common: _Pairs) -> Mapping:
    shortcut, at = _SHORTCUTS[main.text], main.position
    inputs: _Pairs = [(_key(name, at), _key(value, at)) for name, value in shortcut.before.items()]
    value = next(value for key, value in node.pairs if key is main)
    inputs.append((Scalar(shortcut.main, at), value))
    inputs += [(_key(name, at), _key(text, at)) for name, text in shortcut.after.items()]
    for key, given in node.pairs:
        if key is not main and key.text not in STEP_COMMON:
            inputs.append((Scalar(shortcut.renamed.get(key.text, key.text), key.position), given))
    if main.text == "checkout" and isinstance(value, Scalar) and value.text == "none":
        # A step that never runs.
        common = [(key, given) for key, given in common if key.text != "condition"]
        common.append((_key("condition", at), _key("false", at)))
    task = (_key("task", at), _key(shortcut.task, at))
    return Mapping((task, *common, (_key("inputs", at), Mapping(tuple(inputs), node.position))), node.position)


def _target(node: Node) -> Node:
    if isinstance(node, Scalar):
        return Mapping(((_key("container", node.position), node),), node.position)
    return node


_PARTS: MappingOf[str, Callable[[Node], Node]] = {"stages": _stage, "jobs": _job, "steps": _step}


# Containers: an alias where `resources` declares one, else an image (unverified).


def _declared_containers(node: Mapping) -> Collection[str]:
    resources = node.get("resources")
    listed = resources.get("containers") if isinstance(resources, Mapping) else None
    names = (
        [item.get("container") for item in listed.items if isinstance(item, Mapping)]
        if isinstance(listed, Sequence)
        else []
    )
    return {name.text.lower() for name in names if isinstance(name, Scalar)}


def _with_images(pipeline: Mapping, containers: Collection[str]) -> Mapping:
    def named(node: Node) -> Node:
        if not isinstance(node, Scalar) or not node.text:
            return node
        key = "alias" if node.text.lower() in containers or "$" in node.text else "image"
        return Mapping(((_key(key, node.position), node),), node.position)

    def services(node: Node) -> Node:
        return (
            Mapping(tuple((key, named(value)) for key, value in node.pairs), node.position)
            if isinstance(node, Mapping)
            else node
        )

    def jobs(node: Node) -> Node:
        changed = {"container": named, "services": services}
        return (
            Sequence(tuple(_mapped(job, changed) for job in node.items), node.position)
            if isinstance(node, Sequence)
            else node
        )

    def stages(node: Node) -> Node:
        found = tuple(_mapped(stage, {"jobs": jobs}) for stage in node.items) if isinstance(node, Sequence) else ()
        return Sequence(found, node.position)

    changed = _mapped(pipeline, {"stages": stages})
    return changed if isinstance(changed, Mapping) else pipeline
