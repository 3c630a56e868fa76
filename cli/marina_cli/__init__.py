"""The `marina` command: a thin client of Marina's API."""

__version__ = "0.1.0"
