"""Makes what ships from one recipe: trains, calibrates, measures, and writes a domain's folder.

    python -m training.ship training/recipes/magnetic-tile-one-fc.toml --data DIR
    python -m training.ship RECIPE --data DIR --resume          # go on after a kill
    python -m training.ship RECIPE --data DIR --resume --install

Writes below --out (default: runs/NAME of the recipe), which is a domain's folder that lrpseg opens:
domain.json, the weights, operating-points.json, the model card NETWORK.md and NETWORK-report.md;
and training/ with each training's own files. What a stage needs decides whether it is done again:
with --resume those whose recipe, data and inputs are the same are skipped. All figures are of the
validation split. --install puts the results into the recipe's own domain, beside its other
networks.
"""

import argparse
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from lrpseg.core.assets import shared_file
from lrpseg.core.devices import pick_device
from lrpseg.core.errors import LrpsegError
from lrpseg.domains import DOMAIN_FILE, Domain, load_domain
from lrpseg.masks.render import save_text
from lrpseg.models.checkpoints import load_checkpoint, read_tensors, save_checkpoint
from lrpseg.models.networks import NETWORKS, classifiers
from lrpseg.models.precision import FP16
from lrpseg.models.tensors import below_of, checkpoint_hash, save_tensors
from lrpseg.pipeline.curves import FILE_NAME as POINTS_FILE
from training.command import told
from training.data.datasets import DataSet
from training.data.declared import DATA_FILE, Subject
from training.loops import ranges
from training.loops.calibration import fit, store
from training.loops.entries import PER_CLASSIFIER
from training.loops.loop import Plan
from training.loops.resuming import plain
from training.reports import classification, operating_points
from training.shipping.card import write_texts
from training.shipping.install import install
from training.shipping.recipe import BEFORE, KINDS, START, WEIGHTS, Recipe, read_recipe
from training.shipping.stages import Stages

Say = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """What is shipped, from which pictures, to where; start: weights for `init = "start"`, None:
    the recipe's `below`."""

    recipe: Recipe
    data: Path
    out: Path
    start: Path | None
    resume: bool
    device: str

    @property
    def weights(self) -> Path:
        """The file that ships."""
        return self.out / f"{self.recipe.network}.safetensors"

    @property
    def below(self) -> Path | None:
        """The shared file with which it has layers in common, if any."""
        name = self.recipe.below
        return shared_file(name, load_domain(self.recipe.domain).folder) if name else None

    def training(self, number: int) -> Path:
        """Folder of the training `number`, from 1 on."""
        return self.out / "training" / f"run-{number}"


def ship(order: Order, say: Say = print) -> Domain:
    """Do all stages, and return the domain in `order.out`.

    Raises:
        LrpsegError: the folder holds another run and `resume` was not asked for, or something that
            a stage needs is missing.
    """
    recipe, kind = order.recipe, KINDS[order.recipe.kind]
    if (order.out / "stages.json").exists() and not order.resume:
        raise LrpsegError(
            f"{order.out} holds a run already. Go on with --resume, or give another --out."
        )
    base = load_domain(recipe.domain)
    dataset = Subject.known(base).read(order.data, recipe.trainings[0].seed)
    pictures = {s: sorted(e.name for e in examples) for s, examples in dataset.splits.items()}
    stages = Stages(order.out, say)
    _open_folder(base, order)
    numbers = range(1, 1 + len(recipe.trainings))
    made = [_train(order, stages, number, pictures) for number in numbers]
    stored = [recipe.precision]
    if order.below is not None:
        stored.append(checkpoint_hash(order.below))
    if not kind.measured:
        stages.do(
            "weights", [checkpoint_hash(made[-1]), *stored], [order.weights],
            partial(_place, made[-1], order),
        )  # fmt: skip
        write_texts(order.recipe, order.out, dataset, None)
        return load_domain(order.out)
    stages.do(
        "weights",
        [checkpoint_hash(made[-1]), asdict(recipe.calibration) if recipe.calibration else None,
         pictures, *stored],
        [order.weights, order.out / DOMAIN_FILE],
        partial(_weights, order, made[-1], dataset),
    )  # fmt: skip
    of_weights = [_decides(load_domain(order.out), recipe.network), pictures]
    scores = order.out / "training" / "classification.json"
    stages.do("classification", of_weights, [scores], partial(_classify, order, dataset, scores))
    if any(e.masked for e in dataset.splits["val"]):
        stages.do(
            "operating points", of_weights, [order.out / POINTS_FILE], partial(_points, order)
        )
    else:
        say("operating points: no validation picture has a mask, so there are none")
    result = classification.from_json(json.loads(scores.read_text("utf-8")))
    write_texts(recipe, order.out, dataset, result)
    return load_domain(order.out)


