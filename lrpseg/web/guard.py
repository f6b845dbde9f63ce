"""What each request passes before anything reads its body: name, site, and login.

Gradio checks the login of most of its routes only after their bodies have been read, and that of
its MCP server and of ours not at all.
"""

import base64
import binascii
import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lrpseg.core.errors import OptionError
from lrpseg.web.bodies import TOO_LARGE, told_length
from lrpseg.web.logins import caller
from lrpseg.web.sites import Sites
from lrpseg.web.uploading import UPLOADED_ENOUGH, Uploaded

LOGGED_OUT = "You are logged out. Reload the page."
_GUARDED = ("/lrpseg/", "/gradio_api/")
_OPEN = {f"/gradio_api/{n}" for n in ("startup-events", "app_id", "user", "token", "login_check")}
"""What the page asks for before anybody has logged in; it says nothing of pictures."""

_OURS = re.compile(r"/lrpseg/(items(/|$)|static/[0-9a-f]{16}/)")
_UPLOAD, _MCP = "/gradio_api/upload", "/gradio_api/mcp/"
_LOGIN_BYTES = 20_000


class Guard:
    """An ASGI middleware around the whole page.

    sites: under which names it answers; signed_in: whether a connection may see more than the
    login; root: the path at which browsers find the page, "" or "/masks"; most: bytes of a body,
    which Gradio reads whole and parses while everybody waits. uploaded: counts uploads, whose files
    have limits of their own; None: they are not counted. log_in: whether a name and a password are
    right, for MCP clients, which have no cookies (HTTP Basic, RFC 7617).
    """

    def __init__(
        self,
        app: ASGIApp,
        sites: Sites,
        signed_in: Callable[[HTTPConnection], bool],
        root: str,
        most: int,
        uploaded: Uploaded | None = None,
        log_in: Callable[[str, str], Awaitable[bool]] | None = None,
    ) -> None:
        self._app, self._sites, self._signed_in = app, sites, signed_in
        self._root, self._most = root, most
        self._uploaded, self._log_in = uploaded, log_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        method = scope.get("method", "GET")
        if why := self._sites.refusal(method, headers):
            return await _refuse(403, why)(scope, receive, send)
        if self._root and scope["path"] == self._root:  # else the page's addresses lead beside it
            return await RedirectResponse(f"{self._root}/")(scope, receive, send)
        path = below(scope["path"], self._root)
        scope = {**scope, "path": path, "root_path": ""}
        address = scope["client"][0] if scope.get("client") else ""
        caller.set(address)
        guarded = path.startswith(_GUARDED) and path.rstrip("/") not in _OPEN
        if guarded and not self._signed_in(HTTPConnection(scope)):
            answer = await self._stranger(path, headers)
            if answer is not None:
                return await answer(scope, receive, send)
        if (name := path.rstrip("/")) != _UPLOAD:
            most = _LOGIN_BYTES if name == "/login" else self._most
            if told_length(headers) > most:
                return await _refuse(413, TOO_LARGE)(scope, receive, send)
            receive = _short(receive, most)
        elif self._uploaded is not None:
            if told_length(headers) > self._uploaded.room(address):
                return await _refuse(429, UPLOADED_ENOUGH)(scope, receive, send)
            receive = _counted(receive, self._uploaded, address)
        await self._app(scope, receive, send)

    async def _stranger(self, path: str, headers: Headers) -> JSONResponse | None:
        """What is answered to who has no cookie of a login; None: an MCP client that sends one."""
        if self._log_in is None or not f"{path}/".startswith(_MCP):
            return _refuse(401, LOGGED_OUT)
        name, password = _basic(headers.get("authorization", ""))
        try:
            if name and await self._log_in(name, password):
                return None
        except HTTPException as error:  # too many were wrong
            return _refuse(429, str(error.detail))
        answer = _refuse(401, "Send a name and a password (HTTP Basic).")
        answer.headers["WWW-Authenticate"] = 'Basic realm="lrpseg", charset="UTF-8"'
        return answer


def clean_root(root_path: str) -> tuple[str, str]:
    """(what Gradio takes, the path in it) of --root-path: "/masks", or https://HOST/masks.

    Raises `OptionError`.
    """
    told = root_path.strip().rstrip("/")
    if told and "://" not in root_path:
        told = "/" + told.lstrip("/")
    try:
        parts = urlsplit(told)
        address = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        parts, address = urlsplit("?"), False
    odd = parts.query or parts.fragment or "?" in told or set(told) & set(" \\%")
    if odd or not (address or told == parts.path) or f"{parts.path}/" in _GUARDED[1:]:
        raise OptionError(
            f"--root-path takes a path such as /masks, or https://HOST/masks; not {root_path!r}."
        )
    return told, parts.path


def below(path: str, root: str) -> str:
    """The path of a request inside of the page: proxies may leave `root` at its front or not.

    Our own routes are known even where `root` is called as they begin.
    """
    if root and path.startswith(f"{root}/") and not _OURS.match(path):
        return path[len(root) :]
    return path


def _basic(header: str) -> tuple[str, str]:
    """Name and password of an Authorization header; empty where it has none."""
    kind, _, packed = header.partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        name, _, password = base64.b64decode(packed, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return name, password


def _short(receive: Receive, most: int) -> Receive:
    """The same messages, of a body of `most` bytes at most."""
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > most:
            raise HTTPException(413, TOO_LARGE)
        return message

    return counted


def _counted(receive: Receive, uploaded: Uploaded, address: str) -> Receive:
    """The same messages, whose bytes count as uploaded from `address`."""

    async def counted() -> Message:
        message = await receive()
        uploaded.add(address, len(message.get("body", b"")))
        if uploaded.room(address) < 0:
            raise HTTPException(429, UPLOADED_ENOUGH)
        return message

    return counted


def _refuse(status: int, sentence: str) -> JSONResponse:
    said = {"error": sentence, "detail": sentence}  # ours, and what Gradio's clients look for
    return JSONResponse(said, status, headers={"Cache-Control": "no-store"})
