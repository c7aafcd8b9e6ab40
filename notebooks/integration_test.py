# Databricks notebook source
# MAGIC %md
# MAGIC # Integration test
# MAGIC Runs the notebooks of this slot in sequence on a small slice, under a prefix of the candidate's own, checks what they produced, and cleans up, also after a failure.
# MAGIC
# MAGIC It always ends with JSON: the hash of the manifest in its own slot, whether all checks passed, and each check with name, outcome, seconds and message.

# COMMAND ----------

# MAGIC %run ./slot

# COMMAND ----------

dbutils.widgets.text("dataset", SLOT["dataset"], "Hourly data: CSV with a header")
dbutils.widgets.text("rows", "2000", "How many hours to test with, 0 = all")
dbutils.widgets.text("output_prefix", f"candidate/{MANIFEST_HASH[:16]}", "Prefix of all tables; begins with candidate/ and is deleted")
dbutils.widgets.text("data_base", "", "Where tables lie, empty = the environment's storage")
dbutils.widgets.text("clean_up", "after", "after: the checks; later: keep what a passed test made, for the factory's test; only: no checks")
dbutils.widgets.text("timeout_seconds", "1200", "Longest time of each notebook")

PREFIX = dbutils.widgets.get("output_prefix")
BASE = dbutils.widgets.get("data_base")
ROWS = dbutils.widgets.get("rows")
ARGUMENTS = {"output_prefix": PREFIX, "data_base": BASE}

# COMMAND ----------

# MAGIC %md ## How checks are run

# COMMAND ----------

import json
import re
import time

RESULTS = []
CHECKS = []


def check(name, needs=()):
    """Adds a function to the checks, which run in the order in which they are written. needs: checks that must have passed."""

    def add(function):
        CHECKS.append((name, needs, function))
        return function

    return add


def run_check(name, needs, function):
    """Runs one check and keeps its result: failed when an assertion does not hold, error when it could not be made."""
    started = time.perf_counter()
    outcome, message = "passed", ""
    good = {result["name"] for result in RESULTS if result["outcome"] == "passed"}
    missing = [need for need in needs if need not in good]
    if missing:
        outcome, message = "error", f"not made, because this did not pass: {missing[0]}"
    else:
        try:
            function()
        except AssertionError as failure:
            outcome, message = "failed", str(failure) or "does not hold"
        except Exception as error:
            outcome, message = "error", f"{type(error).__name__}: {readable(error)}"
    seconds = round(time.perf_counter() - started, 3)
    RESULTS.append({"name": name, "outcome": outcome, "seconds": seconds, "message": message})
    print(f"{outcome:6} {seconds:7.2f} s  {name}{': ' * bool(message)}{message}")


def readable(error):
    """What an error says, without the stack of the JVM."""
    text = re.split(r"\n\s+at |\n\nJVM stacktrace", str(error))[0].strip()
    text = " ".join(text.split())
    return text if len(text) <= 2000 else text[:2000] + " …"


def run_notebook(name, **arguments):
    """Runs another notebook of this slot and returns the JSON that it exits with."""
    seconds = int(dbutils.widgets.get("timeout_seconds"))
    try:
        result = dbutils.notebook.run(f"./{name}", seconds, {**ARGUMENTS, **arguments})
    except Exception as error:
        # What was wrong is in the output of the notebook's own run; the service gives its caller the state only.
        raise RuntimeError(f"the notebook {name} did not end well, its own output says why: {readable(error)}") from None
    return json.loads(result)


def dataset():
    return spark.read.option("header", True).csv(dbutils.widgets.get("dataset"))


def table(name):
    return spark.read.format("delta").load(data_path(name, PREFIX, BASE))


def clean():
    """Removes everything under the prefix. Refuses a prefix that is not a candidate's own: jobs' data lies beside it."""
    assert_own_prefix()
    dbutils.fs.rm(data_path("", PREFIX, BASE), True)


def assert_own_prefix():
    own = re.fullmatch(r"candidate/[A-Za-z0-9][A-Za-z0-9._-]*", PREFIX) and ".." not in PREFIX
    assert own, f"output_prefix is {PREFIX!r}; it must be candidate/ and one name, because everything below it is deleted"


# COMMAND ----------

# MAGIC %md ## The checks

# COMMAND ----------

from bikeshare.checks import find_problems, find_problems_in_spark
from bikeshare.model import measure
from bikeshare.split import fingerprint, parts


@check("the slot is complete")
def _():
    assert MANIFEST_HASH, "the slot has no manifest: it is being overwritten, or was never finished"


@check("the dataset has no findings")
def _():
    findings = find_problems_in_spark(dataset())
    assert not findings, "; ".join(map(str, findings))


