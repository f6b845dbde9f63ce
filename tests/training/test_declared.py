"""What a domain's folder declares of its pictures, and folders of several classes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lrpseg.core.errors import OptionError
from lrpseg.domains import load_domain
from lrpseg.models.contract import DAMAGED
from tests.training.support import CLASSES, make_domain
from tests.training.test_datasets import draw
from training.data.crops import Augmentation, load_class_masks, load_example
from training.data.datasets import DataError
from training.data.declared import Subject, data_plan, read_domain
from training.data.readers import DataPlan
from training.data.training_crops import TrainingCrops

PLAN = DataPlan(classes={"cracks": "crack", "holes": "blowhole"})


def two_classes(root: Path) -> Path:
    """Two pictures of cracks, one of holes, one of both, two of none; some with masks."""
    for name in ("cracks/1.png", "cracks/a/2.png", "holes/1.png", "holes/a/3.png", "intact/1.png"):
        draw(root / name, 100, (40, 40))
    draw(root / "intact" / "b" / "2.png", 100, (40, 40))
    values = np.zeros((40, 40), np.uint8)
    values[:10] = 255
    for name in ("cracks/1.png", "holes/1.png"):
        path = root / "masks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values if "cracks" in name else values[::-1].copy()).save(path)
    return root


def test_a_picture_may_show_several_classes(tmp_path: Path) -> None:
    data = PLAN.read(two_classes(tmp_path))
    found = {e.name: e for examples in data.splits.values() for e in examples}
    assert {n: (e.kind, e.region) for n, e in found.items()} == {
        "cracks/1.png": ("crack and blowhole", "cracks/1.png"),
        "cracks/a/2.png": ("crack", "damaged/a"),
        "holes/a/3.png": ("blowhole", "damaged/a"),  # one region, whatever is seen in it
        "intact/1.png": ("intact", "intact/1.png"),
        "intact/b/2.png": ("intact", "intact/b"),
    }
    both = found["cracks/1.png"]
    assert both.shows(CLASSES) == (True, True)
    assert both.shows(("damage",)) == (True,)
    assert found["holes/a/3.png"].shows(CLASSES) == (False, True)
    assert both.masked
    assert not found["holes/a/3.png"].masked
    image, union = load_example(both, 40)
    crack, hole = load_class_masks(both, CLASSES, image.shape[:2])
    assert union is not None
    assert crack is not None
    assert hole is not None
    assert crack[:10].all()
    assert not crack[10:].any()
    assert np.array_equal(union, crack | hole)
    assert "cracks/a/2.png: has no mask (the picture itself is used)" in data.report


def test_splits_name_a_picture_by_any_of_its_places(tmp_path: Path) -> None:
    two_classes(tmp_path)
    plan = {"splits": {"train": ["holes/1.png", "cracks/1.png"], "val": ["intact/1.png"]}}
    (tmp_path / "split.json").write_text(json.dumps(plan))
    data = PLAN.read(tmp_path)
    names = {s: [e.name for e in v] for s, v in data.splits.items()}
    assert names == {"train": ["cracks/1.png"], "val": ["intact/1.png"]}


def test_two_pictures_of_one_name_are_refused(tmp_path: Path) -> None:
    two_classes(tmp_path)
    draw(tmp_path / "holes" / "1.png", 101, (40, 40))
    with pytest.raises(DataError, match="two pictures of one name"):
        PLAN.read(tmp_path)


def test_labels_are_those_of_the_crop(tmp_path: Path) -> None:
    """A class whose mask has no pixel in the crop is not its label."""
    examples = PLAN.read(two_classes(tmp_path)).splits
    every = [e for of in examples.values() for e in of]
    still = Augmentation(flips=False, zoom=(4, 4))  # a window of 10 pixels
    crops = TrainingCrops(every, 120, still, seed=0, classes=CLASSES, size=40)
    labels = [crops[i][1] for i in range(120)]
    assert all(isinstance(label, np.ndarray) for label in labels)
    assert all(label.dtype == np.float32 for label in labels)  # type: ignore[union-attr]
    seen = {tuple(label) for label in labels}  # type: ignore[arg-type]
    assert seen == {(0, 0), (1, 0), (0, 1)}  # ten rows never show both
    counts = [sum(tuple(label) == kind for label in labels) for kind in seen]  # type: ignore
    assert min(counts) > 20  # each a third
    with pytest.raises(OptionError, match="one class alone"):
        TrainingCrops(every, 4, Augmentation(drawn=0.5), seed=0, classes=CLASSES, size=40)
    lone = [e for e in every if "crack" not in e.classes]
    with pytest.raises(DataError, match="no crack picture; all kinds"):
        TrainingCrops(lone, 4, still, seed=0, classes=CLASSES, size=40)


def test_a_domain_declares_its_data(tmp_path: Path) -> None:
    folder = make_domain(tmp_path / "drawn")
    (folder / "data.toml").write_text(
        'splits = "mine.json"\n[classes]\ncracks = "crack"\nholes = "blowhole"\n'
    )
    two_classes(tmp_path / "data")
    names = ["holes/a/3.png", "intact/1.png"]
    (tmp_path / "data" / "mine.json").write_text(json.dumps({"splits": {"val": names}}))
    data = read_domain(load_domain(folder), tmp_path / "data")
    assert [e.name for e in data.splits["val"]] == names
    assert Subject.of(str(folder)).classes == CLASSES
    (folder / "data.toml").unlink()  # folders are called as the classes then
    assert data_plan(load_domain(folder)).classes == {c: c for c in CLASSES}


def test_shipped_domains_declare_the_published_sets() -> None:
    for name in ("magnetic-tile", "concrete-crack"):
        plan = data_plan(load_domain(name))
        assert (plan.reader, plan.splits, plan.classes) == (name, "split.json", {})


def test_a_name_without_a_domain_is_a_users_own_folder() -> None:
    subject = Subject.of("my-damage")
    assert (subject.plan.reader, subject.classes, subject.domain) == ("folder", DAMAGED, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('readers = "folder"', "no key 'readers'"),
        ("reader = 3", "'reader' is 3"),
        ('reader = "tarot"', "tarot"),
        ("reader = ", "cannot be read"),
        ('[classes]\ncracks = "crack"', "it names crack"),
        ('[classes]\ncracks = "crack"\nx = "mould"', "it names crack, mould"),
        ('reader = "folder"', "it names none"),
        ("[classes]\ncracks = 1", "name of a class"),
    ],
)
def test_a_wrong_declaration_says_what_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    folder = make_domain(tmp_path / "drawn")
    (folder / "data.toml").write_text(text + "\n")
    with pytest.raises((DataError, OptionError), match=told):
        data_plan(load_domain(folder))
