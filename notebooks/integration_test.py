# Databricks notebook source
# MAGIC %md
# MAGIC # Integration test
# MAGIC Runs the notebooks of this slot in sequence on a small slice, under a prefix of the candidate's own, checks what they produced, and cleans up.
# MAGIC It ends with JSON: the hash of the manifest that it found in its own slot, and every check with name, outcome, seconds and message.

# COMMAND ----------

# MAGIC %run ./slot

# COMMAND ----------

dbutils.widgets.text("output_prefix", "", "Prefix of all outputs; must begin with candidate/")
dbutils.widgets.text("rows", "2000", "Rows to test with")
dbutils.widgets.text("dataset", SLOT["dataset"], "Hourly data (CSV)")

prefix = dbutils.widgets.get("output_prefix").strip("/")
rows = int(dbutils.widgets.get("rows"))
if not prefix.startswith("candidate/") or ".." in prefix:
    raise ValueError(f"output_prefix is {prefix!r}: the test writes, and afterwards deletes, only below candidate/")

# COMMAND ----------

import json
import time

CHECKS = []


def check(name, function):
    """Run one check; what it raises is its message. Returns whether it passed."""
    started = time.monotonic()
    outcome, message = "passed", ""
    try:
        function()
    except AssertionError as failure:
        outcome, message = "failed", str(failure) or "the check failed"
    except Exception as error:
        outcome, message = "error", f"{type(error).__name__}: {error}"
    CHECKS.append({"name": name, "outcome": outcome, "seconds": round(time.monotonic() - started, 3), "message": message[:2000]})
    print(f"{outcome:7} {name} {message}")
    return outcome == "passed"


def table(name):
    return spark.read.format("delta").load(data_path(name, prefix))


# COMMAND ----------

RESULTS = {}


def prepare():
    arguments = {"dataset": dbutils.widgets.get("dataset"), "rows": str(rows), "output_prefix": prefix}
    RESULTS["prepared"] = int(dbutils.notebook.run("./prepare", 1200, arguments))


def train():
    RESULTS["metrics"] = json.loads(dbutils.notebook.run("./train", 1200, {"output_prefix": prefix, "max_iter": "60"}))


def score():
    RESULTS["scored"] = int(dbutils.notebook.run("./score", 1200, {"output_prefix": prefix}))


# COMMAND ----------


def manifest_is_there():
    assert MANIFEST_HASH, "this slot has no manifest.json"


def rows_are_kept():
    count = table("hours").count()
    assert count == RESULTS["prepared"], f"prepare wrote {count} rows and said {RESULTS['prepared']}"
    assert rows == 0 or count <= rows, f"{count} rows were prepared and {rows} were asked for"


def hours_are_sound():
    from bikeshare.checks import find_problems

    problems = find_problems(table("hours").toPandas())
    assert not problems, "; ".join(str(problem) for problem in problems)


def model_is_useful():
    metrics = RESULTS["metrics"]
    assert metrics["rmse"] < metrics["baseline_rmse"], (
        f"RMSE {metrics['rmse']:.1f} is no better than always saying the mean ({metrics['baseline_rmse']:.1f})"
    )


def every_hour_is_scored():
    hours, predictions = table("hours").select("dteday", "hr"), table("predictions").select("dteday", "hr")
    assert RESULTS["scored"] == RESULTS["prepared"], f"{RESULTS['scored']} of {RESULTS['prepared']} hours were scored"
    unscored = hours.subtract(predictions).count()
    assert unscored == 0, f"{unscored} hours have no prediction"


def predictions_are_possible():
    wrong = table("predictions").where("predicted IS NULL OR predicted < 0 OR isnan(predicted)").count()
    assert wrong == 0, f"{wrong} predictions are negative or missing"


# COMMAND ----------


def clean_up():
    dbutils.fs.rm(data_path("", prefix), True)


check("the slot has a manifest", manifest_is_there)
try:
    # Each step needs what the one before made: the first that fails ends the sequence.
    if (
        check("prepare runs", prepare)
        and check("prepare keeps its rows", rows_are_kept)
        and check("the prepared hours are sound", hours_are_sound)
        and check("train runs", train)
        and check("the model beats the mean", model_is_useful)
        and check("score runs", score)
    ):
        check("every hour is scored", every_hour_is_scored)
        check("predictions are possible", predictions_are_possible)
finally:
    check("the candidate's data is cleaned up", clean_up)

# COMMAND ----------

passed = all(entry["outcome"] == "passed" for entry in CHECKS)
dbutils.notebook.exit(json.dumps({"manifest": MANIFEST_HASH, "passed": passed, "checks": CHECKS}))