@check("prepare runs", needs=["the dataset has no findings"])
def _():
    clean()  # what an interrupted test of the same release left
    MADE["prepare"] = run_notebook("prepare", dataset=dbutils.widgets.get("dataset"), rows=ROWS)


@check("the prepared hours have no findings", needs=["prepare runs"])
def _():
    MADE["hours"] = hours = table("hours").toPandas()
    findings = find_problems(hours)
    assert not findings, "; ".join(map(str, findings))


@check("as many hours were prepared as there should be", needs=["the prepared hours have no findings"])
def _():
    count = len(MADE["hours"])
    assert count == MADE["prepare"]["hours"], f"prepare says {MADE['prepare']['hours']} hours, the table holds {count}"
    source = dataset().count()
    expected = min(int(ROWS), source) if int(ROWS) else source
    assert count == expected, f"{count} hours were prepared, {expected} should be"


@check("train runs", needs=["prepare runs"])
def _():
    MADE["train"] = run_notebook("train")


@check("training did not see the holdout", needs=["train runs", "the prepared hours have no findings"])
def _():
    hours = MADE["hours"]
    row = table("model").first()
    fitted = json.loads(row["about"])["fitted_fingerprint"]
    assert fitted == fingerprint(hours[parts(hours) == "train"]), "the model was not fitted on exactly the training part"
    measured = {row["part"] for row in table("metrics").collect()}
    assert measured == {"train", "test"}, f"metrics are there for {', '.join(sorted(measured))}"


@check("the model explains the test part", needs=["train runs"])
def _():
    r2 = MADE["train"]["test"]["r2"]
    assert r2 > 0.3, f"R2 on the test part is {r2:.3f}; it should be more than 0.3, and 0 is no better than the mean"


@check("score runs", needs=["train runs"])
def _():
    MADE["score"] = run_notebook("score")


@check("every hour has one prediction", needs=["score runs", "the prepared hours have no findings"])
def _():
    MADE["predictions"] = predictions = table("predictions").toPandas()
    hours = MADE["hours"]
    assert len(predictions) == len(hours), f"there are {len(predictions)} predictions for {len(hours)} hours"
    assert fingerprint(predictions) == fingerprint(hours), "the predictions are not for the hours that were prepared"


@check("no prediction is missing or negative", needs=["every hour has one prediction"])
def _():
    predicted = MADE["predictions"]["prediction"]
    missing, negative = int(predicted.isna().sum()), int((predicted < 0).sum())
    assert not missing and not negative, f"{missing} predictions are missing, {negative} are negative"


@check("predictions of the holdout are better than the mean", needs=["no prediction is missing or negative"])
def _():
    both = MADE["hours"].merge(MADE["predictions"], on=["dteday", "hr"], validate="one_to_one")
    part = parts(both)
    holdout, mean = both[part == "holdout"], both[part == "train"]["cnt"].mean()
    assert len(holdout), "the slice is too small: no hour of it belongs to the holdout"
    actual = holdout["cnt"].to_numpy()
    model, baseline = measure(actual, holdout["prediction"].to_numpy()), measure(actual, 0 * actual + mean)
    assert model.rmse < baseline.rmse, f"RMSE is {model.rmse:.1f} rentals, that of the mean {baseline.rmse:.1f}"


@check("scoring again changes nothing", needs=["every hour has one prediction"])
def _():
    again = run_notebook("score")["predictions"]
    assert again == len(MADE["predictions"]), f"there are {again} predictions after scoring twice, {len(MADE['predictions'])} after once"


# COMMAND ----------

# MAGIC %md ## Run them

# COMMAND ----------

MADE = {}


def run_all():
    run_check("the test has a place of its own", (), assert_own_prefix)
    if RESULTS[-1]["outcome"] != "passed":
        return
    clean_up = dbutils.widgets.get("clean_up")
    try:
        for each in CHECKS if clean_up != "only" else ():
            run_check(*each)
    finally:
        if clean_up != "later" or len(RESULTS) <= len(CHECKS) or any(result["outcome"] != "passed" for result in RESULTS):
            run_check("nothing is left behind", (), leave_nothing)


def leave_nothing():
    clean()
    try:
        left = dbutils.fs.ls(data_path("", PREFIX, BASE))
    except Exception as error:
        assert "FileNotFoundException" in str(error), readable(error)
        return
    assert not left, f"{len(left)} folders are left in {data_path('', PREFIX, BASE)}, for example {left[0].path}"


run_all()

# COMMAND ----------

passed = bool(RESULTS) and all(result["outcome"] == "passed" for result in RESULTS)
dbutils.notebook.exit(json.dumps({"manifest": MANIFEST_HASH, "passed": passed, "checks": RESULTS}))
