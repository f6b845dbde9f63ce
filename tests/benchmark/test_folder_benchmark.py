"""The folder case of the benchmark, and the tiles that it is run on."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lrpseg.cli.main import main
from training.data.draw_tiles import draw_tile
from training.data.draw_tiles import main as draw_tiles


def test_tiles_are_drawn_damaged_and_intact(tmp_path: Path) -> None:
    draw_tiles(tmp_path, intact=1, damaged=2)
    names = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.png"))
    assert names == ["damaged/0000.png", "damaged/0001.png", "intact/0000.png"]
    tiles = [np.asarray(Image.open(tmp_path / name)) for name in names]
    assert all(tile.shape == (224, 224) for tile in tiles)
    assert np.array_equal(tiles[0], draw_tile(0, damaged=True)[..., 0])  # the same every time
    assert not np.array_equal(tiles[0], tiles[1])
    # Damage is dark: this surface alone has no pixel below 40.
    dark = [(tile < 40).sum() for tile in tiles]
    assert min(dark[:2]) >= 12
    assert dark[2] == 0


def test_all_loops_make_the_same_masks(
    narrow: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    draw_tiles(tmp_path, intact=1, damaged=1)  # both are called 0000.png, in their folders
    words = ["benchmark", "--folder", str(tmp_path), "--domain", "toy", "--device", "cpu"]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "2 images of 224x224, 2 classified as damaged" in told
    line = next(line for line in told.splitlines() if line.startswith("IoU with"))
    assert float(line.split("mean ")[1].split(",")[0]) > 0.9
    rows = [line for line in told.splitlines() if "images/s" not in line and "(" in line]
    assert [row[:17].strip() for row in rows[:3]] == [
        "plain loop", "lrpseg annotate", "the same --tiled",
    ]  # fmt: skip
    share = float(told.split("% of it inside")[0].rpartition("(")[2])
    assert 0 < share <= 100
    Image.new("L", (224, 200)).save(tmp_path / "other.png")
    assert main(words) == 2
    assert "224x200 pixels" in capsys.readouterr().err
