"""Fits a domain's witness: what judges patches, and one probability from it and the network.

    python -m training.witness --data DIR --more DIR2 --encoder DINOV2.safetensors \\
        --classifier runs/left-out-128n --into assets/magnetic-tile

Reads all pictures of train and val; test is not read. The judge learns from all of them. The
verdict is fitted on what judges and classifiers of left-out regions say (`training.left_out`), of
the domain's own kinds of damage, with damaged and intact pictures weighing the same. Writes the
encoder's blocks that are needed, in 8 bits, to a folder `shared` beside the domain's, and the
domain's witness.safetensors and entry of domain.json.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from lrpseg.core.assets import SHARED
from lrpseg.core.devices import pick_device
from lrpseg.domains import DOMAIN_FILE
from lrpseg.masks.render import save_text
from lrpseg.models.precision import EIGHT_BITS
from lrpseg.models.tensors import checkpoint_hash, save_tensors
from lrpseg.witness.tokens import BLOCKS, ENLARGED, PatchTokens
from lrpseg.witness.verdict import Verdict
from lrpseg.witness.witness import load_encoder, save_judge
from training.command import add_data, told
from training.data.datasets import DataError
from training.data.declared import Subject
from training.data.drawn_damage import drawing_of
from training.data.folds import folds_of
from training.left_out.classifier import pictures
from training.left_out.command import add_folds
from training.left_out.methods import METHODS, gather, left_out
from training.reports.left_out import by_classifier

ENCODER = "dinov2-vits14.safetensors"
JUDGE = "witness.safetensors"
NAME = "dinov2"


def fit_verdict(
    network: NDArray[np.float64], score: NDArray[np.float64], labels: NDArray[np.bool_]
) -> Verdict:
    """The verdict from the network's probabilities (N,) and the witness's scores (N,) of pictures
    that neither knew, and whether they are damaged (N,).

    Raises `DataError` where one of the two speaks against damage the surer it is of it.
    """
    alone = _logistic(score[:, None], labels)
    together = _logistic(np.stack([network, score], axis=1), labels)
    try:
        return Verdict((alone[0], alone[1]), (together[0], together[1], together[2]))
    except ValueError as error:
        raise DataError(f"Network and witness do not fit together here: {error}.") from error


def _logistic(columns: NDArray[np.float64], labels: NDArray[np.bool_]) -> list[float]:
    """Slopes of the columns, and the offset (Platt 1999)."""
    scaler = StandardScaler().fit(columns)
    fit = LogisticRegression(class_weight="balanced", C=100)
    fit.fit(scaler.transform(columns), labels)
    slopes = fit.coef_[0] / scaler.scale_
    offset = float(fit.intercept_[0] - (slopes * scaler.mean_).sum())
    return [*map(float, slopes), offset]


def store_encoder(source: Path, depth: int, path: Path) -> None:
    """Write the first `depth` blocks of an encoder in 8 bits."""
    model = load_encoder(source, depth)
    about = {
        "network": "vit_small_patch14_dinov2", "blocks": str(depth), "licence": "Apache-2.0",
        "source": "DINOv2 ViT-S/14, Oquab et al. 2023, arXiv:2304.07193",
        "source_sha256": checkpoint_hash(source),
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    save_tensors(model.state_dict(), about, path, EIGHT_BITS)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.witness", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_data(parser)
    add_folds(parser)
    add = parser.add_argument
    add("--encoder", type=Path, required=True, help="DINOv2 ViT-S/14, with timm's names")
    add("--classifier", type=Path, required=True, help="what training.left_out.classifier wrote")
    add("--judge", choices=list(METHODS), default="nearest")
    add("--into", type=Path, required=True, help="the domain's folder")
    args = parser.parse_args(words)
    subject, device = Subject.of(args.domain), pick_device(args.device)
    own = {e.kind for e in pictures(subject, args.data) if e.damaged}
    examples = pictures(subject, args.data, args.more)
    folds = folds_of(examples, args.folds, args.seed)
    sees = PatchTokens(load_encoder(args.encoder, max(BLOCKS)).to(device), BLOCKS, ENLARGED)
    material = gather(
        [args.judge], examples, frozenset(own), sees, checkpoint_hash(args.encoder), args.cache,
        drawing_of(subject.name), args.seed,
    )  # fmt: skip
    method = METHODS[args.judge]
    judge = method.fit(material, range(len(examples)), args.seed)
    score = left_out(method, material, folds, args.seed).scores
    odds = by_classifier(args.classifier, subject, examples, folds, device).scores
    rows = [i for i, e in enumerate(examples) if not e.damaged or e.kind in own]
    labels = np.array([examples[i].damaged for i in rows])
    verdict = fit_verdict(1 / (1 + np.exp(-odds[rows])), score[rows], labels)
    encoder, path = args.into.parent / SHARED / ENCODER, args.into / JUDGE
    store_encoder(args.encoder, max(BLOCKS), encoder)
    save_judge(judge, sees, path)
    held = json.loads((args.into / DOMAIN_FILE).read_text("utf-8"))
    held["witnesses"] = held.get("witnesses", {}) | {
        NAME: {
            "encoder": encoder.name,
            "encoder_weights": checkpoint_hash(encoder),
            "judge": path.name,
            "judge_weights": checkpoint_hash(path),
            "alone": [round(v, 4) for v in verdict.alone],
            "together": [round(v, 4) for v in verdict.together],
        }
    }
    save_text(json.dumps(held, indent=2) + "\n", args.into / DOMAIN_FILE)
    print(f"{path}: {verdict}")


if __name__ == "__main__":
    with told():
        main()
