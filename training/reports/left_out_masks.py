"""Masks on regions that none of the networks saw, by leaving regions out in turn.

    python -m training.reports.left_out_masks --data DIR --more DIR2 --encoder DINOV2.safetensors \\
        --classifier runs/left-out --out docs/results

Each damaged picture of the domain's own kinds, of train and val, is explained by the classifier of
its fold (`training.left_out.classifier`), and the witness is what its fold's judge says of the
whole picture. Masks are of centre crops, of every picture: also of those that the classifier calls
intact. Test is not read.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lrpseg.core.devices import pick_device
from lrpseg.domains import Domain, load_domain
from lrpseg.lrp import RULE_SETS
from lrpseg.masks.render import save_text
from lrpseg.models.checkpoints import load_checkpoint
from lrpseg.models.loaded import Loaded
from lrpseg.models.tensors import checkpoint_hash, read_tensors
from lrpseg.pipeline.curves import UNION
from lrpseg.pipeline.settings import Settings
from lrpseg.pipeline.testifying import second
from lrpseg.refiners import REFINERS
from lrpseg.thresholders import THRESHOLDERS
from lrpseg.witness.nearest import highest
from lrpseg.witness.tokens import BLOCKS, ENLARGED, PatchTokens
from lrpseg.witness.verdict import Verdict
from lrpseg.witness.witness import Testimony, load_encoder
from training.command import add_data, shown_words, told
from training.data.crops import centre_window, load_example
from training.data.datasets import Example
from training.data.declared import Subject
from training.data.drawn_damage import drawing_of
from training.data.folds import folds_of
from training.left_out.classifier import pictures
from training.left_out.command import add_folds
from training.left_out.methods import METHODS, Material, gather
from training.loops.train import BEST
from training.reports.evaluate import crops_of
from training.reports.left_out import checked_fold
from training.reports.segmentation import Pictures, Score, segment
from training.reports.systems import Maps, maps_of
from training.reports.tables import table

PLAIN = Verdict((1.0, 0.0), (0.0, 1.0, 0.0))
"""Of a picture's map its scale says nothing here."""
SHOWN = ("simple", "gmm", "bmm", "fraction")
"""Thresholders in the table."""


@dataclass(frozen=True, eq=False)
class Explained:
    """Of N damaged crops: relevance (N, 1, side, side) by the fold's network, and the same as far
    as the fold's witness sees damage. pictures: the crops, their masks and regions."""

    pictures: Pictures
    relevance: Maps
    seconded: Maps


def witnessed(
    material: Material, folds: Sequence[int], judge: str, chosen: Sequence[int], seed: int = 0
) -> dict[int, Testimony]:
    """What judges that learned from other folds say of the chosen pictures, by index."""
    found = {}
    for fold in sorted({folds[i] for i in chosen}):
        known = [i for i, of in enumerate(folds) if of != fold]
        judges = METHODS[judge].fit(material, known, seed)
        for index in (i for i in chosen if folds[i] == fold):
            patches = judges(material.tokens[index]).reshape(material.tokens.shapes[index])
            found[index] = Testimony(highest(patches), patches.float().cpu().numpy())
    return found


def explain(
    folder: Path, domain: Domain, rules: str, examples: Sequence[Example], folds: Sequence[int],
    heard: Mapping[int, Testimony], device: torch.device,
) -> Explained:  # fmt: skip
    """Explain the pictures about which a witness was `heard`, each by its fold's network.

    Raises `DataError` where a fold of the classifier is missing, or of other pictures.
    """
    rows: list[int] = []
    relevance: list[Maps] = []
    seconded: list[NDArray[np.float32]] = []
    for fold in sorted(set(folds)):
        here = [i for i in heard if folds[i] == fold]
        if not here:
            continue
        path = checked_fold(folder, fold, examples, folds)
        network = read_tensors(path / BEST)[1]["network"]
        model = load_checkpoint(path / BEST, network, domain.classes.names).to(device)
        settings = Settings(
            domain=domain.name, network=network, rule_set=rules, thresholder="simple"
        )
        crops = np.stack(crops_of([examples[i] for i in here], False, model.tile).images)
        made = maps_of(Loaded(model), domain, settings, crops, device).relevance
        for index, values in zip(here, made, strict=True):
            image, mask = load_example(examples[index], model.tile)
            whole = np.zeros(image.shape[:2], np.float32)
            window = centre_window(image.shape, mask, model.tile)
            whole[window] = values[0]
            found = second(whole, False, heard[index], PLAIN)
            seconded.append((whole if found is None else found)[window])
        rows += here
        relevance.append(made)
    shown = crops_of([examples[i] for i in rows], False, relevance[0].shape[-1])
    return Explained(shown, np.concatenate(relevance), np.stack(seconded)[:, None])


