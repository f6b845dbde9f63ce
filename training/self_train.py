"""Trains a small U-Net for masks from image-level labels alone: no pixel that a person labelled.

    python -m training.self_train --data DIR --domain magnetic-tile --out runs/self-trained

It sees, each with a share of the crops:
- intact pictures, whose mask is empty;
- intact pictures with damage drawn in (`training.drawn_damage`), whose mask is known exactly;
- damaged pictures of the training split, with the refined LRP mask of the domain's classifier; in
  later rounds with the mask that the network of the round before finds, where that one finds damage
  too. Pixels count by how sure a map is of them; those on which the two disagree do not count.

True masks are used for cropping, as the paper did by hand (3.4), and to print the figures of each
epoch. Nothing is chosen by them: the last epoch's weights are kept. The probability of damage is
fitted to the image-level labels of the validation split.

Writes into --out: round-N/ of each round (with what --resume needs), self-trained.safetensors, and
metrics.json.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.utils.data import Dataset

from lrpseg.checkpoints import load_checkpoint, load_self_trained, save_checkpoint
from lrpseg.devices import pick_device
from lrpseg.domains import Domain, Normalisation, load_domain
from lrpseg.lrp import DEFAULT_POOLING, DEFAULT_START
from lrpseg.operating_points import default_choice
from lrpseg.refiners import REFINERS
from lrpseg.thresholders import THRESHOLDERS, Fitted
from lrpseg.unet import SelfTrained, UNet
from training import unet
from training.crops import Augmentation, Image, Mask, centre_crop, load_example, random_crop
from training.datasets import READERS, Example, read
from training.drawn_damage import DRAWINGS, OF_DOMAIN, Drawing, draw_damage
from training.resuming import plain
from training.systems import lrp_maps
from training.unet_loop import Recipe, make_fabric, train, write_metrics
from training.validation import Validation

NAME = "self-trained"
REACH = 13
"""Pixels: what the network finds counts where LRP's mask, grown by half of this, touches it."""


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
    width: int = 16
    dropout: float = 0.2
    real: float = 0.4
    intact: float = 0.3
    size: int = 128


VARIED = Augmentation(zoom=(0.7, 1.5), brightness=(0.6, 1.4), contrast=(0.7, 1.3), noise=6)


@dataclass(frozen=True, eq=False)
class Proposed:
    """A damaged crop (224, 224, 3) with a mask that nobody drew, and how much each pixel counts."""

    image: Image
    mask: Mask
    weight: NDArray[np.float32]


class SelfTrainingCrops(Dataset[tuple[Image, Mask, NDArray[np.float32]]]):
    """`count` random crops of one epoch with masks and weights, fixed by seed, epoch and index."""

    def __init__(
        self, intact: list[Image], proposed: list[list[Proposed]], config: Config, drawing: Drawing
    ) -> None:
        """`proposed`: a list for each region of damaged pictures; regions count alike."""
        self._intact, self._proposed, self._config = intact, proposed, config
        self._drawing, self.epoch = drawing, 0

    def __len__(self) -> int:
        return self._config.crops

    def __getitem__(self, index: int) -> tuple[Image, Mask, NDArray[np.float32]]:
        random = np.random.default_rng((self._config.seed, self.epoch, index))
        kind = random.random()
        if kind < self._config.real and self._proposed:
            members = self._proposed[random.integers(len(self._proposed))]
            chosen = members[random.integers(len(members))]
            zoom = random.uniform(1, VARIED.zoom[1])
            image, mask, weight = zoomed(chosen.image, chosen.mask, chosen.weight, zoom)
        else:
            source = self._intact[random.integers(len(self._intact))]
            whole = Augmentation(flips=False, zoom=VARIED.zoom)
            image = random_crop(source, None, whole, random)
            mask, weight = np.zeros(image.shape[:2], bool), np.ones(image.shape[:2], np.float32)
            if kind < 1 - self._config.intact:
                for _ in range(int(random.integers(1, 3))):
                    image, more = draw_damage(image, random, self._drawing)
                    mask = mask | more
        return vary(*part(image, mask, weight, self._config.size, random), random)


