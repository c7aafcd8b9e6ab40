"""Makes what a project of Azure DevOps needs for its pipelines to release. --help says how."""

from slipway.steps import setup_azure_devops

raise SystemExit(setup_azure_devops.main())