def scores(made: Explained, title: str, seed: int) -> list[Score]:
    """Of each thresholder and refiner, without the witness and with it."""
    found = np.ones((len(made.pictures.images), 1), bool)
    systems = []
    for thresholder, refiner in product(SHOWN, ("none", "intensity")):
        fit, refine = THRESHOLDERS[thresholder].fit, REFINERS[refiner].refine
        for witness, maps in (("", made.relevance), (", with the witness", made.seconded)):
            fits = [
                [refine(i, m[0], m[0], fit(m[0]))]
                for i, m in zip(made.pictures.images, maps, strict=True)
            ]
            refined = "" if refiner == "none" else f", refined: {refiner}"
            name = f"{title}, {THRESHOLDERS[thresholder].title}{refined}{witness}"
            systems.append(segment(name, fits, found)[UNION])
    return made.pictures.scored(systems, seed)


def report(words: str, domain: Domain, made: Mapping[str, list[Score]], shown: Pictures,
           folds: int, judge: str, seed: int) -> str:  # fmt: skip
    """As Markdown."""
    lines = [
        f"# {domain.name}: masks on regions left out in turn",
        "",
        f"    python -m training.reports.left_out_masks {words}",
        "",
        f"{len(shown.images)} damaged centre crops of {len(set(shown.regions))} regions, of train "
        f"and val, in {folds} folds by region: each was explained by a network that saw none of "
        f"its region, and seconded by a witness ({METHODS[judge].title}) that saw none either. A "
        "mask is made of every crop, whatever the network says. Intervals resample regions. "
        f"Seed {seed}.",
    ]
    for rules, found in made.items():
        lines += ["", f"## {RULE_SETS[rules].title}", "", *table(found)]
    return "\n".join(lines)


def get_args_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.reports.left_out_masks", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_data(parser)
    add_folds(parser)
    add = parser.add_argument
    add("--encoder", type=Path, required=True, help="DINOv2 ViT-S/14, with timm's names")
    add("--judge", choices=list(METHODS), default="nearest", help="of the witness")
    add("--classifier", type=Path, required=True, help="what training.left_out.classifier wrote")
    add("--rule-set", choices=list(RULE_SETS), nargs="+", default=list(RULE_SETS))
    add("--out", type=Path, help="folder for a folder with masks.md and masks.json")
    return parser


def main(words: Sequence[str] | None = None) -> None:
    args = get_args_parser().parse_args(words)
    device, domain = pick_device(args.device), load_domain(args.domain)
    subject = Subject.known(domain)
    own = frozenset(e.kind for e in pictures(subject, args.data) if e.damaged)
    examples = pictures(subject, args.data, args.more)
    folds = folds_of(examples, args.folds, args.seed)
    model = load_encoder(args.encoder, max(BLOCKS)).to(device)
    material = gather(
        [args.judge], examples, own, PatchTokens(model, BLOCKS, ENLARGED),
        checkpoint_hash(args.encoder), args.cache, drawing_of(subject.name), args.seed,
    )  # fmt: skip
    chosen = [i for i, e in enumerate(examples) if e.masked and e.kind in own]
    heard = witnessed(material, folds, args.judge, chosen, args.seed)
    made: dict[str, list[Score]] = {}
    for rules in args.rule_set:
        found = explain(args.classifier, domain, rules, examples, folds, heard, device)
        made[rules] = scores(found, RULE_SETS[rules].title, args.seed)
    command = shlex.join(shown_words(sys.argv[1:] if words is None else words))
    text = report(command, domain, made, found.pictures, args.folds, args.judge, args.seed)
    print(text)
    if args.out:
        folder = args.out / f"{domain.name}-left-out"
        save_text(text + "\n", folder / "masks.md")
        held = {rules: [asdict(score) for score in found] for rules, found in made.items()}
        save_text(json.dumps(held, indent=1) + "\n", folder / "masks.json")


if __name__ == "__main__":
    with told():
        main()
