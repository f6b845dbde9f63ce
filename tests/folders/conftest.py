"""What all tests of folders use: a narrow toy domain, and a folder of pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def _domain(narrow: None) -> None:
    pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Nine pictures in nested folders, one of them unreadable and one larger than a tile."""
    root = tmp_path / "in"
    for number in range(8):
        shape = (230, 200, 3) if number == 3 else (100, 120, 3)
        image = np.random.default_rng(number).integers(90, 200, shape, dtype=np.uint8)
        image[60:80, 12 * number : 12 * number + 30] = 20
        path = root / ("belt ä" if number % 2 else ".") / f"tile{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    (root / "broken.jpg").write_bytes(b"no image")
    return root
