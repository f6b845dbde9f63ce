"""Who may open which workspace: one for everybody on one's own machine, or one for each visitor."""

import hashlib
import hmac
import json
import os
import secrets
import shutil
import threading
import time
from pathlib import Path

from lrpseg.core.files import atomically
from lrpseg.masks.render import save_text
from lrpseg.workspace.errors import NoSuchWorkspace, WorkspaceError
from lrpseg.workspace.reading import make_cache
from lrpseg.workspace.store import Workspace

HOSTED_SECONDS = 86_400
"""A visitor's workspace is deleted this long after its last use."""

_GONE = "This workspace is no longer there. Reload the page."
_TOUCH_SECONDS = 60
_MAX_VISITORS = 500
_VISITOR_BYTES = 2_000_000_000

_AWAKE = 50
"""So many visitors' workspaces keep their files open, those that were used last."""


class Sessions:
    """Opens workspaces by token.

    On one's own machine there is one workspace, in `root`, and one token: who sees the page gets
    it. Hosted, each visitor gets a workspace below `root`; a folder's name says nothing about its
    token, of which only a hash is kept: who reads the disk cannot open it from outside.
    """

    def __init__(self, root: Path, hosted: bool = False, max_age: float = HOSTED_SECONDS) -> None:
        self.hosted = hosted
        self._root, self._max_age = root, max_age
        self._cache = make_cache()
        self._lock = threading.Lock()
        self._open: dict[str, Workspace] = {}
        self._touched: dict[str, float] = {}
        if not hosted:
            workspace = Workspace(root, self._cache)
            workspace.recover()
            self._token = self._own_token(root / "token")
            self._open[_hash(self._token)] = workspace
        else:
            root.mkdir(parents=True, exist_ok=True)
            root.chmod(0o700)

    def open(self, token: str | None = None) -> tuple[str, Workspace]:
        """(token, workspace): the one of `token`, or a new one (hosted), or the only one."""
        if not self.hosted:
            return self._token, self._open[_hash(self._token)]
        try:
            return token or "", self.get(token or "")
        except NoSuchWorkspace:
            return self._new()

    def get(self, token: str) -> Workspace:
        """The workspace of `token`; raises `NoSuchWorkspace`."""
        digest = _hash(token)
        with self._lock:
            workspace = self._open.get(digest)
            if workspace is None and self.hosted and token:
                workspace = self._find(digest)
            if workspace is not None:
                self._wake(digest, workspace)
        if workspace is None:
            raise NoSuchWorkspace(_GONE)
        self._touch(digest, workspace)
        return workspace

    def all(self) -> list[Workspace]:
        """Every workspace that is open."""
        with self._lock:
            return list(self._open.values())

    def clear(self) -> None:
        """Free the arrays that the workspaces keep in memory."""
        self._cache.clear()

    def check_room(self, workspace: Workspace) -> None:
        """Raise `WorkspaceError` where a visitor's workspace is full."""
        if not self.hosted:
            return
        size = sum(f.stat().st_size for f in workspace.folder.rglob("*") if f.is_file())
        if size > _VISITOR_BYTES:
            raise WorkspaceError(
                f"This workspace holds {size / 1e9:.1f} GB, which is all that a visitor gets. "
                "Export what is done, then delete some pictures."
            )

    def sweep(self, now: float | None = None) -> int:
        """Delete visitors' workspaces that nobody has used for `max_age`; returns how many."""
        if not self.hosted:
            return 0
        now = time.time() if now is None else now
        gone = 0
        for folder in self._folders():
            last = _last_use(folder)
            if last is not None and now - last > self._max_age:
                with self._lock:
                    closed = {k for k, w in self._open.items() if w.folder == folder}
                    for digest in closed:
                        self._open.pop(digest).rest()
                        self._touched.pop(digest, None)
                shutil.rmtree(folder, ignore_errors=True)
                gone += 1
        return gone

    def _new(self) -> tuple[str, Workspace]:
        if len(self._folders()) >= _MAX_VISITORS and not self.sweep():
            raise WorkspaceError("Too many visitors at the moment. Try again later.")
        token = secrets.token_urlsafe(32)
        folder = self._root / secrets.token_hex(16)
        workspace = Workspace(folder, self._cache)
        folder.chmod(0o700)
        save_text(json.dumps({"token_sha256": _hash(token)}), folder / "session.json")
        with self._lock:
            self._wake(_hash(token), workspace)
        return token, workspace

    def _find(self, digest: str) -> Workspace | None:
        """A workspace of before a restart."""
        for folder in self._folders():
            try:
                held = json.loads((folder / "session.json").read_text())["token_sha256"]
            except (OSError, ValueError, KeyError):
                continue
            if hmac.compare_digest(held, digest):
                workspace = Workspace(folder, self._cache)
                workspace.recover()
                return workspace
        return None

    def _wake(self, digest: str, workspace: Workspace) -> None:
        """Make a workspace the one that was used last; called with the lock held."""
        self._open.pop(digest, None)
        self._open[digest] = workspace
        for other in list(self._open.values())[:-_AWAKE]:
            other.rest()

    def _folders(self) -> list[Path]:
        return [f for f in self._root.iterdir() if (f / "session.json").is_file()]

    def _touch(self, digest: str, workspace: Workspace) -> None:
        if not self.hosted:
            return
        now = time.time()
        if now - self._touched.get(digest, 0) > _TOUCH_SECONDS:
            try:
                os.utime(workspace.folder / "session.json")
            except FileNotFoundError:  # swept this moment
                raise NoSuchWorkspace(_GONE) from None
            self._touched[digest] = now

    def _own_token(self, path: Path) -> str:
        """The token of one's own workspace; it stays the same over restarts."""
        if path.is_file():
            return path.read_text().strip()
        token = secrets.token_urlsafe(32)
        atomically(path, lambda f: f.write(token.encode()))
        path.chmod(0o600)
        return token


def _last_use(folder: Path) -> float | None:
    """When a visitor's workspace was last used; None where it is gone: several may sweep."""
    try:
        return (folder / "session.json").stat().st_mtime
    except FileNotFoundError:
        return None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
