"""Hourly bike-share demand: reading and checking the data, a split, a model, and scoring at any size on Spark."""

__version__ = "1.0.0"
