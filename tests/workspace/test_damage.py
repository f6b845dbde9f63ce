"""A damaged file or row costs its picture alone: it is made again, or put aside and told."""

import io
import json
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lrpseg.masks.render import mask_image
from lrpseg.workspace import (
    Item,
    Sessions,
    UnavailableError,
    Workspace,
    WorkspaceError,
    export_zip,
    load_session,
    save_session,
)
from lrpseg.workspace.annotations import write_formats
from lrpseg.workspace.schema import FILE_NAME, VERSION
from tests.workspace.test_migration import make_old
from tests.workspace_support import LIMITS, SETTINGS, SHAPE, analysed, folder_of, picture, result

pytestmark = pytest.mark.usefixtures("only_toy")
DRAWN = np.random.default_rng(5).integers(0, 3, SHAPE, dtype=np.uint8)


def draw(workspace: Workspace, item: Item) -> None:
    workspace.patch_corrections(item.id, 0, 0, SHAPE[1], SHAPE[0], DRAWN)


def change(folder: Path, statement: str, *values: object) -> None:
    db = sqlite3.connect(folder / FILE_NAME)
    db.execute(statement, values)
    db.commit()
    db.close()


def analyse_again(workspace: Workspace) -> None:
    claimed = workspace.claim_next()
    assert claimed is not None
    workspace.finish(claimed.id, claimed.analysis_key, result())


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("items", "settings", b"\xff\x00"),
        ("items", "settings", "[]"),
        ("items", "settings", '{"domain": 3}'),
        ("items", "weights", b"\xff"),
        ("items", "status", "nonsense"),
        ("items", "width", "wide"),
        ("items", "seconds", "long"),
        ("layers", "threshold", "high"),
        ("layers", "truth", b"\xff"),
        ("layers", "drawn", "yes"),
        ("layers", "item", "gone"),
    ],
)
def test_a_damaged_row_costs_its_picture_alone(
    tmp_path: Path, table: str, column: str, value: object
) -> None:
    workspace = Workspace(tmp_path)
    item, other = analysed(workspace), analysed(workspace, "b.png")
    draw(workspace, item)
    where = "item" if table == "layers" else "id"
    change(tmp_path, f"UPDATE {table} SET {column}=? WHERE {where}=?", value, item.id)
    for found in (workspace, Workspace(tmp_path)):  # while it is open, and when it is opened
        broken, whole = found.items()
        assert (broken.status, whole.status) == ("failed", "todo")
        assert "damaged" in (broken.reason or "")
        assert (found.mask(other.id) == workspace.mask(other.id)).all()
        export_zip(found, tmp_path / "x.zip", formats=["coco"])
        save_session(found, tmp_path / "s.zip")
    again = Workspace(tmp_path)
    again.set_settings(item.id, replace(SETTINGS, thresholder="bmm"))
    assert again.item(item.id).settings.thresholder == "bmm"
    if again.item(item.id).status == "waiting":
        analyse_again(again)
    assert again.item(item.id).status in ("todo", "edited")
    if column != "item":  # of whom the layer is cannot be told then
        assert (again.corrections(item.id) == DRAWN).all()


@pytest.mark.parametrize("damage", [b"", b"\x89PNG\r\n\x1a\n", "half", "gone"])
def test_a_damaged_heatmap_is_made_again(tmp_path: Path, damage: object) -> None:
    workspace = Workspace(tmp_path)
    item = analysed(workspace)
    draw(workspace, item)
    workspace.set_threshold(item.id, 0.3)
    workspace.set_status(item.id, "accepted")
    mask = workspace.mask(item.id)
    (path,) = folder_of(workspace, item).glob("relevance-*.npy")
    spoil(path, damage)
    again = Workspace(tmp_path)
    with pytest.raises(WorkspaceError, match="made again"):
        again.mask(item.id)
    assert again.item(item.id).status == "waiting"
    analyse_again(again)
    found = again.item(item.id)
    assert (found.status, found.threshold) == ("accepted", 0.3)
    assert (again.mask(item.id) == mask).all()


def spoil(path: Path, damage: object) -> None:
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:200] if damage == "half" else bytes(damage))  # type: ignore[call-overload]


