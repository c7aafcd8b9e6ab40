"""What a stage uses that its pipeline must be permitted to use: service connections, and environments.

Source: learn.microsoft.com/azure/devops/pipelines/process/about-resources: asked when the stage begins.
"""

from __future__ import annotations

from rehearsal.pipelines import tasks
from rehearsal.pipelines.host import AgentHost
from rehearsal.pipelines.model import Stage


def not_permitted(host: AgentHost, stage: Stage) -> list[str]:
    """What the service says of each thing that the stage may not use; empty where it may use all of them."""
    wanted = dict.fromkeys(("environment", job.environment) for job in stage.jobs if job.is_deployment)
    for job in stage.jobs:
        for step in job.all_steps():
            if step.task == tasks.AZURE_CLI:
                wanted["endpoint", step.inputs["azureSubscription"]] = None
    return [text for kind, name in wanted if (text := host.use(kind, name))]
