# Databricks notebook source
# MAGIC %md
# MAGIC # Train
# MAGIC Splits the hours, fits a model on the training part and measures it on the test part. The holdout is left alone: it is for whoever judges the model.
# MAGIC
# MAGIC Writes the model as the one row of a Delta table, and its metrics as new rows of another, which so becomes the history of all models.

# COMMAND ----------

# MAGIC %run ./slot

# COMMAND ----------

from bikeshare.model import KINDS

dbutils.widgets.text("hours_table", "hours", "Table to read")
dbutils.widgets.text("model_table", "model", "Table to write: the model")
dbutils.widgets.text("metrics_table", "metrics", "Table to add to: the metrics")
dbutils.widgets.dropdown("kind", "boosted_trees", list(KINDS), "Kind of model")
dbutils.widgets.text("seed", "0", "Seed of the fit")
dbutils.widgets.text("output_prefix", "", "Prefix of all tables, empty in jobs")
dbutils.widgets.text("data_base", "", "Where tables lie, empty = the environment's storage")

place = dbutils.widgets.get("output_prefix"), dbutils.widgets.get("data_base")
hours_path = data_path(dbutils.widgets.get("hours_table"), *place)
model_path = data_path(dbutils.widgets.get("model_table"), *place)
metrics_path = data_path(dbutils.widgets.get("metrics_table"), *place)

# COMMAND ----------

from bikeshare.model import evaluate, fit
from bikeshare.split import with_parts

# Each hour's part is found where the hour lies; the holdout does not even come to the driver.
hours = with_parts(spark.read.format("delta").load(hours_path)).where("part <> 'holdout'").toPandas()
train, test = hours[hours["part"] == "train"], hours[hours["part"] == "test"]

model = fit(train, kind=dbutils.widgets.get("kind"), seed=int(dbutils.widgets.get("seed")))
metrics = {"train": evaluate(model, train), "test": evaluate(model, test)}
for part, measured in metrics.items():
    print(f"{part:5} {measured.hours:6} hours, RMSE {measured.rmse:.1f}, MAE {measured.mae:.1f} rentals, R2 {measured.r2:.3f}")

# COMMAND ----------

import json
from datetime import datetime, timezone

from bikeshare.model_file import describe, dumps

trained_at = datetime.now(timezone.utc)
data = dumps(model)

spark.createDataFrame(
    [(trained_at, SLOT["version"], json.dumps(describe(data)), data)],
    "trained_at timestamp, version string, about string, model binary",
).write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(model_path)

spark.createDataFrame(
    [(trained_at, SLOT["version"], model.kind, part, m.hours, m.rmse, m.mae, m.r2) for part, m in metrics.items()],
    "trained_at timestamp, version string, kind string, part string, hours long, rmse double, mae double, r2 double",
).write.format("delta").mode("append").save(metrics_path)

print(f"the model ({len(data):,} bytes) is in {model_path}, its metrics in {metrics_path}")

# COMMAND ----------

result = {part: measured.as_dict() for part, measured in metrics.items()}
dbutils.jobs.taskValues.set("metrics", result)
dbutils.notebook.exit(json.dumps(result))
