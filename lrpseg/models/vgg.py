"""VGG-A (Simonyan and Zisserman 2015, arXiv:1409.1556), the paper's classifier (section 3.2.1)."""

import torch
from torch import Tensor, nn

# VGG-A, "M" is a 2x2 max-pool (Simonyan and Zisserman 2015, table 1, column A).
_VGG_A = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")
POOLED = 512 * 7 * 7  # features of a 224x224 input after the fifth max-pool

FEATURE_NAMES: dict[str, str] = {
    "conv1_1": "features.0",
    "conv2_1": "features.3",
    "conv3_1": "features.6",
    "conv3_2": "features.8",
    "conv4_1": "features.11",
    "conv4_2": "features.13",
    "conv5_1": "features.16",
    "conv5_2": "features.18",
}
"""The paper's layer names and the module each is, in torchvision's layout of VGG-11."""


SCALE_CHANNELS = (64, 128, 256, 512, 512)
"""Channels before each of the five max-pools."""


def _features() -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for step in _VGG_A:
        if isinstance(step, int):
            layers += [nn.Conv2d(channels, step, kernel_size=3, padding=1), nn.ReLU()]
            channels = step
        else:
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
    return nn.Sequential(*layers)


class VggA(nn.Module):
    """VGG-11 without batch normalisation and with the given fully connected head.

    Input: (B, 3, 224, 224) float, normalised. Output: (B, 2) logits of (intact, damaged).
    Module names follow torchvision's `vgg11`, so that its `features.*` weights load as they are.
    """

    def __init__(self, classifier: nn.Sequential) -> None:
        super().__init__()
        self.features = _features()
        self.classifier = classifier

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.features(x), 1))

    def scales(self, x: Tensor) -> list[Tensor]:
        """What each max-pool gets: (B, C, H / 2**i, W / 2**i) for C in `SCALE_CHANNELS`.

        `x`: (B, 3, H, W) normalised, H and W multiples of 16.
        """
        found = []
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                found.append(x)
                if len(found) == len(SCALE_CHANNELS):
                    break
            x = layer(x)
        return found

    def classify(self, last: Tensor) -> Tensor:
        """The logits (B, 2) from the last of the `scales` of a 224x224 input."""
        return self.classifier(torch.flatten(self.features[-1](last), 1))

    def calibrate(self, slope: float, offset: float) -> None:
        """Put slope * (z1 - z0) + offset in place of the log-odds z1 - z0, in the output layer.

        LRP's relevance of the log-odds is multiplied by the slope, all of it alike.
        """
        _, output = self.fc_layers()[-1]
        with torch.no_grad():
            output.weight.mul_(slope)
            half = torch.tensor([-offset / 2, offset / 2])
            output.bias.mul_(slope).add_(half.to(output.bias.device))

    def conv_layers(self) -> list[tuple[str, nn.Conv2d]]:
        """(paper's name, module) of the convolutions, from the input on."""
        convolutions = (m for m in self.features if isinstance(m, nn.Conv2d))
        return list(zip(FEATURE_NAMES, convolutions, strict=True))

    def fc_layers(self) -> list[tuple[str, nn.Linear]]:
        """(module's name, module) of the fully connected layers, from the convolutions on."""
        return [
            (f"classifier.{i}", m)
            for i, m in enumerate(self.classifier)
            if isinstance(m, nn.Linear)
        ]
