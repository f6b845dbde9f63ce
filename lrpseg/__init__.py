"""lrpseg: pixel masks of surface damage from a classifier's explanation."""

__version__ = "0.1.0"
