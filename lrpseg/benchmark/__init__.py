"""Measures speed: LRP, thresholders and refiners side by side, and a folder from files to masks."""

from lrpseg.benchmark.folder import folder_benchmark
from lrpseg.benchmark.speed import benchmark

__all__ = ["benchmark", "folder_benchmark"]
