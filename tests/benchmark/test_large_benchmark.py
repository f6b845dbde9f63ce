"""The case of large pictures, at a size that is none."""

from pathlib import Path

import numpy as np
import pytest

from lrpseg.benchmark import large
from lrpseg.benchmark.large import SHARE, mosaic
from lrpseg.cli.main import main, make_parser
from lrpseg.core.images import read_image
from lrpseg.domains.samples import shipped_samples
from tests.narrow import narrow_tiles


def samples() -> list[Path]:
    return sorted(
        (path for path, domain in shipped_samples() if domain == "magnetic-tile"),
        key=lambda path: "intact" not in path.name,
    )


def test_a_mosaic_has_its_size_and_its_share_of_damage() -> None:
    image = mosaic(6, samples())
    assert image.dtype == np.uint8
    assert image.shape[0] * image.shape[1] == pytest.approx(6e6, rel=0.01)
    assert image.shape[1] / image.shape[0] == pytest.approx(1.5, rel=0.01)
    assert np.array_equal(image, mosaic(6, samples()))
    intact = read_image(samples()[0])
    cell = 300  # the shortest side of all
    square = intact[:cell, :cell]
    turned = {square[::y, ::x].tobytes() for y in (1, -1) for x in (1, -1)}
    rows, columns = image.shape[0] // cell, image.shape[1] // cell
    parts = [
        image[y * cell : (y + 1) * cell, x * cell : (x + 1) * cell].tobytes() not in turned
        for y in range(rows)
        for x in range(columns)
    ]
    # Where parts meet, the picture goes on: they mirror each other.
    assert np.array_equal(image[:, cell - 1], image[:, cell])
    assert np.array_equal(image[cell - 1], image[cell])
    assert 1 <= sum(parts) <= len(parts) // SHARE + 1


def test_each_way_is_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shipped = shipped_samples()
    monkeypatch.setattr(large, "shipped_samples", lambda: shipped)
    monkeypatch.setattr(large, "_alone", large._run)  # a process of its own costs seconds
    words = ["benchmark", "--large", "0.06", "--network", "one-fc", "--device", "cpu"]
    with narrow_tiles(tmp_path):
        assert main(words) == 0
    told = capsys.readouterr().out
    assert "magnetic-tile, one-fc" in told
    rows = {line.split()[2]: line.split() for line in told.splitlines() if "300x200" in line}
    assert set(rows) == {"quick", "windows", "tiles"}
    preview, seconds, speed, _, memory = map(float, rows["tiles"][3:])
    assert preview <= seconds
    assert speed == 1
    assert memory > 100  # megabytes
    # Too small to count as large, and without ranges for 8 bits: all do the same.
    assert {row[6] for row in rows.values()} == {"1.000"}


@pytest.mark.parametrize("size", ["0", "-4", "nan", "200"])
def test_a_size_that_no_picture_has_is_refused(
    size: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", f"--large={size}"]) == 2
    assert "megapixels" in capsys.readouterr().err


def test_tiled_is_short_for_a_tiling() -> None:
    parse = make_parser().parse_args
    words = ["annotate", "a.png", "--out", "o"]
    assert parse(words).settings_tiling == "quick"
    assert parse([*words, "--tiled"]).settings_tiling == "tiles"
    assert parse([*words, "--tiling", "tiles"]).settings_tiling == "tiles"
