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
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lrpseg.core.devices import pick_device
from lrpseg.core.errors import OptionError
from lrpseg.domains import Domain, Normalisation, load_domain
from lrpseg.learning.loss import weighted_loss
from lrpseg.masks.figures import Mask
from lrpseg.models.checkpoints import save_checkpoint
from lrpseg.models.networks import load_plain
from lrpseg.models.self_trained import Decider, SelfTrained
from lrpseg.models.tensors import fill
from lrpseg.refiners import REFINERS
from training.command import told
from training.data.crops import load_example
from training.data.declared import Subject
from training.data.drawn_damage import DRAWINGS, drawing_of
from training.data.proposals import mistakes, proposals
from training.data.self_training_crops import Proposed, SelfTrainingCrops, Shares
from training.loops import unet
from training.loops.calibration import both_kinds, labels_of, platt
from training.loops.loop import Judged, Plan, Task, make_fabric, train, write_metrics
from training.loops.loop import told as in_line
from training.loops.resuming import plain
from training.loops.validation import Validation, classify

NAME = "self-trained"
FILE = f"{NAME}.safetensors"


@dataclass(frozen=True, kw_only=True)
class Config(Plan):
    """All that decides a training's result; stored in every file that it writes.

    real, intact: shares of the crops; the rest has drawn damage. drawing: a name in `DRAWINGS`, ""
    for the one of the domain; refiner: in `REFINERS`, what betters LRP's masks. rounds: trainings
    one after the other. epochs: of each round.
    size: side of what is trained on, cut out of each crop, a multiple of 16; a smaller one is
    cheaper, and most of a crop is background.
    """

    domain: str
    drawing: str = ""
    rounds: int = 2
    epochs: int = 40
    crops: int = 256
    batch: int = 16
    lr: float = 1e-3  # of the first round; later ones take half
    refiner: str = "intensity"
    dropout: float = 0.2
    real: float = 0.4
    intact: float = 0.3
    size: int = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        REFINERS[self.refiner]
        if self.drawing and self.drawing not in DRAWINGS:
            raise OptionError(
                f"There is no drawing {self.drawing!r}. Choose one of: {', '.join(DRAWINGS)}."
            )
        if self.rounds < 1 or self.size < 16 or self.size % 16:
            raise OptionError("There is at least one round, of crops a multiple of 16 a side.")

    def of_round(self, number: int) -> "Config":
        """The configuration of the round `number`, from 1 on."""
        lr = self.lr if number == 1 else self.lr / 2
        return replace(self, seed=self.seed + number, lr=lr, rounds=1)


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
        odds = classifier.log_odds(classifier.classify(scales[-1]))
        return torch.cat([own.evidence(own.likelihood(own(scales))), odds], dim=1)

    def log_odds(self, outputs: Tensor) -> Tensor:
        """The outputs as they are."""
        return outputs


class SelfTrainingTask(Task):
    """A network learns from masks that nobody drew; the last epoch goes to `out`."""

    def __init__(
        self,
        network: Pixels,
        crops: SelfTrainingCrops,
        val: tuple[np.ndarray, list[Mask]],
        normalise: Normalisation,
        config: Config,
        out: Path,
        device: torch.device,
    ) -> None:
        """`val`: crops and masks as of `unet.validation_crops`, whose figures are printed."""
        self.network, self.crops, self.normalise = network, crops, normalise
        self.decider = network.decider
        self.val, self.config, self.out, self.device = val, config, out, device

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        return [([p for p in self.network.parameters() if p.requires_grad], self.config.lr)]

    def loss(self, outputs: Tensor, *targets: Tensor) -> Tensor:
        masks, weights = targets
        return weighted_loss(outputs, masks, weights)

    def judge(self, network: nn.Module) -> Judged:
        images, masks = self.val
        likelihood = unet.predict(network, images, self.device, self.normalise)
        found = unet.segmentation_figures(likelihood, masks)
        return Judged(found, None, in_line(found))  # true masks choose nothing

    def save(self, network: nn.Module) -> None:
        assert isinstance(network, Pixels)
        about = {"config": json.dumps(plain(self.config))}
        save_checkpoint(network.decider.own, self.out / FILE, NAME, about)


