"""Upload boxes that keep the folders of what is dropped on them."""

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

Named = tuple[Path, str]
"""Where an uploaded file lies, and the name that it came under, with its folders."""


def _named(payload: Any) -> list[Named]:
    """Gradio stores a file under its last name; what the browser called it is in `orig_name`."""
    if payload is None:
        return []
    files: list[FileData] = [payload] if isinstance(payload, FileData) else list(payload)
    return [(Path(f.path), f.orig_name or Path(f.path).name) for f in files]


class NamedFiles(gr.File):
    """A box for files that gives a list of `Named`."""

    is_template = True  # the browser's part is gr.File's

    def preprocess(self, payload: Any) -> Any:
        """A list of `Named`, empty where nothing was uploaded."""
        super().preprocess(payload)  # its checks of types and paths
        return _named(payload)


class NamedUpload(gr.UploadButton):
    """A button for files or a folder that gives a list of `Named`."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        """A list of `Named`, empty where nothing was uploaded."""
        super().preprocess(payload)
        return _named(payload)
