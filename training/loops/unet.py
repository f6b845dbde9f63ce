"""U-Net (Ronneberger, Fischer, Brox 2015, DOI 10.1007/978-3-319-24574-4_28): what it costs to label
pixels instead of images. The paper compares its masks with this network's (3.2.2).
"""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lrpseg.core.errors import CheckpointError, LrpsegError
from lrpseg.domains import Normalisation
from lrpseg.masks.figures import Mask, count, means, pooled
from lrpseg.models.checkpoints import read_tensors, save_checkpoint
from lrpseg.models.networks import INPUT_SIZE
from lrpseg.models.self_trained import Block
from training.data.crops import centre_crop, flipped, load_example
from training.data.datasets import Example

LEVELS = 5
"""Resolutions of the network: four steps down and four up."""


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


def segmentation_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Pixel-wise cross entropy plus soft Dice of the whole batch.

    The publication has cross entropy alone, with weights for the classes and for borders between
    touching cells. Damage covers 0.6 % of the tiles: unweighted, everything is called intact for
    long; weighted, the likelihood is biased at the threshold of 0.5. Soft Dice (Milletari, Navab,
    Ahmadi 2016, DOI 10.1109/3DV.2016.79) does not depend on that share.

    Args:
        logits: (B, 2, H, W) float32.
        masks: (B, H, W) bool, true where damaged.
    """
    entropy = nn.functional.cross_entropy(logits, masks.long())
    likelihood, truth = torch.softmax(logits, dim=1)[:, 1], masks.float()
    overlap = (likelihood * truth).sum()
    # The 1 keeps a batch without damage from dividing by zero.
    return entropy + 1 - (2 * overlap + 1) / (likelihood.sum() + truth.sum() + 1)


@torch.inference_mode()
def predict(
    model: nn.Module,
    images: NDArray[np.uint8],
    device: torch.device,
    normalise: Normalisation,
    batch: int = 16,
) -> NDArray[np.float32]:
    """Likelihood of damage of each pixel; moves `model` to `device`, into `eval()` mode.

    Args:
        model: normalised input (B, 3, H, W) to logits (B, 2, H, W), as of a `UNet`.
        images: (N, H, W, 3) uint8 RGB, sides multiples of 16.

    Returns:
        (N, H, W) float32, 0 to 1.
    """
    model.to(device).eval()
    parts = []
    for part in torch.from_numpy(images).split(batch):
        x = normalise(part.to(device)).contiguous(memory_format=torch.channels_last)
        parts.append(torch.softmax(model(x).float(), dim=1)[:, 1].cpu())
    return torch.cat(parts).numpy()


def validation_crops(
    examples: Sequence[Example], flips: bool, size: int = INPUT_SIZE
) -> tuple[NDArray[np.uint8], list[Mask]]:
    """Centre crops (N, size, size, 3) and masks of the damaged examples that have a mask."""
    crops, masks = [], []
    for example in examples:
        image, mask = centre_crop(*load_example(example, size), size)
        for which in range(3 if flips else 1) if mask.any() else ():
            crops.append(flipped(image, which))
            masks.append(flipped(mask, which))
    if not crops:
        raise LrpsegError("No damaged validation picture has a mask: a U-Net is chosen by them.")
    return np.stack(crops), masks


def segmentation_figures(
    likelihoods: NDArray[np.float32], masks: Sequence[Mask]
) -> dict[str, float]:
    """Mean IoU, precision and recall over pictures, and the pooled IoU, at likelihood 0.5."""
    counts = [count(p >= 0.5, truth) for p, truth in zip(likelihoods, masks, strict=True)]
    figures = {f"val/{k}": v for k, v in asdict(means(counts)).items()}
    return figures | {"val/pooled_iou": pooled(counts).iou}


def save_unet(model: UNet, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write `model` as safetensors, atomically; `metadata` goes into the file's header.

    Convolutions are stored as fp16; batch norm's statistics keep float32, as variances overflow.
    """
    about = {**(metadata or {}), "width": str(model.width), "norm": str(int(model.norm))}
    save_checkpoint(model, path, "unet", about)


def load_unet(path: Path) -> UNet:
    """The U-Net in the file `path`, on the CPU, in float32, `eval()` mode and channels-last order.

    Raises:
        CheckpointError: the file is missing, damaged, or holds no U-Net.
    """
    tensors, metadata = read_tensors(path)
    if metadata.get("network") != "unet":
        raise CheckpointError(f"{path} holds no U-Net. Train one with `training.loops.train_unet`.")
    try:
        model = UNet(int(metadata["width"]), metadata["norm"] == "1")
        model.load_state_dict({k: v.float() for k, v in tensors.items()})
    except (KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} does not fit the U-Net that it names: {error}") from error
    model.to(memory_format=torch.channels_last)
    return model.eval().requires_grad_(False)
