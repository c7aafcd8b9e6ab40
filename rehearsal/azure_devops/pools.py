"""Agent pools of the organisation, their agents, and the queues by which a project uses them.

API: learn.microsoft.com/rest/api/azure/devops/distributedtask/pools, agents, queues (7.1). Every organisation has the pools
Default and Azure Pipelines, the latter hosted by Microsoft; a project has a queue for each of them. How many jobs may run at the
same time: ResourceUsage of Microsoft's own clients (azure-devops-node-api, TaskAgentApi.getResourceUsage; azure-devops 7.1.0b4,
task_agent/models.py); a new organisation has no job of Microsoft's agents until it is granted or paid for
(learn.microsoft.com/azure/devops/pipelines/licensing/concurrent-jobs).
"""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from rehearsal.azure_devops.call import Call, Operation
from rehearsal.azure_devops.errors import DevOpsError, Json, as_object, listed, missing_property
from rehearsal.azure_devops.identities import MANAGE_QUEUES
from rehearsal.store import Store

HOSTED, DEFAULT = "Azure Pipelines", "Default"


class Pools:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._pools = store.collection("azure_devops/pools")
        self._queues = store.collection("azure_devops/queues")
        self._jobs = store.collection("azure_devops/parallel_jobs")
        for name in (DEFAULT, HOSTED):
            if self.pool_named(name) is None:
                self.add_queue(self.add_pool(name, hosted=name == HOSTED)["id"])

    def add_pool(self, name: str, *, hosted: bool = False) -> Json:
        key = self._store.next_id("azure_devops/pool")
        self._pools[str(key)] = {"id": key, "name": name, "hosted": hosted, "agents": {}}
        record: Json = self._pools[str(key)]
        return record

    def ensure(self, name: str) -> None:
        """A pool with an agent that waits for work; the project has no queue for it yet."""
        found = self.pool_named(name) or self.add_pool(name)
        if not found["agents"]:
            self.set_agent(found["id"], "this-machine", online=True)

    def set_hosted_jobs(self, count: int) -> None:
        """So many jobs may run on Microsoft's agents at the same time."""
        self._jobs["hosted"] = count

    def add_queue(self, pool: int) -> Json:
        """The project may use the pool."""
        key = self._store.next_id("azure_devops/queue")
        self._queues[str(key)] = {"id": key, "pool": pool, "name": self._pools[str(pool)]["name"]}
        record: Json = self._queues[str(key)]
        return record

    def remove_queue(self, key: int) -> None:
        self._queues.pop(str(key), None)

    def set_agent(self, pool: int, name: str, *, online: bool, enabled: bool = True) -> None:
        record = self._pools[str(pool)]
        number = record["agents"].get(name, {}).get("id") or self._store.next_id("azure_devops/agent")
        agent = {"id": number, "online": online, "enabled": enabled}
        self._pools[str(pool)] = {**record, "agents": {**record["agents"], name: agent}}

    def pool_named(self, name: str) -> Json | None:
        return next((one for one in self._pools.values() if one["name"].lower() == name.lower()), None)

    def queue(self, key: str) -> Json | None:
        found: Json | None = self._queues.get(key)
        return found

    def queue_named(self, name: str) -> Json | None:
        return next((one for one in self._queues.values() if one["name"].lower() == name.lower()), None)

    def operations(self) -> list[Operation]:
        whole, project = "/{organisation}/_apis/distributedtask", "/{organisation}/{project}/_apis/distributedtask"
        return [
            Operation("GET", whole + "/pools", self._list_pools),
            Operation("POST", whole + "/pools", self._create_pool),
            Operation("GET", whole + "/pools/{id:int}/agents", self._list_agents),
            Operation("GET", whole + "/resourceusage", self._usage, preview=True),
            Operation("GET", project + "/queues", self._list_queues),
            Operation("POST", project + "/queues", self._create_queue),
        ]

    def _list_pools(self, call: Call) -> Response:
        name = (call.query("poolName") or "").lower()
        return listed([_pool(one) for one in self._pools.values() if name in ("", one["name"].lower())])

    def _create_pool(self, call: Call) -> Response:
        """Its agents come by themselves, each from its own machine."""
        name = as_object(call.body, "A pool").get("name")
        if not name:
            raise missing_property("pool.name")
        if not call.caller.may(MANAGE_QUEUES):
            raise call.refuse(
                f"Access denied. {call.caller.name} needs Manage permissions for pools to perform the action."
            )
        if self.pool_named(name) is not None:
            raise DevOpsError(409, "TaskAgentPoolExistsException", f"Agent pool {name} already exists.")
        return JSONResponse(_pool(self.add_pool(name)))

    def _list_agents(self, call: Call) -> Response:
        pool = self._pools.get(str(call.path("id")))
        if pool is None:
            raise DevOpsError(404, "TaskAgentPoolNotFoundException", f"Agent pool {call.path('id')} not found.")
        agents = pool["agents"].items()
        return listed(
            [
                {"id": one["id"], "name": name, "status": "online" if one["online"] else "offline"}
                | {"enabled": one["enabled"], "version": "4.260.0", "osDescription": "Linux"}
                for name, one in agents
            ]
        )

    def _usage(self, call: Call) -> Response:
        hosted, tag = (call.query("poolIsHosted") or "").lower() == "true", call.query("parallelismTag") or "Private"
        count = self._jobs.get("hosted", 1) if hosted else 1
        limit = {
            "isHosted": hosted,
            "isPremium": False,
            "parallelismTag": tag,
            "totalCount": count,
            "totalMinutes": 1800,
        }
        return JSONResponse({"resourceLimit": limit, "usedCount": 0, "usedMinutes": 0, "runningRequests": []})

    def _list_queues(self, call: Call) -> Response:
        wanted = call.query("queueNames") or call.query("queueName") or ""
        names = {name.lower() for name in wanted.split(",") if name}
        found = [one for one in self._queues.values() if not names or one["name"].lower() in names]
        return listed([self._shown(one) for one in found])

    def _create_queue(self, call: Call) -> Response:
        pool = self._pools.get(str((as_object(call.body, "A queue").get("pool") or {}).get("id")))
        if pool is None:
            raise DevOpsError(404, "TaskAgentPoolNotFoundException", "The agent pool could not be found.")
        if not call.caller.may(MANAGE_QUEUES):
            text = f"Access denied. {call.caller.name} needs Manage permissions for queues to perform the action."
            raise call.refuse(text)
        if self.queue_named(pool["name"]) is not None:
            raise DevOpsError(409, "TaskAgentQueueExistsException", f"Queue {pool['name']} already exists.")
        return JSONResponse(self._shown(self.add_queue(pool["id"])))

    def _shown(self, queue: Json) -> Json:
        return {"id": queue["id"], "name": queue["name"], "pool": _pool(self._pools[str(queue["pool"])])}


def _pool(record: Json) -> Json:
    return {
        "id": record["id"],
        "name": record["name"],
        "isHosted": record["hosted"],
        "poolType": "automation",
        "size": len(record["agents"]),
        "isLegacy": False,
    }
