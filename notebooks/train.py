# Databricks notebook source
# MAGIC %md
# MAGIC # Train
# MAGIC Splits the hours, fits a model on the training part, measures it on the test part, and keeps model and metrics as one row of a Delta table.

# COMMAND ----------

# MAGIC %run ./slot

# COMMAND ----------

dbutils.widgets.text("output_prefix", "", "Prefix of all inputs and outputs")
dbutils.widgets.text("hours_table", "hours", "Table to read")
dbutils.widgets.text("model_table", "model", "Table to write")
dbutils.widgets.text("max_iter", "200", "Trees of the model")

prefix = dbutils.widgets.get("output_prefix")
hours_path = data_path(dbutils.widgets.get("hours_table"), prefix)
model_path = data_path(dbutils.widgets.get("model_table"), prefix)

# COMMAND ----------

from bikeshare.model import dump, measure, train
from bikeshare.split import TEST, TRAIN, with_part

hours = with_part(spark.read.format("delta").load(hours_path).toPandas())
model = train(hours[hours["part"] == TRAIN], settings={"max_iter": int(dbutils.widgets.get("max_iter"))})
metrics = measure(model, hours[hours["part"] == TEST])
print(f"RMSE {metrics.rmse:.1f} rentals an hour (always the mean: {metrics.baseline_rmse:.1f}), R2 {metrics.r2:.3f}")

# COMMAND ----------

row = {"model": dump(model), "version": SLOT["version"], **metrics.as_row()}
schema = "model string, version string, rows double, rmse double, mae double, r2 double, baseline_rmse double"
spark.createDataFrame([tuple(row.values())], schema=schema).write.format("delta").mode("overwrite").save(model_path)
dbutils.jobs.taskValues.set("rmse", metrics.rmse)

# COMMAND ----------

import json

dbutils.notebook.exit(json.dumps(metrics.as_row()))
