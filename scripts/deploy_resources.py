"""Deploys the environment's Azure resources. --help says how."""

from slipway.steps import deploy_resources

raise SystemExit(deploy_resources.main())
