"""What a classifier is trained on: random crops with labels, drawn evenly by class and region."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Dataset

from lrpseg.core.errors import OptionError
from lrpseg.models.contract import DAMAGED
from lrpseg.models.networks import INPUT_SIZE
from training.data.crops import (
    Augmentation,
    Image,
    Mask,
    Window,
    cut,
    load_class_masks,
    load_example,
    random_crop,
    random_window,
)
from training.data.datasets import DataError, Example

Label = int | np.ndarray
"""1 for damaged, 0 for intact; of several classes (K,) float32, 1 where one is shown."""


class TrainingCrops(Dataset[tuple[Image, Label]]):
    """`count` random crops of one epoch, half of them damaged on average, fixed by seed and epoch.

    Class imbalance is met by drawing the class first, then a region of it, then a picture of that
    region, each uniformly: a region that was photographed fifteen times counts once.

    Of several classes each is drawn as often as intact. A crop's label is its picture's, without
    the classes whose mask has no pixel in it.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        count: int,
        augmentation: Augmentation,
        seed: int,
        epoch: int = 0,
        classes: Sequence[str] = DAMAGED,
        size: int = INPUT_SIZE,
    ) -> None:
        """Raises `DataError` where a class, or intact, has no picture."""
        if augmentation.drawn and len(classes) > 1:
            raise OptionError(
                "Damage is drawn for one class alone: with several classes, drawn is 0."
            )
        self.augmentation, self.seed, self.epoch, self.count = augmentation, seed, epoch, count
        self.classes, self.size = tuple(classes), size
        self._loaded = [_Loaded.of(e, self.classes, size) for e in examples]
        # Indices of the examples by what is drawn first (intact, then each class), and by region.
        grouped: list[dict[str, list[int]]] = [{} for _ in range(1 + len(classes))]
        for index, example in enumerate(examples):
            shown = example.shows(self.classes)
            for place in [1 + i for i, there in enumerate(shown) if there] or [0]:
                if place or not example.damaged:
                    grouped[place].setdefault(example.region, []).append(index)
        self._regions = [list(regions.values()) for regions in grouped]
        kinds = ("intact", *(self.classes if len(classes) > 1 else ("damaged",)))
        for kind, regions in zip(kinds, self._regions, strict=True):
            if not regions:
                raise DataError(
                    f"The training split has no {kind} picture; "
                    f"{'both' if len(kinds) == 2 else 'all'} kinds are needed."
                )

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Image, Label]:
        # One generator per crop: the result does not depend on workers, ranks or order.
        random = np.random.default_rng((self.seed, self.epoch, index))
        label = int(random.integers(len(self._regions)))
        drawn = self.augmentation.drawn
        draw = bool(label and drawn and random.random() < drawn)
        regions = self._regions[0 if draw else label]
        members = regions[random.integers(len(regions))]
        chosen = self._loaded[members[random.integers(len(members))]]
        if len(self.classes) == 1:
            vary = self.augmentation
            return random_crop(chosen.image, chosen.mask, vary, random, draw, self.size), label
        # The class that was drawn is in view, whatever else the picture shows.
        mask = chosen.masks[label - 1] if label else None
        mask = chosen.mask if mask is None else mask
        window = random_window(chosen.image.shape, mask, self.augmentation.zoom, random, self.size)
        crop = cut(chosen.image, window, self.augmentation, random, size=self.size)
        return crop, chosen.labels(window)


@dataclass(frozen=True, eq=False)
class _Loaded:
    """A picture (H, W, 3), the mask (H, W) of all its damage, and for each class whether it is
    shown, and its own mask."""

    image: Image
    mask: Mask | None
    shown: tuple[bool, ...]
    masks: tuple[Mask | None, ...]

    @classmethod
    def of(cls, example: Example, classes: tuple[str, ...], size: int) -> "_Loaded":
        image, mask = load_example(example, size)
        own: Sequence[Mask | None] = ()
        if len(classes) > 1:
            own = load_class_masks(example, classes, (image.shape[0], image.shape[1]))
        return cls(image, mask, example.shows(classes), tuple(own))

    def labels(self, window: Window) -> np.ndarray:
        return np.array(
            [
                there and (mask is None or bool(mask[window].any()))
                for there, mask in zip(self.shown, self.masks, strict=True)
            ],
            np.float32,
        )
