"""A drawn domain of two classes, and a network so narrow that it trains in seconds."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lrpseg.models.contract import DAMAGED
from lrpseg.models.networks import NETWORKS, Network
from lrpseg.models.vgg import VGG_A, Vgg
from training.data.drawn_damage import DRAWINGS, Drawing, draw_damage

SIDE = 96
CLASSES = ("crack", "blowhole")
SHAPES = {
    "crack": Drawing(0.0, (3, 6), (4, 7), (60, 120), 0.0, (0.85, 0.95)),
    "blowhole": Drawing(1.0, (8, 14), (3, 6), (20, 40), 0.0, (0.85, 0.95)),
}
NORMALISATION = {"mean": [0.6, 0.6, 0.6], "std": [0.2, 0.2, 0.2]}


def narrow(classes: tuple[str, ...] = DAMAGED, hidden: tuple[int, ...] = ()) -> Vgg:
    """A VGG-A of 4 to 32 channels for tiles of 96 pixels, whose weights keep a signal's scale."""
    model = Vgg(VGG_A, hidden, classes, width=4, side=SIDE)
    for layer in model.features:
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            torch.nn.init.zeros_(layer.bias)
    return model


@contextmanager
def narrow_network() -> Iterator[None]:
    """While it lasts there are the networks "narrow", and "narrow-hidden" with dropout."""
    with pytest.MonkeyPatch.context() as patch:
        for name, hidden in (("narrow", ()), ("narrow-hidden", (16,))):
            build = partial(narrow, hidden=hidden)
            patch.setitem(NETWORKS._things, name, Network(name, "Narrow", "For tests.", build))
        yield


def ship_words(root: Path, *more: str) -> list[str]:
    """Arguments of `training.ship` for recipe.toml and data/ in `root`, into out/."""
    return [str(root / "recipe.toml"), "--data", str(root / "data"), "--out", str(root / "out"),
            "--device", "cpu", *more]  # fmt: skip


def surface(random: np.random.Generator) -> np.ndarray:
    """(100, 100, 3) uint8: a bright surface with noise."""
    return random.integers(150, 175, (100, 100, 3), dtype=np.uint8)


def noise(seed: int, height: int = 224, width: int = 240) -> np.ndarray:
    """(height, width, 3) uint8: a surface without damage."""
    random = np.random.default_rng(seed)
    return random.integers(140, 170, (height, width, 3), dtype=np.uint8)


def draw_blowholes(root: Path) -> Path:
    """Folders of six damaged pictures with masks and six intact ones, of which two each are val."""
    drawing = DRAWINGS["blowholes-and-cracks"]
    for index in range(6):
        image, mask = draw_damage(noise(index), np.random.default_rng(index), drawing)
        save(root / "damaged" / f"{index}.png", image)
        save(root / "masks" / f"{index}.png", mask.astype(np.uint8) * 255)
        save(root / "intact" / f"{index}.png", noise(10 + index))
    names = [f"{kind}/{i}.png" for i in range(6) for kind in ("damaged", "intact")]
    splits = {"train": names[:8], "val": names[8:], "test": []}
    (root / "split.json").write_text(json.dumps({"splits": splits}))
    return root


def draw_classes(root: Path, count: int = 6) -> None:
    """`count` pictures of each class, of both, and of none, with masks, and a file of splits in
    which the first half trains."""
    random = np.random.default_rng(0)
    splits: dict[str, list[str]] = {"train": [], "val": []}
    for kinds in (("crack",), ("blowhole",), CLASSES, ()):
        for number in range(count):
            image = surface(random)
            file = f"{'-'.join(kinds) or 'none'}-{number}.png"
            for kind in kinds:
                image, mask = draw_damage(image, random, SHAPES[kind])
                save(root / "masks" / f"{kind}s" / file, mask.astype(np.uint8) * 255)
            folders = [f"{kind}s" for kind in kinds] or ["intact"]
            for folder in folders:
                save(root / folder / file, image)
            # The last of its places: any may stand in the file.
            splits["train" if number < count // 2 else "val"].append(f"{folders[-1]}/{file}")
    (root / "split.json").write_text(json.dumps({"splits": splits}))


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def make_domain(folder: Path) -> Path:
    """A domain of two classes without networks, whose data lie in `draw_classes`' folders."""
    folder.mkdir(parents=True)
    entry = {
        "title": "Drawn",
        "intact": "intact",
        "classes": list(CLASSES),
        "normalisation": NORMALISATION,
        "checkpoints": {},
    }
    (folder / "domain.json").write_text(json.dumps(entry))
    (folder / "data.toml").write_text('[classes]\ncracks = "crack"\nblowholes = "blowhole"\n')
    return folder
