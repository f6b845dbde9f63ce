"""The editor's markup, style and scripts, which lie as files of their own in `static/`.

The scripts are ES modules without a build step: the page's route serves them one by one, and the
few lines that Gradio runs load the first, which imports the others.
"""

import json
from pathlib import Path

from starlette.routing import Route

from lrpseg.web.static import PREFIX, fingerprint, read_scripts, script_route

STATIC = Path(__file__).parent / "static"
_LOADER = """\
const base = new URL({path}, document.baseURI).href;
for (const name of {names}) {{ // all at once: else a browser learns of each from the one before
  const link = {{ rel: "modulepreload", href: base + name }};
  document.head.append(Object.assign(document.createElement("link"), link));
}}
import(base + "app.js").then(
  ({{ start }}) => start({{ element, props, watch, select: (data) => trigger("select", data) }}),
).catch((error) => {{
  console.error(error);
  const words = "The editor could not be loaded. Reload the page.";
  element.querySelector(".verdict").textContent = words;
}});
"""
"""The body of a function of `element`, `props`, `trigger` and `watch`. Gradio finds the component's
events by their names, which stand quoted in it; the page may be served below a root path."""


def editor_script() -> str:
    """What Gradio runs when the editor's markup is there: it loads the modules and starts them."""
    scripts = read_scripts(STATIC)
    path = f"{PREFIX.removeprefix('/')}/{fingerprint(scripts)}/"
    return _LOADER.format(path=json.dumps(path), names=json.dumps(list(scripts)))


def editor_route() -> Route:
    """The route that serves the modules that `editor_script` loads."""
    return script_route(read_scripts(STATIC))


def editor_markup() -> str:
    """The editor's HTML; without placeholders, so that Gradio never renders it anew."""
    return (STATIC / "editor.html").read_text("utf-8")


def editor_style() -> str:
    """The editor's CSS."""
    return (STATIC / "editor.css").read_text("utf-8")
