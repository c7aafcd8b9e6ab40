# Databricks notebook source
# MAGIC %md
# MAGIC # Prepare
# MAGIC Reads the hourly data, refuses it when something is wrong with it, and keeps it as a Delta table.

# COMMAND ----------

# MAGIC %run ./slot

# COMMAND ----------

dbutils.widgets.text("dataset", SLOT["dataset"], "Hourly data (CSV)")
dbutils.widgets.text("rows", "0", "Rows to take, 0 = all")
dbutils.widgets.text("output_prefix", "", "Prefix of all outputs")
dbutils.widgets.text("hours_table", "hours", "Table to write")

dataset = dbutils.widgets.get("dataset")
rows = int(dbutils.widgets.get("rows"))
hours_path = data_path(dbutils.widgets.get("hours_table"), dbutils.widgets.get("output_prefix"))

# COMMAND ----------

from bikeshare.checks import require_sound
from bikeshare.schema import spark_schema

hours = spark.read.csv(dataset, header=True, schema=spark_schema())
if rows > 0:
    hours = hours.orderBy("instant").limit(rows)
table = require_sound(hours.toPandas())

# COMMAND ----------

spark.createDataFrame(table, schema=spark_schema()).write.format("delta").mode("overwrite").save(hours_path)
print(f"{len(table)} hours written to {hours_path}")
dbutils.jobs.taskValues.set("rows", len(table))
dbutils.notebook.exit(str(len(table)))
