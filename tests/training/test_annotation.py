"""A second reading of a mask."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.training.support import draw_blowholes
from training.reports import annotation
from training.reports.annotation import Readings, readings


def test_a_square_of_four_pixels_by_hand() -> None:
    mask = np.zeros((10, 10), bool)
    mask[3:7, 3:7] = True  # 16 pixels, 4 without its rim, 32 with the one around it
    assert readings(mask) == Readings(16 / 32, 4 / 16, 4 / 32)


def test_a_line_of_one_pixel_is_gone_when_it_is_read_narrower() -> None:
    mask = np.zeros((9, 9), bool)
    mask[4, 1:8] = True
    found = readings(mask)
    assert found.narrower == found.between == 0
    assert found.wider == 7 / (7 + 7 + 7 + 2)


def test_a_picture_that_is_all_damage_has_no_border() -> None:
    assert readings(np.ones((5, 5), bool)) == Readings(1, 1, 1)


def test_the_command_prints_a_row_for_each_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_blowholes(tmp_path)
    (tmp_path / "domain").mkdir()
    where = ["--data", str(tmp_path), "--domain", _domain(tmp_path)]
    annotation.main([*where, "--split", "train", "val"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[-2:]] == ["| train", "| val"]
    cells = lines[-1].split(" | ")
    assert cells[1] == "2"
    assert 0 < float(cells[4][:5]) < float(cells[3][:5]) < 1


def _domain(tmp_path: Path) -> str:
    """A domain whose pictures are read as a user's own folder."""
    entry = {
        "title": "Own", "classes": ["intact", "damaged"], "checkpoints": {},
        "normalisation": {"mean": [0.5] * 3, "std": [0.2] * 3},
    }  # fmt: skip
    (tmp_path / "domain" / "domain.json").write_text(json.dumps(entry))
    return str(tmp_path / "domain")
