"""Trains a U-Net for masks from image-level labels alone: no pixel that a person labelled.

    python -m training.loops.self_train --data DIR --domain magnetic-tile --out runs/self-trained

Its contracting half are the convolutions of the domain's classifier, as they are. The rest sees,
each with a share of the crops:
- intact pictures, whose mask is empty; in later rounds half of them where the network of the round
  before was mistaken;
- intact pictures with damage drawn in (`training.data.drawn_damage`), whose mask is known exactly;
- damaged pictures of the training split, with the refined LRP mask of the domain's classifier; in
  later rounds with the mask that the network of the round before finds, where that one finds damage
  too. Pixels count by how sure a map is of them; those on which the two disagree do not count.

True masks are used for cropping, as the paper did by hand (3.4), and to print the figures of each
epoch. Nothing is chosen by them: the last epoch's weights are kept. The probability of damage, from
this network and the domain's classifier, is fitted to the image-level labels of the validation
split.

Writes into --out: round-N/ of each round (with what --resume needs), self-trained.safetensors, and
metrics.json.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lrpseg.core.devices import pick_device
from lrpseg.domains import Domain, load_domain
from lrpseg.domains.weights import load_deciding
from lrpseg.learning.loss import weighted_loss
from lrpseg.models.checkpoints import load_self_trained, save_checkpoint
from lrpseg.models.self_trained import Decider, likelihood_of
from lrpseg.refiners import REFINERS
from training.command import told
from training.data.crops import load_example
from training.data.datasets import READERS, read
from training.data.drawn_damage import DRAWINGS, OF_DOMAIN
from training.data.proposals import mistakes, proposals
from training.data.self_training_crops import Proposed, SelfTrainingCrops, Shares
from training.loops import unet
from training.loops.calibration import both_kinds, labels_of, platt
from training.loops.resuming import plain
from training.loops.unet_loop import Recipe, make_fabric, train, write_metrics
from training.loops.validation import Validation, classify

NAME = "self-trained"
FILE = f"{NAME}.safetensors"


@dataclass(frozen=True, kw_only=True)
class Config(Recipe):
    """All that decides a training's result; stored in every file that it writes.

    real, intact: shares of the crops; the rest has drawn damage. drawing: a name in `DRAWINGS`,
    refiner: in `REFINERS`, what betters LRP's masks.
    size: side of what is trained on, cut out of each crop, a multiple of 16; a smaller one is
    cheaper, and most of a crop is background.
    """

    domain: str
    drawing: str
    refiner: str = "intensity"
    dropout: float = 0.2
    real: float = 0.4
    intact: float = 0.3
    size: int = 128


class Pixels(nn.Module):
    """Logits (B, 2, H, W) of a network that segments: what is trained."""

    def __init__(self, decider: Decider) -> None:
        super().__init__()
        self.decider = decider

    def forward(self, x: Tensor) -> Tensor:
        return self.decider.pixels(x)


class Odds(nn.Module):
    """The log-odds (B, 2) of damage of a self-trained network alone, and of its classifier."""

    def __init__(self, decider: Decider) -> None:
        super().__init__()
        self.decider = decider

    def forward(self, x: Tensor) -> Tensor:
        own, classifier = self.decider.own, self.decider.classifier
        scales = classifier.scales(x)
        logits = classifier.classify(scales[-1])
        return torch.stack(
            [own.evidence(likelihood_of(own(scales))), logits[:, 1] - logits[:, 0]], dim=1
        )


def calibrate(decider: Decider, validation: Validation, device: torch.device) -> None:
    """Fit the weights of both log-odds to the labels of the validation crops and of the whole
    pictures, both classes weighing the same (Platt 1999)."""
    odds = Odds(decider).to(device).eval()
    crops, tiles = (classify(odds, i, device) for i in (validation.crops, validation.tiles))

    def logits(of: Tensor, column: int) -> Tensor:
        return torch.stack([torch.zeros_like(of[:, column]), of[:, column]], dim=1)

    both = [both_kinds(logits(crops, c), logits(tiles, c), validation) for c in (0, 1)]
    (slope, trust), offset = platt(np.stack(both, axis=1), labels_of(validation))
    decider.own.slope.fill_(slope)
    decider.own.trust.fill_(trust)
    decider.own.offset.fill_(offset)


def one_round(
    config: Config,
    data: Path,
    out: Path,
    before: Pixels | None,
    resume: bool,
    accelerator: str = "auto",
) -> Pixels:
    """Train one round; `before` is the network of the round before, whose proposals are used."""
    fabric = make_fabric(config, out, accelerator)
    dataset = read(config.domain if config.domain in READERS else "folder", data, config.seed)
    splits = dataset.splits
    intact = [load_example(e)[0] for e in splits["train"] if not e.damaged]
    damaged = [e for e in splits["train"] if e.damaged]
    images, masks = unet.validation_crops(splits["val"], False)
    torch.manual_seed(config.seed)
    domain = load_domain(config.domain)
    raw = Pixels(Decider.untrained(load_deciding(domain), config.dropout))
    proposed: list[list[Proposed]] = []
    mistaken: list[Proposed] = []
    if before is not None:
        raw.decider.own.load_state_dict(before.decider.own.state_dict())
        mistaken = mistakes(intact, before, fabric.device)
        fabric.print(f"{len(mistaken)} tiles of intact pictures look damaged")
    if config.real:
        proposed = proposals(damaged, domain, config.refiner, before, fabric.device)
        fabric.print(f"{sum(map(len, proposed))} of {len(damaged)} damaged crops have a proposal")
    crops = SelfTrainingCrops(
        intact, proposed, mistaken, Shares(config.real, config.intact), DRAWINGS[config.drawing],
        config.size, config.crops, config.seed,
    )  # fmt: skip

    def validate(model: nn.Module) -> dict[str, float]:
        return unet.segmentation_figures(unet.predict(model, images, fabric.device), masks)

    def save(model: nn.Module) -> None:
        about = {"config": json.dumps(plain(config))}
        save_checkpoint(raw.decider.own, out / FILE, NAME, about)

    history = train(
        fabric, raw, config, crops, weighted_loss, validate, save, out, resume, best_by=None
    )
    stored = load_round(out, domain)
    if fabric.is_global_zero:
        write_metrics(config, validate(stored), history, out)
    return stored


def load_round(folder: Path, domain: Domain) -> Pixels:
    """The network that a round has stored."""
    return Pixels(Decider(load_self_trained(folder / FILE, NAME), load_deciding(domain)))


def finish(network: Pixels, config: Config, data: Path, out: Path, device: str) -> None:
    """Fit the probability, and write self-trained.safetensors."""
    dataset = read(config.domain if config.domain in READERS else "folder", data, config.seed)
    domain, where = load_domain(config.domain), pick_device(device)
    decider = network.decider
    validation = Validation.of(dataset.splits["val"], flips=True)
    calibrate(decider, validation, where)
    path = out / FILE
    save_checkpoint(decider.own, path, NAME, {"config": json.dumps(plain(config))})
    own = load_self_trained(path, NAME).to(where)
    found = validation(Decider(own, decider.classifier), where)
    print(
        f"{path}, with {domain.classifier}: weights of the log-odds {float(own.slope):.3f} (own) "
        f"and {float(own.trust):.3f}, offset {float(own.offset):.3f}\n"
        f"on val, crops with flips: {found['crops']}\nwhole pictures: {found['whole']}"
    )


def get_args_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.loops.self_train", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of the data set")
    add("--domain", required=True, help="a domain's name, or its folder with a classifier")
    add("--out", type=Path, required=True, help="folder for checkpoints and logs")
    add("--drawing", choices=list(DRAWINGS), help="what is drawn (default: by the domain)")
    add("--refiner", choices=list(REFINERS), default=Config.refiner, help="of LRP's masks")
    add("--rounds", type=int, default=2, help="1: LRP's masks alone (default: 2)")
    add("--epochs", type=int, default=40, help="of each round")
    add("--crops", type=int, default=256, help="per epoch (default: 256)")
    add("--real", type=float, default=Config.real, help="share of damaged pictures (default: 0.4)")
    add("--size", type=int, default=Config.size, help="side of what is trained on (default: 128)")
    add("--batch", type=int, default=16)
    add("--lr", type=float, default=Config.lr, help="of the first round; later ones take half")
    add("--seed", type=int, default=0)
    add("--precision", default="32-true", help="Lightning Fabric's: 32-true, bf16-mixed, 16-mixed")
    add("--accelerator", default="auto", help="auto, cuda, mps or cpu")
    add("--resume", action="store_true", help="go on where a killed training was")
    return parser


def main(words: list[str] | None = None) -> None:
    args = get_args_parser().parse_args(words)
    drawing = args.drawing or OF_DOMAIN.get(args.domain, next(iter(DRAWINGS)))
    network: Pixels | None = None
    for number in range(1, args.rounds + 1):
        config = Config(
            domain=args.domain, drawing=drawing, epochs=args.epochs,
            crops=args.crops, lr=args.lr if number == 1 else args.lr / 2, seed=args.seed + number,
            precision=args.precision, real=args.real, size=args.size,
            batch=args.batch, refiner=args.refiner,
        )  # fmt: skip
        folder = args.out / f"round-{number}"
        if args.resume and (folder / "metrics.json").is_file():
            network = load_round(folder, load_domain(args.domain))  # this round is done
            continue
        network = one_round(config, args.data, folder, network, args.resume, args.accelerator)
    assert network is not None
    finish(network, config, args.data, args.out, args.accelerator)


if __name__ == "__main__":
    with told():
        main()
