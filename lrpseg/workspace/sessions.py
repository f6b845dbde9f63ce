"""Who may open which workspace: one for everybody on one's own machine, or one for each visitor."""

import hashlib
import hmac
import json
import logging
import os
import secrets
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path

from lrpseg.core.files import atomically, disk_of, writing
from lrpseg.masks.render import save_text
from lrpseg.workspace.clock import PageClock
from lrpseg.workspace.errors import NoSuchWorkspace, UnavailableError, WorkspaceError
from lrpseg.workspace.quota import Quota
from lrpseg.workspace.reading import make_cache
from lrpseg.workspace.reserve import Reserve
from lrpseg.workspace.store import Workspace
from lrpseg.workspace.visitors import to_go, visit

HOSTED_SECONDS = 86_400
"""A visitor's workspace is deleted this long after its last use."""

_GONE = "This workspace is no longer there. Reload the page."
_TOUCH_SECONDS = 60
_HALF_SECONDS = 3600
_log = logging.getLogger(__name__)

_AWAKE = 50
"""So many visitors' workspaces keep their files open, those that were used last."""


class Sessions:
    """Opens workspaces by token.

    On one's own machine there is one workspace, in `root`, and one token: who sees the page gets
    it. Hosted, each visitor gets a workspace below `root`; a folder's name says nothing about its
    token, of which only a hash is kept: who reads the disk cannot open it from outside.
    """

    def __init__(
        self,
        root: Path,
        hosted: bool = False,
        max_age: float = HOSTED_SECONDS,
        quota: Quota | None = None,
    ) -> None:
        """quota: of visitors, where `hosted`; None: the usual one."""
        self.hosted = hosted
        self.quota = (quota or Quota()) if hosted else None
        self._root, self._max_age = root, max_age
        self._reserve = Reserve(root / "reserve")
        self._cache = make_cache()
        self._lock = threading.Lock()
        self._open: dict[str, Workspace] = {}
        self._touched: dict[str, float] = {}
        self._used: dict[Path, float] = {}
        self._clock = PageClock(root / "clock")
        if not hosted:
            workspace = Workspace(root, self._cache)
            workspace.recover()
            self._token = self._own_token(root / "token")
            self._open[_hash(self._token)] = workspace
        else:
            root.mkdir(parents=True, exist_ok=True)
            root.chmod(0o700)
            self._reserve.fill()

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
        """Raise `UnavailableError` where a visitor's workspace is full, or all of them together
        are and none may go."""
        if self.quota is None:
            return
        self._reserve.fill()
        self.quota.check_bytes(workspace.folder, 0)
        if self._disk_free() < self.quota.free:
            self._make_room(keep=workspace.folder)
            if self._disk_free() < self.quota.free:
                raise UnavailableError(
                    "The disk of this page is nearly full. Export what is done, and try again "
                    "later."
                )

    def check_picture(self, data: bytes) -> None:
        """Raise `ImageError` for a picture that is too large for a page that many share."""
        if self.quota is not None:
            self.quota.check_picture(data)

    def sweep(self, now: float | None = None) -> int:
        """Delete visitors' workspaces that nobody has used for `max_age`, and others where all
        together are too large; returns how many.

        now: the page's time (`PageClock`); None: that it is now.
        """
        if not self.hosted:
            return 0
        self._clock.save()
        now = self._clock.now() if now is None else now
        gone = 0
        for folder in self._folders():
            last = _last_use(folder)
            if last is not None and now - last > self._max_age:
                self._delete(folder)
                gone += 1
        self._remove_halves()
        return gone + self._make_room()

    # ---------------------------------------------------------------------------------- inside

    def _disk_free(self) -> int:
        return disk_of(self._root)[1]

    def _make_room(self, new: int = 0, keep: Path | None = None) -> int:
        """Delete workspaces until `new` more may come and all together keep the quota, as far as
        that can be; returns how many. keep: the folder of one that stays."""
        if self.quota is None:
            return 0
        now, steady = self._clock.now(), time.monotonic()
        visits = []
        for folder in self._folders():
            last, used = _last_use(folder), self._used.get(folder)
            if last is not None and folder != keep:
                visits.append(visit(folder, now - last if used is None else steady - used))
        gone = to_go(visits, self.quota, self._disk_free(), new + (keep is not None))
        for one in gone:
            self._delete(one.folder)
        return len(gone)

    def _delete(self, folder: Path) -> None:
        with self._lock:
            for digest in {k for k, w in self._open.items() if w.folder == folder}:
                self._open.pop(digest).rest()
                self._touched.pop(digest, None)
            self._used.pop(folder, None)
        shutil.rmtree(folder, ignore_errors=True)

    def _remove_halves(self) -> None:
        """Folders that a process began to make or to delete when it was killed: nobody has a token
        of them."""
        for folder in self._root.iterdir():
            with suppress(OSError):  # deleted meanwhile
                age = time.time() - folder.stat().st_mtime
                nobodys = folder.is_dir() and not (folder / "session.json").is_file()
                if nobodys and age > _HALF_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)

    def _new(self) -> tuple[str, Workspace]:
        assert self.quota is not None
        if len(self._folders()) >= self.quota.visitors:
            self.sweep()
            self._make_room(new=1)
            if len(self._folders()) >= self.quota.visitors:
                raise WorkspaceError("Too many visitors at the moment. Try again later.")
        token = secrets.token_urlsafe(32)
        folder = self._root / secrets.token_hex(16)
        try:
            with writing(folder, "Try again later."):
                folder.mkdir(mode=0o700)
                save_text(json.dumps({"token_sha256": _hash(token)}), folder / "session.json")
            self._mark(folder)
            self._used[folder] = time.monotonic()
            workspace = self._workspace(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        with self._lock:
            self._wake(_hash(token), workspace)
        return token, workspace

    def _workspace(self, folder: Path) -> Workspace:
        return Workspace(folder, self._cache, self._reserve, self.quota)

    def _find(self, digest: str) -> Workspace | None:
        """A workspace of before a restart."""
        for folder in self._folders():
            try:
                held = json.loads((folder / "session.json").read_text())["token_sha256"]
            except (OSError, ValueError, KeyError):
                continue
            if hmac.compare_digest(held, digest):
                workspace = self._workspace(folder)
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
        now = time.monotonic()
        self._used[workspace.folder] = now
        if now - self._touched.get(digest, float("-inf")) > _TOUCH_SECONDS:
            self._mark(workspace.folder)
            self._clock.save()
            self._touched[digest] = now

    def _mark(self, folder: Path) -> None:
        """Note that a workspace is used now, for after a restart."""
        now = self._clock.now()
        try:
            os.utime(folder / "session.json", (now, now))
        except FileNotFoundError:  # swept this moment
            raise NoSuchWorkspace(_GONE) from None
        except OSError:  # a full disk: reading goes on
            _log.warning("the last use of %s could not be noted", folder)

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
