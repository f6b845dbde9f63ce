"""What each epoch is scored on: centre crops, whole images as a user gets them, drawn damage."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lrpseg.domains import Normalisation
from lrpseg.pipeline.tiling import TileGrid
from training.data.crops import centre_crop, flipped, load_example
from training.data.datasets import DataError, Example
from training.data.drawn_damage import draw_damage


@dataclass(frozen=True)
class Scores:
    """Classification figures at probability 0.5; `loss` is the mean of both classes' losses."""

    balanced_accuracy: float
    tpr: float
    tnr: float
    loss: float

    def better_than(self, other: "Scores | None") -> bool:
        """By balanced accuracy, ties by the loss: a small val split has many ties."""
        if other is None:
            return True
        return (self.balanced_accuracy, -self.loss) > (other.balanced_accuracy, -other.loss)

    @classmethod
    def mean(cls, of: Iterable["Scores"]) -> "Scores":
        """The mean of each figure."""
        return cls(*(float(np.mean(v)) for v in zip(*map(astuple, of), strict=True)))


def scores(logits: Tensor, labels: Tensor) -> Scores:
    """Scores from (N, 2) logits and (N,) labels (1 = damaged)."""
    losses = nn.functional.cross_entropy(logits.double(), labels, reduction="none")
    right = (logits[:, 1] > logits[:, 0]).long() == labels
    rates = [float(right[labels == c].double().mean()) for c in (0, 1)]
    loss = float(np.mean([float(losses[labels == c].mean()) for c in (0, 1)]))
    return Scores(float(np.mean(rates)), tpr=rates[1], tnr=rates[0], loss=loss)


def damage_probability(logits: Tensor) -> Tensor:
    """(N, 2) logits to (N,) float64 probabilities of damage, on the CPU: not every device has
    float64 (MPS)."""
    return torch.softmax(logits.cpu().double(), dim=1)[:, 1]


def evaluation_crops(examples: Iterable[Example], flips: bool) -> tuple[Tensor, Tensor]:
    """Centre crops (N, 224, 224, 3) uint8 and labels (N,); with `flips` three of each (3.4)."""
    crops, labels = [], []
    for example in examples:
        image, _ = centre_crop(*load_example(example))
        for which in range(3 if flips else 1):
            crops.append(np.ascontiguousarray(flipped(image, which)))
            labels.append(int(example.damaged))
    return torch.from_numpy(np.stack(crops)), torch.tensor(labels)


@torch.inference_mode()
def classify(
    model: nn.Module,
    images: Tensor,
    device: torch.device,
    normalise: Normalisation = Normalisation(),  # noqa: B008 - frozen
    batch: int = 32,
) -> Tensor:
    """Logits (N, 2) on the CPU of (N, 224, 224, 3) uint8 images, in batches."""
    model.eval()
    parts = [
        model(normalise(part.to(device)).contiguous(memory_format=torch.channels_last)).float()
        for part in images.split(batch)
    ]
    return torch.cat(parts).cpu()


@dataclass(frozen=True)
class Validation:
    """What each epoch is scored on: centre crops (paper 3.4), and whole images as a user gets them.

    tiles: (T, 224, 224, 3) uint8 of all images; owner: (T,) the image that each belongs to. An
    image's probability is the highest of its tiles. drawn: (D, 224, 224, 3) uint8, the intact
    crops, each followed by itself with damage drawn in; None where nothing is drawn.
    """

    crops: Tensor
    labels: Tensor
    tiles: Tensor
    owner: Tensor
    whole_labels: Tensor
    drawn: Tensor | None = None

    @classmethod
    def of(cls, examples: Sequence[Example], flips: bool, drawn: bool = False) -> "Validation":
        for kind, damaged in (("damaged", True), ("intact", False)):
            if not any(e.damaged is damaged for e in examples):
                raise DataError(
                    f"There is no {kind} picture to score on; both kinds are needed. Add pictures "
                    "of more regions, or place them with a split.json."
                )
        tiles, owner = [], []
        for index, example in enumerate(examples):
            image, _ = load_example(example)
            for tile in TileGrid(*image.shape[:2]):
                tiles.append(np.ascontiguousarray(tile.of(image)))
                owner.append(index)
        crops, labels = evaluation_crops(examples, flips)
        whole = torch.tensor([int(e.damaged) for e in examples])
        pairs = drawn_pairs(e for e in examples if not e.damaged) if drawn else None
        return cls(
            crops, labels, torch.from_numpy(np.stack(tiles)), torch.tensor(owner), whole, pairs
        )

    def __call__(self, model: nn.Module, device: torch.device) -> dict[str, Scores]:
        """Scores by what they are of: "crops", "whole", and "drawn" where there is any."""
        found = {
            "crops": scores(classify(model, self.crops, device), self.labels),
            "whole": scores(self.whole(classify(model, self.tiles, device)), self.whole_labels),
        }
        if self.drawn is not None:
            labels = torch.arange(len(self.drawn)) % 2
            found["drawn"] = scores(classify(model, self.drawn, device), labels)
        return found

    def whole(self, logits: Tensor) -> Tensor:
        """Logits (T, 2) of the tiles to logits (N, 2) of the images: the most damaged tile's."""
        best = torch.full((len(self.whole_labels),), -torch.inf)
        best = best.scatter_reduce(0, self.owner, logits[:, 1] - logits[:, 0], reduce="amax")
        return torch.stack([torch.zeros_like(best), best], dim=1)


def drawn_pairs(intact: Iterable[Example]) -> Tensor:
    """Centre crops (2N, 224, 224, 3) uint8 of intact examples, each followed by itself with damage
    drawn in: always the same damage, so that epochs and trainings can be compared."""
    pairs = []
    for index, example in enumerate(intact):
        crop, _ = centre_crop(*load_example(example))
        pairs += [crop, draw_damage(crop, np.random.default_rng((7, index)))[0]]
    return torch.from_numpy(np.stack(pairs))


def figures(found: Mapping[str, Scores]) -> dict[str, float]:
    """All figures of `Validation` by name, as in "val/tpr" and "val-whole/tpr"."""
    return {
        f"val{'' if of == 'crops' else f'-{of}'}/{name}": value
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
