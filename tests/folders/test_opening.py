"""From an annotated folder to the page and back, and masks that come from elsewhere."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lrpseg
from lrpseg.cli.main import main
from lrpseg.folders import annotate
from lrpseg.folders.opening import is_annotated, open_annotated
from lrpseg.folders.sources import STATE
from lrpseg.masks.corrections import ADDED
from lrpseg.workspace import Workspace
from tests.folders.support import job
from tests.workspace_support import analysed


def finish(workspace: Workspace) -> None:
    """What the page does in the background."""
    segmenter = lrpseg.load("toy", thresholder="simple")
    while (item := workspace.claim_next()) is not None:
        image = workspace.image(item.id)
        result = segmenter(image, explain_intact=item.explain_intact)
        workspace.finish(item.id, item.analysis_key, result)


def masks(folder: Path) -> dict[str, np.ndarray]:
    """Masks of PNG files by their path."""
    files = sorted(folder.rglob("*.png"))
    return {p.relative_to(folder).as_posix(): np.asarray(Image.open(p)) > 0 for p in files}


@pytest.mark.parametrize("changes", [{"threshold": 0.3}, {"min_probability": 1.0}])
def test_an_annotated_folder_opens_is_corrected_and_exports_again(
    folder: Path, tmp_path: Path, changes: dict[str, float]
) -> None:
    out = tmp_path / "out"
    annotate([str(folder)], out, job(formats=("png",), **changes), block=3)
    assert is_annotated(out)
    assert not is_annotated(folder)
    opened = open_annotated(out)
    assert (opened.added, opened.refused) == (8, [])
    workspace = Workspace(out)
    finish(workspace)
    first = workspace.items()[0]
    assert first.name == "tile0.png"
    assert first.threshold == changes.get("threshold")
    export = ["export", "--workspace", str(out), "--format", "png,coco", "--out"]
    assert main([*export, str(tmp_path / "again")]) == 0
    before = masks(out / "png")
    assert len(before) == 8
    assert any(mask.any() for mask in before.values()) == (changes != {"min_probability": 1.0})
    again = masks(tmp_path / "again" / "png")
    assert all(np.array_equal(again[name], mask) for name, mask in before.items())
    workspace.patch_corrections(first.id, 0, 0, 4, 4, np.full((4, 4), ADDED, np.uint8))
    assert open_annotated(out).added == 0  # what is there, and was drawn, stays
    assert main([*export, str(tmp_path / "corrected")]) == 0
    corrected = masks(tmp_path / "corrected" / "png")
    wanted = before["tile0.png"].copy()
    wanted[:4, :4] = True
    assert np.array_equal(corrected["tile0.png"], wanted)


def test_opening_what_is_unfinished_gone_or_left_out(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    annotate([str(folder)], out, job(formats=("png",)), block=3)
    next((out / STATE / "blocks").rglob("002.json")).unlink()  # the last block is not done
    (folder / "tile0.png").unlink()
    opened = open_annotated(out)
    assert opened.added == 4
    assert [name for name, _ in opened.refused] == ["tile0.png"]
    assert main(["export", "--workspace", str(out), "--out", str(tmp_path / "e")]) == 2
    assert "4 pictures wait" in capsys.readouterr().err
    intact = tmp_path / "intact"
    run = job(formats=("png",), min_probability=1.0, only_damaged=True)
    annotate([str(folder)], intact, run)
    assert open_annotated(intact).added == 0


def test_what_was_deleted_on_the_page_stays_away(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    annotate([str(folder)], out, job(formats=("png",)), block=3)
    last = next((out / STATE / "blocks").rglob("002.json"))
    rows = last.read_bytes()
    last.unlink()  # the last block is not done yet
    assert open_annotated(out).added == 5
    workspace = Workspace(out)
    workspace.delete(workspace.items()[0].id)
    last.write_bytes(rows)
    assert open_annotated(out).added == 3  # what the run has done since
    assert open_annotated(out).added == 0
    assert len(workspace.items()) == 7
    (out / STATE / "opened.json").unlink()  # as an older version left it
    assert open_annotated(out).added == 1
    assert len({item.name for item in workspace.items()}) == len(workspace.items()) == 8
    for path in out.glob("workspace.sqlite*"):
        path.unlink()  # a workspace that was taken away is made anew
    assert open_annotated(out).added == 8
    annotate([str(folder)], out, job(formats=("png",)))  # a plan of its own
    assert not (out / STATE / "opened.json").exists()
    assert open_annotated(out).added == 0


def test_the_page_opens_an_annotated_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ui = pytest.importorskip("lrpseg.ui")
    started: list[Path] = []
    monkeypatch.setattr(ui, "launch", lambda **given: started.append(given["workspace"]))
    annotate([str(folder)], tmp_path / "out", job(formats=("png",)))
    assert main(["app", "--workspace", str(tmp_path / "out")]) == 0
    assert started == [tmp_path / "out"]
    assert len(Workspace(tmp_path / "out").items()) == 8


def test_export_and_import_of_a_workspace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace(tmp_path / "ws")
    item = analysed(workspace, "belt/a.png")
    out = ["--out", str(tmp_path / "out"), "--format", "png,coco,labelme"]
    here = ["--workspace", str(tmp_path / "ws")]
    assert main(["export", *here, *out]) == 0
    assert "coco: 1 images, 1 annotations" in capsys.readouterr().out
    with Image.open(tmp_path / "out" / "png" / "belt" / "a.png") as mask:
        assert np.array_equal(np.asarray(mask) > 0, workspace.mask(item.id))
    wanted = np.zeros((40, 50), bool)
    wanted[3:9, 4:30] = True
    (tmp_path / "made").mkdir()
    Image.fromarray(wanted).save(tmp_path / "made" / "a.png")
    assert main(["import", str(tmp_path / "made"), *here]) == 0
    assert np.array_equal(workspace.mask(item.id), wanted)
    assert main(["import", str(tmp_path / "out" / "coco"), *here, "--as", "truth"]) == 0
    truth = workspace.truth(item.id)
    assert truth is not None
    Image.fromarray(wanted[:-1]).save(tmp_path / "made" / "a.png")
    assert main(["import", str(tmp_path / "made"), *here]) == 1
    assert "the picture's size" in capsys.readouterr().err
    assert main(["export", *here, *out, "--accepted"]) == 2
    assert main(["export", "--workspace", str(tmp_path / "none"), *out]) == 2


def test_the_page_opens_a_picture_as_the_run_saw_it(tmp_path: Path) -> None:
    """A dark one of 12 bits, which would be taken for one of 10 by its values."""
    photos = tmp_path / "in"
    photos.mkdir()
    dark = np.random.default_rng(0).integers(100, 900, (100, 120), dtype=np.uint16)
    Image.fromarray(dark).save(photos / "dark.png")
    Image.fromarray((dark // 4).astype(np.uint8)).save(photos / "plain.png")
    annotate([str(photos)], tmp_path / "out", job(formats=("png",), bits=12))
    assert open_annotated(tmp_path / "out").added == 2
    workspace = Workspace(tmp_path / "out")
    items = {item.name: item for item in workspace.items()}
    wanted = np.round(dark.astype(np.float64) * 255 / 4095)
    assert np.array_equal(workspace.image(items["dark.png"])[..., 0], wanted)
    assert items["dark.png"].read == "read as 12 bits (as was said)"
    assert items["plain.png"].read == ""
    assert workspace.original(items["plain.png"]) == (photos / "plain.png").read_bytes()
