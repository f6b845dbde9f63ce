"""Workspaces of versions 1 and 2 open with everything that was in them."""

import io
import json
import signal
import sqlite3
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lrpseg.masks.corrections import apply, clean
from lrpseg.thresholders import THRESHOLDERS
from lrpseg.workspace import Workspace, WorkspaceError
from lrpseg.workspace import schema as schema_module
from lrpseg.workspace.item import analysis_key
from lrpseg.workspace.schema import FILE_NAME, VERSION
from tests.workspace_support import SETTINGS, SHAPE, picture, result

pytestmark = pytest.mark.usefixtures("only_toy")

VERSION_2 = """
CREATE TABLE items (
    id TEXT PRIMARY KEY, position INTEGER NOT NULL, name TEXT NOT NULL UNIQUE,
    sha256 TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, status TEXT NOT NULL,
    reason TEXT, settings TEXT NOT NULL, explain_intact INTEGER NOT NULL DEFAULT 0,
    weights TEXT NOT NULL, analysis TEXT NOT NULL DEFAULT '', probability REAL,
    damaged INTEGER NOT NULL DEFAULT 0, explained INTEGER NOT NULL DEFAULT 0, threshold REAL,
    own_threshold REAL, min_area INTEGER NOT NULL DEFAULT 0, max_hole INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0, has_truth INTEGER NOT NULL DEFAULT 0,
    drawn INTEGER NOT NULL DEFAULT 0, revision INTEGER NOT NULL DEFAULT 0,
    tiles_done INTEGER NOT NULL DEFAULT 0, tiles INTEGER NOT NULL DEFAULT 0,
    created TEXT NOT NULL, updated TEXT NOT NULL, accept INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX items_position ON items (position);
CREATE TABLE state (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO state VALUES ('serial', 41), ('position', 7);
PRAGMA user_version = 2;
"""
DRAWN = np.random.default_rng(3).integers(0, 3, SHAPE, dtype=np.uint8)
TRUTH = np.eye(*SHAPE, dtype=bool)
FITTED = THRESHOLDERS["simple"].fit(result().relevance)
ANALYSED = {
    "analysis": "a" * 24, "probability": 0.9, "damaged": 1, "explained": 1,
    "own_threshold": FITTED.threshold, "status": "todo",
}  # fmt: skip
ROWS: dict[str, dict[str, object]] = {
    "drawn": ANALYSED | {"drawn": 1, "threshold": 0.3, "min_area": 4, "max_hole": 6,
                         "status": "edited", "seconds": 12.5, "revision": 9},
    "true": ANALYSED | {"has_truth": 1, "status": "accepted"},
    "undone": ANALYSED | {"drawn": 0},
    "unconfirmed": ANALYSED | {"drawn": 0},
    "empty": ANALYSED | {"explained": 0, "damaged": 0, "probability": 0.1, "own_threshold": None,
                         "status": "empty"},
    "waiting": {"status": "waiting", "accept": 1, "drawn": 1},
    "running": {"status": "running", "tiles_done": 2, "tiles": 5},
    "broken": {"status": "failed", "reason": "It is no image.", "width": 0, "height": 0},
    "gone": ANALYSED | {"settings": json.dumps(asdict(SETTINGS) | {"domain": "gone"})},
}  # fmt: skip
CORRECTIONS = {
    "drawn": DRAWN,
    "waiting": DRAWN,
    "undone": DRAWN * 0,
    "unconfirmed": DRAWN,  # a kill came between the file and its row
}


