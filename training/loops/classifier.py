"""A classifier as what is trained: its start, its loss, and how an epoch is judged."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from lrpseg.core.errors import CheckpointError, LrpsegError, OptionError
from lrpseg.core.registry import Registry
from lrpseg.models.checkpoints import read_tensors, save_checkpoint
from lrpseg.models.contract import DAMAGED, Classifier
from lrpseg.models.inputs import Normalisation
from lrpseg.models.networks import NETWORKS
from training.data.crops import Augmentation
from training.data.training_crops import TrainingCrops
from training.loops.loop import Judged, Plan, Task
from training.loops.resuming import plain
from training.loops.validation import Scores, Validation, described, figures


def _crops_alone(found: dict[str, Scores]) -> list[Scores]:
    return [s for of, s in found.items() if of.partition("/")[0] == "crops"]


SELECTS: Registry = Registry("selection")
"""What the best epoch is chosen by: the mean balanced accuracy of what is picked here."""
SELECTS.add("crops", _crops_alone)
SELECTS.add("all", lambda found: list(found.values()))


@dataclass(frozen=True, kw_only=True)
class Config(Plan):
    """All that decides a classifier's training; stored in every file that it writes.

    init: "imagenet", "none", or a safetensors file. frozen: stages, from the first, that stay as
    they start; above four of VGG-A's five a training takes a third of the time. lr_fc, lr_conv:
    learning rates of the head, and of the features. select: a name in `SELECTS`: centre crops
    (paper), or also whole pictures, and drawn damage where some is drawn. flip_val: add flipped
    val crops, as the paper does.
    """

    domain: str
    network: str = "one-fc"
    init: str = "imagenet"
    frozen: int = 0
    epochs: int = 10
    crops: int = 256  # per epoch, half of them damaged
    batch: int = 16
    lr_fc: float = 1e-3  # paper 3.2.1
    lr_conv: float = 1e-4  # paper 3.2.1
    schedule: str = "constant"
    label_smoothing: float = 0.0
    augmentation: Augmentation = field(default_factory=Augmentation)
    flip_val: bool = False
    select: str = "all"

    def __post_init__(self) -> None:
        super().__post_init__()
        SELECTS[self.select]
        if self.frozen < 0:
            raise OptionError(f"frozen is 0 or more; it is {self.frozen}.")
        if not 0 <= self.label_smoothing < 1:
            raise OptionError(f"Label smoothing is 0 to 1; {self.label_smoothing} was given.")


def initialise(
    network: str, init: str, seed: int, classes: tuple[str, ...] = DAMAGED
) -> Classifier:
    """A network with the starting weights `init`: imagenet, none, or a safetensors file.

    `imagenet` and a file that fits the features alone fill those; the head starts at random (paper
    3.2.1). A checkpoint of the same network fills all of it.

    Raises `CheckpointError` where the file lacks the features, `LrpsegError` for no classifier.
    """
    torch.manual_seed(seed)
    entry = NETWORKS[network]
    model = entry.build(classes)
    if not isinstance(model, Classifier):
        raise LrpsegError(f"{network} is no classifier. Train it with training.loops.self_train.")
    if init == "none":
        return model
    if init == "imagenet":
        if entry.pretrained is None:
            raise OptionError(f"There are no ImageNet weights of {network!r}: use --init none.")
        tensors = entry.pretrained()
    else:
        tensors, _ = read_tensors(Path(init))
    try:
        model.start_from(tensors)
    except CheckpointError as error:
        raise CheckpointError(f"{init}: {error}") from error
    return model


def freeze(model: Classifier, stages: int) -> None:
    """The first `stages` of a classifier learn no more.

    Raises `OptionError` where it has no more than these.
    """
    if stages >= len(model.stages):
        raise OptionError(
            f"{stages} stages are to stay as they start, and the network has {len(model.stages)}: "
            "freeze fewer."
        )
    for name, parameter in model.named_parameters():
        stage = model.stage_of(name.rpartition(".")[0])
        parameter.requires_grad_(stage is None or stage > stages)


def classification_loss(outputs: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross entropy of (B, 2) logits and (B,) labels for one class; of several classes the mean
    binary cross entropy of (B, K) logits and (B, K) labels, 0 or 1.

    smoothing: share of a label that goes to the other of both (Szegedy et al. 2016, DOI
    10.1109/CVPR.2016.308, section 7), 0 to 1; half of it, as there are two.
    """
    if labels.ndim == 1:
        return nn.functional.cross_entropy(outputs, labels, label_smoothing=smoothing)
    soft = labels * (1 - smoothing) + smoothing / 2
    return nn.functional.binary_cross_entropy_with_logits(outputs, soft)


class ClassifierTask(Task):
    """A classifier learns from image-level labels; `out`/best.safetensors is the best epoch's by
    `validation`, or without one the last epoch's."""

    def __init__(
        self,
        model: Classifier,
        crops: TrainingCrops,
        normalise: Normalisation,
        validation: Validation | None,
        config: Config,
        out: Path,
        device: torch.device,
    ) -> None:
        self.network, self.crops, self.normalise = model, crops, normalise
        self.classifier, self.validation = model, validation
        self.config, self.out, self.device = config, out, device
        freeze(model, config.frozen)

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        body = [p for p in self.classifier.body_parameters() if p.requires_grad]
        return [
            (body, self.config.lr_conv),
            (list(self.classifier.head_parameters()), self.config.lr_fc),
        ]

    def loss(self, outputs: Tensor, *targets: Tensor) -> Tensor:
        return classification_loss(outputs, targets[0], self.config.label_smoothing)

    def judge(self, network: nn.Module) -> Judged:
        if self.validation is None:
            return Judged({}, None, "the last epoch is kept")
        assert isinstance(network, Classifier)
        found = self.validation(network, self.device)
        judgement = Scores.mean(SELECTS[self.config.select](found))
        return Judged(figures(found), judgement.rank, described(found))

    def save(self, network: nn.Module) -> None:
        about = {"config": json.dumps(plain(self.config))}
        save_checkpoint(network, self.out / "best.safetensors", self.config.network, about)
