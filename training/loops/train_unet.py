"""Trains a U-Net from masks: the pixel-label baseline (paper 3.2.2).

    python -m training.loops.train_unet --data DIR --domain magnetic-tile --out runs/unet-tiles
    torchrun --nproc-per-node 4 -m training.loops.train_unet ...   # several GPUs; --resume: go on

It sees the damaged pictures of the training split, deformed as in Ronneberger, Fischer, Brox 2015
(DOI 10.1007/978-3-319-24574-4_28). Unlike there: Dice beside cross entropy (`segmentation_loss`),
AdamW with a cosine schedule instead of SGD with momentum 0.99, and batches instead of one image.

Writes into --out: best.safetensors (best epoch by mean IoU of the damaged validation pictures at
0.5), metrics.json, last.ckpt (for --resume), and a log for TensorBoard.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional as warp

from lrpseg.core.errors import LrpsegError
from lrpseg.models.networks import INPUT_SIZE
from training.command import told
from training.data.crops import Image, Mask, damage_bounds, load_example
from training.data.datasets import READERS, Example, read
from training.loops import unet
from training.loops.resuming import plain
from training.loops.unet_loop import Recipe, make_fabric, train, write_metrics

MARGIN = 96
"""Mirrored pixels around a crop: enough for the defaults of `Deformation`."""


@dataclass(frozen=True)
class Deformation:
    """How training crops vary, beside flips; each range is drawn from uniformly.

    degrees, shear: largest angle of rotation and of shear. shift: share of the side. zoom: factor.
    elastic: standard deviation, in pixels, of the displacements of a 3x3 grid (publication: 10).
    jitter: largest relative change of brightness and contrast (not in the paper).
    """

    degrees: float = 20.0
    shift: float = 0.05
    zoom: tuple[float, float] = (0.85, 1.2)
    shear: float = 5.0
    elastic: float = 10.0
    jitter: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Config(Recipe):
    """All that decides a training's result; stored in every file that it writes."""

    domain: str
    width: int = 32
    norm: bool = True
    dropout: float = 0.5
    deformation: Deformation = field(default_factory=Deformation)
    flip_val: bool = False


def random_window(image: Image, mask: Mask, random: np.random.Generator) -> tuple[Image, Mask]:
    """A random crop with the damage in it (paper 3.4): (224, 224, 3) and (224, 224).

    Damage longer than the crop shows in part.
    """
    top, bottom, left, right = damage_bounds(mask)
    for _ in range(20):
        y = int(random.integers(top, bottom - INPUT_SIZE + 1))
        x = int(random.integers(left, right - INPUT_SIZE + 1))
        window = np.s_[y : y + INPUT_SIZE, x : x + INPUT_SIZE]
        if mask[window].any():
            break
    return image[window], mask[window]


def deform(image: Image, mask: Mask, how: Deformation, seed: int) -> tuple[Tensor, Tensor]:
    """Warp and flip a crop and its mask alike, as `seed` decides.

    Returns image (224, 224, 3) uint8 and mask (224, 224) bool. Mirrored surroundings fill what
    comes in from outside: black corners would look like nothing that is ever inspected.
    """
    picture = tv_tensors.Image(torch.from_numpy(image.transpose(2, 0, 1).copy()))
    truth = tv_tensors.Mask(torch.from_numpy(mask.astype(np.uint8))[None])
    side = INPUT_SIZE + 64  # room for what the displacements fetch
    shift = how.shift * INPUT_SIZE / (INPUT_SIZE + 2 * MARGIN)
    linear = InterpolationMode.BILINEAR
    affine = v2.RandomAffine(how.degrees, (shift, shift), how.zoom, how.shear, linear)
    jitter = v2.ColorJitter(brightness=how.jitter, contrast=how.jitter)
    before = v2.Compose([v2.Pad(MARGIN, padding_mode="reflect"), affine, v2.CenterCrop(side)])
    flips = (v2.RandomHorizontalFlip(), v2.RandomVerticalFlip())
    after = v2.Compose([v2.CenterCrop(INPUT_SIZE), *flips, jitter])
    with torch.random.fork_rng(devices=[]):  # torchvision draws from the global generator
        torch.manual_seed(seed)
        picture, truth = before(picture, truth)
        # v2.ElasticTransform smooths noise instead, with a kernel that takes longer than a step
        # of the network; the publication interpolates a coarse grid bicubically.
        grid = torch.randn(1, 2, 3, 3) * how.elastic
        moved = nn.functional.interpolate(grid, (side, side), mode="bicubic", align_corners=True)
        moved = moved.permute(0, 2, 3, 1) * (2 / side)  # pixels to the [-1, 1] of the picture
        picture, truth = warp.elastic(picture, moved), warp.elastic(truth, moved)
        picture, truth = after(picture, truth)
    return picture.permute(1, 2, 0).contiguous().as_subclass(Tensor), truth[0].bool()


