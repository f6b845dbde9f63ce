"""Trains a classifier (paper 3.2.1 and 3.4) from image-level labels.

    python -m training.loops.train --data DIR --domain magnetic-tile --out runs/tiles
    torchrun --nproc-per-node 4 -m training.loops.train ...        # several GPUs
    python -m training.loops.train ... --resume                    # go on after a kill

Writes into --out: best.safetensors (best epoch by validation balanced accuracy),
calibrated.safetensors (the same, its probabilities fitted to val: what ships), metrics.json,
last.ckpt (for --resume), and a log for TensorBoard (`tensorboard --logdir runs`).
"""

import argparse
import json
import math
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader
from tqdm import tqdm

from lrpseg.core.errors import LrpsegError
from lrpseg.domains import Normalisation
from lrpseg.masks.render import save_text
from lrpseg.models.checkpoints import load_checkpoint, read_tensors, save_checkpoint
from lrpseg.models.networks import NETWORKS, classifiers
from lrpseg.models.vgg import VggA
from training.command import told
from training.data.crops import Augmentation, TrainingCrops
from training.data.datasets import READERS, read
from training.loops.calibration import calibrate
from training.loops.resuming import plain, save_state
from training.loops.validation import Scores, Validation, described, figures


@dataclass(frozen=True)
class Config:
    """All that decides a training's result; stored in every file that it writes."""

    domain: str
    network: str
    init: str
    epochs: int = 10
    crops: int = 256  # per epoch, half of them damaged
    batch: int = 16
    lr_fc: float = 1e-3  # paper 3.2.1
    lr_conv: float = 1e-4  # paper 3.2.1
    weight_decay: float = 1e-4
    schedule: str = "constant"
    label_smoothing: float = 0.0
    ema: float = 0.0  # decay per step of the averaged weights that are validated; 0: none
    augmentation: Augmentation = field(default_factory=Augmentation)
    flip_val: bool = False
    select: str = "all"
    seed: int = 0
    precision: str = "32-true"


def initialise(network: str, init: str, seed: int) -> VggA:
    """A network with the starting weights `init`: imagenet, none, or a safetensors file.

    `imagenet` and a file with `features.*` alone fill the convolutions; the fully connected layers
    start at random (paper 3.2.1). A checkpoint of the same network fills all of it.
    """
    torch.manual_seed(seed)
    model = NETWORKS[network].build()
    if not isinstance(model, VggA):
        raise LrpsegError(f"{network} is no classifier. Train it with training.loops.self_train.")
    if init == "none":
        return model
    if init == "imagenet":
        from torchvision.models import VGG11_Weights, vgg11

        tensors: dict[str, Tensor] = vgg11(weights=VGG11_Weights.IMAGENET1K_V1).state_dict()
    else:
        tensors, _ = read_tensors(Path(init))
    whole = {k: v.float() for k, v in tensors.items()}
    expected = {k: v.shape for k, v in model.state_dict().items()}
    if {k: v.shape for k, v in whole.items()} != expected:
        # Shapes as well: load_state_dict would raise an error of its own on a wrong one.
        fit = {k for k, v in whole.items() if expected.get(k) == v.shape}
        whole = {k: v for k, v in whole.items() if k in fit and k.startswith("features.")}
    missing, _ = model.load_state_dict(whole, strict=False)
    if any(k.startswith("features.") for k in missing):
        raise LrpsegError(f"{init} does not hold the convolutions of VGG-A (features.*).")
    return model


def learning_rate_factor(config: Config, step: int, steps: int) -> float:
    """Factor of both learning rates at `step` of `steps`: a pure function, so resuming is exact."""
    if config.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * step / max(1, steps)))