def png(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


def make_old(folder: Path, version: int = 2) -> None:
    """A workspace as lrpseg wrote it before there were classes."""
    (folder / "items").mkdir(parents=True)
    db = sqlite3.connect(folder / FILE_NAME)
    db.executescript(VERSION_2)
    for position, (name, values) in enumerate(ROWS.items()):
        row = {
            "id": name, "position": position, "name": f"{name}.png", "sha256": "0" * 64,
            "width": SHAPE[1], "height": SHAPE[0], "settings": json.dumps(asdict(SETTINGS)),
            "weights": "w", "created": "2026-01-01", "updated": "2026-01-02", **values,
        }  # fmt: skip
        marks = ", ".join("?" * len(row))
        db.execute(f"INSERT INTO items ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
        below = folder / "items" / name
        below.mkdir()
        (below / "original").write_bytes(picture())
        (below / "mask.png").write_bytes(png(np.zeros(SHAPE, np.uint8)))
        if name in CORRECTIONS:
            (below / "corrections.png").write_bytes(png(CORRECTIONS[name]))
        if "analysis" in values:
            np.save(below / f"relevance-{'a' * 24}.npy", result().relevance)
    (folder / "items" / "true" / "truth.png").write_bytes(png(TRUTH.astype(np.uint8) * 255))
    if version == 1:
        db.execute("ALTER TABLE items DROP COLUMN accept")
    db.execute(f"PRAGMA user_version = {version}")
    db.commit()
    db.close()


def held_by(folder: Path) -> tuple[int, list[tuple[object, ...]], list[str]]:
    """Version, rows and files of a workspace of version 2."""
    db = sqlite3.connect(folder / FILE_NAME)
    (version,) = db.execute("PRAGMA user_version").fetchone()
    rows = db.execute("SELECT * FROM items").fetchall()
    db.close()
    return version, rows, sorted(str(p) for p in (folder / "items").rglob("*"))


@pytest.mark.parametrize("version", [1, 2])
def test_all_that_was_there_is_there(tmp_path: Path, version: int) -> None:
    make_old(tmp_path, version)
    workspace = Workspace(tmp_path)
    items = {item.name.removesuffix(".png"): item for item in workspace.items()}
    assert list(items) == list(ROWS)
    assert workspace.serial() == 41
    for name, item in items.items():
        assert [layer.name for layer in item.layers] == ["damaged"]
        for column, value in ROWS[name].items():
            if column not in ("settings", "drawn", "accept"):
                assert getattr(item, column) == value, (name, column)
        assert item.drawn == (name in ("drawn", "waiting", "unconfirmed"))
        assert item.accept == (name == "waiting" and version == 2)
        if item.width:
            expected = CORRECTIONS.get(name, DRAWN * 0)
            assert np.array_equal(workspace.corrections(item.id), expected)
    drawn = apply(clean(FITTED.at(0.3), 4, 6), DRAWN)
    assert np.array_equal(workspace.mask("drawn"), drawn)
    assert np.array_equal(workspace.mask("true"), FITTED.mask)
    assert np.array_equal(workspace.mask("gone"), FITTED.mask)
    assert not workspace.mask("empty").any()
    truth = workspace.truth("true")
    assert truth is not None
    assert np.array_equal(truth, TRUTH)
    left = {p.name for p in (tmp_path / "items").rglob("*.png")}
    assert left == {"truth.png"}


def test_what_was_taken_over_can_be_drawn_on_and_undone(tmp_path: Path) -> None:
    make_old(tmp_path)
    workspace = Workspace(tmp_path)
    workspace.patch_corrections("drawn", 0, 0, 2, 1, b"\0\0")
    expected = DRAWN.copy()
    expected[0, :2] = 0
    assert workspace.item("drawn").drawn
    assert np.array_equal(Workspace(tmp_path).corrections("drawn"), expected)
    workspace.patch_corrections("drawn", 0, 0, 50, 40, bytes(2000))
    assert not workspace.item("drawn").drawn
    workspace.set_truth("true", ~TRUTH)
    assert np.array_equal(workspace.truth("true"), ~TRUTH)  # type: ignore[arg-type]


def test_one_that_fails_half_way_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_old(tmp_path)
    before = held_by(tmp_path)
    *first, (tables, fill, drop), _, _ = schema_module.MIGRATIONS

    def failing(db: sqlite3.Connection, folder: Path) -> None:
        fill(db, folder)  # type: ignore[operator]
        raise sqlite3.OperationalError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(schema_module, "MIGRATIONS", (*first, (tables, failing, drop)))
        with pytest.raises(WorkspaceError, match="the disk is full"):
            Workspace(tmp_path)
    assert held_by(tmp_path) == before
    assert len(Workspace(tmp_path).items()) == len(ROWS)


KILLED = """
import os, signal, sys
from pathlib import Path
from lrpseg.workspace import Workspace, schema
*first, (tables, fill, drop), _, _ = schema.MIGRATIONS
def killed(db, folder):
    fill(db, folder)
    os.kill(os.getpid(), signal.SIGKILL)
schema.MIGRATIONS = (*first, (tables, killed, drop))
Workspace(Path(sys.argv[1]))
"""


def test_a_kill_half_way_leaves_the_old_one_whole(tmp_path: Path) -> None:
    make_old(tmp_path)
    before = held_by(tmp_path)
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert held_by(tmp_path) == before
    assert np.array_equal(Workspace(tmp_path).corrections("drawn"), DRAWN)


def test_a_new_one_has_the_tables_of_one_that_was_brought_up_to_date(tmp_path: Path) -> None:
    make_old(tmp_path / "old")
    tables = []
    for name in ("old", "new"):
        Workspace(tmp_path / name)
        db = sqlite3.connect(tmp_path / name / FILE_NAME)
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master ORDER BY name")]
        tables.append(
            {
                name: [tuple(row)[1:3] for row in db.execute(f"PRAGMA table_info({name})")]
                for name in names
            }
        )
        db.close()
    assert tables[0] == tables[1]


OLD_KEYS = [
    ({}, False, "93fc2d26c3f0307ee1ce630c"),
    ({}, True, "a17135448805361debfed749"),
    ({"domain": "concrete-crack", "thresholder": "bmm"}, False, "a81b6384e6bf27a5d253b897"),
    ({"overlap": 32}, False, "7c49a2448a43fc02ffaec6af"),
    ({"engine": "zennit", "refiner": "intensity"}, True, "56b2984aa52043390e736714"),
    (
        {"rule_set": "montavon", "start": "logit", "pooling": "max"},
        False,
        "8e58ce9eed74bf0e2f307670",
    ),
]


@pytest.mark.parametrize(("changes", "explain", "key"), OLD_KEYS)
def test_analyses_of_before_are_found(changes: dict[str, object], explain: bool, key: str) -> None:
    values = asdict(SETTINGS) | {"domain": "magnetic-tile"} | changes
    settings = type(SETTINGS)(**values)
    assert analysis_key("ab" * 32, settings, "cd" * 32, explain) == key