class MaskedCrops(Dataset[tuple[Tensor, Tensor]]):
    """`count` random crops of one epoch with their masks, fixed by seed, epoch and index.

    The region is drawn first, then a picture of it, each uniformly: a region that was photographed
    fifteen times counts once. Pictures without a mask are left out.
    """

    def __init__(
        self, examples: Sequence[Example], count: int, deformation: Deformation, seed: int
    ) -> None:
        self.count, self.deformation, self.seed, self.epoch = count, deformation, seed, 0
        grouped: dict[str, list[tuple[Image, Mask]]] = {}
        for example in examples:
            image, mask = load_example(example)
            if mask is not None and mask.any():
                grouped.setdefault(example.region, []).append((image, mask))
        if not grouped:
            raise LrpsegError("No damaged training picture has a mask: a U-Net needs masks.")
        self._regions = list(grouped.values())

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Image (224, 224, 3) uint8 and mask (224, 224) bool."""
        random = np.random.default_rng((self.seed, self.epoch, index))
        members = self._regions[random.integers(len(self._regions))]
        crop, mask = random_window(*members[random.integers(len(members))], random)
        return deform(crop, mask, self.deformation, int(random.integers(2**62)))


def main(
    config: Config, data: Path, out: Path, resume: bool, accelerator: str = "auto"
) -> dict[str, float]:
    """Train as `config` says, with the data at `data`, into the folder `out`."""
    fabric = make_fabric(config, out, accelerator)
    dataset = read(config.domain if config.domain in READERS else "folder", data, config.seed)
    fabric.print(dataset)
    train_set = MaskedCrops(dataset.splits["train"], config.crops, config.deformation, config.seed)
    images, masks = unet.validation_crops(dataset.splits["val"], config.flip_val)

    def validate(model: nn.Module) -> dict[str, float]:
        return unet.segmentation_figures(unet.predict(model, images, fabric.device), masks)

    def save(model: nn.Module) -> None:
        assert isinstance(model, unet.UNet)
        about = {"config": json.dumps(plain(config))}
        unet.save_unet(model, out / "best.safetensors", about)

    torch.manual_seed(config.seed)
    raw = unet.UNet(config.width, config.norm, config.dropout)
    history = train(
        fabric, raw, config, train_set, unet.segmentation_loss, validate, save, out, resume,
        best_by="val/iou",
    )  # fmt: skip
    # The figures that are reported are those of the file: fp16 weights, float32 maths.
    final = validate(unet.load_unet(out / "best.safetensors"))
    fabric.print(f"best.safetensors on val: {final}")
    if fabric.is_global_zero:
        write_metrics(config, final, history, out)
    return final


def get_args_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.loops.train_unet", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of the data set")
    others = "other names: a folder with damaged/, intact/ and masks/"
    add("--domain", required=True, help=f"reader: {', '.join(READERS)}; {others}")
    add("--out", type=Path, required=True, help="folder for checkpoints and logs")
    add("--width", type=int, default=Config.width, help="first level's channels (published: 64)")
    add("--no-norm", dest="norm", action="store_false", help="no batch norm, as published")
    add("--dropout", type=float, default=Config.dropout, help="at the lowest level (default: 0.5)")
    add("--epochs", type=int, default=Config.epochs)
    add("--crops", type=int, default=Config.crops, help="random crops per epoch (default: 128)")
    add("--batch", type=int, default=Config.batch)
    add("--lr", type=float, default=Config.lr)
    add("--weight-decay", type=float, default=Config.weight_decay)
    add("--schedule", choices=["constant", "cosine"], default=Config.schedule)
    add("--elastic", type=float, default=Deformation.elastic, help="pixels (published: 10)")
    add("--jitter", type=float, default=0.0, help="change of brightness and contrast, e.g. 0.2")
    add("--flip-val", action="store_true", help="add flipped val crops, as the paper does")
    add("--seed", type=int, default=0)
    add("--precision", default="32-true", help="Lightning Fabric's: 32-true, bf16-mixed, 16-mixed")
    add("--accelerator", default="auto", help="auto, cuda, mps or cpu")
    add("--resume", action="store_true", help="go on from last.ckpt in --out, if there is one")
    return parser


if __name__ == "__main__":
    args = get_args_parser().parse_args()
    deformation = Deformation(elastic=args.elastic, jitter=args.jitter)
    given = {k: v for k, v in vars(args).items() if k in Config.__dataclass_fields__}
    config = Config(**given, deformation=deformation)
    with told():
        main(config, args.data, args.out, args.resume, args.accelerator)
