"""Runs Databricks notebooks for real, one process for each task run, on Sail instead of Databricks' Spark."""
