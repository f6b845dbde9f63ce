"""Loads the editor's markup, scripts and style, which lie as files of their own in `static/`."""

from pathlib import Path

STATIC = Path(__file__).parent / "static"
SCRIPTS = (
    "mask.js", "history.js", "store.js", "view.js", "tools.js", "points.js", "strip.js", "keys.js",
    "clock.js", "drop.js", "steps.js", "messages.js", "news.js", "app.js",
)  # fmt: skip
"""In the order in which they need each other."""


def editor_script() -> str:
    """One function body: all scripts, and the call that starts the editor.

    Gradio runs it with `element`, `props`, `trigger` and `watch`; it exposes the events whose names
    stand quoted in it.
    """
    parts = [(STATIC / name).read_text("utf-8") for name in SCRIPTS]
    return "\n".join([*parts, "lrpsegApp({ element, props, trigger, watch });"])


def editor_markup() -> str:
    """The editor's HTML; without placeholders, so that Gradio never renders it anew."""
    return (STATIC / "editor.html").read_text("utf-8")


def editor_style() -> str:
    """The editor's CSS."""
    return (STATIC / "editor.css").read_text("utf-8")
