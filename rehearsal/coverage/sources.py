"""Where the facts behind the operations come from, in short; the code names the source of each rule beside it."""

from __future__ import annotations

# Service, beginning of the operation's path, source. The first that fits counts.
SOURCES: tuple[tuple[str, str, str], ...] = (
    ("Microsoft Entra ID", "", "v2-oauth2-client-creds-grant-flow, reference-error-codes; MSAL, azure-identity"),
    ("Microsoft Graph", "", "graph/api: serviceprincipal-list, serviceprincipal-get, directoryobject-getbyids; azure-cli"),
    ("Azure DevOps", "/{organisation}/{project}/_apis/build", "rest/api/azure/devops: build/builds, build/artifacts"),
    ("Azure DevOps", "/{organisation}/{project}/_apis/test", "rest/api/azure/devops: test/runs, test/results"),
    ("Azure DevOps", "/{organisation}/{project}/_apis/serviceendpoint", "rest/api/azure/devops: serviceendpoint/endpoints"),
    ("Azure DevOps", "/{organisation}/_apis/serviceendpoint", "…: serviceendpoint/endpoints; terraform-provider-azuredevops"),
    ("Azure DevOps", "/{organisation}/{project}/_apis/distributedtask/environments", "…: environments/environments"),
    ("Azure DevOps", "/{organisation}/{project}/_apis/distributedtask/queues", "…: distributedtask/queues"),
    ("Azure DevOps", "/{organisation}/_apis/distributedtask/resourceusage", "azure-devops-node-api: TaskAgentApi"),
    ("Azure DevOps", "/{organisation}/_apis/distributedtask", "…: distributedtask/pools, distributedtask/agents"),
    ("Azure DevOps", "/{organisation}/{project}/_apis/pipelines/checks", "…: approvalsandchecks; terraform-provider-azuredevops"),
    ("Azure DevOps", "/{organisation}/{project}/_apis/pipelines/pipelinePermissions", "…: approvalsandchecks/pipeline-permissions"),
    ("Azure DevOps", "/{organisation}/{project}/_apis/pipelines", "…: pipelines/pipelines"),
    ("Azure DevOps", "/{organisation}/{project}/_apis/policy", "…: policy/configurations, policy/types"),
    ("Azure DevOps", "/{organisation}/{project}/_apis/git", "…: git/repositories"),
    ("Azure DevOps", "/{organisation}/_apis/projects", "…: core/projects"),
    ("Azure DevOps", "/{organisation}/_apis/identities", "…: ims/identities"),
    ("Azure DevOps", "/{organisation}/_apis", "azure-devops-python-api: connection.py, client.py"),
    ("Azure DevOps", "", "azure-identity's AzurePipelinesCredential; tasks of azure-pipelines-tasks"),
    ("Key Vault", "", "rest/api/keyvault/secrets, authentication-requests-and-responses, rbac-guide"),
    ("Blob storage", "", "Azurite (Microsoft's own); authorize-with-azure-active-directory for the permissions"),
    ("Databricks workspace", "/workspace", "databricks/cli: acceptance and integration tests, libs/filer; databricks-sdk-py"),
    ("Databricks workspace", "/dbfs", "databricks-cli dbfs/api.py, databricks/cli libs/filer; DBFS API's docstrings"),
    ("Databricks workspace", "/fs", "databricks-sdk-py files.py, databricks/cli libs/filer"),
    ("Databricks workspace", "/secrets", "databricks-sdk-py; terraform-provider-databricks; issues that quote answers"),
    ("Databricks workspace", "/jobs", "databricks/cli: acceptance tests; databricks-sdk-py; jobs-api-2-2-updates"),
    ("Databricks workspace", "/permissions", "terraform-provider-databricks; databricks/cli: acceptance tests"),
    ("Databricks workspace", "/repos", "databricks-sdk-py; databricks-cli repos/api.py; terraform-provider-databricks"),
    ("Databricks workspace", "/git-credentials", "databricks-sdk-py; terraform-provider-databricks"),
    ("Databricks workspace", "/preview/scim", "databricks-sdk-py iam.py; SCIM 2.0 (RFC 7644)"),
    ("Databricks workspace", "/.well-known", "databricks-sdk-py config.py"),
    ("Databricks workspace", "/groups", "databricks-cli groups/api.py, sdk/service.py"),
    ("Databricks workspace", "/token", "databricks-sdk-py settings.py; databricks-cli tokens/api.py"),
    ("Databricks workspace", "/policies", "databricks-sdk-py compute.py; databricks-cli cluster_policies/api.py"),
    ("Databricks workspace", "/unity-catalog", "databricks-sdk-py catalog.py"),
    ("Databricks workspace", "", "databricks-sdk-py; databricks-cli sdk/service.py"),
    ("Resource Manager", "{scope}/providers/Microsoft.Resources/deployments", "rest/api/resources/deployments; async-operations"),
    ("Resource Manager", "Microsoft.Storage", "rest/api/storagerp"),
    ("Resource Manager", "Microsoft.KeyVault", "rest/api/keyvault/keyvault"),
    ("Resource Manager", "Microsoft.ManagedIdentity", "rest/api/managedidentity; azure-mgmt-msi"),
    ("Resource Manager", "Microsoft.Authorization", "rest/api/authorization; lock-resources"),
    ("Resource Manager", "Microsoft.Databricks", "rest/api/databricks/workspaces"),
    ("Resource Manager", "", "rest/api/resources"),
    ("Data Factory", "", "azure-mgmt-datafactory, api-version 2018-06-01"),
)  # fmt: skip


def source(service: str, path: str) -> str:
    """Raises LookupError for an operation that says nothing of where its facts come from."""
    for owner, beginning, text in SOURCES:
        if owner == service and path.startswith(beginning):
            return text
    raise LookupError(f"rehearsal/coverage/sources.py has no source for {service}: {path}")
