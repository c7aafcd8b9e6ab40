"""Azure DevOps: an organisation with one project, its pipelines and what they may use, and the runs."""

from rehearsal.azure_devops.app import create_app, create_people_app
from rehearsal.azure_devops.organisation import AzureDevOps

__all__ = ["AzureDevOps", "create_app", "create_people_app"]
