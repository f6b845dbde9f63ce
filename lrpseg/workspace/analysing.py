"""The analysing half of a workspace: which pictures wait, and what was found on them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from lrpseg.core.errors import DiskFullError, LrpsegError
from lrpseg.core.files import atomically, folder_bytes, writing
from lrpseg.domains import load_domain
from lrpseg.pipeline.operating_points import weights_hash
from lrpseg.pipeline.results import Layer, Result, Settings
from lrpseg.workspace.errors import DamagedMapError, UnavailableError, WorkspaceError
from lrpseg.workspace.item import Item, analysis_key, settings_text
from lrpseg.workspace.known import Known, known_of, read_known, save_known
from lrpseg.workspace.reading import Readable
from lrpseg.workspace.rows import (
    adopt,
    arrange,
    bump,
    find_item,
    get_item,
    touch,
    wait_again,
)

KEPT_ANALYSES = 4
"""Relevance maps that a picture keeps, so that going back to former settings is instant."""


class Analysable(Readable):
    """Gives pictures to who analyses them, and takes what was found.

    Whoever sees an analysis sees the thresholder's own threshold on it: both come into the row in
    one transaction, after the fit.
    """

    def claim_next(self) -> Item | None:
        """Take the next waiting picture to work on, or None; no two callers get the same."""
        if self.read_only:
            return None
        return self._claim("SELECT id FROM items WHERE status='waiting' ORDER BY position LIMIT 1")

    def claim(self, id: str) -> Item | None:
        """Take the picture `id` to work on; None where it does not wait."""
        return self._claim("SELECT id FROM items WHERE status='waiting' AND id=?", id)

    def _claim(self, chosen: str, *values: str) -> Item | None:
        with self._writing() as db:
            row = db.execute(
                "UPDATE items SET status='running', tiles_done=0, tiles=0 "
                f"WHERE id = ({chosen}) RETURNING id",
                values,
            ).fetchone()
            if row is None:
                return None
            bump(db)
            return get_item(db, row["id"])

    def release(self, id: str) -> None:
        """Give back a claimed picture whose analysis is not wanted any more: it waits for the one
        that is. Nothing happens where it was deleted."""
        with self._writing() as db:
            item = find_item(db, id)
            if item is not None:
                wait_again(db, item)

    def progress(self, id: str, done: int, total: int) -> str | None:
        """Note how many of a picture's tiles are done; returns the `analysis_key` that it asks for
        now, None where it was deleted."""
        with self._writing() as db:
            db.execute("UPDATE items SET tiles_done=?, tiles=? WHERE id=?", (done, total, id))
            item = find_item(db, id)
            return None if item is None else item.analysis_key

    def finish(self, id: str, key: str, result: Result) -> None:
        """Store an analysis. `key` is the `analysis_key` of the item as it was claimed: where the
        settings have changed meanwhile to some that were never analysed, the picture goes on
        waiting. Nothing happens where it was deleted."""
        item = self._find(id)
        if item is None:
            return
        known = known_of(result)
        with writing(self._folder(item), "Look whether its disk is there."):
            for place, layer in enumerate(result.layers):
                self._save_maps(item, key, place, layer)
            save_known(known, self._folder(item) / f"relevance-{key}.json")  # now all is there
        self._show(id, key, known)
        shown = self._find(id)
        if shown is not None:
            self._forget_analyses(self._folder(item), {key, shown.analysis, shown.analysis_key})

    def fail(self, id: str, key: str, reason: str) -> None:
        """Note that the analysis `key` of a picture could not be made, as `finish` takes it; also
        where the reason is a full disk."""

        def note() -> None:
            with self._writing() as db:
                item = find_item(db, id)
                if item is not None and item.analysis_key == key:
                    touch(db, id, edited=False, status="failed", reason=reason)
                elif item is not None:
                    wait_again(db, item)

        self._sparing(note)

    def recover(self) -> None:
        """At the start of the one process that analyses: what was running waits again. Where
        nothing can be written now, it goes on running until the next start."""
        if self.read_only or all(item.status != "running" for item in self.items()):
            return
        with suppress(DiskFullError, UnavailableError):
            self._sparing(self._wait_again)

    def set_settings(
        self, id: str, settings: Settings | None = None, explain_intact: bool | None = None
    ) -> Item:
        """Other settings; what was drawn stays. The picture waits for its analysis, unless that
        was made before or only thresholder or refiner change."""
        item = self.item(id)
        settings = settings or item.settings
        explain = item.explain_intact if explain_intact is None else explain_intact
        domain = load_domain(settings.domain)
        weights = weights_hash(domain, settings)
        key = analysis_key(item.sha256, settings, weights, explain)
        path = self._folder(item) / f"relevance-{key}.json"
        known = read_known(path, domain.classes.names)
        own: list[float | None] = []
        reason = None
        if known is not None:
            try:
                own = self._own_thresholds(replace(item, settings=settings), key, known)
            except DamagedMapError:
                known = None
            except LrpsegError as error:
                reason = str(error)
        with self._writing() as db:
            fresh = get_item(db, id)
            if not fresh.width:
                raise WorkspaceError(fresh.reason or "This picture cannot be read.")
            db.execute(
                "UPDATE items SET settings=?, explain_intact=?, weights=?, accept=0 WHERE id=?",
                (settings_text(settings), explain, weights, id),
            )
            db.execute("UPDATE layers SET threshold=NULL WHERE item=?", (id,))
            if not fresh.analysis:  # else its classes stay as long as its analysis is shown
                arrange(db, id, domain.classes.names)
            if reason is not None:
                db.execute("UPDATE items SET status='failed', reason=? WHERE id=?", (reason, id))
            elif known is not None:
                adopt(db, replace(fresh, accept=False), key, known, own)
            elif fresh.status != "running":  # a running one sees it when it is done
                db.execute("UPDATE items SET status='waiting', reason=NULL WHERE id=?", (id,))
            bump(db)
            return get_item(db, id)

    # ---------------------------------------------------------------------------------- inside

    def _wait_again(self) -> None:
        with self._writing() as db:
            db.execute("UPDATE items SET status='waiting' WHERE status='running'")
            bump(db)

    def _own_thresholds(self, item: Item, key: str, known: Sequence[Known]) -> list[float | None]:
        """The thresholder's own thresholds on the analysis `key`, None where a class was not
        explained; raises as the thresholder does."""
        found = replace(item, analysis=key, layers=tuple(entry.layer() for entry in known))
        return [
            self.fitted(found, layer.name).threshold if layer.explained else None
            for layer in found.layers
        ]

    def _show(self, id: str, key: str, known: Sequence[Known]) -> None:
        """Make `key` the analysis that is shown, if it still is the one that is asked for."""
        while True:
            item = self._find(id)
            if item is None:  # deleted meanwhile
                return
            wanted = item.analysis_key == key
            try:
                own = self._own_thresholds(item, key, known) if wanted else []
            except LrpsegError as error:
                self.fail(id, key, str(error))
                return
            with self._writing() as db:
                fresh = find_item(db, id)
                if fresh is None:
                    return
                if fresh.analysis_key != key:
                    wait_again(db, fresh)
                    return
                if wanted and fresh.settings == item.settings:
                    adopt(db, fresh, key, known, own)
                    return
            # Something else was chosen during the fit: fit once more.

    def _save_maps(self, item: Item, key: str, place: int, layer: Layer) -> None:
        """The maps of a class that was explained; of others there is nothing to keep."""
        if not layer.explained:
            return
        relevance, evidence = layer.relevance, layer.evidence
        path = self._file(item, "relevance", key, place)
        atomically(path, lambda file: np.save(file, relevance))
        if evidence is not relevance:
            path = self._file(item, "likelihood", key, place)
            atomically(path, lambda file: np.save(file, evidence))

    def _forget_analyses(self, folder: Path, keys: set[str]) -> None:
        """Remove the oldest beyond `KEPT_ANALYSES`, but for those called `keys`; where a visitor
        has used half of the room, all but those."""
        crowded = self.quota is not None and folder_bytes(self.folder) > self.quota.size // 2
        kept = 0 if crowded else KEPT_ANALYSES
        for path in sorted(folder.glob("relevance-*.json"), key=_age)[kept:]:
            key = path.stem.removeprefix("relevance-")
            if key not in keys:
                path.unlink(missing_ok=True)
                for kind in ("relevance", "likelihood"):
                    for file in folder.glob(f"{kind}-{key}*.npy"):
                        file.unlink(missing_ok=True)


def _age(path: Path) -> int:
    """Sorts files by how old they are; what another thread deletes meanwhile comes last."""
    try:
        return -path.stat().st_mtime_ns
    except OSError:
        return 0
