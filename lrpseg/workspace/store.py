"""A workspace: pictures, what was found on them and what was drawn, in one folder.

    FOLDER/workspace.sqlite                  one row for each picture
    FOLDER/items/ID/original                 the file as it came
    FOLDER/items/ID/thumbnail.jpg
    FOLDER/items/ID/corrections.png          0 nothing drawn, 1 added, 2 removed
    FOLDER/items/ID/mask.png                 the mask when it was last finished or accepted
    FOLDER/items/ID/truth.png                the true mask, where there is one
    FOLDER/items/ID/relevance-KEY.npy, .json one for each analysis that was made
    FOLDER/items/ID/likelihood-KEY.npy       where the network gives a likelihood by itself

Files are written first and in one piece, the row after them, in one transaction: a kill at any
moment leaves a whole workspace. Any number of threads and processes may use one folder.
"""

import hashlib
import shutil
import time
import uuid
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lrpseg.core.errors import ImageError
from lrpseg.core.files import atomically
from lrpseg.core.images import read_image
from lrpseg.domains import load_domain
from lrpseg.masks import read_mask
from lrpseg.masks.render import mask_image, save_png, thumbnail
from lrpseg.pipeline.operating_points import weights_hash
from lrpseg.pipeline.results import Result, Settings
from lrpseg.workspace.analysing import Analysable
from lrpseg.workspace.errors import NoSuchItem, WorkspaceError
from lrpseg.workspace.item import Item, settings_text
from lrpseg.workspace.reading import Arrays
from lrpseg.workspace.rows import bump, free_name, now
from lrpseg.workspace.schema import prepare, transaction

_LEFTOVER_SECONDS = 86_400


