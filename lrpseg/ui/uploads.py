"""Uploads: boxes that keep the folders of what is dropped on them, and files that nobody opened."""

import os
import re
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from gradio.data_classes import FileData
from gradio.utils import get_upload_folder

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


UNOPENED_SECONDS, HOSTED_UNOPENED_SECONDS = 86_400, 3600
"""How long uploaded files stay; pictures were copied from them into their workspace long before."""

_STORED = re.compile("[0-9a-f]{64}")
"""Folders that Gradio names by what is in them; beside them lie files that are half uploaded."""


def own_folder() -> None:
    """Let Gradio keep its files in a folder of ours, unless one was chosen ($GRADIO_TEMP_DIR): what
    an earlier process left is known as ours there, also after a kill."""
    user = os.getuid() if hasattr(os, "getuid") else ""
    os.environ.setdefault("GRADIO_TEMP_DIR", f"{tempfile.gettempdir()}/lrpseg-files-{user}")


def remove_unopened(demo: gr.Blocks, seconds: float) -> None:
    """Remove what was uploaded so many seconds ago, by whomever; what the page itself shows stays,
    also for other processes that run this."""
    for block in demo.blocks.values():
        for path in getattr(block, "keep_in_cache", ()):
            with suppress(OSError):
                os.utime(Path(path).parent)
    with suppress(OSError):
        for path in Path(get_upload_folder()).iterdir():
            stored = _STORED.fullmatch(path.name)
            if (stored or path.is_file()) and time.time() - _touched(path) > seconds:
                shutil.rmtree(path, ignore_errors=True) if stored else path.unlink(missing_ok=True)


def _touched(path: Path) -> float:
    """When a file or folder was changed last; what somebody removes meanwhile, just now."""
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()