def zoomed(
    image: Image, mask: Mask, weight: NDArray[np.float32], zoom: float
) -> tuple[Image, Mask, NDArray[np.float32]]:
    """All three enlarged by `zoom`, 1 or more."""
    size = (round(mask.shape[1] * zoom), round(mask.shape[0] * zoom))
    larger = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    share = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    weights = cv2.resize(weight, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(larger, np.uint8), share >= 0.5, np.asarray(weights, np.float32)


def part(
    image: Image,
    mask: Mask,
    weight: NDArray[np.float32],
    size: int,
    random: np.random.Generator,
) -> tuple[Image, Mask, NDArray[np.float32]]:
    """A random square of `size` pixels, the same of all three; it shows some of the damage."""
    limit = np.array(mask.shape) - size
    spots = np.argwhere(mask)
    if len(spots):
        spot = spots[random.integers(len(spots))]
        low, high = np.maximum(0, spot - size + 1), np.minimum(spot, limit)
        y, x = random.integers(low, high + 1)
    else:
        y, x = random.integers(limit + 1)
    window = np.s_[y : y + size, x : x + size]
    return image[window], mask[window], weight[window]


def vary(
    image: Image, mask: Mask, weight: NDArray[np.float32], random: np.random.Generator
) -> tuple[Image, Mask, NDArray[np.float32]]:
    """Flip all alike, and change the image's brightness, contrast and noise."""
    for axis in (0, 1):
        if random.random() < 0.5:
            image, mask = np.flip(image, axis), np.flip(mask, axis)
            weight = np.flip(weight, axis)
    values = image.astype(np.float32)
    mean = values.mean()
    values = (values - mean) * random.uniform(*VARIED.contrast) + mean
    values *= random.uniform(*VARIED.brightness)
    sigma = np.float32(random.uniform(0, VARIED.noise))
    values += random.standard_normal(values.shape, np.float32) * sigma
    changed = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return changed, mask.copy(), weight.copy()


def weighted_loss(logits: Tensor, masks: Tensor, weights: Tensor) -> Tensor:
    """Cross entropy plus soft Dice, each pixel by its weight; see `unet.segmentation_loss`.

    Args: logits (B, 2, H, W), masks (B, H, W) bool, weights (B, H, W) float32, 0 to 1.
    """
    entropy = nn.functional.cross_entropy(logits, masks.long(), reduction="none")
    entropy = (entropy * weights).sum() / weights.sum().clamp(min=1)
    likelihood, truth = torch.softmax(logits, dim=1)[:, 1] * weights, masks.float() * weights
    overlap = (likelihood * masks).sum()
    return entropy + 1 - (2 * overlap + 1) / (likelihood.sum() + truth.sum() + 1)


def propose_from_lrp(refined: Fitted) -> tuple[Mask, NDArray[np.float32]]:
    """A mask from a refined likelihood (H, W), and the pixels' weights, 0 to 1: how far a pixel is
    from the threshold, as a share of how far it could be."""
    likelihood, threshold = refined.likelihood, refined.threshold
    above = (likelihood - threshold) / max(1 - threshold, 1e-6)
    below = (threshold - likelihood) / max(threshold, 1e-6)
    return refined.mask, np.clip(np.maximum(above, below), 0.1, 1).astype(np.float32)


def propose(likelihood: NDArray[np.float32], lrp: Mask) -> tuple[Mask, NDArray[np.float32]]:
    """A mask from what a network and LRP find, both (H, W), and the pixels' weights, 0 to 1.

    In the mask: components of likelihood 0.5 or more that LRP's mask comes near. Their pixels, and
    those that neither finds, count by |2 likelihood - 1|; where only one finds damage: 0.
    """
    grown = cv2.dilate(lrp.astype(np.uint8), np.ones((REACH, REACH), np.uint8)) > 0
    found = likelihood >= 0.5
    _, labels = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    near = np.unique(labels[found & grown])
    mask = found & np.isin(labels, near)
    weight = np.abs(2 * likelihood - 1)
    weight[found & ~mask] = 0
    # Along the border the two differ by a few pixels: what counts is what lies apart.
    beside = cv2.dilate(mask.astype(np.uint8), np.ones((REACH, REACH), np.uint8)) > 0
    weight[lrp & ~beside] = 0
    return mask, weight.astype(np.float32)


def proposals(
    examples: list[Example],
    domain: Domain,
    refiner: str,
    network: UNet | None,
    device: torch.device,
) -> list[list[Proposed]]:
    """Proposed masks of the damaged examples' crops, a list for each region.

    Crops that the classifier calls intact are left out, and those on which LRP and `network`, where
    there is one, agree on no pixel.
    """
    choice = default_choice(domain, classifiers_only=True)
    model = load_checkpoint(domain.checkpoint(choice.network), choice.network).to(device)
    crops = np.stack([centre_crop(*load_example(e))[0] for e in examples])
    explained = lrp_maps(
        model, domain, choice.rule_set, DEFAULT_START, DEFAULT_POOLING, crops, device
    )
    fit = THRESHOLDERS[choice.thresholder].fit
    found: dict[str, list[Proposed]] = {}
    for i, (example, crop) in enumerate(zip(examples, crops, strict=True)):
        if explained.probabilities[i] <= 0.5:
            continue
        relevance = explained.maps[i]
        refined = REFINERS[refiner].refine(crop, relevance, fit(relevance))
        mask, weight = propose_from_lrp(refined)
        if network is not None:
            mask, weight = propose(unet.predict(network, crop[None], device)[0], mask)
        if mask.any():
            found.setdefault(example.region, []).append(Proposed(crop, mask, weight))
    return list(found.values())


def calibrate(model: SelfTrained, validation: Validation, device: torch.device) -> None:
    """Fit slope and offset of the probability to the labels of the validation crops, both classes
    weighing the same (Platt 1999)."""
    with torch.no_grad():
        normalise = Normalisation()
        model.to(device).eval()
        parts = [
            model.evidence(model.likelihood(normalise(part.to(device)))).cpu()
            for part in validation.crops.split(32)
        ]
    evidence = torch.cat(parts).numpy()[:, None]
    fit = LogisticRegression(class_weight="balanced").fit(evidence, validation.labels.numpy())
    model.slope.fill_(max(float(fit.coef_[0, 0]), 1e-3))
    model.offset.fill_(float(fit.intercept_[0]))


def one_round(
    config: Config,
    data: Path,
    out: Path,
    before: UNet | None,
    resume: bool,
    accelerator: str = "auto",
) -> UNet:
    """Train one round; `before` is the network of the round before, whose proposals are used."""
    fabric = make_fabric(config, out, accelerator)
    dataset = read(config.domain if config.domain in READERS else "folder", data, config.seed)
    splits = dataset.splits
    intact = [load_example(e)[0] for e in splits["train"] if not e.damaged]
    damaged = [e for e in splits["train"] if e.damaged]
    images, masks = unet.validation_crops(splits["val"], False)
    torch.manual_seed(config.seed)
    raw = UNet(config.width, dropout=config.dropout)
    proposed: list[list[Proposed]] = []
    if before is not None:
        raw.load_state_dict(before.state_dict())
    if config.real:
        proposed = proposals(
            damaged, load_domain(config.domain), config.refiner, before, fabric.device
        )
        fabric.print(f"{sum(map(len, proposed))} of {len(damaged)} damaged crops have a proposal")
    crops = SelfTrainingCrops(intact, proposed, config, DRAWINGS[config.drawing])

    def validate(model: UNet) -> dict[str, float]:
        return unet.segmentation_figures(unet.predict(model, images, fabric.device), masks)

    def save(model: UNet) -> None:
        about = {"config": json.dumps(plain(config))}
        unet.save_unet(model, out / "best.safetensors", about)

    history = train(
        fabric, raw, config, crops, weighted_loss, validate, save, out, resume, best_by=None
    )
    stored = unet.load_unet(out / "best.safetensors")
    if fabric.is_global_zero:
        write_metrics(config, validate(stored), history, out)
    return stored


def finish(network: UNet, config: Config, data: Path, out: Path, device: str) -> None:
    """Fit the probability, and write self-trained.safetensors."""
    dataset = read(config.domain if config.domain in READERS else "folder", data, config.seed)
    model = SelfTrained(network)
    validation = Validation.of(dataset.splits["val"], flips=True)
    where = pick_device(device)
    calibrate(model, validation, where)
    path = out / f"{NAME}.safetensors"
    save_checkpoint(model, path, NAME, {"config": json.dumps(plain(config))})
    crops, whole = validation(load_self_trained(path, NAME).to(where), where)
    print(f"{path}\non val, crops with flips: {crops}\nwhole pictures: {whole}")


def get_args_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.self_train", description=__doc__,
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
    add("--width", type=int, default=Config.width, help="first level's channels (default: 16)")
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
    network: UNet | None = None
    for number in range(1, args.rounds + 1):
        config = Config(
            domain=args.domain, drawing=drawing, width=args.width, epochs=args.epochs,
            crops=args.crops, lr=args.lr if number == 1 else args.lr / 2, seed=args.seed + number,
            precision=args.precision, real=args.real, size=args.size,
            batch=args.batch, refiner=args.refiner,
        )  # fmt: skip
        folder = args.out / f"round-{number}"
        if args.resume and (folder / "metrics.json").is_file():
            network = unet.load_unet(folder / "best.safetensors")  # this round is done
            continue
        network = one_round(config, args.data, folder, network, args.resume, args.accelerator)
    assert network is not None
    finish(network, config, args.data, args.out, args.accelerator)


if __name__ == "__main__":
    main()
