"""Compares methods on regions that none of them saw, by leaving regions out in turn.

    python -m training.reports.left_out --data DIR --more DIR2 --encoder DINOV2.safetensors \\
        --classifier "VGG-A 128N=runs/left-out" --out docs/results

All pictures of train and val are judged, each by what was trained on other regions; test is not
read. `--classifier` takes what `training.left_out.classifier` wrote. Each method stands by itself,
and then all of them together (a logistic function of their scores, fitted on other folds).
"""

import argparse
import json
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from lrpseg.core.devices import pick_device
from lrpseg.masks.render import save_text
from lrpseg.models.checkpoints import load_checkpoint
from lrpseg.models.tensors import checkpoint_hash, read_tensors
from lrpseg.witness.tokens import BLOCKS, ENLARGED, PatchTokens
from lrpseg.witness.witness import load_encoder
from training.command import add_data, shown_words, told
from training.data.crops import load_example
from training.data.datasets import DataError, Example
from training.data.declared import Subject
from training.data.drawn_damage import drawing_of
from training.data.folds import folds_of
from training.left_out.classifier import pictures
from training.left_out.command import add_folds
from training.left_out.figures import Figures, best_iou, figures
from training.left_out.methods import METHODS, Material, Verdicts, gather, left_out
from training.loops.train import BEST
from training.loops.validation import Validation, classify


def by_tokens(
    names: Sequence[str], material: Material, folds: Sequence[int], seed: int
) -> dict[str, Verdicts]:
    """Verdicts of the methods on an encoder's tokens."""
    return {
        f"DINOv2, {METHODS[name].title}": left_out(METHODS[name], material, folds, seed)
        for name in names
    }


def by_classifier(
    folder: Path, subject: Subject, examples: Sequence[Example], folds: Sequence[int],
    device: torch.device,
) -> Verdicts:  # fmt: skip
    """Log-odds of whole pictures, by the classifier of each fold in `folder`.

    Raises `DataError` where a fold is not there, or was trained on other pictures.
    """
    scores = np.zeros(len(examples))
    for fold in sorted(set(folds)):
        here = [i for i, of in enumerate(folds) if of == fold]
        path = checked_fold(folder, fold, examples, folds)
        _, about = read_tensors(path / BEST)
        network = about["network"]
        model = load_checkpoint(path / BEST, network, subject.classes).to(device)
        sets = Validation.of(
            [examples[i] for i in here], subject.normalisation, flips=False,
            classes=subject.classes, size=model.tile,
        )  # fmt: skip
        odds = classify(model, sets.tiles, device, subject.normalisation)
        scores[here] = sets.whole(odds).amax(dim=1).numpy()
    return Verdicts(scores)


def checked_fold(
    folder: Path, fold: int, examples: Sequence[Example], folds: Sequence[int]
) -> Path:
    """The folder of a fold of `training.left_out.classifier`.

    Raises `DataError` where it is not there, or was trained on other pictures.
    """
    path = folder / f"fold-{fold}"
    known = [e.name for e, of in zip(examples, folds, strict=True) if of != fold]
    if json.loads(_text(path / "done.json"))["known"] != known:
        raise DataError(f"{path} was trained on other pictures: train it again.")
    return path


def _text(path: Path) -> str:
    if not path.is_file():
        raise DataError(f"{path} is missing: train all folds by training.left_out.classifier.")
    return path.read_text("utf-8")


def kinds_of(examples: Sequence[Example], main: Sequence[Example]) -> dict[str, list[int]]:
    """Indices of the pictures that figures are of: the set's own kinds of damage, all kinds if
    there are more, and each kind by itself; always beside all intact pictures."""
    own = {e.kind for e in main if e.damaged}
    intact = [i for i, e in enumerate(examples) if not e.damaged]
    every = sorted({e.kind for e in examples if e.damaged})
    sets = {" and ".join(sorted(own)): own}
    if set(every) - own:
        sets["all kinds"] = set(every)
    if len(every) > 1:
        sets |= {kind: {kind} for kind in every}
    return {
        title: sorted(intact + [i for i, e in enumerate(examples) if e.damaged and e.kind in of])
        for title, of in sets.items()
    }


