"""What is known, drawn and chosen by class, and what a change of domain makes of it."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lrpseg.domains import load_domain
from lrpseg.formats.reading import ReadMask
from lrpseg.masks.corrections import ADDED, REMOVED, apply, clean
from lrpseg.masks.figures import iou
from lrpseg.thresholders import THRESHOLDERS, Fitted
from lrpseg.workspace import (
    Item,
    Workspace,
    WorkspaceError,
    export_zip,
    import_masks,
    load_session,
    provenance,
    save_session,
)
from lrpseg.workspace.annotations import annotated, default_options
from tests.workspace_support import (
    LIMITS,
    PAIR,
    SETTINGS,
    SHAPE,
    add_domain,
    analysed,
    folder_of,
    make_zip,
    picture,
    result,
    result_of_two,
)

pytestmark = pytest.mark.usefixtures("pair")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws")


def of_two(
    workspace: Workspace, name: str = "two.png", explained: tuple[bool, bool] = (True, True)
) -> Item:
    """A picture of the domain with two classes that has been analysed."""
    item = workspace.add(name, picture(), PAIR)
    workspace.finish(item.id, item.analysis_key, result_of_two(explained=explained))
    return workspace.item(item.id)


def fitted(place: int) -> Fitted:
    return THRESHOLDERS["simple"].fit(result_of_two().layers[place].relevance)


def drawn(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 3, SHAPE, dtype=np.uint8)


def draw(workspace: Workspace, id: str, values: np.ndarray, name: str | None = None) -> None:
    workspace.patch_corrections(id, 0, 0, SHAPE[1], SHAPE[0], values, name)


def finish_next(workspace: Workspace, two: bool) -> Item:
    claimed = workspace.claim_next()
    assert claimed is not None
    workspace.finish(claimed.id, claimed.analysis_key, result_of_two() if two else result())
    return workspace.item(claimed.id)


def test_each_class_has_its_own_maps_choices_and_mask(workspace: Workspace) -> None:
    item = of_two(workspace)
    crack, hole = item.layers
    assert (crack.name, crack.probability, hole.name, hole.probability) == (
        "crack",
        0.9,
        "hole",
        0.7,
    )
    assert (item.probability, item.damaged, item.explained, item.status) == (
        0.9,
        True,
        True,
        "todo",
    )
    assert crack.own_threshold == fitted(0).threshold
    assert hole.own_threshold == fitted(1).threshold
    workspace.set_threshold(item.id, 0.2, "hole")
    workspace.set_cleaning(item.id, 3, 5, "crack")
    draw(workspace, item.id, drawn(), "hole")
    masks = workspace.masks(item.id)
    assert np.array_equal(masks["crack"], clean(fitted(0).mask, 3, 5))
    assert np.array_equal(masks["hole"], apply(fitted(1).at(0.2), drawn()))
    assert np.array_equal(workspace.mask(item.id, "hole"), masks["hole"])
    assert np.array_equal(workspace.mask(item.id), masks["crack"] | masks["hole"])
    maps = [layer.relevance for layer in result_of_two().layers]
    assert np.array_equal(workspace.relevance(item.id, "hole"), maps[1])
    assert np.array_equal(workspace.relevance(item.id), np.maximum(*maps))
    assert not workspace.corrections(item.id, "crack").any()
    after = workspace.item(item.id)
    assert [layer.edited for layer in after.layers] == [True, True]
    assert (after.threshold, after.min_area, after.max_hole, after.drawn) == (None, 3, 5, True)


def test_what_has_no_union_asks_for_a_class(workspace: Workspace) -> None:
    item = of_two(workspace)
    for call in (workspace.fitted, workspace.corrections):
        with pytest.raises(WorkspaceError, match="name one of crack, hole"):
            call(item.id)
    with pytest.raises(WorkspaceError, match="name one of crack, hole"):
        workspace.patch_corrections(item.id, 0, 0, 1, 1, b"\x01")
    with pytest.raises(WorkspaceError, match="name one of crack, hole"):
        workspace.set_truth(item.id, np.zeros(SHAPE, bool))
    for call in (workspace.mask, workspace.relevance, workspace.corrections):
        with pytest.raises(WorkspaceError, match="Choose one of: crack, hole"):
            call(item.id, "moon")
    workspace.set_threshold(item.id, 0.3)  # one slider for all
    assert [layer.threshold for layer in workspace.item(item.id).layers] == [0.3, 0.3]
    with pytest.raises(WorkspaceError, match="Choose one of: damaged"):
        workspace.mask(analysed(workspace).id, "crack")


def test_a_class_that_was_not_explained_stays_empty(workspace: Workspace) -> None:
    item = of_two(workspace, explained=(False, True))
    assert [layer.explained for layer in item.layers] == [False, True]
    assert not workspace.mask(item.id, "crack").any()
    assert not workspace.relevance(item.id, "crack").any()
    assert np.array_equal(workspace.mask(item.id), fitted(1).mask)
    other = of_two(workspace, "empty.png", explained=(False, False))
    assert other.status == "empty"


def test_true_masks_are_by_class_and_are_replaced(workspace: Workspace) -> None:
    item, truth = of_two(workspace), np.eye(*SHAPE, dtype=bool)
    workspace.set_truth(item.id, truth, "crack")
    assert workspace.truth(item.id, "hole") is None
    workspace.set_truth(item.id, truth[::-1], "hole")
    workspace.set_truth(item.id, truth[:, ::-1], "crack")
    assert np.array_equal(workspace.truth(item.id, "crack"), truth[:, ::-1])  # type: ignore[arg-type]
    assert np.array_equal(workspace.truth(item.id), truth[:, ::-1] | truth[::-1])  # type: ignore[arg-type]
    assert len(list(folder_of(workspace, item).glob("truth*.png"))) == 2


def test_what_is_read_is_of_one_moment(workspace: Workspace) -> None:
    item = analysed(workspace)
    seen = workspace.snapshot(item.id)
    draw(workspace, item.id, drawn())
    workspace.set_threshold(item.id, 0.1)
    assert np.array_equal(workspace.mask(seen), result().layers[0].mask)
    assert not np.array_equal(workspace.mask(item), workspace.mask(seen))  # strokes are read anew
    assert workspace.snapshot(seen) is seen


# ---------------------------------------------------------------------------------- other domains


def test_from_one_class_to_one_the_strokes_follow(workspace: Workspace, pair: Path) -> None:
    add_domain(pair, "other", ["scratch"])
    item = analysed(workspace)
    draw(workspace, item.id, drawn())
    workspace.set_truth(item.id, np.eye(*SHAPE, dtype=bool))
    workspace.set_cleaning(item.id, 3, 5)
    workspace.set_settings(item.id, replace(SETTINGS, domain="other"))
    waiting = workspace.item(item.id)
    assert np.array_equal(workspace.mask(waiting), apply(clean(result().mask, 3, 5), drawn()))
    claimed = workspace.claim_next()
    assert claimed is not None
    other = result(seed=4)
    named = replace(other, layers=(replace(other.layers[0], name="scratch"),))
    workspace.finish(item.id, claimed.analysis_key, named)
    after = workspace.item(item.id)
    assert [layer.name for layer in after.layers] == ["scratch"]
    assert (after.kept, after.min_area, after.max_hole, after.has_truth) == ((), 3, 5, True)
    assert np.array_equal(workspace.corrections(item.id), drawn())


def test_strokes_of_a_class_that_the_domain_lacks_are_kept_and_come_back(
    workspace: Workspace, tmp_path: Path
) -> None:
    item = of_two(workspace)
    draw(workspace, item.id, drawn(1), "crack")
    draw(workspace, item.id, drawn(2), "hole")
    assert workspace.set_settings(item.id, SETTINGS).status == "waiting"
    # As long as the former analysis is shown, its classes are.
    assert [layer.name for layer in workspace.item(item.id).layers] == ["crack", "hole"]
    after = finish_next(workspace, two=False)
    assert [layer.name for layer in after.layers] == ["damaged"]
    assert [layer.name for layer in after.kept] == ["crack", "hole"]
    assert (after.status, after.drawn, after.layers[0].drawn) == ("edited", True, False)
    expected = result().mask | (drawn(1) == ADDED) | (drawn(2) == ADDED)
    assert np.array_equal(workspace.mask(item.id), expected)
    assert list(workspace.masks(item.id)) == ["damaged", "crack", "hole"]
    (exported,) = annotated(workspace, [after])
    assert np.array_equal(exported.mask, expected)
    assert np.array_equal(exported.layers["hole"], drawn(2) == ADDED)  # type: ignore[index]
    names = [label.name for label in default_options([after]).labels]
    assert names == ["damaged", "crack", "hole"]
    save_session(workspace, tmp_path / "s.zip")
    there = Workspace(tmp_path / "there")
    (id,) = load_session(there, tmp_path / "s.zip", LIMITS)
    finish_next(there, two=False)
    assert np.array_equal(there.mask(id), expected)
    for some, of in ((workspace, item.id), (there, id)):
        some.set_settings(of, PAIR)
        if some is there:
            finish_next(there, two=True)
        back = some.item(of)
        assert ([layer.name for layer in back.layers], back.kept) == (["crack", "hole"], ())
        assert np.array_equal(some.corrections(of, "crack"), drawn(1))
        assert np.array_equal(some.mask(of, "hole"), apply(fitted(1).mask, drawn(2)))


def test_what_is_kept_can_be_undone(workspace: Workspace) -> None:
    item = of_two(workspace)
    draw(workspace, item.id, drawn(1), "crack")
    workspace.set_settings(item.id, SETTINGS)
    finish_next(workspace, two=False)
    draw(workspace, item.id, drawn() * 0, "crack")
    assert not workspace.item(item.id).drawn
    assert np.array_equal(workspace.mask(item.id), result().mask)


def test_an_analysis_of_other_classes_is_made_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = of_two(workspace)
    assert workspace.set_settings(item.id, PAIR).status == "todo"
    monkeypatch.setattr(
        "lrpseg.workspace.analysing.load_domain",
        lambda name: replace(load_domain(name), classes=load_domain("toy").classes),
    )
    assert workspace.set_settings(item.id, PAIR).status == "waiting"


# ------------------------------------------------------------------------------- in and out again


def test_a_session_brings_every_class_back(workspace: Workspace, tmp_path: Path) -> None:
    item = of_two(workspace)
    draw(workspace, item.id, drawn(1), "crack")
    workspace.set_threshold(item.id, 0.4, "hole")
    workspace.set_cleaning(item.id, 3, 5, "hole")
    workspace.set_truth(item.id, np.eye(*SHAPE, dtype=bool), "hole")
    workspace.set_status(item.id, "accepted")
    save_session(workspace, tmp_path / "s.zip")
    there = Workspace(tmp_path / "there")
    load_session(there, tmp_path / "s.zip", LIMITS)
    after = finish_next(there, two=True)
    assert after.status == "accepted"
    for name, mask in workspace.masks(item.id).items():
        assert np.array_equal(there.mask(after.id, name), mask)
    same = ("name", "threshold", "own_threshold", "min_area", "max_hole", "drawn", "has_truth")
    for one, other in zip(workspace.item(item.id).layers, after.layers, strict=True):
        assert [getattr(one, n) for n in same] == [getattr(other, n) for n in same]


def test_a_session_of_format_1_opens(workspace: Workspace, tmp_path: Path) -> None:
    item = analysed(workspace)
    draw(workspace, item.id, drawn())
    workspace.set_truth(item.id, np.eye(*SHAPE, dtype=bool))
    save_session(workspace, tmp_path / "s.zip")
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        entries = {
            name.replace("-0.png", ".png"): archive.read(name) for name in archive.namelist()
        }
    manifest = json.loads(entries["session.json"])
    (entry,) = manifest["items"]
    del entry["layers"]
    entry |= {"threshold": 0.25, "min_area": 2, "max_hole": 7}
    manifest["format"] = 1
    entries["session.json"] = json.dumps(manifest).encode()
    (tmp_path / "1.zip").write_bytes(make_zip(entries))
    there = Workspace(tmp_path / "there")
    (id,) = load_session(there, tmp_path / "1.zip", LIMITS)
    found = there.item(id)
    assert (found.threshold, found.min_area, found.max_hole) == (0.25, 2, 7)
    assert np.array_equal(there.corrections(id), drawn())
    assert np.array_equal(there.truth(id), np.eye(*SHAPE, dtype=bool))  # type: ignore[arg-type]


def test_provenance_and_exports_are_by_class(workspace: Workspace, tmp_path: Path) -> None:
    item = of_two(workspace)
    draw(workspace, item.id, drawn(1), "crack")
    told = provenance(workspace, item.id)
    automatic = workspace.automatic_mask(item.id, "crack")
    final = workspace.mask(item.id, "crack")
    assert told["classes"]["crack"]["iou"] == iou(automatic, final) < 1
    assert told["classes"]["hole"]["iou"] == 1
    assert told["classes"]["hole"]["threshold"] == item.layers[1].own_threshold
    assert told["final_pixels"] == np.count_nonzero(workspace.mask(item.id))
    export_zip(workspace, tmp_path / "x.zip", formats=["coco"])
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        names = archive.namelist()
        (document,) = [n for n in names if n.startswith("coco/") and n.endswith(".json")]
        categories = json.loads(archive.read(document))["categories"]
    assert [c["name"] for c in categories] == ["crack", "hole"]
    assert {"masks/two.png", "classes/crack/two.png", "classes/hole/two.png"} <= set(names)


@pytest.mark.parametrize("role", ["corrections", "truth"])
def test_labels_of_imported_masks_find_their_classes(workspace: Workspace, role: str) -> None:
    item = of_two(workspace)
    crack, again = drawn(1) > 1, drawn(2) > 1
    layers = {"Cracks": crack, "crack": again}
    mask = ReadMask("two.png", crack | again, layers=layers)
    done = import_masks(workspace, [mask], role)
    assert (done.names, done.refused) == (["two.png"], [])
    read = workspace.mask if role == "corrections" else workspace.truth
    assert np.array_equal(read(item.id, "crack"), crack | again)
    hole = read(item.id, "hole")
    assert hole is not None  # the file says that there is none
    assert not hole.any()
    if role == "corrections":
        assert (workspace.corrections(item.id, "hole") == REMOVED).all()


def test_masks_of_unknown_classes_are_refused_unless_one_is_named(workspace: Workspace) -> None:
    item, mask = of_two(workspace), drawn() > 1
    plain, moon = ReadMask("two.png", mask), ReadMask("two.png", mask, layers={"moon": mask})
    assert "does not say of what class" in import_masks(workspace, [plain]).refused[0][1]
    assert (
        "'moon', and the classes are crack, hole" in import_masks(workspace, [moon]).refused[0][1]
    )
    assert not workspace.item(item.id).drawn
    for given in (plain, moon):
        assert import_masks(workspace, [given], class_name="hole").names == ["two.png"]
    assert np.array_equal(workspace.mask(item.id, "hole"), mask)
    assert not workspace.corrections(item.id, "crack").any()
    # Of one class all is of that class, whatever its label is.
    analysed(workspace)
    done = import_masks(workspace, [ReadMask("a.png", mask, layers={"moon": mask})])
    assert done.names == ["a.png"]
