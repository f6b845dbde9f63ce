"""Exports of pictures with awkward names, read as Ultralytics and anomalib pair their files."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lrpseg.formats import FORMATS, Annotated, ExportOptions, FormatError
from lrpseg.formats.mvtec import mispaired
from lrpseg.formats.names import ended, sorted_apart
from lrpseg.formats.reading import matched, read_masks

NUMBERS = [f"{n}.png" for n in (1, 2, 3, 9, 10, 11, 20, 100)]
AWKWARD = [*NUMBERS, "tile.png", "tile_2.png", "tile2.png", "til~e.png", "a.png", "a.v2.png",
           "belt/1.png", "belt/10.png", "B.png"]  # fmt: skip


def pictures(names: list[str]) -> list[Annotated]:
    """A picture for each name, with a mask that no other one has."""
    found = []
    for number, name in enumerate(names):
        mask = np.zeros((6, 40), bool)
        mask[1:4, number] = True
        image = np.full((6, 40, 3), number, np.uint8)
        found.append(Annotated(name, mask, image=lambda image=image: image))  # type: ignore[misc]
    return found


def anomalib(root: Path) -> dict[str, str]:
    """Picture to mask as `make_mvtec_ad_dataset` in anomalib/data/datasets/image/mvtecad.py pairs
    them: all paths sorted, then side by side."""
    images = sorted(str(p) for p in (root / "test").rglob("*.png") if p.parent.name != "good")
    masks = sorted(str(p) for p in (root / "ground_truth").rglob("*.png"))
    return dict(zip(images, masks, strict=True))


def ultralytics(images: list[str]) -> list[str]:
    """As `img2label_paths` in ultralytics/data/utils.py."""
    sa, sb = f"{os.sep}images{os.sep}", f"{os.sep}labels{os.sep}"
    return [sb.join(x.rsplit(sa, 1)).rsplit(".", 1)[0] + ".txt" for x in images]


def right_pairs(root: Path) -> list[bool]:
    """Of each pair of anomalib's, whether the mask is that of the picture."""
    found = []
    for image, mask in anomalib(root).items():
        number = int(np.asarray(Image.open(image)).max())
        found.append(bool(np.asarray(Image.open(mask))[1:4, number].all()))
    return found


@pytest.mark.parametrize("names", [NUMBERS, AWKWARD])
def test_anomalib_finds_the_right_masks_of_copied_pictures(
    names: list[str], tmp_path: Path
) -> None:
    made = pictures(names)
    plain = ExportOptions(copy_pictures=True)
    written = FORMATS["mvtec"].write(made, tmp_path / "plain", plain)
    assert not all(right_pairs(tmp_path / "plain"))
    assert "another one's mask" in written.notes[0]
    assert mispaired([picture.stem for picture in made])
    options = ExportOptions(copy_pictures=True, ended=True)
    written = FORMATS["mvtec"].write(made, tmp_path / "ended", options)
    assert written.notes == []
    assert all(right_pairs(tmp_path / "ended"))
    for image, mask in anomalib(tmp_path / "ended").items():
        assert Path(image).stem in Path(mask).stem  # which anomalib asserts
    # Both come back to the pictures that they are of.
    sizes = dict.fromkeys(names, (6, 40))
    for folder in ("plain", "ended"):
        back = {m.name: m.mask for m in matched(read_masks(tmp_path / folder), sizes)}
        for picture in made:
            assert np.array_equal(back[picture.name], picture.mask), (folder, picture.name)


def test_masks_without_pictures_are_told(tmp_path: Path) -> None:
    options = ExportOptions(ended=True)  # the pictures keep their own names: nothing can be done
    written = FORMATS["mvtec"].write(pictures(NUMBERS), tmp_path, options)
    assert "leading zeros" in str(written)
    assert written.as_json()["notes"] == written.notes
    assert (tmp_path / "ground_truth" / "damage" / "10_mask.png").is_file()
    fine = pictures([f"{n:03}.png" for n in range(12)])
    assert FORMATS["mvtec"].write(fine, tmp_path / "fine", options).notes == []


def test_ended_names_sort_alike_whatever_follows() -> None:
    random = np.random.default_rng(0)
    letters = list("ab1.~_Z-é9")
    for _ in range(300):
        names = {"".join(random.choice(letters, random.integers(1, 5))) for _ in range(12)}
        with_end = [ended(name) for name in names]
        assert len(set(with_end)) == len(names)
        assert sorted_apart(with_end, ".png", "_mask.png") == []


@pytest.mark.parametrize(
    "name",
    ["a.png", "images/a.png", "belt/images/1/a.png", "images/images.png", "labels/a.png",
     "images.png", "a.v2.png"],
)  # fmt: skip
def test_ultralytics_finds_the_labels(name: str, tmp_path: Path) -> None:
    (picture,) = pictures([name])
    FORMATS["yolo"].write([picture], tmp_path, ExportOptions(copy_pictures=True))
    (image,) = (str(p) for p in (tmp_path / "images").rglob("*.png"))
    (label,) = ultralytics([image])
    assert Path(label).read_text().startswith("0 ")


def test_two_names_never_share_a_label_file(tmp_path: Path) -> None:
    names = ["images/a.png", "labels/a.png", "a.png", "images/labels/a.png"]
    options = ExportOptions(copy_pictures=True)
    FORMATS["yolo"].write(pictures(names), tmp_path, options)
    images = [str(p) for p in (tmp_path / "images").rglob("*.png")]
    texts = {Path(label).read_text() for label in ultralytics(images)}
    assert len(texts) == len(names)
    both = pictures(["images/labels/a.png", "labels/images/a.png"])  # Ultralytics has one for them
    with pytest.raises(FormatError, match="Rename one of the two"):
        FORMATS["yolo"].write(both, tmp_path / "both", options)


def test_a_name_that_may_be_of_two_pictures_is_refused(tmp_path: Path) -> None:
    masks = read_masks(_ended(tmp_path))
    with pytest.raises(FormatError, match=r"fits 1.png and 1~.png"):
        list(matched(masks, {"1.png": (6, 40), "1~.png": (6, 40)}))


def test_what_is_missing_is_still_told(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such picture"):
        list(matched(read_masks(_ended(tmp_path)), {"other.png": (6, 40)}))


def _ended(folder: Path) -> Path:
    options = ExportOptions(copy_pictures=True, ended=True)
    FORMATS["mvtec"].write(pictures(["1.png"]), folder, options)
    return folder
