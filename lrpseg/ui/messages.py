"""What the page says to a person, as text; and errors that nobody foresaw, without what was sent.

Gradio renders the sentences of its messages as HTML, and they hold names of files and classes that
strangers chose. Of a failed call it prints what was passed to it: tokens, and pictures in base64.
"""

import html
import logging
import tempfile
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.exceptions import InvalidPathError

from lrpseg.core.files import disk_full, is_full
from lrpseg.web.log import unexpected

SORRY = "Something went wrong on the server. Try again."
NO_UPLOAD = "This file was not uploaded here. Upload it first, then send what you got for it."
_log = logging.getLogger(__name__)


class SaidError(gr.Error):
    """An error whose sentence is fit to be shown as it is, and not worth a line in the log."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, print_exception=False)


def as_text(sentence: str) -> str:
    """A sentence as HTML that shows it letter by letter.

    >>> as_text("<img src=x>: this is no picture.")
    '&lt;img src=x&gt;: this is no picture.'
    """
    return html.escape(sentence, quote=False)


def info(sentence: str) -> None:
    """Tell something on the page."""
    gr.Info(as_text(sentence))


def warn(sentence: str) -> None:
    """Warn of something on the page."""
    gr.Warning(as_text(sentence))


def page_error(error: Exception) -> SaidError:
    """What the page shows of an error that says what to do."""
    return SaidError(as_text(str(error)))


def keep_quiet(demo: gr.Blocks) -> None:
    """Let no call of `demo` print what it was given: unexpected errors are logged by their place,
    and who called is told that there was one."""
    process = demo.process_api

    def validate_inputs(block_fn: Any, inputs: list[Any]) -> None:
        lacking = block_fn.inputs[len(inputs) :]
        if any(getattr(component, "value", None) != "" for component in lacking):
            raise SaidError(f"{len(block_fn.inputs)} values are expected; {len(inputs)} came.")
        inputs += [""] * len(lacking)  # settings that are younger than the caller's program

    async def process_api(*args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            return await process(*args, **kwargs)
        except SaidError:
            raise
        except InvalidPathError:  # Gradio's own text quotes the path
            raise SaidError(NO_UPLOAD) from None
        except gr.Error as error:  # Gradio's own, of a value that is none of a menu's, for example
            raise SaidError(as_text(str(error.message))) from None
        except Exception as error:
            if is_full(error):  # where uploads and exports lie, for example
                place = getattr(error, "filename", None) or tempfile.gettempdir()
                raise SaidError(as_text(str(disk_full(Path(place))))) from None
            unexpected(_log, "A call of the page", error)
            raise SaidError(SORRY) from None

    demo.validate_inputs = validate_inputs
    demo.process_api = process_api
