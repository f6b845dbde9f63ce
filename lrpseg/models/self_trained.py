"""A network of ours that segments, trained without pixel labels on a classifier's features."""

import hashlib
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from lrpseg.models.contract import COUNTER, DAMAGED, Classifier, Stage, log_odds_of, output_count
from lrpseg.models.vgg import VGG_A_STAGES


class Block(nn.Sequential):
    """Two 3x3 convolutions, each with a ReLU: (B, inputs, H, W) to (B, outputs, H, W)."""

    def __init__(self, inputs: int, outputs: int, norm: bool) -> None:
        layers: list[nn.Module] = []
        for channels in (inputs, outputs):
            # Batch norm has a bias of its own.
            layers.append(nn.Conv2d(channels, outputs, 3, padding=1, bias=not norm))
            if norm:
                layers.append(nn.BatchNorm2d(outputs))
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)


class SelfTrained(nn.Module):
    """The expanding half of a U-Net (Ronneberger, Fischer, Brox 2015, DOI
    10.1007/978-3-319-24574-4_28) whose contracting half is a classifier's convolutions, as they are
    (TernausNet, Iglovikov and Shvets 2018, arXiv:1801.05746, which trains them too).

    It learned from masks which nobody drew: drawn damage and what LRP found
    (`training.loops.self_train`). Whether a picture is damaged is decided together with the
    classifier, by a logistic function of two log-odds: the classifier's, and that of the highest
    mean likelihood of a 5x5 window. Its weights `slope` (of its own), `trust` (of the
    classifier's) and `offset` are fitted on validation images (Platt 1999); before that, the
    classifier decides alone. Each is one number, or for K > 1 classes one each, (K,). `features` is
    the `fingerprint` of the classifier that it was trained on.
    """

    WIDTHS = (16, 32, 48, 64)
    """Channels of each scale, from the finest on; the last also of all that follow."""
    WINDOW = 5

    def __init__(
        self,
        stages: Sequence[Stage] = VGG_A_STAGES,
        classes: tuple[str, ...] = DAMAGED,
        dropout: float = 0.0,
    ) -> None:
        """`stages`, `classes`: of the classifier. `dropout`: at the coarsest scale, in training."""
        super().__init__()
        sizes = [self.WIDTHS[min(i, len(self.WIDTHS) - 1)] for i in range(len(stages))]
        strides = [stage.stride for stage in stages]
        self.classes = classes
        # From the coarsest scale up; the last is from the finest scale to the input's pixels.
        self.factors = [b // a for a, b in pairwise([1, *strides])][::-1]
        self.narrow = nn.ModuleList(
            nn.Conv2d(stage.channels, size, 1) for stage, size in zip(stages, sizes, strict=True)
        )
        # From the coarsest scale up.
        self.merge = nn.ModuleList(
            Block(sizes[i + 1] + sizes[i], sizes[i], norm=True) for i in range(len(sizes) - 1)[::-1]
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv2d(sizes[0], output_count(len(classes)), 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        each = () if len(classes) == 1 else (len(classes),)
        self.register_buffer("slope", torch.zeros(each))
        self.register_buffer("trust", torch.ones(each))
        self.register_buffer("offset", torch.zeros(each))
        self.register_buffer("features", torch.zeros(32))
        self.slope: Tensor
        self.trust: Tensor
        self.offset: Tensor
        self.features: Tensor

    def forward(self, scales: Sequence[Tensor]) -> Tensor:
        """A classifier's `scales` of (B, 3, H, W) to the outputs of each pixel: logits (B, 2, H, W)
        of intact (0) and damaged (1) for one class, else (B, K, H, W), a logit for each class."""
        *finer, coarsest = (n(s) for n, s in zip(self.narrow, scales, strict=True))
        x = self.dropout(coarsest)
        *factors, last = self.factors
        for merge, skip, factor in zip(self.merge, finer[::-1], factors, strict=True):
            x = merge(torch.cat([_enlarged(x, factor), skip], dim=1))
        return _enlarged(self.head(x), last)

    def likelihood(self, pixels: Tensor) -> Tensor:
        """Outputs of `forward` to the likelihood of each class (B, K, H, W), float32, 0 to 1."""
        return likelihood_of(pixels, len(self.classes))

    def evidence(self, likelihood: Tensor) -> Tensor:
        """(B, K, H, W) likelihood to (B, K) float32 log-odds of the highest mean of a window."""
        means = avg_pool2d(likelihood, self.WINDOW, 1, self.WINDOW // 2)
        return torch.logit(means.amax(dim=(2, 3)).float(), eps=1e-6)

    def log_odds(self, likelihood: Tensor, classifier: Tensor) -> Tensor:
        """(B, K, H, W) likelihood and a classifier's log-odds (B, K) to log-odds (B, K)."""
        odds = self.slope * self.evidence(likelihood) + self.trust * classifier + self.offset
        return odds.float()

    def belongs_to(self, classifier: Classifier) -> bool:
        """Whether it was trained on the features of `classifier`, or on those that they stand
        for."""
        return in_hex(self.features) in (in_hex(fingerprint(classifier)), *classifier.stands_for)


def _enlarged(x: Tensor, factor: int) -> Tensor:
    return x if factor == 1 else interpolate(x, scale_factor=factor, mode="bilinear")


class Decider(nn.Module):
    """A network that segments and the classifier on whose features it does, as one classifier."""

    def __init__(self, own: SelfTrained, classifier: Classifier) -> None:
        """Raises `ValueError` where `own` belongs to other weights."""
        super().__init__()
        if not own.belongs_to(classifier):
            raise ValueError("The network was trained on the features of another classifier.")
        self.own, self.classifier = own, classifier

    @classmethod
    def untrained(cls, classifier: Classifier, dropout: float = 0.0) -> "Decider":
        """A new network on the features of `classifier`."""
        own = SelfTrained(classifier.stages, classifier.classes, dropout)
        own.features.copy_(fingerprint(classifier))
        return cls(own, classifier)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the damage classes."""
        return self.classifier.classes

    def pixels(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) normalised RGB, sides multiples of the coarsest stride, to the outputs of
        each pixel, as of `SelfTrained.forward`."""
        return self.own(self.classifier.scales(x))

    def likelihood(self, x: Tensor) -> Tensor:
        """As `pixels`, but the likelihood of each class (B, K, H, W), 0 to 1."""
        return self.own.likelihood(self.pixels(x))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, side, side) normalised RGB to outputs as of a `Classifier`: (B, 2) for one class,
        of which the first is 0, else log-odds (B, K)."""
        odds = self.decide(x)[1]
        if len(self.classes) > 1:
            return odds
        return torch.cat([torch.zeros_like(odds), odds], dim=1)

    def log_odds(self, outputs: Tensor) -> Tensor:
        """Outputs of `forward` to log-odds (B, K), positive where a class is predicted."""
        return log_odds_of(outputs, len(self.classes))

    def decide(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, side, side) normalised RGB to the likelihood (B, K, side, side) and the log-odds
        (B, K), of one pass through the convolutions."""
        scales = self.classifier.scales(x)
        likelihood = self.own.likelihood(self.own(scales))
        odds = self.classifier.log_odds(self.classifier.classify(scales[-1]))
        return likelihood, self.own.log_odds(likelihood, odds)


def likelihood_of(pixels: Tensor, classes: int = 1) -> Tensor:
    """Outputs of each pixel, (B, 2, H, W) for one class, else (B, K, H, W), to the likelihood of
    each class (B, K, H, W), float32."""
    pixels = pixels.float()
    return torch.softmax(pixels, dim=1)[:, 1:] if classes == 1 else torch.sigmoid(pixels)


def in_hex(features: Tensor) -> str:
    """A fingerprint, (32,) of 0 to 255, in hexadecimal."""
    return bytes(features.to(torch.uint8).tolist()).hex()


def fingerprint(classifier: Classifier) -> Tensor:
    """SHA-256 of a classifier's features, (32,) float32 of 0 to 255.

    Weights and biases count as fp16, as kernels are stored; what batch norm measured, which would
    overflow, as float32.
    """
    digest = hashlib.sha256()
    learned = {name for name, _ in classifier.named_parameters()}
    for name, tensor in classifier.state_dict().items():
        if classifier.stage_of(name) is None or name.endswith(COUNTER):
            continue
        stored = torch.float16 if name in learned else torch.float32
        digest.update(tensor.detach().to("cpu", stored).contiguous().numpy().tobytes())
    return torch.tensor(list(digest.digest()), dtype=torch.float32)
