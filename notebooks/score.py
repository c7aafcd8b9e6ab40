# Databricks notebook source
# MAGIC %md
# MAGIC # Score
# MAGIC Predicts the rentals of every hour, on all workers at once, and keeps the predictions as a Delta table.

# COMMAND ----------

# MAGIC %run ./slot

# COMMAND ----------

dbutils.widgets.text("hours_table", "hours", "Table to read: the hours")
dbutils.widgets.text("model_table", "model", "Table to read: the model")
dbutils.widgets.text("predictions_table", "predictions", "Table to write")
dbutils.widgets.text("output_prefix", "", "Prefix of all tables, empty in jobs")
dbutils.widgets.text("data_base", "", "Where tables lie, empty = the environment's storage")

place = dbutils.widgets.get("output_prefix"), dbutils.widgets.get("data_base")
hours_path = data_path(dbutils.widgets.get("hours_table"), *place)
model_path = data_path(dbutils.widgets.get("model_table"), *place)
predictions_path = data_path(dbutils.widgets.get("predictions_table"), *place)

# COMMAND ----------

from pyspark.errors import AnalysisException

from bikeshare.scoring import score

try:
    row = spark.read.format("delta").load(model_path).select("model", "trained_at", "version").first()
except AnalysisException as error:
    raise RuntimeError(f"No model can be read from {model_path}: the train job makes one. {error}") from None
print(f"the model was trained at {row['trained_at']} by version {row['version']}")

# COMMAND ----------

hours = spark.read.format("delta").load(hours_path)
predictions = score(hours, bytes(row["model"]))
predictions.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(predictions_path)
written = spark.read.format("delta").load(predictions_path).count()
print(f"{written} predictions are in {predictions_path}")

# COMMAND ----------

import json

dbutils.jobs.taskValues.set("predictions", written)
dbutils.notebook.exit(json.dumps({"predictions": written, "table": predictions_path}))