def _open_folder(base: Domain, order: Order) -> None:
    """Make the domain's folder: its `domain.json` with the networks that are needed here."""
    path = order.out / DOMAIN_FILE
    if path.is_file():
        return
    entry: dict[str, Any] = json.loads((base.folder / DOMAIN_FILE).read_text("utf-8"))
    order.out.mkdir(parents=True, exist_ok=True)
    kept = [KEPT[order.recipe.kind](base)] if order.recipe.kind in KEPT else []
    for name in kept:
        _copy(base.checkpoint(name), order.out / f"{name}.safetensors")
        below = below_of(base.checkpoint(name))
        if below is not None:
            _copy(below, order.out / below.name)
    entry["checkpoints"] = {name: f"{name}.safetensors" for name in kept}
    for of in PER_CLASSIFIER:
        held = {n: c for n, c in entry.pop(of, {}).items() if n in kept}
        if held:
            entry[of] = held
    if entry.get("classifier") not in (*kept, None):
        del entry["classifier"]
    if (base.folder / DATA_FILE).is_file():
        _copy(base.folder / DATA_FILE, order.out / DATA_FILE)
    elif base.name != order.out.name:  # what the domain's name stood for is not lost
        plan = Subject.known(base).plan
        lines = [f'reader = "{plan.reader}"', f'splits = "{plan.splits}"']
        if plan.classes:
            lines += ["[classes]", *(f'"{a}" = "{b}"' for a, b in plan.classes.items())]
        save_text("\n".join(lines) + "\n", order.out / DATA_FILE)
    save_text(json.dumps(entry, indent=2) + "\n", path)


KEPT: dict[str, Callable[[Domain], str]] = {"self-trained": lambda domain: domain.classifier}
"""What else of the domain a kind of training needs beside it."""


def _train(order: Order, stages: Stages, number: int, pictures: dict[str, list[str]]) -> Path:
    """One training; returns its weights file."""
    config, kind = order.recipe.trainings[number - 1], KINDS[order.recipe.kind]
    folder = order.training(number)
    weights = folder / kind.weights
    needs: list[str] = []
    init = getattr(config, "init", None)
    if init == BEFORE and number == 1:
        raise LrpsegError(f"The first training of {order.recipe.name} has none before it.")
    start = order.start or order.below
    if init == START and start is None:
        raise LrpsegError(f"The recipe {order.recipe.name} starts from a file: give --start FILE.")
    places = {BEFORE: order.training(number - 1) / kind.weights, START: start}
    placed: Plan = config
    if init in places:
        place = places[init]
        assert place is not None
        needs = [checkpoint_hash(place)]
        placed = replace(config, init=str(place))  # type: ignore[call-arg]
    if order.recipe.kind in KEPT:
        base = load_domain(order.recipe.domain)
        needs.append(checkpoint_hash(base.checkpoint(KEPT[order.recipe.kind](base))))
    # A killed training of this very recipe goes on; that of another one says so.
    run = partial(kind.run, placed, order.data, folder, order.resume, order.device)
    stages.do(f"training {number}", [plain(config), needs, pictures], [weights], run)
    return weights


