"""Trains a U-Net from masks: the pixel-label baseline (paper 3.2.2).

    python -m training.loops.train_unet --data DIR --domain magnetic-tile --out runs/unet-tiles
    torchrun --nproc-per-node 4 -m training.loops.train_unet ...   # several GPUs; --resume: go on

It sees the damaged pictures of the training split, deformed as in Ronneberger, Fischer, Brox 2015
(DOI 10.1007/978-3-319-24574-4_28). Unlike there: Dice beside cross entropy (`segmentation_loss`),
AdamW with a cosine schedule instead of SGD with momentum 0.99, and batches instead of one image.
Of a domain with several classes it learns their union: damage.

Writes into --out: best.safetensors (best epoch by mean IoU of the damaged validation pictures at
0.5), metrics.json, last.ckpt (for --resume), and a log for TensorBoard.
"""

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lrpseg.domains import Normalisation
from lrpseg.masks.figures import Mask
from training.command import told
from training.data.declared import Subject
from training.data.masked_crops import Deformation, MaskedCrops
from training.data.readers import READERS
from training.loops import unet
from training.loops.loop import (
    SCHEDULES,
    Judged,
    Plan,
    Task,
    make_fabric,
    train,
    write_metrics,
)
from training.loops.loop import told as in_line
from training.loops.resuming import plain

BEST = "best.safetensors"


@dataclass(frozen=True, kw_only=True)
class Config(Plan):
    """All that decides a U-Net's training; stored in every file that it writes.

    width: channels of the first level. norm: batch norm after each convolution. dropout: at the
    lowest level. flip_val: add flipped val crops, as the paper does.
    """

    domain: str
    lr: float = 1e-3
    width: int = 32
    norm: bool = True
    dropout: float = 0.5
    deformation: Deformation = field(default_factory=Deformation)
    flip_val: bool = False


class UNetTask(Task):
    """A U-Net learns from masks; the best epoch goes to `out`/best.safetensors."""

    def __init__(
        self,
        model: unet.UNet,
        crops: MaskedCrops,
        val: tuple[NDArray[np.uint8], list[Mask]],
        normalise: Normalisation,
        config: Config,
        out: Path,
        device: torch.device,
    ) -> None:
        """`val`: crops and masks as of `unet.validation_crops`."""
        self.network, self.crops, self.normalise = model, crops, normalise
        self.val, self.config, self.out, self.device = val, config, out, device

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        return [(list(self.network.parameters()), self.config.lr)]

    def loss(self, outputs: Tensor, *targets: Tensor) -> Tensor:
        return unet.segmentation_loss(outputs, targets[0])

    def judge(self, network: nn.Module) -> Judged:
        images, masks = self.val
        likelihood = unet.predict(network, images, self.device, self.normalise)
        found = unet.segmentation_figures(likelihood, masks)
        return Judged(found, (found["val/iou"],), in_line(found))

    def save(self, network: nn.Module) -> None:
        assert isinstance(network, unet.UNet)
        unet.save_unet(network, self.out / BEST, {"config": json.dumps(plain(self.config))})


def main(
    config: Config, data: Path, out: Path, resume: bool, accelerator: str = "auto"
) -> dict[str, float]:
    """Train as `config` says, with the data at `data`, into the folder `out`."""
    fabric = make_fabric(config, out, accelerator)
    subject = Subject.of(config.domain)
    dataset = subject.read(data, config.seed)
    fabric.print(dataset)
    crops = MaskedCrops(dataset.splits["train"], config.crops, config.deformation, config.seed)
    val = unet.validation_crops(dataset.splits["val"], config.flip_val)
    torch.manual_seed(config.seed)
    model = unet.UNet(config.width, config.norm, config.dropout)
    task = UNetTask(model, crops, val, subject.normalisation, config, out, fabric.device)
    history = train(fabric, task, config, out, resume)
    # The figures that are reported are those of the file: fp16 weights, float32 maths.
    final = task.judge(unet.load_unet(out / BEST)).figures
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
    readers = f"or a reader: {', '.join(READERS)}; {others}"
    add("--domain", required=True, help=f"a domain's name or folder; {readers}")
    add("--out", type=Path, required=True, help="folder for checkpoints and logs")
    add("--width", type=int, default=Config.width, help="first level's channels (published: 64)")
    add("--no-norm", dest="norm", action="store_false", help="no batch norm, as published")
    add("--dropout", type=float, default=Config.dropout, help="at the lowest level (default: 0.5)")
    add("--epochs", type=int, default=Config.epochs)
    add("--stop", type=int, default=0, help="end after so many of the epochs (default: all)")
    add("--crops", type=int, default=Config.crops, help="random crops per epoch (default: 128)")
    add("--batch", type=int, default=Config.batch)
    add("--lr", type=float, default=Config.lr)
    add("--weight-decay", type=float, default=Config.weight_decay)
    add("--schedule", choices=list(SCHEDULES), default=Config.schedule)
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
