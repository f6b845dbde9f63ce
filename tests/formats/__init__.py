"""Annotation formats, written and read back."""