class Workspace(Analysable):
    """The pictures below one folder; any number of threads may use one."""

    def __init__(self, folder: Path, cache: Arrays | None = None) -> None:
        """Open the workspace in `folder`, or make one.

        Raises `WorkspaceError` for a folder that cannot be written to, or of a newer version.
        """
        super().__init__(folder, cache)
        try:
            (folder / "items").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(
                f"{folder} cannot be used as a workspace: {error.strerror}. Choose another folder."
            ) from error
        prepare(self._path)
        self._remove_leftovers()

    # ---------------------------------------------------------------------------------- pictures

    def add(
        self,
        name: str,
        data: bytes,
        settings: Settings,
        explain_intact: bool = False,
        result: Result | None = None,
    ) -> Item:
        """Add a picture; one that cannot be read is added as failed, with its reason.

        `result`: what the picture's analysis gives under `settings`, where that is known already.
        """
        id, sha256 = uuid.uuid4().hex, hashlib.sha256(data).hexdigest()
        weights = weights_hash(load_domain(settings.domain), settings.network)
        folder = self.folder / "items" / id
        width = height = 0
        status, reason = "waiting", None
        try:
            image = read_image(data)
            height, width = image.shape[:2]
            atomically(folder / "thumbnail.jpg", lambda f: f.write(thumbnail(image)))
        except ImageError as error:
            status, reason = "failed", str(error)
        atomically(folder / "original", lambda f: f.write(data))
        created = now()
        with transaction(self._path) as db:
            db.execute("UPDATE state SET value = value + 1 WHERE key = 'position'")
            (position,) = db.execute("SELECT value FROM state WHERE key='position'").fetchone()
            db.execute(
                "INSERT INTO items (id, position, name, sha256, width, height, status, reason, "
                "settings, explain_intact, weights, created, updated) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    id, position, free_name(db, name), sha256, width, height, status, reason,
                    settings_text(settings), explain_intact, weights, created, created,
                ),
            )  # fmt: skip
            bump(db)
        item = self.item(id)
        if result is not None and status == "waiting":
            self.finish(id, item.analysis_key, result)
            item = self.item(id)
        return item

    def delete(self, id: str) -> None:
        """Delete a picture and all that belongs to it."""
        item = self.item(id)
        with transaction(self._path) as db:
            db.execute("DELETE FROM items WHERE id = ?", (id,))
            bump(db)
        shutil.rmtree(self._folder(item), ignore_errors=True)

    # ---------------------------------------------------------------------------------- choices

    def set_threshold(self, id: str, threshold: float | None) -> None:
        """The likelihood from which on a pixel is in the mask, 0 to 1; None: the thresholder's."""
        if threshold is not None and not 0 <= threshold <= 1:
            raise WorkspaceError(f"A threshold is 0 to 1; {threshold} was given.")
        self._update(id, threshold=threshold, touch=True)

    def set_cleaning(self, id: str, min_area: int, max_hole: int) -> None:
        """Smaller spots go and smaller holes are filled; in pixels, 0 for neither."""
        self._update(id, min_area=max(0, min_area), max_hole=max(0, max_hole), touch=True)

    def set_status(self, id: str, status: str) -> None:
        """Accept a picture ("accepted"), or take that back ("todo")."""
        item = self.item(id)
        if status not in ("accepted", "todo"):
            raise WorkspaceError("A picture is accepted, or to do again.")
        if not item.analysis:
            raise WorkspaceError("This picture has no mask yet: wait for its analysis.")
        if status == "accepted":
            save_png(mask_image(self.mask(id)), self._folder(item) / "mask.png")
        elif item.drawn or item.threshold is not None or item.min_area or item.max_hole:
            status = "edited"
        elif not item.explained:
            status = "empty"
        self._update(id, status=status)

    def accept_again(self, id: str) -> None:
        """Accept a picture as soon as it is analysed, unless something about it changes before."""
        self._update(id, accept=1)

    def add_seconds(self, id: str, seconds: float) -> None:
        """Add to the time that a person spent on the picture."""
        with transaction(self._path) as db:
            db.execute("UPDATE items SET seconds = seconds + ? WHERE id = ?", (seconds, id))

    def set_truth(self, id: str, data: bytes) -> None:
        """Keep the true mask; raises `ImageError` where it is no image, or of another size."""
        item = self.item(id)
        truth = read_mask(data, (item.height, item.width))
        save_png(mask_image(truth), self._folder(item) / "truth.png")
        self._update(id, has_truth=True)

    def patch_corrections(
        self, id: str, x: int, y: int, w: int, h: int, values: bytes | NDArray[np.uint8]
    ) -> int:
        """Replace a rectangle of the corrections by (h, w) values of 0, 1 and 2; returns the new
        revision. The file is in place before this returns."""
        item = self.item(id)
        flat = np.frombuffer(values, np.uint8) if isinstance(values, bytes) else values.ravel()
        inside = min(x, y) >= 0 and min(w, h) > 0
        if not inside or x + w > item.width or y + h > item.height or flat.size != w * h:
            raise WorkspaceError("The stroke does not fit the picture. Reload the page.")
        if flat.max() > 2:
            raise WorkspaceError("Corrections hold 0, 1 and 2 alone.")
        with transaction(self._path) as db:  # its lock makes two strokes wait for each other
            if db.execute("SELECT 1 FROM items WHERE id=?", (id,)).fetchone() is None:
                raise NoSuchItem("There is no such picture in this workspace.")
            whole = self._corrections(item)
            whole[y : y + h, x : x + w] = flat.reshape(h, w)
            self._save_corrections(item, whole)
            drawn = bool(whole.any())
            row = db.execute(
                "UPDATE items SET drawn=?, accept=0, "
                "status=CASE WHEN status IN ('todo', 'empty', 'accepted') THEN 'edited' "
                "ELSE status END, revision=revision+1, updated=? WHERE id=? "
                "RETURNING revision", (drawn, now(), id),
            ).fetchone()  # fmt: skip
            bump(db)
        return int(row["revision"])

    # ---------------------------------------------------------------------------------- inside

    def _save_corrections(self, item: Item, values: NDArray[np.uint8]) -> None:
        _, encoded = cv2.imencode(".png", values, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        path = self._folder(item) / "corrections.png"
        atomically(path, lambda f: f.write(encoded.tobytes()))

    def _remove_leftovers(self) -> None:
        """Folders without a row: of pictures whose adding or deleting was cut off."""
        known = {item.id for item in self.items()}
        for folder in (self.folder / "items").iterdir():
            old = time.time() - folder.stat().st_mtime > _LEFTOVER_SECONDS
            if folder.name not in known and old:
                shutil.rmtree(folder, ignore_errors=True)
