"""Trains and measures lrpseg's networks; the installed core never imports this package."""
