"""Trains what lies above a stage of a VGG, on features below it that are computed once.

The lower stages stay as they start. A training then takes a tenth of the time: of each picture some
crops are drawn, their features kept on the disk, and all epochs and folds are trained on these.
"""

import hashlib
import json
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm import tqdm

from lrpseg.core.files import atomically
from lrpseg.models.checkpoints import save_checkpoint
from lrpseg.models.inputs import Normalisation
from lrpseg.models.networks import INPUT_SIZE
from lrpseg.models.vgg import Vgg
from training.data.crops import Augmentation, load_example, random_crop
from training.data.datasets import DataError, Example
from training.loops.classifier import Config, classification_loss
from training.loops.loop import Judged, Task
from training.loops.resuming import plain


@dataclass(frozen=True)
class Each:
    """Crops of a picture whose features are kept: of damaged ones, of intact ones, and of intact
    ones with damage drawn in."""

    damaged: int = 6
    intact: int = 2
    drawn: int = 2


@dataclass(frozen=True, eq=False)
class Features:
    """Features (N, C, h, w) float16 of crops; owner: (N,) the example of each; damaged: (N,) its
    label; drawn: (N,) whether its damage is drawn."""

    values: np.ndarray
    owner: np.ndarray
    damaged: np.ndarray
    drawn: np.ndarray


@torch.inference_mode()
def features_of(
    examples: Sequence[Example],
    lower: nn.Module,
    weights: str,
    normalise: Normalisation,
    augmentation: Augmentation,
    each: Each,
    cache: Path,
    device: torch.device,
    seed: int = 0,
    size: int = INPUT_SIZE,
) -> Features:
    """Those of crops of all examples; weights: what the lower stages are known by; size: of a crop.

    What `cache` has of the same pictures and settings is not computed again; a run that was killed
    goes on after its last picture.
    """
    vary = [asdict(augmentation) | {"drawn": 0.0}, size]
    cache.mkdir(parents=True, exist_ok=True)
    parts: list[np.ndarray] = []
    owner, damaged, drawn = [], [], []
    for index, example in enumerate(tqdm(examples, desc="features")):
        wanted = [False] * (each.damaged if example.damaged else each.intact)
        wanted += [True] * (0 if example.damaged or not augmentation.drawn else each.drawn)
        about = json.dumps([weights, vary, asdict(normalise), wanted, seed, index])
        key = hashlib.sha256(about.encode() + example.image.read_bytes()).hexdigest()[:32]
        path = cache / f"{key}.npy"
        if not path.is_file():
            image, mask = load_example(example, size)
            crops = [
                random_crop(
                    image, mask, augmentation, np.random.default_rng((seed, index, k)), d, size
                )
                for k, d in enumerate(wanted)
            ]
            x = normalise(torch.from_numpy(np.stack(crops)).to(device))
            found = lower(x.contiguous(memory_format=torch.channels_last)).half().cpu().numpy()
            atomically(path, lambda file, found=found: np.save(file, found))  # type: ignore[misc]
        parts.append(np.load(path))
        owner += [index] * len(wanted)
        damaged += [example.damaged or d for d in wanted]
        drawn += wanted
    return Features(np.concatenate(parts), np.array(owner), np.array(damaged), np.array(drawn))


class FeatureCrops(Dataset[tuple[Tensor, int]]):
    """`count` of the known examples' crops in an epoch, drawn as `TrainingCrops` draws: the class
    first, then a region of it, a picture of that, and one of its crops."""

    def __init__(
        self, features: Features, examples: Sequence[Example], known: Sequence[int],
        count: int, drawn: float, seed: int, epoch: int = 0,
    ) -> None:  # fmt: skip
        """known: indices of examples. drawn: share of damaged crops whose damage is drawn."""
        self.features, self.count, self.drawn = features, count, drawn
        self.seed, self.epoch = seed, epoch
        self._of: list[dict[str, dict[int, list[int]]]] = [{}, {}, {}]
        wanted = set(known)
        for row, index in enumerate(features.owner.tolist()):
            if index in wanted:
                kind = int(features.damaged[row]) + int(features.drawn[row])
                pictures = self._of[kind].setdefault(examples[index].region, {})
                pictures.setdefault(index, []).append(row)
        if not self._of[0] or not self._of[1]:
            raise DataError("Damaged and intact pictures are needed to train on.")

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        random = np.random.default_rng((self.seed, self.epoch, index))
        label = int(random.integers(2))
        kind = label + int(bool(label and self._of[2] and random.random() < self.drawn))
        regions = list(self._of[kind].values())
        pictures = list(regions[random.integers(len(regions))].values())
        rows = pictures[random.integers(len(pictures))]
        row = rows[random.integers(len(rows))]
        return torch.from_numpy(self.features.values[row]), label


class UpperTask(Task):
    """The stages above those that the configuration freezes, and the head, learn from image-level
    labels. The last epoch's are kept, with the lower stages, as the classifier's weights
    `out`/best.safetensors."""

    def __init__(self, model: Vgg, crops: FeatureCrops, config: Config, out: Path) -> None:
        self.model, self.crops, self.config, self.out = model, crops, config, out
        self.network = model.parts(config.frozen)[1]
        self.normalise = lambda features: features.float()  # type: ignore[assignment]

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        head = {id(p) for p in self.model.head_parameters()}
        body = [p for p in self.network.parameters() if id(p) not in head]
        return [
            (body, self.config.lr_conv),
            (list(self.model.head.parameters()), self.config.lr_fc),
        ]

    def loss(self, outputs: Tensor, *targets: Tensor) -> Tensor:
        return classification_loss(outputs, targets[0], self.config.label_smoothing)

    def judge(self, network: nn.Module) -> Judged:
        return Judged({}, None, "the last epoch is kept")

    def save(self, network: nn.Module) -> None:
        whole = deepcopy(self.model)
        whole.parts(self.config.frozen)[1].load_state_dict(network.state_dict())
        about = {"config": json.dumps(plain(self.config))}
        save_checkpoint(whole, self.out / "best.safetensors", self.config.network, about)
