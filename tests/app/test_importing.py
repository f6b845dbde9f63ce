"""Masks from elsewhere in a workspace: nothing drawn is lost, and all that is left out is told."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lrpseg.app import commands
from lrpseg.cli.main import main
from lrpseg.formats.reading import Reading
from lrpseg.workspace import Limits, Workspace, export_zip
from tests.formats.test_formats_reading import coco, labelme, rle, shape
from tests.workspace_support import SETTINGS, SHAPE, analysed

MASK = np.zeros(SHAPE, bool)
MASK[3:9, 4:30] = True


@pytest.fixture
def workspace(toy_assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("LRPSEG_ASSETS", str(toy_assets))
    return Workspace(tmp_path / "ws")


def made(folder: Path, **masks: np.ndarray) -> Path:
    folder.mkdir(exist_ok=True)
    for name, mask in masks.items():
        Image.fromarray(mask if mask.dtype == np.uint8 else mask.astype(np.uint8) * 255).save(
            folder / f"{name}.png"
        )
    return folder


def test_what_a_person_drew_or_accepted_is_left_alone_until_somebody_asks(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn, accepted, free = (analysed(workspace, f"{n}.png").id for n in "abc")
    commands.correct(workspace, drawn, (0, 0, 2, 1), bytes([1, 1]))
    commands.set_status(workspace, accepted, "accepted")
    before = workspace.mask(drawn), workspace.mask(accepted)
    source = made(tmp_path / "in", a=MASK, b=MASK, c=MASK, nobody=MASK)
    here = ["import", str(source), "--workspace", str(workspace.folder)]
    assert main(here) == 1
    told = capsys.readouterr()
    assert told.out == (
        "1 mask read as corrections, 3 left out: 2 (would replace what is drawn), "
        "1 (no picture of that name)\n"
    )
    assert "refused: a: a.png has corrections already" in told.err
    assert "refused: b: b.png is accepted already" in told.err
    assert np.array_equal(workspace.mask(drawn), before[0])
    assert np.array_equal(workspace.mask(accepted), before[1])
    assert workspace.item(accepted).status == "accepted"
    assert np.array_equal(workspace.mask(free), MASK)
    (source / "nobody.png").unlink()
    assert main([*here, "--replace"]) == 0
    assert capsys.readouterr().out == "3 masks read as corrections, none left out\n"
    for id in (drawn, accepted):
        assert np.array_equal(workspace.mask(id), MASK)


def test_a_true_mask_is_left_alone_too(workspace: Workspace, tmp_path: Path) -> None:
    id = analysed(workspace, "a.png").id
    source = made(tmp_path / "in", a=MASK)
    assert commands.import_source(workspace, source, role="truth").names == ["a.png"]
    made(source, a=~MASK)
    again = commands.import_source(workspace, source, role="truth")
    assert (again.names, list(again.kinds)) == ([], ["would replace what is drawn"])
    truth = workspace.truth(id)
    assert truth is not None
    assert np.array_equal(truth, MASK)
    done = commands.import_source(workspace, source, role="truth", overwrite=True)
    assert done.names == ["a.png"]


def test_what_is_drawn_while_masks_come_in_is_left_alone(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = analysed(workspace, "a.png").id
    source = made(tmp_path / "in", a=MASK)
    inner = commands.importing.read_masks

    def slow(*given: object) -> object:
        yield from inner(*given)  # type: ignore[arg-type]
        commands.correct(workspace, id, (0, 0, 2, 1), bytes([1, 1]))

    monkeypatch.setattr(commands.importing, "read_masks", slow)
    done = commands.import_source(workspace, source)
    assert done.kinds == {"would replace what is drawn": 1}


def test_a_picture_that_coco_lists_without_annotation_is_left_alone(
    workspace: Workspace, tmp_path: Path
) -> None:
    id = analysed(workspace, "a.png").id
    before = workspace.mask(id)
    assert before.any()
    (tmp_path / "a.json").write_text(json.dumps(coco([])))
    done = commands.import_source(workspace, tmp_path / "a.json")
    assert done.sentence() == (
        "0 masks read as corrections, 1 left out: 1 (listed without an annotation)"
    )
    assert (done.refused, [name for name, _ in done.left_out]) == ([], ["a.png"])
    assert np.array_equal(workspace.mask(id), before)
    assert commands.import_source(workspace, tmp_path / "a.json", empty=True).names == ["a.png"]
    assert not workspace.mask(id).any()


def test_a_list_stands_in_no_masks_way(workspace: Workspace, tmp_path: Path) -> None:
    """COCO lists all pictures, and the mask of one is a file of its own."""
    id = analysed(workspace, "a.png").id
    source = made(tmp_path / "in", a=MASK)
    (source / "all.json").write_text(json.dumps(coco([], file_name="photos/a.png")))
    done = commands.import_source(workspace, source)
    assert (done.names, done.refused) == (["a.png"], [])
    assert np.array_equal(workspace.mask(id), MASK)


def test_the_workspaces_own_pictures_are_no_masks_wherever_they_lie(
    workspace: Workspace, tmp_path: Path
) -> None:
    """Also where neither names of folders nor looks tell them: of two values, with another name."""
    two = (np.indices(SHAPE).sum(axis=0) % 2 * 255).astype(np.uint8)
    made(tmp_path / "photos", a=two)
    data = (tmp_path / "photos" / "a.png").read_bytes()
    id = workspace.add("a.png", data, SETTINGS).id
    (tmp_path / "in" / "x").mkdir(parents=True)
    (tmp_path / "in" / "x" / "a.png").write_bytes(data)
    made(tmp_path / "in" / "y", a=MASK)
    done = commands.import_source(workspace, tmp_path / "in")
    assert (done.names, done.kinds) == (["a.png"], {"a picture, no mask": 1})
    assert np.array_equal(workspace.corrections(id) == 1, MASK)


def test_pixels_that_are_not_known_stay_as_they_are(workspace: Workspace, tmp_path: Path) -> None:
    id = analysed(workspace, "a.png").id
    before = workspace.mask(id)
    assert before[5:15, 10:20].all()
    values = np.zeros(SHAPE, np.uint8)
    values[:, :2], values[5:15, 10:20] = 255, 127
    source = made(tmp_path / "in", a=values)
    options = Reading(values=(255,), ignore=(127,))
    done = commands.import_source(workspace, source, options=options)
    assert done.notes == [("a.png", "100 pixels are not known: they stay as they are.")]
    wanted = (values == 255) | (before & (values == 127))
    assert np.array_equal(workspace.mask(id), wanted)
    assert not workspace.corrections(id)[values == 127].any()


def test_labels_that_become_one_class_are_told_or_chosen(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    id = analysed(workspace, "a.png").id
    other = {**shape(label="scale"), "points": [[20, 20], [25, 24]]}
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "a.json"
    path.write_text(json.dumps(labelme(shape(label="crack"), other)))
    here = ["import", str(path), "--workspace", str(workspace.folder)]
    assert main([*here, "--label", "crack"]) == 0
    assert workspace.mask(id).sum() == 30
    assert "note: a.png: 1 shape of the label 'scale' left out." in capsys.readouterr().err
    assert main([*here, "--replace"]) == 0
    assert workspace.mask(id).sum() == 60
    assert "The labels crack, scale all became damaged." in capsys.readouterr().err


def test_options_of_the_command_line(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    id = analysed(workspace, "a.png").id
    values = MASK.astype(np.uint8) * 2
    values[20:, :5] = 1
    source = made(tmp_path / "in", mask_a=values)
    here = ["import", str(source), "--workspace", str(workspace.folder)]
    assert main(here) == 1
    assert "--match" in capsys.readouterr().err
    assert main([*here, "--match", "mask_{name}", "--values", "2"]) == 0
    assert np.array_equal(workspace.mask(id), MASK)
    for wrong in (["--values", "x"], ["--match", "mask"]):
        assert main([*here, *wrong]) == 2


def test_uploads_say_what_was_left_out(workspace: Workspace, tmp_path: Path) -> None:
    analysed(workspace, "a.png")
    (tmp_path / "all.json").write_text(json.dumps(coco([rle()])))
    (tmp_path / "large.json").write_bytes(b" " * 2000)
    paths = [tmp_path / "all.json", tmp_path / "large.json"]
    done = commands.import_files(workspace, paths, Limits(max_bytes=1000))
    assert done.names == ["a.png"]
    assert done.sentence() == "1 mask read as corrections, 1 left out: 1 (too large)"
    assert [name for name, _ in done.refused] == ["large.json"]


def test_an_export_gives_names_an_end_where_they_need_one(
    workspace: Workspace, tmp_path: Path
) -> None:
    for name in ("1.png", "2.png", "10.png"):
        analysed(workspace, name)
    written, _ = commands.export_masks(workspace, ["mvtec"], tmp_path / "a", copy_pictures=True)
    assert written["mvtec"].notes == []
    assert len(list((tmp_path / "a").rglob("10~_mask.png"))) == 1
    written, _ = commands.export_masks(workspace, ["mvtec"], tmp_path / "b")
    assert "leading zeros" in written["mvtec"].notes[0]
    assert len(list((tmp_path / "b").rglob("10_mask.png"))) == 1


def test_the_pages_own_zip_brings_its_masks_alone(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    id = analysed(workspace, "belt/a.png").id
    export_zip(workspace, tmp_path / "out.zip")
    wanted = workspace.mask(id)
    here = ["import", str(tmp_path / "out.zip"), "--workspace", str(workspace.folder)]
    assert main([*here, "--as", "truth"]) == 0
    assert capsys.readouterr().out.startswith("1 mask read as truth, 2 left out: ")
    truth = workspace.truth(id)
    assert truth is not None
    assert np.array_equal(truth, wanted)
