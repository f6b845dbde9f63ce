"""Draws a folder of tiles, damaged and intact, to measure speed on: nothing of a data set is in it.

    python -m training.data.draw_tiles --out tiles --intact 100 --damaged 100
    lrpseg benchmark --folder tiles

Writes OUT/intact/NNNN.png and OUT/damaged/NNNN.png: ground metal of 224x224 pixels, in grey. The
damage is large and dark, so that the shipped networks see it.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lrpseg.models.networks import INPUT_SIZE
from training.data.draw_samples import brushed_metal, photograph
from training.data.drawn_damage import Drawing, draw_damage

DRAWING = Drawing(0.5, (7, 16), (3.5, 6), (90, 200), 0.3, (0.65, 0.85))
BRIGHTNESS = 100


def draw_tile(number: int, damaged: bool, seed: int = 0) -> NDArray[np.uint8]:
    """(224, 224, 3) uint8; each number has a random stream of its own."""
    random = np.random.default_rng([seed, int(damaged), number])
    surface = brushed_metal(random, (INPUT_SIZE, INPUT_SIZE))
    image = np.repeat(photograph(random, surface, (BRIGHTNESS,))[..., None], 3, axis=2)
    return draw_damage(image, random, DRAWING)[0] if damaged else image


def main(out: Path, intact: int, damaged: int, seed: int = 0) -> None:
    """Write the tiles below `out`."""
    for name, count in (("intact", intact), ("damaged", damaged)):
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            tile = draw_tile(number, name == "damaged", seed)
            Image.fromarray(tile[..., 0]).save(folder / f"{number:04}.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m training.data.draw_tiles", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--intact", type=int, default=100)
    parser.add_argument("--damaged", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    main(args.out, args.intact, args.damaged, args.seed)
