"""Masks as arrays: corrections, levels for the page, pictures of them, and reading them."""

from lrpseg.masks.reading import read_mask

__all__ = ["read_mask"]