def calibrate(decider: Decider, validation: Validation, device: torch.device) -> None:
    """Fit the weights of both log-odds to the labels of the validation crops and of the whole
    pictures, both classes weighing the same (Platt 1999)."""
    odds = Odds(decider).to(device).eval()
    crops, tiles = (
        classify(odds, images, device, validation.normalise)
        for images in (validation.crops, validation.tiles)
    )
    both = both_kinds(crops, tiles, validation)
    (slope, trust), offset = platt(both, labels_of(validation)[:, 0])
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
    domain = load_domain(config.domain)
    subject = Subject.known(domain)
    if len(subject.classes) > 1:
        raise OptionError(
            f"{domain.name!r} has {len(subject.classes)} classes, and self-training is for one: it "
            "would not know which of them a drawn damage shows. Use a classifier."
        )
    # The seed comes before the classifier is built, as ever: it gives the same weights.
    torch.manual_seed(config.seed)
    classifier = load_plain(domain, domain.classifier)
    raw = Pixels(Decider.untrained(classifier, config.dropout))
    side = classifier.tile
    splits = subject.read(data, config.seed).splits
    intact = [load_example(e, side)[0] for e in splits["train"] if not e.damaged]
    damaged = [e for e in splits["train"] if e.damaged]
    val = unet.validation_crops(splits["val"], False, side)
    proposed: list[list[Proposed]] = []
    mistaken: list[Proposed] = []
    if before is not None:
        raw.decider.own.load_state_dict(before.decider.own.state_dict())
        mistaken = mistakes(intact, before, fabric.device, domain.normalisation, side)
        fabric.print(f"{len(mistaken)} tiles of intact pictures look damaged")
    if config.real:
        proposed = proposals(damaged, domain, config.refiner, before, fabric.device)
        fabric.print(f"{sum(map(len, proposed))} of {len(damaged)} damaged crops have a proposal")
    drawing = config.drawing or drawing_of(domain.name)
    crops = SelfTrainingCrops(
        intact, proposed, mistaken, Shares(config.real, config.intact), DRAWINGS[drawing],
        config.size, config.crops, config.seed, side,
    )  # fmt: skip
    task = SelfTrainingTask(raw, crops, val, domain.normalisation, config, out, fabric.device)
    history = train(fabric, task, config, out, resume)
    stored = load_round(out, domain)
    if fabric.is_global_zero:
        write_metrics(config, task.judge(stored).figures, history, out)
    return stored


def load_round(folder: Path, domain: Domain) -> Pixels:
    """The network that a round has stored."""
    classifier = load_plain(domain, domain.classifier)
    own = fill(SelfTrained(classifier.stages, classifier.classes), folder / FILE, NAME)
    return Pixels(Decider(own, classifier))


def finish(network: Pixels, config: Config, data: Path, out: Path, device: str) -> str:
    """Fit the probability, write self-trained.safetensors, and return what it is in words."""
    domain, where = load_domain(config.domain), pick_device(device)
    subject, decider = Subject.known(domain), network.decider
    validation = Validation.of(
        subject.read(data, config.seed).splits["val"], domain.normalisation, flips=True,
        size=decider.classifier.tile,
    )  # fmt: skip
    calibrate(decider, validation, where)
    path = out / FILE
    save_checkpoint(decider.own, path, NAME, {"config": json.dumps(plain(config))})
    own = load_round(out, domain).to(where).decider.own
    found = validation(Decider(own, decider.classifier), where)
    weights = (
        f"weights of the log-odds {float(own.slope):.3f} (own) and {float(own.trust):.3f}, "
        f"offset {float(own.offset):.3f}"
    )
    print(
        f"{path}, with {domain.classifier}: {weights}\n"
        f"on val, crops with flips: {found['crops']}\nwhole pictures: {found['whole']}"
    )
    return weights


def run(config: Config, data: Path, out: Path, resume: bool, accelerator: str = "auto") -> str:
    """Train all rounds as `config` says, into the folder `out`; see `finish`."""
    network: Pixels | None = None
    for number in range(1, config.rounds + 1):
        folder = out / f"round-{number}"
        if resume and (folder / "metrics.json").is_file():
            network = load_round(folder, load_domain(config.domain))  # this round is done
            continue
        made = config.of_round(number)
        network = one_round(made, data, folder, network, resume, accelerator)
    assert network is not None
    return finish(network, config.of_round(config.rounds), data, out, accelerator)


def get_args_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.loops.self_train", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of the data set")
    add("--domain", required=True, help="a domain's name, or its folder with a classifier")
    add("--out", type=Path, required=True, help="folder for checkpoints and logs")
    drawn = "what is drawn (default: by the domain)"
    add("--drawing", choices=list(DRAWINGS), default=Config.drawing, help=drawn)
    add("--refiner", choices=list(REFINERS), default=Config.refiner, help="of LRP's masks")
    add("--rounds", type=int, default=Config.rounds, help="1: LRP's masks alone (default: 2)")
    add("--epochs", type=int, default=Config.epochs, help="of each round")
    add("--crops", type=int, default=Config.crops, help="per epoch (default: 256)")
    add("--real", type=float, default=Config.real, help="share of damaged pictures (default: 0.4)")
    add("--size", type=int, default=Config.size, help="side of what is trained on (default: 128)")
    add("--batch", type=int, default=Config.batch)
    add("--lr", type=float, default=Config.lr, help="of the first round; later ones take half")
    add("--seed", type=int, default=0)
    add("--precision", default="32-true", help="Lightning Fabric's: 32-true, bf16-mixed, 16-mixed")
    add("--accelerator", default="auto", help="auto, cuda, mps or cpu")
    add("--resume", action="store_true", help="go on where a killed training was")
    return parser


def main(words: list[str] | None = None) -> None:
    args = get_args_parser().parse_args(words)
    given = {k: v for k, v in vars(args).items() if k in Config.__dataclass_fields__}
    run(Config(**given), args.data, args.out, args.resume, args.accelerator)


if __name__ == "__main__":
    with told():
        main()
