# Databricks notebook source
# MAGIC %md
# MAGIC # Where am I?
# MAGIC Other notebooks run this one first, with `%run ./slot`. It finds the slot that they lie in, reads the environment's values that the release put there,
# MAGIC and lets Spark reach the environment's storage.
# MAGIC
# MAGIC It leaves `SLOT` (a dictionary: app, environment, slot, version and the values under `notebooks:` in the configuration), `MANIFEST_HASH`, and `data_path(name)`.

# COMMAND ----------

import hashlib
import json
from pathlib import Path

# From Databricks Runtime 14 on, the working directory is the notebook's own folder.
_folder = Path.cwd().parent
SLOT = json.loads((_folder / "config" / "environment.json").read_text())
_manifest = _folder / "manifest.json"
MANIFEST_HASH = hashlib.sha256(_manifest.read_bytes()).hexdigest() if _manifest.exists() else ""

# COMMAND ----------

_host = f"{SLOT['storage_account']}.dfs.core.windows.net"
if SLOT["storage_authentication"] == "account_key":
    spark.conf.set(f"fs.azure.account.key.{_host}", dbutils.secrets.get(SLOT["secret_scope"], SLOT["storage_key_name"]))
elif SLOT["storage_authentication"] == "service_principal":
    _oauth = "org.apache.hadoop.fs.azurebfs.oauth2.ClientCredsTokenProvider"
    spark.conf.set(f"fs.azure.account.auth.type.{_host}", "OAuth")
    spark.conf.set(f"fs.azure.account.oauth.provider.type.{_host}", _oauth)
    spark.conf.set(f"fs.azure.account.oauth2.client.id.{_host}", SLOT["client_id"])
    spark.conf.set(f"fs.azure.account.oauth2.client.secret.{_host}", dbutils.secrets.get(SLOT["secret_scope"], SLOT["client_secret_name"]))
    spark.conf.set(f"fs.azure.account.oauth2.client.endpoint.{_host}", f"https://login.microsoftonline.com/{SLOT['tenant_id']}/oauth2/token")
else:
    raise ValueError(f"notebooks.storage_authentication is {SLOT['storage_authentication']!r}; it is account_key or service_principal")

# COMMAND ----------


def data_path(name, prefix=""):
    """The address of a table or folder in the environment's storage; prefix: what comes before it, "" in production."""
    parts = [part.strip("/") for part in (prefix, name) if part.strip("/")]
    return f"abfss://{SLOT['container']}@{_host}/{'/'.join(parts)}"


print(f"{SLOT['app']} {SLOT['version']} in {SLOT['environment']}, slot {SLOT['slot']}")
