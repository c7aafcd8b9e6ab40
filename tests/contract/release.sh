#!/usr/bin/env bash
# A release as people wrote it for years, with az, databricks and jq: for a test, not for use. Everything comes from variables.
set -o errexit
set -o pipefail
set -o nounset

wait_for_run() {
  local run_id=$1 state
  while true; do
    state=$(databricks runs get --run-id "$run_id" | jq -r .state.life_cycle_state)
    echo "run $run_id: $state"
    case $state in TERMINATED | SKIPPED | INTERNAL_ERROR) break ;; esac
    sleep 1
  done
  if [[ $(databricks runs get --run-id "$run_id" | jq -r .state.result_state) != SUCCESS ]]; then
    databricks runs get --run-id "$run_id" | jq -r .state.state_message
    exit 1
  fi
}

az login --service-principal --username "$AZURE_CLIENT_ID" --password "$AZURE_CLIENT_SECRET" --tenant "$AZURE_TENANT_ID" -o none

echo "Deploying $GROUP"
az group create --name "$GROUP" --location "$LOCATION" -o none
az deployment group validate --resource-group "$GROUP" --template-file "$TEMPLATE" -o none \
  --parameters account="$ACCOUNT" vault="$VAULT" password="$PASSWORD"
outputs=$(az deployment group create --resource-group "$GROUP" --template-file "$TEMPLATE" \
  --parameters account="$ACCOUNT" vault="$VAULT" password="$PASSWORD" | jq .properties.outputs)
echo "vault: $(jq -r .vaultUri.value <<<"$outputs")"

echo "Secrets"
vault_id=$(az keyvault show --name "$VAULT" --query id -o tsv)
az role assignment create --assignee "$AZURE_CLIENT_ID" --role "Key Vault Secrets Officer" --scope "$vault_id" -o none
key=$(az storage account keys list --resource-group "$GROUP" --account-name "$ACCOUNT" | jq -r '.[0].value')
az keyvault secret set --vault-name "$VAULT" --name storage-key --value "$key" -o none
kept=$(az keyvault secret show --vault-name "$VAULT" --name storage-key --query value -o tsv)
[[ $kept == "$key" ]]

if ! databricks secrets list-scopes --output JSON | jq -e --arg scope "$SCOPE" 'any(.scopes[]?; .name == $scope)' >/dev/null; then
  databricks secrets create-scope --scope "$SCOPE" --initial-manage-principal users
fi
databricks secrets write --scope "$SCOPE" --key storage-key --string-value "$key"
databricks secrets list --scope "$SCOPE"

echo "Library and notebooks"
databricks fs mkdirs dbfs:/libraries
databricks fs cp --overwrite "$LIBRARY" "dbfs:/libraries/$(basename "$LIBRARY")"
databricks fs ls dbfs:/libraries
databricks workspace import_dir -o "$NOTEBOOKS" "$TARGET"
databricks workspace ls -l "$TARGET"

echo "Run"
run=$(jq -n --arg notebook "$TARGET/main" --arg scope "$SCOPE" --arg account "$ACCOUNT" '{
  run_name: "release",
  new_cluster: {spark_version: "16.4.x-scala2.12", node_type_id: "Standard_D4ds_v5", num_workers: 1},
  notebook_task: {notebook_path: $notebook, base_parameters: {scope: $scope, account: $account}},
}')
run_id=$(databricks runs submit --json "$run" | jq -r .run_id)
wait_for_run "$run_id"
databricks runs get-output --run-id "$run_id" | jq -r .notebook_output.result
