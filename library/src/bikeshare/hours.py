"""Reading the hourly data, from one file or with Spark, so that what comes out has the right types and no findings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from bikeshare.checks import UnusableData, find_problems, find_problems_in_spark
from bikeshare.schema import COLUMNS, KEY

if TYPE_CHECKING:
    from pyspark.sql import DataFrame as SparkFrame
    from pyspark.sql import SparkSession


def read_hours(path: Path) -> pd.DataFrame:
    """The hours in a CSV file, with types and in order of their key; `dteday` is a datetime.date.

    Raises UnusableData with everything that is wrong, FileNotFoundError when there is no such file.
    """
    return typed(pd.read_csv(path, dtype=str, keep_default_na=False), path.name)


def typed(hours: pd.DataFrame, source: str = "the hourly data") -> pd.DataFrame:
    """The columns that the data needs, with types, in order of the key. Raises UnusableData."""
    findings = find_problems(hours)
    if findings:
        raise UnusableData(findings, source)
    result = pd.DataFrame(index=hours.index)
    for column in COLUMNS:
        values = hours[column.name]
        if column.kind == "date":
            result[column.name] = pd.to_datetime(values).dt.date
        else:
            numbers = pd.to_numeric(values)
            result[column.name] = numbers.astype("int32") if column.kind == "whole" else numbers.astype("float64")
    return result.sort_values(list(KEY), ignore_index=True)


def read_hours_with_spark(spark: SparkSession, path: str) -> SparkFrame:
    """The hours in one or many CSV files with a header, with types, as a Spark frame.

    Every value is read as text and checked first, so that a value that does not fit is found and named, not turned
    into null. Raises UnusableData with everything that is wrong; what Spark raises when there is no such path.
    """
    return typed_in_spark(spark.read.option("header", True).csv(path), path)


def typed_in_spark(hours: SparkFrame, source: str = "the hourly data") -> SparkFrame:
    """The same as `typed` for a Spark frame, without the order. Raises UnusableData."""
    findings = find_problems_in_spark(hours)
    if findings:
        raise UnusableData(findings, source)
    return hours.selectExpr(*(f"CAST({column.name} AS {column.spark_type}) AS {column.name}" for column in COLUMNS))
