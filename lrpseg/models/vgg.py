"""VGG without batch norm (Simonyan and Zisserman 2015, arXiv:1409.1556); A is the paper's
classifier (section 3.2.1)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lrpseg.models.contract import DAMAGED, TILE, Classifier, Stage, output_count

# Convolutions before each of the five max-pools (Simonyan and Zisserman 2015, table 1).
VGG_A = (1, 1, 2, 2, 2)
VGG_D = (2, 2, 3, 3, 3)


class Vgg(Classifier):
    """A VGG with fully connected layers of `hidden` neurons, each with ReLU and dropout, before its
    outputs.

    A stage is what a max-pool gets. Module names follow torchvision's, so that its `features.*`
    weights load as they are. `width` is of the first stage (the paper's: 64): it doubles with each
    stage up to the eightfold. `side`: a multiple of 32.
    """

    def __init__(
        self,
        blocks: Sequence[int] = VGG_A,
        hidden: Sequence[int] = (),
        classes: tuple[str, ...] = DAMAGED,
        width: int = 64,
        side: int = TILE,
    ) -> None:
        super().__init__()
        self.side: int = side
        self.classes = classes
        self.stages = _stages(len(blocks), width)
        pooled = self.stages[-1].channels * (side // (2 * self.stages[-1].stride)) ** 2
        # Before the features, as ever: a seed gives the same weights.
        classifier = _classifier(pooled, hidden, output_count(len(classes)))
        self.features = _features(blocks, self.stages)
        self.classifier = classifier

    @property
    def head(self) -> nn.Sequential:
        return self.classifier

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.features(x), 1))

    def scales(self, x: Tensor) -> list[Tensor]:
        found = []
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                found.append(x)
                if len(found) == len(self.stages):
                    break
            x = layer(x)
        return found

    def classify(self, last: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.features[-1](last), 1))

    def parts(self, stage: int) -> tuple[nn.Sequential, nn.Sequential]:
        """What comes up to the max-pool of `stage`, from 1 on, and what follows it: `forward` is
        one after the other. Both are made of this network's own layers."""
        pools = [i for i, m in enumerate(self.features) if isinstance(m, nn.MaxPool2d)]
        end = pools[stage - 1] + 1
        rest = [*self.features[end:], nn.Flatten(1), *self.classifier]
        return self.features[:end], nn.Sequential(*rest)

    def stage_of(self, name: str) -> int | None:
        part, _, rest = name.partition(".")
        if part != "features":
            return None
        index = int(rest.partition(".")[0])
        return 1 + sum(isinstance(m, nn.MaxPool2d) for m in self.features[:index])


def _stages(count: int, width: int = 64) -> tuple[Stage, ...]:
    return tuple(Stage(width * min(2**i, 8), 2**i) for i in range(count))


VGG_A_STAGES = _stages(len(VGG_A))


def _features(blocks: Sequence[int], stages: Sequence[Stage]) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for count, stage in zip(blocks, stages, strict=True):
        for _ in range(count):
            layers += [nn.Conv2d(channels, stage.channels, kernel_size=3, padding=1), nn.ReLU()]
            channels = stage.channels
        layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
    return nn.Sequential(*layers)


def _classifier(inputs: int, hidden: Sequence[int], outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for neurons in hidden:
        layers += [nn.Linear(inputs, neurons), nn.ReLU(), nn.Dropout(0.5)]
        inputs = neurons
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


VggA = Vgg
"""Its name where VGG-A was the only one."""
