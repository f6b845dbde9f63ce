"""The analysing half of a workspace: which pictures wait, and what was found on them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lrpseg.core.errors import LrpsegError
from lrpseg.core.files import atomically
from lrpseg.domains import load_domain
from lrpseg.masks.render import mask_image, save_png, save_text
from lrpseg.pipeline.operating_points import weights_hash
from lrpseg.pipeline.results import Result, Settings
from lrpseg.workspace.errors import NoSuchItem, WorkspaceError
from lrpseg.workspace.item import Item, analysis_key, from_row, settings_text
from lrpseg.workspace.reading import Readable
from lrpseg.workspace.rows import adopt, bump, now, wait_again
from lrpseg.workspace.schema import transaction

KEPT_ANALYSES = 4
"""Relevance maps that a picture keeps, so that going back to former settings is instant."""


class Analysable(Readable):
    """Gives pictures to who analyses them, and takes what was found.

    Whoever sees an analysis sees the thresholder's own threshold on it: both come into the row in
    one transaction, after the fit.
    """

    def claim_next(self) -> Item | None:
        """Take the next waiting picture to work on, or None; no two callers get the same."""
        with transaction(self._path) as db:
            row = db.execute(
                "UPDATE items SET status='running', tiles_done=0, tiles=0 WHERE id = (SELECT id "
                "FROM items WHERE status='waiting' ORDER BY position LIMIT 1) RETURNING *"
            ).fetchone()
            if row is not None:
                bump(db)
        return None if row is None else from_row(row)

    def progress(self, id: str, done: int, total: int) -> None:
        """Note how many of a picture's tiles are done."""
        with transaction(self._path) as db:
            db.execute("UPDATE items SET tiles_done=?, tiles=? WHERE id=?", (done, total, id))

    def finish(self, id: str, key: str, result: Result) -> None:
        """Store an analysis. `key` is the `analysis_key` of the item as it was claimed: where the
        settings have changed meanwhile to some that were never analysed, the picture goes on
        waiting. Nothing happens where it was deleted."""
        item = self._find(id)
        if item is None:
            return
        folder = self._folder(item)
        if result.explained:
            relevance, own = result.relevance, result.own_likelihood
            atomically(folder / f"relevance-{key}.npy", lambda f: np.save(f, relevance))
            if own is not None:
                atomically(folder / f"likelihood-{key}.npy", lambda f: np.save(f, own))
        known = {
            "probability": result.probability,
            "damaged": result.damaged,
            "explained": result.explained,
        }
        save_text(json.dumps(known), folder / f"relevance-{key}.json")
        if self._show(id, key, known):
            self._save_mask(id)
        shown = self._find(id)
        if shown is not None:
            self._forget_analyses(folder, {key, shown.analysis, shown.analysis_key})

    def fail(self, id: str, key: str, reason: str) -> None:
        """Note that the analysis `key` of a picture could not be made, as `finish` takes it."""
        with transaction(self._path) as db:
            row = db.execute("SELECT * FROM items WHERE id = ?", (id,)).fetchone()
            if row is None:
                return
            if from_row(row).analysis_key == key:
                db.execute(
                    "UPDATE items SET status='failed', reason=?, revision=revision+1, updated=? "
                    "WHERE id=?", (reason, now(), id),
                )  # fmt: skip
                bump(db)
            else:
                wait_again(db, from_row(row))

    def recover(self) -> None:
        """At the start of the one process that analyses: what was running waits again."""
        with transaction(self._path) as db:
            db.execute("UPDATE items SET status='waiting' WHERE status='running'")
            bump(db)

    def set_settings(
        self, id: str, settings: Settings | None = None, explain_intact: bool | None = None
    ) -> Item:
        """Other settings; what was drawn stays. The picture waits for its analysis, unless that
        was made before or only thresholder or refiner change."""
        item = self.item(id)
        settings = settings or item.settings
        explain = item.explain_intact if explain_intact is None else explain_intact
        weights = weights_hash(load_domain(settings.domain), settings.network)
        key = analysis_key(item.sha256, settings, weights, explain)
        known_file = self._folder(item) / f"relevance-{key}.json"
        known = json.loads(known_file.read_text()) if known_file.is_file() else None
        own_threshold, reason = None, None
        if known is not None:
            try:
                own_threshold = self._own_threshold(replace(item, settings=settings), key, known)
            except LrpsegError as error:
                reason = str(error)
        with transaction(self._path) as db:
            row = db.execute("SELECT * FROM items WHERE id = ?", (id,)).fetchone()
            if row is None:
                raise NoSuchItem("There is no such picture in this workspace.")
            fresh = from_row(row)
            if not fresh.width:
                raise WorkspaceError(fresh.reason or "This picture cannot be read.")
            db.execute(
                "UPDATE items SET settings=?, explain_intact=?, weights=?, threshold=NULL, "
                "accept=0 WHERE id=?", (settings_text(settings), explain, weights, id),
            )  # fmt: skip
            if reason is not None:
                db.execute("UPDATE items SET status='failed', reason=? WHERE id=?", (reason, id))
            elif known is not None:
                adopt(db, fresh, key, known, own_threshold)
            elif fresh.status != "running":  # a running one sees it when it is done
                db.execute("UPDATE items SET status='waiting', reason=NULL WHERE id=?", (id,))
            bump(db)
        if known is not None and reason is None:
            self._save_mask(id)
        return self.item(id)

    # ---------------------------------------------------------------------------------- inside

    def _own_threshold(self, item: Item, key: str, known: dict[str, Any]) -> float | None:
        """The thresholder's own threshold on the analysis `key`; raises as the thresholder does."""
        if not known["explained"]:
            return None
        return self._fitted(replace(item, analysis=key, explained=True)).threshold

    def _show(self, id: str, key: str, known: dict[str, Any]) -> bool:
        """Make `key` the analysis that is shown, if it still is the one that is asked for."""
        while True:
            item = self._find(id)
            if item is None:  # deleted meanwhile
                return False
            wanted = item.analysis_key == key
            try:
                own_threshold = self._own_threshold(item, key, known) if wanted else None
            except LrpsegError as error:
                self.fail(id, key, str(error))
                return False
            with transaction(self._path) as db:
                row = db.execute("SELECT * FROM items WHERE id = ?", (id,)).fetchone()
                if row is None:
                    return False
                fresh = from_row(row)
                if fresh.analysis_key != key:
                    wait_again(db, fresh)
                    return False
                if wanted and fresh.settings == item.settings:
                    adopt(db, fresh, key, known, own_threshold)
                    bump(db)
                    return True
            # Something else was chosen during the fit: fit once more.

    def _save_mask(self, id: str) -> None:
        save_png(mask_image(self.mask(id)), self._folder(self.item(id)) / "mask.png")

    def _update(self, id: str, touch: bool = False, **values: Any) -> None:
        """Set columns; with `touch` an analysed picture counts as edited."""
        sets = ", ".join(f"{name} = ?" for name in values)
        if touch:
            sets += (
                ", status = CASE WHEN status IN ('todo', 'empty', 'accepted') THEN 'edited' "
                "ELSE status END, accept = 0"
            )
        with transaction(self._path) as db:
            changed = db.execute(
                f"UPDATE items SET {sets}, revision = revision + 1, updated = ? WHERE id = ?",
                (*values.values(), now(), id),
            )
            if changed.rowcount == 0:
                raise NoSuchItem("There is no such picture in this workspace.")
            bump(db)

    def _forget_analyses(self, folder: Path, keys: set[str]) -> None:
        """Remove the oldest beyond `KEPT_ANALYSES`, but for those called `keys`."""
        found = sorted(folder.glob("relevance-*.json"), key=lambda p: -p.stat().st_mtime_ns)
        for path in found[KEPT_ANALYSES:]:
            if path.stem.removeprefix("relevance-") not in keys:
                path.unlink(missing_ok=True)
                path.with_suffix(".npy").unlink(missing_ok=True)
                own = path.with_name(path.name.replace("relevance-", "likelihood-", 1))
                own.with_suffix(".npy").unlink(missing_ok=True)
