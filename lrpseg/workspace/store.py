"""A workspace: pictures, what was found on them and what was drawn, in one folder.

    FOLDER/workspace.sqlite                  one row for each picture, for each of its classes and
                                             for each stroke
    FOLDER/reserve                           room that is given up where the disk is full
    FOLDER/items/ID/original                 the file as it came
    FOLDER/items/ID/thumbnail.jpg
    FOLDER/items/ID/truth*.png               true masks; the row of the class names the file
    FOLDER/items/ID/relevance-KEY.json       what was found, one for each analysis that was made
    FOLDER/items/ID/relevance-KEY.npy        of the first class; of the second -KEY-1, and so on
    FOLDER/items/ID/likelihood-KEY.npy       what the thresholder gets, where that is no relevance

Files are written first and in one piece, the rows after them, in one transaction: a kill at any
moment leaves a whole workspace. What is read of a picture is read in one transaction as well. Any
number of threads and processes may use one folder.
"""

import hashlib
import logging
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from pathlib import Path

from lrpseg.core.errors import DiskFullError, ImageError
from lrpseg.core.files import atomically, disk_full, is_full, make_folder, writing
from lrpseg.core.images import Picture, read_picture
from lrpseg.domains import load_domain
from lrpseg.masks.render import thumbnail
from lrpseg.pipeline.operating_points import weights_hash
from lrpseg.pipeline.results import Result, Settings
from lrpseg.workspace.correcting import Correctable
from lrpseg.workspace.decoding import is_lost
from lrpseg.workspace.errors import UnavailableError, WorkspaceError
from lrpseg.workspace.item import Item, settings_text
from lrpseg.workspace.mending import mend_row
from lrpseg.workspace.quota import MAP_BYTES, Quota
from lrpseg.workspace.reading import Arrays
from lrpseg.workspace.reserve import Reserve
from lrpseg.workspace.rows import arrange, bump, free_name, get_item, now, touch
from lrpseg.workspace.schema import prepare
from lrpseg.workspace.syncing import sync

_LEFTOVER_SECONDS = 86_400
_log = logging.getLogger(__name__)


