"""Pictures, examples and a recipe of which each region can be left out."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from training.data.datasets import Example
from training.data.drawn_damage import draw_damage

RECIPE = """
kind = "classifier"
domain = "own"
network = "narrow"
[card]
title = "-"
purpose = "-"
data = "-"
[[training]]
epochs = 1
crops = 8
batch = 4
"""


def examples(regions: dict[str, tuple[str, int]]) -> list[Example]:
    """So many pictures of each region: (kind, pictures) by region; "intact" is no damage."""
    return [
        Example(f"{region}/{i}.png", Path(f"{region}/{i}.png"), kind != "intact", region, kind)
        for region, (kind, count) in regions.items()
        for i in range(count)
    ]


def draw_pictures(root: Path) -> Path:
    """A user's own folder: six damaged and six intact pictures, each a region."""
    for kind in ("damaged", "intact", "masks"):
        (root / kind).mkdir()
    for i in range(6):
        random = np.random.default_rng(i)
        plain = random.integers(140, 170, (100, 110, 3), dtype=np.uint8)
        Image.fromarray(plain).save(root / "intact" / f"{i}.png")
        shown, mask = draw_damage(plain, random)
        Image.fromarray(shown).save(root / "damaged" / f"{i}.png")
        Image.fromarray(mask).save(root / "masks" / f"{i}.png")
    names = [f"{k}/{i}.png" for k in ("damaged", "intact") for i in range(6)]
    splits = {"train": names[::2], "val": names[1::2], "test": []}
    (root / "split.json").write_text(json.dumps({"splits": splits}))
    return root


def training_words(pictures: Path, folder: Path, recipe: str = RECIPE) -> list[str]:
    """Arguments of `training.left_out.classifier` for two folds in `folder`/folds, from the start
    that lies in `folder`."""
    (folder / "recipe.toml").write_text(recipe)
    return [
        "--data", str(pictures), "--recipe", str(folder / "recipe.toml"), "--folds", "2",
        "--start", str(folder / "start.safetensors"), "--out", str(folder / "folds"),
    ]  # fmt: skip
