# Databricks notebook source
# MAGIC %md
# MAGIC # Prepare
# MAGIC Reads the hourly data, refuses it with a list of everything that is wrong with it, and keeps it as a Delta table.

# COMMAND ----------

# MAGIC %run ./slot

# COMMAND ----------

dbutils.widgets.text("dataset", SLOT["dataset"], "Hourly data: CSV with a header")
dbutils.widgets.text("rows", "0", "The first so many hours only, 0 = all")
dbutils.widgets.text("hours_table", "hours", "Table to write")
dbutils.widgets.text("output_prefix", "", "Prefix of all tables, empty in jobs")
dbutils.widgets.text("data_base", "", "Where tables lie, empty = the environment's storage")

dataset = dbutils.widgets.get("dataset")
rows = int(dbutils.widgets.get("rows"))
hours_path = data_path(
    dbutils.widgets.get("hours_table"), dbutils.widgets.get("output_prefix"), dbutils.widgets.get("data_base")
)
if rows < 0:
    raise ValueError(f"rows is {rows}; it can be 0 (all) or more")

# COMMAND ----------

from bikeshare.hours import read_hours_with_spark
from bikeshare.schema import KEY

# All rows are checked, also when only some are kept: bad data should be found before a release is switched to.
hours = read_hours_with_spark(spark, dataset)
if rows:
    hours = hours.orderBy(*KEY).limit(rows)

# COMMAND ----------

# An overwrite is one Delta commit: who reads at the same time sees the old table or the new one.
hours.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(hours_path)
written = spark.read.format("delta").load(hours_path).count()
print(f"{written} hours from {dataset} are in {hours_path}")

# COMMAND ----------

import json

dbutils.jobs.taskValues.set("hours", written)
dbutils.notebook.exit(json.dumps({"hours": written, "table": hours_path}))
