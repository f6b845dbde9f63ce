"""What each epoch is scored on: centre crops, whole images as a user gets them, drawn damage."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lrpseg.domains import Normalisation
from lrpseg.models.contract import DAMAGED
from lrpseg.models.networks import INPUT_SIZE
from lrpseg.pipeline.tiling import TileGrid
from training.data.crops import centre_window, flipped, load_class_masks, load_example
from training.data.datasets import DataError, Example
from training.data.drawn_damage import draw_damage


class Tells(Protocol):
    """A network that tells which classes of damage a tile shows: a classifier, or a decider."""

    def eval(self) -> Any: ...
    def __call__(self, x: Tensor) -> Tensor: ...
    def log_odds(self, outputs: Tensor) -> Tensor:
        """Outputs (B, ...) to log-odds (B, K)."""
        ...


@dataclass(frozen=True)
class Scores:
    """Classification figures at probability 0.5; `loss` is the mean of both kinds' losses."""

    balanced_accuracy: float
    tpr: float
    tnr: float
    loss: float

    @property
    def rank(self) -> tuple[float, float]:
        """Larger is better: by balanced accuracy, ties by the loss; a small val split has many."""
        return self.balanced_accuracy, -self.loss

    @classmethod
    def mean(cls, of: Iterable["Scores"]) -> "Scores":
        """The mean of each figure."""
        return cls(*(float(np.mean(v)) for v in zip(*map(astuple, of), strict=True)))


def scores(log_odds: Tensor, labels: Tensor) -> Scores:
    """Scores from (N,) log-odds and (N,) labels (1: the damage is there)."""
    z, labels = log_odds.double(), labels.long()
    losses = nn.functional.softplus(torch.where(labels == 1, -z, z))
    right = (z > 0).long() == labels
    rates = [float(right[labels == c].double().mean()) for c in (0, 1)]
    loss = float(np.mean([float(losses[labels == c].mean()) for c in (0, 1)]))
    return Scores(float(np.mean(rates)), tpr=rates[1], tnr=rates[0], loss=loss)


def scores_by_class(
    of: str, log_odds: Tensor, labels: Tensor, classes: Sequence[str]
) -> dict[str, Scores]:
    """Scores from (N, K) log-odds and labels, by "crops" for all classes together (the highest
    log-odds, any label), and of several classes by "crops/crack" for each."""
    found = {of: scores(log_odds.amax(dim=1), labels.amax(dim=1))}
    if len(classes) > 1:
        for kind, name in enumerate(classes):
            found[f"{of}/{name}"] = scores(log_odds[:, kind], labels[:, kind])
    return found


def evaluation_crops(
    examples: Iterable[Example],
    flips: bool,
    classes: Sequence[str] = DAMAGED,
    size: int = INPUT_SIZE,
) -> tuple[Tensor, Tensor]:
    """Centre crops (N, size, size, 3) uint8 and labels (N, K); with `flips` three of each (3.4).

    Of several classes one counts that the picture shows, unless its mask has no pixel in the crop.
    """
    crops, labels = [], []
    for example in examples:
        image, mask = load_example(example, size)
        window = centre_window(image.shape, mask, size)
        shown = list(example.shows(classes))
        if len(classes) > 1:
            own = load_class_masks(example, classes, (image.shape[0], image.shape[1]))
            shown = [
                there and (m is None or bool(m[window].any()))
                for there, m in zip(shown, own, strict=True)
            ]
        for which in range(3 if flips else 1):
            crops.append(np.ascontiguousarray(flipped(image[window], which)))
            labels.append(shown)
    return torch.from_numpy(np.stack(crops)), torch.tensor(labels).long()


@torch.inference_mode()
def classify(
    model: Tells,
    images: Tensor,
    device: torch.device,
    normalise: Normalisation,
    batch: int = 32,
) -> Tensor:
    """Log-odds (N, K) float64, on the CPU (not every device has float64: MPS), of (N, side, side,
    3) uint8 images, in batches."""
    model.eval()
    parts = [
        model(normalise(part.to(device)).contiguous(memory_format=torch.channels_last)).float()
        for part in images.split(batch)
    ]
    return model.log_odds(torch.cat(parts).cpu().double())


def union_probability(log_odds: Tensor) -> NDArray[np.float64]:
    """(N, K) log-odds to (N,) probabilities of damage of any class: the highest class's."""
    return torch.sigmoid(log_odds.double()).amax(dim=1).numpy()


