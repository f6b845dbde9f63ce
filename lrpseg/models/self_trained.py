"""A network of ours that segments, trained without pixel labels on a classifier's features."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from lrpseg.models.vgg import SCALE_CHANNELS, VggA


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
    classifier decides alone. `features` is the `fingerprint` of the classifier that it was trained
    on.
    """

    CHANNELS = (16, 32, 48, 64, 64)
    """Of each scale, from the finest on."""
    WINDOW = 5

    def __init__(self, dropout: float = 0.0) -> None:
        """`dropout`: at the coarsest scale, in training."""
        super().__init__()
        sizes = self.CHANNELS
        self.narrow = nn.ModuleList(
            nn.Conv2d(i, o, 1) for i, o in zip(SCALE_CHANNELS, sizes, strict=True)
        )
        # From the coarsest scale up.
        self.merge = nn.ModuleList(
            Block(sizes[i + 1] + sizes[i], sizes[i], norm=True) for i in range(len(sizes) - 1)[::-1]
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv2d(sizes[0], 2, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        self.register_buffer("slope", torch.zeros(()))
        self.register_buffer("trust", torch.ones(()))
        self.register_buffer("offset", torch.zeros(()))
        self.register_buffer("features", torch.zeros(32))
        self.slope: Tensor
        self.trust: Tensor
        self.offset: Tensor
        self.features: Tensor

    def forward(self, scales: Sequence[Tensor]) -> Tensor:
        """A classifier's `scales` of (B, 3, H, W) to logits (B, 2, H, W) of intact (0) and damaged
        (1) for each pixel."""
        *finer, coarsest = (n(s) for n, s in zip(self.narrow, scales, strict=True))
        x = self.dropout(coarsest)
        for merge, skip in zip(self.merge, finer[::-1], strict=True):
            x = merge(torch.cat([interpolate(x, scale_factor=2, mode="bilinear"), skip], dim=1))
        return self.head(x)

    def evidence(self, likelihood: Tensor) -> Tensor:
        """(B, H, W) likelihood to (B,) float32 log-odds of the highest mean of a window."""
        window, pad = self.WINDOW, self.WINDOW // 2
        means = avg_pool2d(likelihood[:, None], window, 1, pad)
        return torch.logit(means.amax(dim=(1, 2, 3)).float(), eps=1e-6)

    def logits(self, likelihood: Tensor, classifier: Tensor) -> Tensor:
        """(B, H, W) likelihood and a classifier's (B, 2) logits to (B, 2) logits of (intact,
        damaged)."""
        log_odds = classifier[:, 1] - classifier[:, 0]
        odds = self.slope * self.evidence(likelihood) + self.trust * log_odds + self.offset
        return torch.stack([torch.zeros_like(odds), odds], dim=1).float()

    def belongs_to(self, classifier: VggA) -> bool:
        """Whether it was trained on the features of `classifier`."""
        return torch.equal(self.features.cpu(), fingerprint(classifier))


class Decider(nn.Module):
    """A network that segments and the classifier on whose features it does, as one classifier."""

    def __init__(self, own: SelfTrained, classifier: VggA) -> None:
        """Raises `ValueError` where `own` belongs to other weights."""
        super().__init__()
        if not own.belongs_to(classifier):
            raise ValueError("The network was trained on the features of another classifier.")
        self.own, self.classifier = own, classifier

    @classmethod
    def untrained(cls, classifier: VggA, dropout: float = 0.0) -> "Decider":
        """A new network on the features of `classifier`."""
        own = SelfTrained(dropout)
        own.features.copy_(fingerprint(classifier))
        return cls(own, classifier)

    def pixels(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) normalised RGB, sides multiples of 16, to logits (B, 2, H, W)."""
        return self.own(self.classifier.scales(x))

    def likelihood(self, x: Tensor) -> Tensor:
        """As `pixels`, but the likelihood of damage (B, H, W), 0 to 1."""
        return likelihood_of(self.pixels(x))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, 224, 224) normalised RGB to (B, 2) logits of (intact, damaged)."""
        return self.decide(x)[1]

    def decide(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, 224, 224) normalised RGB to the likelihood (B, 224, 224) and the logits (B, 2), of
        one pass through the convolutions."""
        scales = self.classifier.scales(x)
        likelihood = likelihood_of(self.own(scales))
        return likelihood, self.own.logits(likelihood, self.classifier.classify(scales[-1]))


def likelihood_of(pixels: Tensor) -> Tensor:
    """Logits (B, 2, H, W) to the likelihood of damage (B, H, W), float32."""
    return torch.softmax(pixels.float(), dim=1)[:, 1]


def fingerprint(classifier: VggA) -> Tensor:
    """SHA-256 of a classifier's convolutions as stored (fp16), (32,) float32 of 0 to 255."""
    digest = hashlib.sha256()
    for _, module in classifier.conv_layers():
        for tensor in (module.weight, module.bias):
            assert tensor is not None
            digest.update(tensor.detach().to("cpu", torch.float16).contiguous().numpy().tobytes())
    return torch.tensor(list(digest.digest()), dtype=torch.float32)
