"""Azure Resource Manager: resource groups, resources, role assignments, and deployments of templates.

azure-mgmt-resource 26 has groups and resources only; deployments are in azure-mgmt-resource-deployments. Import the
submodule that a step needs: each client takes a tenth of a second to import.
"""
