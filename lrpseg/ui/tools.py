"""Tools of MCP on a page with logins: Gradio answers them by asking the page itself over HTTP."""

import secrets

import gradio as gr
from gradio_client import Client

NAME = "tools of MCP"
"""As which the page knows that asker; nobody can log in under it."""


def let_tools_in(demo: gr.Blocks) -> None:
    """Give the MCP server of a page that runs a login of its own, which no other process learns.

    Who asks for a tool has been looked at before (`lrpseg.web.guard`).
    """
    server, app = demo.mcp_server_obj, demo.app
    if server is None:
        return
    token = secrets.token_urlsafe(32)
    app.tokens[token] = NAME
    cookie = f"access-token-unsecure-{app.cookie_id}={token}"
    # As Gradio makes it at the first call of a tool, but for the cookie.
    server._client_instance = Client(
        demo.local_url, download_files=False, verbose=False, analytics_enabled=False,
        ssl_verify=False, _skip_components=False,
        headers={"x-gradio-user": "mcp", "cookie": cookie},
    )  # fmt: skip