class Workspace(Correctable):
    """The pictures below one folder; any number of threads may use one."""

    def __init__(
        self,
        folder: Path,
        cache: Arrays | None = None,
        reserve: Reserve | None = None,
        quota: Quota | None = None,
    ) -> None:
        """Open the workspace in `folder`, or make one. That of a newer version is only read, if it
        can be: `read_only` says why.

        Args:
            reserve: room that is held back on its disk; None: a file in `folder`.
            quota: what a visitor may keep in it; None: whatever there is room for.

        Raises:
            WorkspaceError: the folder cannot be written to, or holds what cannot be read.
            DiskFullError: there is no room to make or to update it.
        """
        super().__init__(folder, cache, reserve, quota)
        try:
            make_folder(folder / "items")
        except OSError as error:
            if is_full(error):
                raise disk_full(folder) from error
            raise WorkspaceError(
                f"{folder} cannot be used as a workspace: {error.strerror}. Choose another folder."
            ) from error
        self.read_only = self._sparing(lambda: prepare(self._path))
        if self.read_only:
            _log.warning("%s", self.read_only)
            return
        items = self.items()
        self._mend([item.id for item in items if is_lost(item)])
        self._remove_leftovers({item.id for item in items})
        self._reserve.fill()

    # ---------------------------------------------------------------------------------- pictures

    def add(
        self,
        name: str,
        data: bytes,
        settings: Settings,
        explain_intact: bool = False,
        result: Result | None = None,
        read: Sequence[str] | None = None,
    ) -> Item:
        """Add a picture; one that cannot be read, or is too large for a visitor, is added as
        failed, with its reason. Raises `UnavailableError` where a visitor's workspace is full.

        `result`: what the picture's analysis gives under `settings`, where that is known already.
        `read`: what is to be said of reading it, where the file alone does not tell.
        """
        if self.read_only:
            raise UnavailableError(self.read_only)
        id, sha256 = uuid.uuid4().hex, hashlib.sha256(data).hexdigest()
        domain = load_domain(settings.domain)
        weights = weights_hash(domain, settings)
        folder = self.folder / "items" / id
        width = height = 0
        status, reason, notes = "waiting", None, read or ()
        small = None
        try:
            picture = self._read(data)
            height, width = picture.pixels.shape[:2]
            small = thumbnail(picture.pixels)
            notes = picture.notes if read is None else read
        except ImageError as error:
            status, reason = "failed", str(error)
        self.check_room(len(data) + MAP_BYTES * height * width)
        created = now()
        with _new_folder(folder):
            if small is not None:
                atomically(folder / "thumbnail.jpg", lambda f: f.write(small))
            atomically(folder / "original", lambda f: f.write(data))
            with self._writing() as db:
                db.execute("UPDATE state SET value = value + 1 WHERE key = 'position'")
                (position,) = db.execute("SELECT value FROM state WHERE key='position'").fetchone()
                db.execute(
                    "INSERT INTO items (id, position, name, sha256, width, height, status, reason, "
                    "settings, explain_intact, weights, created, updated, read) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        id, position, free_name(db, name), sha256, width, height, status, reason,
                        settings_text(settings), explain_intact, weights, created, created,
                        "\n".join(notes),
                    ),
                )  # fmt: skip
                arrange(db, id, domain.classes.names)
                bump(db)
                item = get_item(db, id)
        self._reserve.fill()  # there was room; perhaps there was none before
        if result is not None and status == "waiting":
            self.finish(id, item.analysis_key, result)
            item = self.item(id)
        return item

    def delete(self, id: str) -> None:
        """Delete a picture and all that belongs to it; also where the disk is full."""
        try:
            item = self._sparing(lambda: self._delete_rows(id))
        except DiskFullError:
            # The room held back is gone, too: the picture's files go first, then its rows.
            shutil.rmtree(self._folder(self.item(id)), ignore_errors=True)
            item = self._delete_rows(id)
        sync(self._path)  # else a power cut would bring back a picture without its files
        shutil.rmtree(self._folder(item), ignore_errors=True)
        self._reserve.fill()

    # ---------------------------------------------------------------------------------- choices

    def set_status(self, id: str, status: str) -> None:
        """Accept a picture ("accepted"), or take that back ("todo")."""
        if status not in ("accepted", "todo"):
            raise WorkspaceError("A picture is accepted, or to do again.")
        with self._writing() as db:
            item = get_item(db, id)
            if not item.analysis:
                raise WorkspaceError("This picture has no mask yet: wait for its analysis.")
            if status == "todo":
                status = "edited" if item.edited else "todo" if item.explained else "empty"
            touch(db, id, edited=False, status=status)

    def accept_again(self, id: str) -> None:
        """Accept a picture as soon as it is analysed, unless something about it changes before."""
        with self._writing() as db:
            touch(db, id, edited=False, accept=1)

    def add_seconds(self, id: str, seconds: float) -> None:
        """Add to the time that a person spent on the picture."""
        with self._writing() as db:
            db.execute("UPDATE items SET seconds = seconds + ? WHERE id = ?", (seconds, id))

    # ---------------------------------------------------------------------------------- inside

    def _read(self, data: bytes) -> Picture:
        """As `read_picture`, within the limits of a visitor."""
        if self.quota is not None:
            self.quota.check_picture(data)
        picture = read_picture(data)
        if self.quota is not None:  # what has no header that could be told
            self.quota.check_pixels(*picture.pixels.shape[:2])
        return picture

    def _delete_rows(self, id: str) -> Item:
        """Forget a picture; returns what it was."""
        with self._writing() as db:
            item = get_item(db, id)
            layers = [(layer.id,) for layer in (*item.layers, *item.kept)]
            db.executemany("DELETE FROM strokes WHERE layer = ?", layers)
            db.execute("DELETE FROM layers WHERE item = ?", (id,))
            db.execute("DELETE FROM items WHERE id = ?", (id,))
            bump(db)
            return item

    def _mend(self, ids: Sequence[str]) -> None:
        """Put right what is damaged in the rows of pictures; where nothing can be written now, it
        is done at another time."""
        with suppress(DiskFullError, UnavailableError):
            for id in ids:
                with self._writing() as db:
                    mend_row(db, id, self.folder / "items" / id)

    def _remove_leftovers(self, known: Set[str]) -> None:
        """What a kill left: folders without a row, of pictures whose adding or deleting was cut
        off, and halves of files. known: ids of the pictures."""
        for folder in (self.folder / "items").iterdir():
            if folder.name not in known:
                if _is_old(folder):
                    shutil.rmtree(folder, ignore_errors=True)
                continue
            for part in folder.glob(".*.part"):
                if _is_old(part):
                    part.unlink(missing_ok=True)


@contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """What is made of a new picture in this block stays if all of it goes well."""
    try:
        with writing(folder, "Look whether its disk is there."):
            yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _is_old(path: Path) -> bool:
    """Whether nobody can be writing it any more."""
    try:
        return time.time() - path.stat().st_mtime > _LEFTOVER_SECONDS
    except OSError:  # gone meanwhile
        return False
