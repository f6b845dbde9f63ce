"""The page: the only part of lrpseg that imports gradio."""

from lrpseg.ui.page import build, launch

__all__ = ["build", "launch"]
