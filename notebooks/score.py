# Databricks notebook source
# MAGIC %md
# MAGIC # Score
# MAGIC Predicts the demand of every hour, on all workers at once, and keeps the predictions as a Delta table.

# COMMAND ----------

# MAGIC %run ./slot

# COMMAND ----------

dbutils.widgets.text("output_prefix", "", "Prefix of all inputs and outputs")
dbutils.widgets.text("hours_table", "hours", "Table to read")
dbutils.widgets.text("model_table", "model", "Model to use")
dbutils.widgets.text("predictions_table", "predictions", "Table to write")

prefix = dbutils.widgets.get("output_prefix")
hours_path = data_path(dbutils.widgets.get("hours_table"), prefix)
model_path = data_path(dbutils.widgets.get("model_table"), prefix)
predictions_path = data_path(dbutils.widgets.get("predictions_table"), prefix)

# COMMAND ----------

from bikeshare.scoring import score

hours = spark.read.format("delta").load(hours_path)
model = spark.read.format("delta").load(model_path).select("model").first()["model"]
score(hours, model).write.format("delta").mode("overwrite").save(predictions_path)

# COMMAND ----------

written = spark.read.format("delta").load(predictions_path).count()
print(f"{written} predictions written to {predictions_path}")
dbutils.notebook.exit(str(written))
