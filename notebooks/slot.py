# Databricks notebook source
# MAGIC %md
# MAGIC # Where am I?
# MAGIC Every other notebook begins with `%run ./slot`. It finds the slot that the notebook lies in, reads the values that the release put there
# MAGIC for its environment, and lets Spark reach the environment's storage. It makes no widgets: those are each notebook's own.
# MAGIC
# MAGIC | it leaves | what that is |
# MAGIC |---|---|
# MAGIC | `SLOT` | `app`, `environment`, `slot`, `version`, and what the configuration has under `notebooks:` |
# MAGIC | `MANIFEST_HASH` | SHA-256 of the slot's manifest: which files a run really ran; empty while the slot is being overwritten |
# MAGIC | `data_path(name, prefix, base)` | the address of a table in the environment's storage |

# COMMAND ----------

import hashlib
import json
from pathlib import Path


def read_slot(folder):
    """The slot's values and the hash of its manifest. folder: the slot's, which holds notebooks/, library/ and config/."""
    values, manifest = folder / "config" / "environment.json", folder / "manifest.json"
    if not values.is_file():
        raise FileNotFoundError(
            f"{values} is not there, so this notebook does not lie in a slot. Slipway's scripts/publish_slot.py makes one."
        )
    return json.loads(values.read_text()), hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest.is_file() else ""


# From Databricks Runtime 14 on, the working directory is the folder of the notebook that runs.
SLOT, MANIFEST_HASH = read_slot(Path.cwd().parent)

# COMMAND ----------


def storage_settings(values, secret):
    """The Spark settings that open the environment's storage account. secret: gives the value of a secret by its name."""
    host = f"{values['storage_account']}.dfs.core.windows.net"
    how = values["storage_authentication"]
    if how == "account_key":
        return {f"fs.azure.account.key.{host}": secret(values["storage_key_name"])}
    if how == "service_principal":
        # https://learn.microsoft.com/azure/databricks/connect/storage/azure-storage
        return {
            f"fs.azure.account.auth.type.{host}": "OAuth",
            f"fs.azure.account.oauth.provider.type.{host}": "org.apache.hadoop.fs.azurebfs.oauth2.ClientCredsTokenProvider",
            f"fs.azure.account.oauth2.client.id.{host}": values["client_id"],
            f"fs.azure.account.oauth2.client.secret.{host}": secret(values["client_secret_name"]),
            f"fs.azure.account.oauth2.client.endpoint.{host}": f"https://login.microsoftonline.com/{values['tenant_id']}/oauth2/token",
        }
    raise ValueError(f"storage_authentication is {how!r}; it can be account_key or service_principal")


for _name, _value in storage_settings(SLOT, lambda name: dbutils.secrets.get(SLOT["secret_scope"], name)).items():
    spark.conf.set(_name, _value)

# COMMAND ----------


def data_path(name="", prefix="", base=""):
    """The address of a table or folder.

    name: below the prefix, such as hours; an address of its own (with :// or a leading slash) stays as it is.
    prefix: keeps a test's data apart from what jobs write; empty in jobs.
    base: where the data lies instead of the environment's storage, for example a volume.
    """
    if "://" in name or name.startswith("/"):
        return name
    base = base or f"abfss://{SLOT['container']}@{SLOT['storage_account']}.dfs.core.windows.net"
    return "/".join([base.rstrip("/"), *(part.strip("/") for part in (prefix, name) if part.strip("/"))])


print(f"{SLOT['app']} {SLOT['version']} in {SLOT['environment']}, slot {SLOT['slot']}, manifest {MANIFEST_HASH[:16] or 'missing'}")
