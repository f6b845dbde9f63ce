"""The drawn sample pictures: the same for a seed, with masks of exactly the damage in them."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation

from training.data.draw_samples import SAMPLES, Sample, draw

SHIPPED = Path(__file__).parents[2] / "assets" / "samples"
DAMAGED = [name for name, scene in SAMPLES.items() if scene.damages]


@pytest.fixture(scope="module")
def samples() -> dict[str, Sample]:
    return {name: draw(name) for name in SAMPLES}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the command line wrote."""
    out = tmp_path_factory.mktemp("drawn") / "samples"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["draw_samples", "--out", str(out), "--seed", "0"])
        # Run afresh: runpy warns about modules that are imported already.
        patch.delitem(sys.modules, "training.data.draw_samples")
        runpy.run_module("training.data.draw_samples", run_name="__main__")
    return out


def read(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


def test_command_line_writes_every_file(written: Path) -> None:
    files = {path.relative_to(written).as_posix() for path in written.rglob("*.png")}
    assert files == {f"{folder}{name}.png" for name in SAMPLES for folder in ("", "truth/")}


def test_files_are_small(written: Path) -> None:
    sizes = [path.stat().st_size for path in written.rglob("*.png")]
    assert max(sizes) < 150_000
    assert sum(sizes) < 900_000


@pytest.mark.parametrize("name", SAMPLES)
def test_same_seed_draws_the_same(name: str, samples: dict[str, Sample], written: Path) -> None:
    np.testing.assert_array_equal(read(written / f"{name}.png"), samples[name].picture)
    mask = samples[name].mask.astype(np.uint8) * 255
    np.testing.assert_array_equal(read(written / "truth" / f"{name}.png"), mask)


def test_other_seed_draws_something_else(samples: dict[str, Sample]) -> None:
    assert not np.array_equal(draw("1-blowhole", seed=1).picture, samples["1-blowhole"].picture)


@pytest.mark.parametrize("name", SAMPLES)
def test_shipped_files_are_the_drawn_ones(name: str, samples: dict[str, Sample]) -> None:
    shipped = read(SHIPPED / f"{name}.png").astype(int)
    # Another machine or library version may round a little differently.
    assert np.mean(abs(shipped - samples[name].picture) > 1) < 1e-3
    truth = read(SHIPPED / "truth" / f"{name}.png") > 0
    assert np.mean(truth != samples[name].mask) < 1e-3


@pytest.mark.parametrize("name", SAMPLES)
def test_mask_covers_damage_and_nothing_else(name: str, samples: dict[str, Sample]) -> None:
    sample = samples[name]
    assert sample.picture.dtype == np.uint8
    assert sample.mask.shape == sample.picture.shape[:2] == SAMPLES[name].shape
    assert sample.mask.any() == (name in DAMAGED)
    assert sample.mask.mean() < 0.05


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_darker_than_its_surroundings(name: str, samples: dict[str, Sample]) -> None:
    picture, mask = samples[name].picture.astype(float), samples[name].mask
    around = binary_dilation(mask, iterations=12) & ~binary_dilation(mask, iterations=4)
    assert picture[mask].mean() < 0.95 * picture[around].mean()