def train_one_epoch(
    fabric: Fabric,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loader: DataLoader,
    config: Config,
    epoch: int,
    averaged: AveragedModel | None,
) -> float:
    """One pass over the loader; returns the mean loss."""
    normalise = Normalisation()
    model.train()
    total = torch.zeros((), device=fabric.device)
    base = (config.lr_conv, config.lr_fc)
    bar = tqdm(loader, desc=f"epoch {epoch + 1}/{config.epochs}", disable=not fabric.is_global_zero)
    for i, (images, labels) in enumerate(bar):  # images (B, 224, 224, 3) uint8
        factor = learning_rate_factor(config, epoch * len(loader) + i, config.epochs * len(loader))
        for group, rate in zip(optimizer.param_groups, base, strict=True):
            group["lr"] = rate * factor
        x = normalise(images).contiguous(memory_format=torch.channels_last)
        loss = nn.functional.cross_entropy(model(x), labels, label_smoothing=config.label_smoothing)
        optimizer.zero_grad(set_to_none=True)
        fabric.backward(loss)
        optimizer.step()
        if averaged is not None:
            averaged.update_parameters(model)
        total += loss.detach()  # stays on the device: no wait in the loop
    return float(total) / max(1, len(loader))


def main(config: Config, data: Path, out: Path, resume: bool, accelerator: str = "auto") -> Scores:
    """Train as `config` says, with the data at `data`, into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    fabric = Fabric(
        accelerator=accelerator,
        devices=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        precision=config.precision,
        loggers=TensorBoardLogger(root_dir=out, name="log", version=""),
    )
    fabric.launch()
    dataset = read(config.domain if config.domain in READERS else "folder", data, config.seed)
    fabric.print(dataset)
    train_set = TrainingCrops(
        dataset.splits["train"], config.crops, config.augmentation, config.seed
    )
    # A few damaged regions are soon told apart without a mistake; drawn damage still ranks epochs.
    drawn = config.augmentation.drawn > 0
    validate = Validation.of(dataset.splits["val"], config.flip_val, drawn)

    raw = initialise(config.network, config.init, config.seed)
    optimizer: Any = torch.optim.AdamW(
        [
            {"params": raw.features.parameters(), "lr": config.lr_conv},
            {"params": raw.classifier.parameters(), "lr": config.lr_fc},
        ],
        weight_decay=config.weight_decay,
    )
    model, optimizer = fabric.setup(raw.to(memory_format=torch.channels_last), optimizer)
    averaged = None
    if config.ema > 0:
        # A small val split makes single epochs jump; averaged weights are steadier.
        averaged = AveragedModel(raw, multi_avg_fn=get_ema_multi_avg_fn(config.ema))
    judged: VggA = raw if averaged is None else averaged.module  # type: ignore[assignment]

    first, best, history = 0, None, []
    last = out / "last.ckpt"
    if resume and last.is_file():
        state = fabric.load(last)
        # More epochs may follow, but not where the learning rate depends on their number.
        same = replace(config, epochs=state["config"]["epochs"])
        if state["config"] != plain(config if config.schedule == "cosine" else same):
            raise LrpsegError(f"{last} was made with other settings; use another --out.")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        if averaged is not None:
            averaged.load_state_dict(state["averaged"])
        first, history = state["epoch"], state["history"]
        best = Scores(**state["best"]) if state["best"] else None
        fabric.print(f"Resumed after epoch {first}.")

    for epoch in range(first, config.epochs):
        train_set.epoch = epoch
        torch.manual_seed(config.seed * 100_003 + epoch)  # dropout: the same after a resume
        loader = fabric.setup_dataloaders(DataLoader(train_set, batch_size=config.batch))
        loss = train_one_epoch(fabric, model, optimizer, loader, config, epoch, averaged)
        # Validation runs at the training's precision; the final figures below do not.
        with fabric.autocast():
            found = validate(judged, fabric.device)
        named = figures(found)
        history.append({"epoch": epoch + 1, "train_loss": loss, **named})
        fabric.log_dict({"train/loss": loss, **named}, epoch)
        judgement = found["crops"] if config.select == "crops" else Scores.mean(found.values())
        improved = judgement.better_than(best)
        if improved:
            best = judgement
        fabric.print(
            f"epoch {epoch + 1}: loss {loss:.4f};  {described(found)}{'  *' if improved else ''}"
        )
        if improved and fabric.is_global_zero:
            save_checkpoint(
                judged,
                out / "best.safetensors",
                config.network,
                {"config": json.dumps(plain(config))},
            )
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "averaged": None if averaged is None else averaged.state_dict(),
            "config": plain(config),
            "epoch": epoch + 1,
            "best": asdict(best) if best else None,
            "history": history,
        }
        save_state(fabric, last, state)

    # The figures that are reported are those of the file that ships: fp16 weights, float32 maths.
    shipped = load_checkpoint(out / "best.safetensors", config.network).to(fabric.device)
    slope, offset = calibrate(shipped, validate, fabric.device)
    fabric.print(f"Calibrated on val: log-odds times {slope:.3f}, plus {offset:.3f}.")
    if fabric.is_global_zero:
        about = {"slope": slope, "offset": offset}
        save_checkpoint(
            shipped,
            out / "calibrated.safetensors",
            config.network,
            {"config": json.dumps(plain(config)), "calibration": json.dumps(about)},
        )
    final = validate(shipped, fabric.device)
    fabric.print(f"calibrated.safetensors on val: {described(final)}")
    if fabric.is_global_zero:
        report = {"config": plain(config), "val": figures(final), "history": history}
        save_text(json.dumps(report, indent=1), out / "metrics.json")
    return final["crops"]


def get_args_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.loops.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of the data set")
    add(
        "--domain",
        required=True,
        help=f"reader: {', '.join(READERS)}; other names: a folder with "
        "damaged/, intact/ and optional masks/",
    )
    add("--network", choices=classifiers(NETWORKS), default="one-fc")
    add("--out", type=Path, required=True, help="folder for checkpoints and logs")
    add("--init", default="imagenet", help="imagenet (default), none, or a safetensors file")
    add("--epochs", type=int, default=Config.epochs)
    add("--crops", type=int, default=Config.crops, help="random crops per epoch (default: 256)")
    add("--batch", type=int, default=Config.batch)
    add("--lr-fc", type=float, default=Config.lr_fc, help="fully connected layers (paper: 0.001)")
    add("--lr-conv", type=float, default=Config.lr_conv, help="convolutions (paper: 0.0001)")
    add("--weight-decay", type=float, default=Config.weight_decay)
    add("--schedule", choices=["constant", "cosine"], default="constant")
    add("--label-smoothing", type=float, default=0.0)
    add(
        "--ema", type=float, default=0.0, help="validate averaged weights, e.g. 0.99 (default: off)"
    )
    add("--zoom", type=float, nargs=2, default=(1.0, 1.0), metavar=("LOW", "HIGH"))
    add("--brightness", type=float, nargs=2, default=(1.0, 1.0), metavar=("LOW", "HIGH"))
    add("--contrast", type=float, nargs=2, default=(1.0, 1.0), metavar=("LOW", "HIGH"))
    add("--colour", type=float, default=0.0, help="largest change of each channel's gain")
    add("--noise", type=float, default=0.0, help="largest noise deviation in grey levels")
    add(
        "--drawn",
        type=float,
        default=0.0,
        help="share of the damaged crops that are intact ones with damage drawn in (default: 0)",
    )
    add("--flip-val", action="store_true", help="add flipped val crops, as the paper does")
    add(
        "--select",
        choices=["crops", "all"],
        default="all",
        help="best epoch by the balanced accuracy of centre crops (paper), or by its mean with "
        "that of whole images and, with --drawn, of drawn damage (default)",
    )
    add("--seed", type=int, default=0)
    add("--precision", default="32-true", help="Lightning Fabric's: 32-true, bf16-mixed, 16-mixed")
    add("--accelerator", default="auto", help="auto, cuda, mps or cpu")
    add("--resume", action="store_true", help="go on from last.ckpt in --out, if there is one")
    return parser


if __name__ == "__main__":
    args = get_args_parser().parse_args()
    augmentation = Augmentation(
        zoom=tuple(args.zoom),
        brightness=tuple(args.brightness),
        contrast=tuple(args.contrast),
        colour=args.colour,
        noise=args.noise,
        drawn=args.drawn,
    )
    given = {k: v for k, v in vars(args).items() if k in Config.__dataclass_fields__}
    with told():
        main(
            Config(**given, augmentation=augmentation),
            args.data,
            args.out,
            args.resume,
            args.accelerator,
        )
