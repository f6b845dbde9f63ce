"""U-Net (Ronneberger, Fischer, Brox 2015, DOI 10.1007/978-3-319-24574-4_28), and a network of ours
on top of it that was trained without pixel labels.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

LEVELS = 5
"""Resolutions of the network: four steps down and four up."""


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


class UNet(nn.Module):
    """Logits of intact (0) and damaged (1) for each pixel.

    Deviations from the publication: three input channels; convolutions are padded, so that the
    output is as large as the input (theirs shrinks 572 to 388); batch norm after each 3x3
    convolution, which a training of minutes needs (`norm=False` leaves it out); widths below 64.
    As published: the shape, 2x2 up-convolutions that halve the channels, concatenated skips, a 1x1
    convolution at the end, dropout at the end of the contracting path, weights from a normal
    distribution of standard deviation sqrt(2 / fan-in).
    """

    def __init__(self, width: int = 64, norm: bool = True, dropout: float = 0.5) -> None:
        """`width`: channels of the first level (64 as published; 32 or 16 on a CPU).

        They double at each of the four steps down.
        """
        super().__init__()
        self.width, self.norm = width, norm
        channels = [width * 2**level for level in range(LEVELS)]
        self.down = nn.ModuleList(Block(i, o, norm) for i, o in pairwise([3, *channels]))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(i, o, 2, stride=2) for i, o in pairwise(channels[::-1])
        )
        self.merge = nn.ModuleList(Block(2 * o, o, norm) for o in channels[-2::-1])
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv2d(width, 2, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) normalised RGB to logits (B, 2, H, W); H and W are multiples of 16."""
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else self.pool(x))
            skips.append(x)
        x = self.dropout(skips.pop())
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([skips.pop(), up(x)], dim=1))
        return self.head(x)


class SelfTrained(nn.Module):
    """A U-Net that learned from masks which nobody drew, and its part in the probability of damage.

    Its masks in training were drawn damage and what LRP found (`training.self_train`). Whether a
    picture is damaged is decided together with a classifier of the same domain, by a logistic
    function of two log-odds: the classifier's, and that of the highest mean likelihood of a 5x5
    window. Its weights are fitted on validation images (Platt 1999); before that, the classifier
    decides alone.
    """

    WIDTH = 16
    """Channels of the U-Net's first level; small enough for 4 MB of weights and a CPU."""
    WINDOW = 5

    def __init__(self, unet: UNet) -> None:
        super().__init__()
        self.unet = unet
        self.register_buffer("slope", torch.zeros(()))
        self.register_buffer("trust", torch.ones(()))
        self.register_buffer("offset", torch.zeros(()))
        self.slope: Tensor
        self.trust: Tensor
        self.offset: Tensor

    def likelihood(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) normalised RGB to the likelihood of damage (B, H, W), 0 to 1."""
        return torch.softmax(self.unet(x).float(), dim=1)[:, 1]

    def evidence(self, likelihood: Tensor) -> Tensor:
        """(B, H, W) likelihood to (B,) float64 log-odds of the highest mean of a window."""
        window, pad = self.WINDOW, self.WINDOW // 2
        means = nn.functional.avg_pool2d(likelihood[:, None], window, 1, pad)
        return torch.logit(means.amax(dim=(1, 2, 3)).double().clamp(1e-6, 1 - 1e-6))

    def logits(self, likelihood: Tensor, classifier: Tensor) -> Tensor:
        """(B, H, W) likelihood and a classifier's (B, 2) logits to (B, 2) logits of (intact,
        damaged)."""
        log_odds = classifier[:, 1] - classifier[:, 0]
        odds = self.slope * self.evidence(likelihood) + self.trust * log_odds + self.offset
        return torch.stack([torch.zeros_like(odds), odds], dim=1).float()


class Decider(nn.Module):
    """A network that segments and the classifier beside it, as one classifier."""

    def __init__(self, own: SelfTrained, classifier: nn.Module) -> None:
        super().__init__()
        self.own, self.classifier = own, classifier

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, 224, 224) normalised RGB to (B, 2) logits of (intact, damaged)."""
        return self.own.logits(self.own.likelihood(x), self.classifier(x))