def test_a_former_analysis_that_is_damaged_is_made_again(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    item = analysed(workspace)
    workspace.set_settings(item.id, replace(SETTINGS, rule_set="montavon"))
    analyse_again(workspace)
    spoil(folder_of(workspace, item) / f"relevance-{item.analysis_key}.npy", b"")
    assert Workspace(tmp_path).set_settings(item.id, SETTINGS).status == "waiting"
    spoil(folder_of(workspace, item) / f"relevance-{workspace.item(item.id).analysis}.json", b"{")
    assert workspace.set_settings(item.id, SETTINGS).status == "waiting"


def test_a_damaged_thumbnail_is_made_again(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    item = analysed(workspace)
    path = folder_of(workspace, item) / "thumbnail.jpg"
    before = path.read_bytes()
    for damaged in (b"", before[:100]):
        path.write_bytes(damaged)
        assert workspace.thumbnail(item.id) == before == path.read_bytes()


@pytest.mark.parametrize("damage", [b"", b"no png", "half"])
def test_a_damaged_stroke_is_put_aside_and_told(tmp_path: Path, damage: object) -> None:
    workspace = Workspace(tmp_path)
    item = analysed(workspace)
    draw(workspace, item)
    workspace.patch_corrections(item.id, 3, 4, 10, 10, bytes([1]) * 100)
    workspace.set_status(item.id, "accepted")
    ((packed,),) = _rows(tmp_path, "SELECT pixels FROM strokes WHERE w=10")
    spoiled = packed[: len(packed) // 2] if damage == "half" else damage
    change(tmp_path, "UPDATE strokes SET pixels=? WHERE w=10", spoiled)
    again = Workspace(tmp_path)
    with pytest.raises(WorkspaceError, match="look at it again"):
        again.mask(item.id)
    assert (again.corrections(item.id) == DRAWN).all()  # all others are there
    found = again.item(item.id)
    assert found.status == "edited"
    assert "damaged" in (found.reason or "")
    (aside,) = folder_of(workspace, item).glob("damaged-stroke-*.png")
    assert aside.read_bytes() == spoiled


def _rows(folder: Path, query: str) -> list[tuple]:  # type: ignore[type-arg]
    db = sqlite3.connect(folder / FILE_NAME)
    try:
        return db.execute(query).fetchall()
    finally:
        db.close()


def test_drawing_goes_on_beside_a_damaged_stroke(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    item = analysed(workspace)
    workspace.patch_corrections(item.id, 3, 4, 10, 10, bytes([1]) * 100)
    change(tmp_path, "UPDATE strokes SET pixels=?, seen_x=-1, seen_y=-1", b"")
    again = Workspace(tmp_path)
    again.patch_corrections(item.id, 5, 5, 2, 2, bytes(4))
    with pytest.raises(WorkspaceError, match="damaged"):
        again.corrections(item.id)
    again.patch_corrections(item.id, 0, 0, 1, 1, b"\x01")
    assert again.corrections(item.id).sum() == 1


def of_a_stroke(workspace: Workspace, item: Item) -> None:
    change(workspace.folder, "UPDATE strokes SET pixels=x''")


def of_the_original(workspace: Workspace, item: Item) -> None:
    (folder_of(workspace, item) / "original").unlink()


def of_the_heatmap(workspace: Workspace, item: Item) -> None:
    for path in folder_of(workspace, item).glob("relevance-*.npy"):
        path.write_bytes(b"")


@pytest.mark.parametrize("damage", [of_a_stroke, of_the_original, of_the_heatmap])
def test_a_damaged_picture_is_left_out_of_an_export_and_named(
    tmp_path: Path, damage: Callable[[Workspace, Item], None]
) -> None:
    workspace = Workspace(tmp_path / "ws")
    item = analysed(workspace, "damaged.png")
    draw(workspace, item)
    analysed(workspace, "whole.png")
    damage(workspace, item)
    again = Workspace(tmp_path / "ws")
    told: list[tuple[str, str]] = []
    export_zip(
        again, tmp_path / "x.zip", formats=["coco"], refuse=lambda n, why: told.append((n, why))
    )
    assert [name for name, _ in told] == ["damaged.png"]
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        names = archive.namelist()
        coco = json.loads(archive.read("coco/annotations.json"))
        assert "damaged.png: " in archive.read("left-out.txt").decode()
    assert [n for n in names if n.startswith("masks/")] == ["masks/whole.png"]
    assert [i["file_name"] for i in coco["images"]] == ["whole.png"]


def test_formats_leave_a_damaged_picture_out_and_name_it_once(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    of_the_original(workspace, analysed(workspace, "damaged.png"))
    analysed(workspace, "whole.png")
    told: list[str] = []
    again = Workspace(tmp_path / "ws")
    written = write_formats(
        again, again.items(), ["png", "coco"], tmp_path / "out", refuse=lambda n, _: told.append(n)
    )
    assert told == ["damaged.png"]
    assert {w.images for w in written.values()} == {1}
    with pytest.raises(Exception, match=r"original"):
        write_formats(again, again.items(), ["png"], tmp_path / "more")


def test_where_all_is_damaged_an_export_says_why(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    of_the_original(workspace, analysed(workspace))
    with pytest.raises(WorkspaceError, match=r"a\.png: .*original"):
        export_zip(Workspace(tmp_path / "ws"), tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


def test_a_session_file_leaves_out_what_is_damaged_and_names_it(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    broken, truth = analysed(workspace, "damaged.png"), analysed(workspace, "true.png")
    mask = io.BytesIO()
    mask_image(np.eye(*SHAPE, dtype=bool)).save(mask, "PNG")
    workspace.set_truth(truth.id, mask.getvalue())
    draw(workspace, truth)
    (folder_of(workspace, truth) / workspace.item(truth.id).layer().truth).unlink()
    of_the_original(workspace, broken)
    ((name, reason),) = save_session(workspace, tmp_path / "s.zip")
    assert name == "damaged.png"
    assert "Delete it and add it again" in reason
    there = Workspace(tmp_path / "there")
    (id,) = load_session(there, tmp_path / "s.zip", LIMITS)
    assert (there.corrections(id) == DRAWN).all()


@pytest.mark.parametrize("damage", [b"", b"\x89PNG\r\n\x1a\n", "half"])
def test_damaged_corrections_of_an_older_version_close_no_workspace(
    tmp_path: Path, damage: object
) -> None:
    make_old(tmp_path)
    path = tmp_path / "items" / "drawn" / "corrections.png"
    spoil(path, damage)
    held = path.read_bytes()
    change(tmp_path, "UPDATE items SET settings='{' WHERE id='undone'")
    workspace = Workspace(tmp_path)
    drawn = workspace.item("drawn")
    assert "corrections-damaged.png" in (drawn.reason or "")
    assert path.with_name("corrections-damaged.png").read_bytes() == held
    assert not drawn.drawn
    assert workspace.item("waiting").drawn  # all others are as they were
    assert workspace.item("undone").status == "failed"


def make_newer(folder: Path, more: str = "") -> None:
    db = sqlite3.connect(folder / FILE_NAME)
    db.executescript(f"{more}; PRAGMA user_version = {VERSION + 1};")
    db.close()


def test_a_newer_version_is_looked_at_and_not_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    workspace = Workspace(tmp_path)
    item = analysed(workspace)
    draw(workspace, item)
    workspace.add("b.png", picture(1), SETTINGS)
    mask = workspace.mask(item.id)
    workspace.rest()
    make_newer(tmp_path, "ALTER TABLE items ADD COLUMN younger TEXT")
    before = _rows(tmp_path, "SELECT * FROM items")
    newer = Workspace(tmp_path)
    assert "newer lrpseg" in newer.read_only
    assert newer.read_only in caplog.text
    assert (newer.mask(item.id) == mask).all()
    export_zip(newer, tmp_path / "x.zip", formats=["coco"])
    save_session(newer, tmp_path / "s.zip")
    for action in (
        lambda: newer.add("c.png", picture(2), SETTINGS),
        lambda: newer.delete(item.id),
        lambda: draw(newer, item),
        lambda: newer.set_status(item.id, "accepted"),
    ):
        with pytest.raises(UnavailableError, match="update lrpseg"):
            action()
    assert newer.claim_next() is None
    assert _rows(tmp_path, "SELECT * FROM items") == before
    assert len(list((tmp_path / "items").iterdir())) == 2
    Sessions(tmp_path)  # the page starts on it


def test_a_newer_version_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    analysed(workspace)
    workspace.rest()
    make_newer(tmp_path, "ALTER TABLE items RENAME COLUMN analysis TO analyses")
    with pytest.raises(WorkspaceError, match=r"newer lrpseg.*Update lrpseg"):
        Workspace(tmp_path)
