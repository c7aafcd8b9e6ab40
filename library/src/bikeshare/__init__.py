"""Demand of a bike-share service by the hour."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("bikeshare")
except PackageNotFoundError:  # run from the source folder
    __version__ = "0"
