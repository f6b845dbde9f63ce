"""ResNet of basic blocks (He, Zhang, Ren, Sun 2016, DOI 10.1109/CVPR.2016.90)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lrpseg.models.contract import DAMAGED, Classifier, Stage, output_count


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a way around them, with torchvision's names of modules.

    Not torchvision's class: importing that takes as long as all else in lrpseg together.
    """

    def __init__(
        self, inputs: int, outputs: int, stride: int = 1, downsample: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        around = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)) + around)


class ResNet(Classifier):
    """A ResNet of four layers of `blocks` basic blocks, for inputs of any multiple of 32 pixels.

    Stage 1 is the first convolution, stages 2 to 5 are the layers. Module names are torchvision's
    `resnet18`'s, so that its weights load as they are. `width` is of the first stage (the paper's:
    64) and doubles from `layer2` on.
    """

    def __init__(
        self,
        blocks: Sequence[int] = (2, 2, 2, 2),
        classes: tuple[str, ...] = DAMAGED,
        width: int = 64,
    ) -> None:
        super().__init__()
        self.side = None
        self.classes = classes
        self.stages = (Stage(width, 2), *(Stage(width * 2**i, 4 * 2**i) for i in range(4)))
        self.conv1 = nn.Conv2d(3, width, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = _layer(width, width, blocks[0], stride=1)
        self.layer2 = _layer(width, 2 * width, blocks[1], stride=2)
        self.layer3 = _layer(2 * width, 4 * width, blocks[2], stride=2)
        self.layer4 = _layer(4 * width, 8 * width, blocks[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(8 * width, output_count(len(classes)))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @property
    def head(self) -> nn.Linear:
        return self.fc

    def scales(self, x: Tensor) -> list[Tensor]:
        found = [self.relu(self.bn1(self.conv1(x)))]
        x = self.maxpool(found[0])
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            found.append(x)
        return found

    def classify(self, last: Tensor) -> Tensor:
        return self.fc(torch.flatten(self.avgpool(last), 1))

    def stage_of(self, name: str) -> int | None:
        part = name.partition(".")[0]
        if part in ("conv1", "bn1"):
            return 1
        return 1 + int(part.removeprefix("layer")) if part.startswith("layer") else None


def _layer(inputs: int, outputs: int, count: int, stride: int) -> nn.Sequential:
    """`count` basic blocks; the first changes the channels and the resolution."""
    downsample = None
    if stride != 1 or inputs != outputs:
        downsample = nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel_size=1, stride=stride, bias=False),
            nn.BatchNorm2d(outputs),
        )
    first = BasicBlock(inputs, outputs, stride, downsample)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs) for _ in range(count - 1)))
