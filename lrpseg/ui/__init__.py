"""The page: the only part of lrpseg that imports gradio."""

from lrpseg.ui.launch import launch

__all__ = ["launch"]
