"""Azure Resource Manager on this machine: deployments, what-if, groups, roles, and the providers a release needs."""