@dataclass(frozen=True)
class Validation:
    """What each epoch is scored on: centre crops (paper 3.4), and whole images as a user gets them.

    tiles: (T, side, side, 3) uint8 of all images; owner: (T,) the image that each belongs to. An
    image's probability of a class is the highest of its tiles. labels, whole_labels: (N, K), 1
    where a class is shown. drawn: (D, side, side, 3) uint8, the intact crops, each followed by
    itself with damage drawn in; None where nothing is drawn.
    """

    crops: Tensor
    labels: Tensor
    tiles: Tensor
    owner: Tensor
    whole_labels: Tensor
    normalise: Normalisation
    classes: tuple[str, ...] = DAMAGED
    drawn: Tensor | None = None

    @classmethod
    def of(
        cls,
        examples: Sequence[Example],
        normalise: Normalisation,
        *,
        flips: bool,
        drawn: bool = False,
        classes: tuple[str, ...] = DAMAGED,
        size: int = INPUT_SIZE,
    ) -> "Validation":
        """Raises `DataError` where a class, or intact, has no picture."""
        several = len(classes) > 1
        kinds = {"damaged": [e.damaged for e in examples]}
        kinds |= {n: [n in e.classes for e in examples] for n in classes if several}
        kinds["intact"] = [not e.damaged for e in examples]
        for kind, there in kinds.items():
            if not any(there):
                raise DataError(
                    f"There is no {kind} picture to score on; {'all' if several else 'both'} kinds "
                    "are needed. Add pictures of more regions, or place them with a split.json."
                )
        tiles, owner = [], []
        for index, example in enumerate(examples):
            image, _ = load_example(example, size)
            for tile in TileGrid(image.shape[0], image.shape[1], tile=size):
                tiles.append(np.ascontiguousarray(tile.of(image)))
                owner.append(index)
        crops, labels = evaluation_crops(examples, flips, classes, size)
        whole = torch.tensor([e.shows(classes) for e in examples]).long()
        pairs = drawn_pairs((e for e in examples if not e.damaged), size) if drawn else None
        return cls(
            crops,
            labels,
            torch.from_numpy(np.stack(tiles)),
            torch.tensor(owner),
            whole,
            normalise,
            classes,
            pairs,
        )

    def __call__(self, model: Tells, device: torch.device) -> dict[str, Scores]:
        """Scores by what they are of: "crops", "whole", and "drawn" where there is any; of several
        classes also of each, as "crops/crack"."""
        crops, tiles = self.log_odds(model, device)
        found = scores_by_class("crops", crops, self.labels, self.classes)
        found |= scores_by_class("whole", self.whole(tiles), self.whole_labels, self.classes)
        if self.drawn is not None:
            labels = torch.arange(len(self.drawn)) % 2
            odds = classify(model, self.drawn, device, self.normalise)
            found["drawn"] = scores(odds[:, 0], labels)
        return found

    def log_odds(self, model: Tells, device: torch.device) -> tuple[Tensor, Tensor]:
        """The model's log-odds (N, K) of the crops, and (T, K) of the tiles."""
        return (
            classify(model, self.crops, device, self.normalise),
            classify(model, self.tiles, device, self.normalise),
        )

    def whole(self, log_odds: Tensor) -> Tensor:
        """Log-odds (T, K) of the tiles to (N, K) float64 of the images: of each class the highest,
        in float32 as users get them."""
        odds = log_odds.float()
        best = odds.new_full((len(self.whole_labels), odds.shape[1]), -torch.inf)
        owner = self.owner[:, None].expand_as(odds)
        return best.scatter_reduce(0, owner, odds, reduce="amax").double()


def drawn_pairs(intact: Iterable[Example], size: int = INPUT_SIZE) -> Tensor:
    """Centre crops (2N, size, size, 3) uint8 of intact examples, each followed by itself with
    damage drawn in: always the same damage, so that epochs and trainings can be compared."""
    pairs = []
    for index, example in enumerate(intact):
        image, _ = load_example(example, size)
        crop = image[centre_window(image.shape, None, size)].copy()
        pairs += [crop, draw_damage(crop, np.random.default_rng((7, index)))[0]]
    return torch.from_numpy(np.stack(pairs))


def figures(found: Mapping[str, Scores]) -> dict[str, float]:
    """All figures of `Validation` by name, as in "val/tpr", "val-whole/tpr", "val/crack/tpr"."""
    return {
        f"val{of.removeprefix('crops') if of.startswith('crops') else f'-{of}'}/{name}": value
        for of, each in found.items()
        for name, value in asdict(each).items()
    }


def described(found: Mapping[str, Scores]) -> str:
    """The figures of an epoch in one line."""
    return ";  ".join(
        f"{of}: balanced accuracy {s.balanced_accuracy:.4f} TPR {s.tpr:.4f} TNR {s.tnr:.4f} "
        f"loss {s.loss:.4f}"
        for of, s in found.items()
    )
