"""Trains a classifier once for each fold, as one training of a recipe says.

    python -m training.left_out.classifier --data DIR --more DIR2 --start START.safetensors \\
        --recipe training/recipes/magnetic-tile-128n.toml --training 2 --out runs/left-out

Writes --out/fold-K/best.safetensors, the last epoch's: nothing that is left out chooses anything.
A fold that is there is not trained again with the same settings, pictures and start; one that was
killed goes on after its last epoch.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path

from lrpseg.core.devices import pick_device
from lrpseg.masks.render import save_text
from lrpseg.models.contract import Classifier
from lrpseg.models.tensors import checkpoint_hash
from lrpseg.models.vgg import Vgg
from training.command import told
from training.data.datasets import DataError, Example
from training.data.declared import Subject
from training.data.folds import FOLDS, Fold, leave_out
from training.data.readers import read
from training.data.training_crops import TrainingCrops
from training.loops.classifier import ClassifierTask, Config, initialise
from training.loops.loop import make_fabric, train
from training.loops.resuming import plain
from training.loops.train import BEST
from training.loops.upper import Each, FeatureCrops, Features, UpperTask, features_of
from training.shipping.recipe import read_recipe


def train_fold(
    fold: Fold, subject: Subject, config: Config, out: Path, accelerator: str = "auto"
) -> Path:
    """Train on the fold's known pictures, and return the weights file; goes on where it was."""
    folder = out / f"fold-{fold.index}"
    done = folder / "done.json"
    made_from = {
        "start": checkpoint_hash(Path(config.init)),
        "config": plain(replace(config, init="")),
        "known": [e.name for e in fold.known],
    }
    if done.is_file() and json.loads(done.read_text("utf-8")) == made_from:
        return folder / BEST
    fabric = make_fabric(config, folder, accelerator)
    model = initialise(config.network, config.init, config.seed, subject.classes)
    assert isinstance(model, Classifier)
    crops = TrainingCrops(
        fold.known, config.crops, config.augmentation, config.seed,
        classes=subject.classes, size=model.tile,
    )  # fmt: skip
    task = ClassifierTask(model, crops, subject.normalisation, None, config, folder, fabric.device)
    train(fabric, task, config, folder, resume=True)
    save_text(json.dumps(made_from), done)
    (folder / "last.ckpt").unlink()  # 150 MB, of no use any more
    return folder / BEST


def train_upper(
    fold: Fold, examples: Sequence[Example], features: Features, subject: Subject, config: Config,
    out: Path, accelerator: str = "auto",
) -> Path:  # fmt: skip
    """As `train_fold`, of what lies above the frozen stages alone, on features of `examples`."""
    folder = out / f"fold-{fold.index}"
    done = folder / "done.json"
    known = [e.name for e in fold.known]
    made_from = {
        "start": checkpoint_hash(Path(config.init)),
        "config": plain(replace(config, init="")),
        "crops": len(features.owner),
        "known": known,
    }
    if done.is_file() and json.loads(done.read_text("utf-8")) == made_from:
        return folder / BEST
    fabric = make_fabric(config, folder, accelerator)
    model = initialise(config.network, config.init, config.seed, subject.classes)
    assert isinstance(model, Vgg)
    here = [i for i, e in enumerate(examples) if e.name in set(known)]
    crops = FeatureCrops(
        features, examples, here, config.crops, config.augmentation.drawn, config.seed
    )
    train(fabric, UpperTask(model, crops, config, folder), config, folder, resume=True)
    save_text(json.dumps(made_from), done)
    (folder / "last.ckpt").unlink()
    return folder / BEST


def pictures(subject: Subject, data: Path, more: Path | None = None) -> list[Example]:
    """All pictures of train and val, and those of `more` kinds of damage, if any.

    Raises `DataError` where a folder does not hold its data set.
    """
    sets = [subject.read(data)]
    if more is not None:
        sets.append(read(f"{subject.plan.reader}-more", more))
    found = [e for s in sets for split in ("train", "val") for e in s.splits[split]]
    if len({e.name for e in found}) < len(found):
        raise DataError(f"{data} and {more} have pictures of the same names.")
    return found


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.left_out.classifier", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of the data set")
    add("--more", type=Path, help="folder of the set's other kinds of damage")
    add("--recipe", type=Path, required=True, help="a file as in training/recipes")
    add("--training", type=int, default=1, help="which of its trainings, from 1 on")
    add("--start", type=Path, required=True, help="starting weights of the features")
    add("--epochs", type=int, help="instead of the recipe's")
    add("--crops", type=int, help="of an epoch, instead of the recipe's")
    add(
        "--frozen",
        type=int,
        metavar="N",
        help="stages that stay as they start, instead of the recipe's: what is above is trained on "
        "features computed once",
    )
    add(
        "--each",
        type=int,
        nargs=3,
        default=astuple(Each()),
        metavar=("DAMAGED", "INTACT", "DRAWN"),
        help="crops of a damaged picture, of an intact one, and of one with damage drawn in, whose "
        f"features are kept (default: {' '.join(map(str, astuple(Each())))})",
    )
    add("--cache", type=Path, default=Path("runs/features"), help="where those features are kept")
    add("--folds", type=int, default=FOLDS)
    add("--out", type=Path, required=True)
    add("--accelerator", default="auto", help="auto, cuda, mps or cpu")
    args = parser.parse_args(words)
    recipe = read_recipe(args.recipe)
    if not 1 <= args.training <= len(recipe.trainings):
        raise DataError(f"{args.recipe} has {len(recipe.trainings)} trainings.")
    config = recipe.trainings[args.training - 1]
    if not isinstance(config, Config):
        raise DataError(f"{args.recipe} trains no classifier.")
    changes = {k: v for k in ("epochs", "crops", "frozen") if (v := getattr(args, k)) is not None}
    config = replace(config, init=str(args.start), stop=0, **changes)
    subject = Subject.of(recipe.domain)
    examples = pictures(subject, args.data, args.more)
    features = None
    if config.frozen:
        model = initialise(config.network, config.init, config.seed, subject.classes)
        if not isinstance(model, Vgg):
            raise DataError(f"Stages of {config.network} cannot be frozen: it is no VGG.")
        device = pick_device("auto" if args.accelerator == "auto" else args.accelerator)
        lower = model.parts(config.frozen)[0].to(device).eval()
        weights = f"{checkpoint_hash(args.start)} {config.frozen}"
        features = features_of(
            examples, lower, weights, subject.normalisation,
            config.augmentation, Each(*args.each), args.cache, device, config.seed, model.tile,
        )  # fmt: skip
    for fold in leave_out(examples, args.folds, config.seed):
        print(f"fold {fold.index}: {len(fold.known)} known, {len(fold.left_out)} left out")
        if features is None:
            train_fold(fold, subject, config, args.out, args.accelerator)
        else:
            train_upper(fold, examples, features, subject, config, args.out, args.accelerator)


if __name__ == "__main__":
    with told():
        main()
