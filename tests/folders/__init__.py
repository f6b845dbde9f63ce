"""Annotating folders: plans, runs, resuming, the page, Ray."""
