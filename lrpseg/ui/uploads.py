"""Upload boxes that keep the folders of what is dropped on them."""

from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from gradio.data_classes import FileData

Named = tuple[Path, str]
"""Where an uploaded file lies, and the name that it came under, with its folders."""

Box = TypeVar("Box", gr.File, gr.UploadButton)


def named(box: Box) -> Box:
    """Let a box for files give its events a list of `Named`, empty where nothing was uploaded.

    Gradio stores a file under the last part of its name and gives events no more than that; the
    browser calls it by its path inside of the folder (`static/drop.js` sees to it).
    """
    # No subclass: Gradio writes a .pyi file beside each class of components.
    check = box.preprocess

    def preprocess(payload: Any) -> list[Named]:
        check(payload)  # types and paths
        if payload is None:
            return []
        files: list[FileData] = [payload] if isinstance(payload, FileData) else list(payload)
        return [(Path(f.path), f.orig_name or Path(f.path).name) for f in files]

    box.preprocess = preprocess
    return box