def _weights(order: Order, made: Path, dataset: DataSet) -> None:
    """The shipped file, and its entries in `domain.json`."""
    network, plan = order.recipe.network, order.recipe.calibration
    _, about = read_tensors(made)
    path = order.out / DOMAIN_FILE
    entry = json.loads(path.read_text("utf-8"))
    for of in PER_CLASSIFIER:
        entry.get(of, {}).pop(network, None)  # it was of other weights
    entry["checkpoints"] = entry["checkpoints"] | {network: order.weights.name}
    _place(made, order)
    save_text(json.dumps(entry, indent=2) + "\n", path)
    if plan is not None:
        _calibrate(order, dataset, about)
    if network in classifiers([network]):
        domain, device = load_domain(order.out), pick_device(order.device)
        highest = ranges.measure(domain, network, dataset.splits["train"], device)
        ranges.store(domain, network, highest)


def _calibrate(order: Order, dataset: DataSet, about: dict[str, str]) -> None:
    """Fit the shipped file's probabilities, into it or into `domain.json` as the recipe says."""
    network, plan = order.recipe.network, order.recipe.calibration
    assert plan is not None
    domain, device = load_domain(order.out), pick_device(order.device)
    model = load_checkpoint(order.weights, network, domain.classes.names).to(device)
    val = dataset.splits["val"]
    fitted = fit(model, Subject.known(domain), val, device, plan.offset)
    if plan.into == WEIGHTS:
        about = about | {"calibration": json.dumps(fitted)}
        save_checkpoint(model, order.weights, network, about, order.recipe.precision, order.below)
    else:
        store(domain, network, fitted)


def _classify(order: Order, dataset: DataSet, path: Path) -> None:
    domain = load_domain(order.out)
    network, seed = order.recipe.network, order.recipe.trainings[0].seed
    found = classification.measure(
        dataset.splits["val"], domain, network, "val", seed, order.device
    )
    save_text(json.dumps(asdict(found), indent=1) + "\n", path)


def _points(order: Order) -> None:
    text = operating_points.measure(
        order.data, str(order.out), [order.recipe.network], device=order.device,
        seed=order.recipe.trainings[0].seed,
    )  # fmt: skip
    save_text(text, order.out / POINTS_FILE)


def _decides(domain: Domain, network: str) -> list[str]:
    """Hashes of all that decides what the network gives."""
    files = [checkpoint_hash(path) for path in NETWORKS[network].weights(domain)]
    return [*files, str(domain.calibration.get(network, ""))]


def _place(made: Path, order: Order) -> None:
    """What was trained, as the file that ships."""
    if order.recipe.precision == FP16 and order.below is None:  # as it was trained
        _copy(made, order.weights)
    else:
        tensors, about = read_tensors(made)
        save_tensors(tensors, about, order.weights, order.recipe.precision, order.below)


def _copy(source: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(source, part)
    part.replace(target)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.ship", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("recipe", type=Path, help="a file as in training/recipes")
    add("--data", type=Path, required=True, help="folder of the data set")
    add("--out", type=Path, help="the domain's folder (default: runs/NAME of the recipe)")
    add("--start", type=Path, help='starting weights, where the recipe says init = "start"')
    add("--resume", action="store_true", help="go on where a killed run was; skip what is done")
    add("--install", action="store_true", help="put the results into the recipe's domain")
    add("--device", default="auto", help="auto, cuda, mps or cpu")
    args = parser.parse_args(words)
    recipe = read_recipe(args.recipe)
    out = args.out or Path("runs") / recipe.name
    order = Order(recipe, args.data, out, args.start, args.resume, args.device)
    made = ship(order)
    counted = Counter(made.checkpoints)
    print(f"{out}: {made.title}, with {', '.join(counted) or 'no network'}")
    if args.install:
        where = install(made, recipe.network, load_domain(recipe.domain))
        print(f"installed into {where}")


if __name__ == "__main__":
    with told():
        main()
