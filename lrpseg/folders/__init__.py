"""Annotating folders: any number of pictures to masks in the formats of other tools, resumable."""

from lrpseg.folders.job import Job
from lrpseg.folders.plan import Plan, make_plan
from lrpseg.folders.run import Report, annotate

__all__ = ["Job", "Plan", "Report", "annotate", "make_plan"]
