"""Trains a classifier (paper 3.2.1 and 3.4) from image-level labels.

    python -m training.loops.train --data DIR --domain magnetic-tile --out runs/tiles
    torchrun --nproc-per-node 4 -m training.loops.train ...        # several GPUs
    python -m training.loops.train ... --resume                    # go on after a kill

Writes into --out: best.safetensors (best epoch by validation balanced accuracy),
calibrated.safetensors (the same, its probabilities fitted to val: what ships), metrics.json,
last.ckpt (for --resume), and a log for TensorBoard (`tensorboard --logdir runs`).

A domain with several classes is trained for all of them at once: a logit for each, none of which
excludes another. `python -m training.ship RECIPE` does all from here to a domain's folder.
"""

import argparse
import json
from pathlib import Path

from lrpseg.models.checkpoints import load_checkpoint, save_checkpoint
from lrpseg.models.networks import NETWORKS, classifiers
from training.command import told
from training.data.crops import Augmentation
from training.data.declared import Subject
from training.data.readers import READERS
from training.data.training_crops import TrainingCrops
from training.loops.calibration import calibrate, in_words
from training.loops.classifier import SELECTS, ClassifierTask, Config, initialise
from training.loops.loop import SCHEDULES, make_fabric, train, write_metrics
from training.loops.resuming import plain
from training.loops.validation import Scores, Validation, described, figures

BEST = "best.safetensors"


def main(config: Config, data: Path, out: Path, resume: bool, accelerator: str = "auto") -> Scores:
    """Train as `config` says, with the data at `data`, into the folder `out`; returns the scores of
    calibrated.safetensors on val's centre crops."""
    fabric = make_fabric(config, out, accelerator)
    subject = Subject.of(config.domain)
    dataset = subject.read(data, config.seed)
    fabric.print(dataset)
    model = initialise(config.network, config.init, config.seed, subject.classes)
    crops = TrainingCrops(
        dataset.splits["train"], config.crops, config.augmentation, config.seed,
        classes=subject.classes, size=model.tile,
    )  # fmt: skip
    # A few damaged regions are soon told apart without a mistake; drawn damage still ranks epochs.
    drawn = config.augmentation.drawn > 0
    validation = Validation.of(
        dataset.splits["val"], subject.normalisation, flips=config.flip_val, drawn=drawn,
        classes=subject.classes, size=model.tile,
    )  # fmt: skip
    task = ClassifierTask(
        model, crops, subject.normalisation, validation, config, out, fabric.device
    )
    history = train(fabric, task, config, out, resume)

    # The figures that are reported are those of the file that ships: fp16 weights, float32 maths.
    shipped = load_checkpoint(out / BEST, config.network, subject.classes).to(fabric.device)
    slope, offset = calibrate(shipped, validation, fabric.device)
    fabric.print(f"Calibrated on val: {in_words(slope, offset, subject.classes)}.")
    if fabric.is_global_zero:
        about = {
            "config": json.dumps(plain(config)),
            "calibration": json.dumps({"slope": slope, "offset": offset}),
        }
        save_checkpoint(shipped, out / "calibrated.safetensors", config.network, about)
    final = validation(shipped, fabric.device)
    fabric.print(f"calibrated.safetensors on val: {described(final)}")
    if fabric.is_global_zero:
        write_metrics(config, figures(final), history, out)
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
        help=f"a domain's name or folder, whose data.toml says how --data is read; or a reader: "
        f"{', '.join(READERS)}; other names: a folder with damaged/, intact/ and optional masks/",
    )
    add("--network", choices=classifiers(NETWORKS), default=Config.network)
    add("--out", type=Path, required=True, help="folder for checkpoints and logs")
    add("--init", default=Config.init, help="imagenet (default), none, or a safetensors file")
    add(
        "--frozen",
        type=int,
        default=0,
        metavar="N",
        help="stages, from the first, that stay as they start (default: 0)",
    )
    add("--epochs", type=int, default=Config.epochs)
    add("--stop", type=int, default=0, help="end after so many of the epochs (default: all)")
    add("--crops", type=int, default=Config.crops, help="random crops per epoch (default: 256)")
    add("--batch", type=int, default=Config.batch)
    add("--lr-fc", type=float, default=Config.lr_fc, help="fully connected layers (paper: 0.001)")
    add("--lr-conv", type=float, default=Config.lr_conv, help="convolutions (paper: 0.0001)")
    add("--weight-decay", type=float, default=Config.weight_decay)
    add("--schedule", choices=list(SCHEDULES), default=Config.schedule)
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
        choices=list(SELECTS),
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
