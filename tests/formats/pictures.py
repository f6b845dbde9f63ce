"""Masks, classes and names that formats tend to get wrong."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from lrpseg.formats import Annotated, ClassLabel, ExportOptions


def _ring() -> np.ndarray:
    """A ring with a hole, in which an island lies."""
    mask = np.zeros((40, 50), bool)
    mask[5:30, 8:40] = True
    mask[10:25, 14:34] = False
    mask[16:19, 20:27] = True
    return mask


def _holes() -> np.ndarray:
    """Holes side by side, behind each other and of single pixels, in walls of one pixel."""
    mask = np.ones((15, 21), bool)
    mask[2:13:2, 2:19:2] = False
    mask[5, 4:9] = False
    mask[:, 20] = False
    return mask


def _several() -> np.ndarray:
    mask = np.zeros((37, 23), bool)
    mask[3:5, 2:5] = mask[20:30, 10:15] = mask[36, 0] = mask[0, 22] = True
    mask[31, 16] = True  # touches another one with a corner
    return mask


def _edges() -> np.ndarray:
    mask = np.zeros((20, 33), bool)
    mask[0, :] = mask[-1, :] = mask[:, 0] = mask[:, -1] = True
    mask[10, 15:20] = True
    return mask


def _noise(density: float) -> np.ndarray:
    return np.random.default_rng(7).random((31, 47)) < density


def _interlocked() -> np.ndarray:
    """Two components with the same bounding box."""
    mask = np.zeros((9, 9), bool)
    mask[0, :8] = mask[:8, 0] = True
    mask[8, 1:] = mask[1:, 8] = True
    mask[0, 7] = mask[7, 0] = False
    return mask


MASKS: dict[str, np.ndarray] = {
    "belt 3/Größe-ä/ring.png": _ring(),
    "holes.jpg": _holes(),
    "diagonal.png": np.eye(30, 44, dtype=bool),
    "検査/several.tif": _several(),
    'edges & <corners> "quoted".png': _edges(),
    "full.png": np.ones((16, 9), bool),
    "empty.png": np.zeros((12, 19), bool),
    "pixel.png": np.ones((1, 1), bool),
    "pixel-intact.png": np.zeros((1, 1), bool),
    "row.v2.png": np.arange(17)[None] % 3 > 0,
    "column.png": np.arange(19)[:, None] % 2 > 0,
    "noise-30.png": _noise(0.3),
    "noise-70.png": _noise(0.7),
    "interlocked.png": _interlocked(),
    "O'Brien's belt.png": _several()[::-1].copy(),
}


CLASSES = (
    ClassLabel("crack", (0, 114, 178)),
    ClassLabel("Loch <ä> & 'x'", (230, 159, 0)),
    ClassLabel("検査", (0, 158, 115)),
    ClassLabel("never", (204, 121, 167)),  # no picture has it
)


def _layers(index: int, mask: np.ndarray) -> dict[str, np.ndarray]:
    """Three classes that overlap, of which some pictures lack one."""
    height, width = mask.shape
    hole = np.zeros((height, width), bool)
    hole[height // 4 : 3 * height // 4 + 1, width // 4 : 3 * width // 4 + 1] = index % 4 != 3
    rows, columns = np.indices((height, width))
    stripes = ((rows + columns) % 5 == 0) & (index % 3 != 2)
    crack, second, third, _ = (entry.name for entry in CLASSES)
    return {third: stripes, crack: mask, second: hole}  # in another order than the classes


LAYERS: dict[str, dict[str, np.ndarray]] = {
    name: _layers(index, mask) for index, (name, mask) in enumerate(MASKS.items())
}


TWO = ExportOptions(classes=(ClassLabel("crack"), ClassLabel("break", (230, 159, 0))))


def two(name: str = "a.png") -> Annotated:
    """A crack of three pixels across a break of four; two are of both."""
    crack = np.array([[1, 1, 1], [0, 0, 0]], bool)
    broken = np.array([[0, 1, 1], [0, 1, 1]], bool)
    return Annotated(name, layers={"crack": crack, "break": broken})


def layered() -> Iterator[Annotated]:
    """The pictures with a mask for each class."""
    for picture in annotated():
        yield Annotated(
            picture.name,
            probability=picture.probability,
            image=picture.image,
            settings=picture.settings,
            layers=LAYERS[picture.name],
        )


def annotated(masks: dict[str, np.ndarray] = MASKS) -> Iterator[Annotated]:
    """The masks with a picture each."""
    for index, (name, mask) in enumerate(masks.items()):
        yield Annotated(
            name,
            mask,
            probability=index % 20 / 20,
            image=lambda m=mask: np.where(m[..., None], 40, 200).astype(np.uint8).repeat(3, 2),
            settings={"network": "one-fc", "overlap": 4},
        )


def save_pictures(folder: Path, masks: dict[str, np.ndarray] = MASKS) -> None:
    """The pictures as files under their own names, for tools that open them."""
    for picture in annotated(masks):
        path = folder / picture.name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert picture.image is not None
        Image.fromarray(picture.image()).save(path)