def measure(
    verdicts: Mapping[str, Verdicts], examples: Sequence[Example], folds: Sequence[int],
    chosen: Sequence[int], seed: int,
) -> dict[str, tuple[Figures, float | None]]:  # fmt: skip
    """Figures of each method, and of all together, on the chosen pictures; and the IoU of maps."""
    some = [examples[i] for i in chosen]
    labels, of = np.array([e.damaged for e in some]), np.array([folds[i] for i in chosen])
    regions = [e.region for e in some]
    columns = {name: v.scores[list(chosen)] for name, v in verdicts.items()}
    found: dict[str, tuple[Figures, float | None]] = {}
    masked = [i for i in chosen if examples[i].masked]
    masks = [m for i in masked if (m := load_example(examples[i], 1)[1]) is not None]
    for name, verdict in verdicts.items():
        iou = None
        if verdict.maps is not None and len(masks) == len(masked):
            iou = best_iou([verdict.maps[i] for i in masked], masks)
        found[name] = figures(columns[name][:, None], labels, regions, of, seed), iou
    if len(columns) > 1:
        together = np.stack(list(columns.values()), axis=1)
        found["all together"] = figures(together, labels, regions, of, seed), None
    return found


def table(found: Mapping[str, tuple[Figures, float | None]]) -> str:
    """As Markdown."""
    lines = [
        "| method | AUROC | balanced accuracy | TPR | TNR | recall at 1 % false alarms | at 5 % | "
        "regions missed | ECE | IoU of the map |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, (f, iou) in found.items():
        auroc = f"{f.auroc.value:.3f} ({f.auroc.low:.3f}-{f.auroc.high:.3f})"
        lines.append(
            f"| {name} | {auroc} | {f.decided.balanced_accuracy} | {f.decided.tpr.value:.1%} | "
            f"{f.decided.tnr.value:.1%} | {f.recall[0]} | {f.recall[1].value:.1%} | "
            f"{len(f.missed)} | {f.calibration_error:.3f} | {'' if iou is None else f'{iou:.3f}'} |"
        )
    return "\n".join(lines)


def by_region(results: Mapping[str, Mapping[str, tuple[Figures, float | None]]]) -> str:
    """The damaged regions of each kind, as Markdown: what each method called of them. Where each is
    a single picture, those that no method missed are left out."""
    methods = list(next(iter(results.values())))
    lines = [f"| kind | region | {' | '.join(methods)} |", "|---" * (2 + len(methods)) + "|"]
    for kind, found in results.items():
        single = all(every == 1 for _, every in found[methods[0]][0].regions.values())
        for region in found[methods[0]][0].regions:
            counts = [found[name][0].regions[region] for name in methods]
            if single and all(called for called, _ in counts):
                continue
            cells = [f"{called} of {every}" for called, every in counts]
            lines.append(f"| {kind} | {region} | {' | '.join(cells)} |")
    return "\n".join(lines)


def about(examples: Sequence[Example], folds: Sequence[int]) -> str:
    """The folds, as Markdown."""
    kinds = sorted({e.kind for e in examples if e.damaged})
    lines = [
        "| fold | " + " | ".join(f"{k}: regions (pictures)" for k in kinds) + " | intact |",
        "|---" * (len(kinds) + 2) + "|",
    ]
    for fold in sorted(set(folds)):
        here = [e for e, of in zip(examples, folds, strict=True) if of == fold]
        counts = Counter(e.kind for e in here if e.damaged)
        cells = [
            f"{len({e.region for e in here if e.damaged and e.kind == k})} ({counts[k]})"
            for k in kinds
        ]
        intact = [e for e in here if not e.damaged]
        cells.append(f"{len({e.region for e in intact})} ({len(intact)})")
        lines.append(f"| {fold} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def get_args_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.reports.left_out", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_data(parser)
    add_folds(parser)
    add = parser.add_argument
    add("--encoder", type=Path, help="DINOv2 ViT-S/14 as safetensors, with timm's names")
    add("--method", choices=list(METHODS), nargs="*", default=list(METHODS), help="on its tokens")
    add("--blocks", type=int, nargs="+", default=BLOCKS, help="whose tokens, from 1 on")
    add("--enlarged", type=float, default=ENLARGED, help="how far pictures are, for it")
    add("--classifier", action="append", default=[], metavar="TITLE=FOLDER")
    add("--out", type=Path, help="folder for a folder with report.md and results.json")
    return parser


def main(words: Sequence[str] | None = None) -> None:
    args = get_args_parser().parse_args(words)
    subject, device = Subject.of(args.domain), pick_device(args.device)
    own = pictures(subject, args.data)
    examples = pictures(subject, args.data, args.more)
    folds = folds_of(examples, args.folds, args.seed)
    verdicts: dict[str, Verdicts] = {}
    if args.encoder:
        model = load_encoder(args.encoder, max(args.blocks)).to(device)
        material = gather(
            args.method, examples, frozenset(e.kind for e in own if e.damaged),
            PatchTokens(model, args.blocks, args.enlarged), checkpoint_hash(args.encoder),
            args.cache, drawing_of(subject.name), args.seed,
        )  # fmt: skip
        verdicts |= by_tokens(args.method, material, folds, args.seed)
    for given in args.classifier:
        title, _, folder = given.partition("=")
        verdicts[title] = by_classifier(Path(folder), subject, examples, folds, device)
    if not verdicts:
        raise DataError("There is nothing to compare: give --encoder, --classifier, or both.")
    results = {
        title: measure(verdicts, examples, folds, chosen, args.seed)
        for title, chosen in kinds_of(examples, own).items()
    }
    text = report(args, words, subject, examples, folds, results)
    print(text)
    if args.out:
        folder = args.out / f"{subject.name}-left-out"
        folder.mkdir(parents=True, exist_ok=True)
        save_text(text + "\n", folder / "report.md")
        held = {
            title: {
                name: {**asdict(f), "calibration_error": f.calibration_error, "iou": iou}
                for name, (f, iou) in found.items()
            }
            for title, found in results.items()
        }
        save_text(json.dumps(held, indent=1) + "\n", folder / "results.json")


def report(
    args: argparse.Namespace, words: Sequence[str] | None, subject: Subject,
    examples: Sequence[Example], folds: Sequence[int],
    results: Mapping[str, Mapping[str, tuple[Figures, float | None]]],
) -> str:  # fmt: skip
    """As Markdown."""
    command = shlex.join(shown_words(sys.argv[1:] if words is None else words))
    damaged = [e for e in examples if e.damaged]
    lines = [
        f"# {subject.name}: regions left out in turn",
        "",
        f"    python -m training.reports.left_out {command}",
        "",
        f"{len(damaged)} damaged pictures of {len({e.region for e in damaged})} regions and "
        f"{len(examples) - len(damaged)} intact ones, all of train and val; each is judged by what "
        f"was trained on the other {args.folds - 1} of {args.folds} folds. Tokens are of pictures "
        f"enlarged {args.enlarged:g} times, of blocks {', '.join(map(str, args.blocks))}. "
        "Balanced accuracy, TPR, TNR and calibration are at a probability of 0.5, fitted on the "
        "other folds' scores; 95 % intervals resample regions. A region is missed where none of "
        "its pictures is called. IoU of the map: mean over damaged pictures at the one threshold "
        "that suits all best. "
        f"Seed {args.seed}.",
    ]
    for title, found in results.items():
        lines += ["", f"## {title[:1].upper()}{title[1:]}", "", table(found)]
    lines += ["", "## Regions", "", "Pictures that were called, of all; each kind by itself.", ""]
    kinds = [kind for kind in results if kind in {e.kind for e in damaged}]
    lines.append(by_region({kind: results[kind] for kind in kinds}))
    return "\n".join([*lines, "", "## Folds", "", about(examples, folds)])


if __name__ == "__main__":
    with told():
        main()
