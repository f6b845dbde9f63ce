"""Compares, on validation images, the choices that the paper leaves open.

    python -m training.reports.compare --data DIR --domain magnetic-tile --network one-fc

For each rule set, start of relevance and pooling: mean IoU over damaged images of each thresholder
and of each reading of the BMM's sentences. LRP runs on every damaged image, also where the
classifier misses it, so that the choice does not depend on the classifier's threshold. Crops are
the centre crops of section 3.4 of the paper.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lrpseg.core.devices import pick_device
from lrpseg.domains import load_domain
from lrpseg.domains.weights import load_classifier
from lrpseg.lrp import POOLINGS, RULE_SETS, STARTS
from lrpseg.models.networks import NETWORKS, classifiers
from lrpseg.thresholders import THRESHOLDERS, Fitted, bmm, bmm_reference, gmm, gmm_reference
from lrpseg.thresholders.beta_readings import READINGS
from training.command import told
from training.data.crops import centre_crop, load_example
from training.data.datasets import READERS, read
from training.reports.metrics import count, interval, means
from training.reports.systems import lrp_maps

Fit = Callable[[NDArray], Fitted]


def candidates() -> dict[str, Fit]:
    """Each thresholder but the BMMs, and each reading of the BMM, by name."""
    fits: dict[str, Fit] = {n: t.fit for n, t in THRESHOLDERS.items() if not n.startswith("bmm")}
    fits |= {f"bmm {n}": partial(bmm.fit, reading=r) for n, r in READINGS.items()}
    return fits


def compare(
    data: Path, domain: str, network: str, split: str, device: str, agreement: bool = False
) -> str:
    """The table as Markdown."""
    if split == "audit":
        raise SystemExit("Nothing is chosen on the audit split.")
    where = pick_device(device)
    examples = [e for e in read(domain, data).splits[split] if e.damaged and e.mask]
    crops = [centre_crop(*load_example(e)) for e in examples]
    loaded = load_domain(domain)
    model = load_classifier(loaded, network).to(where)
    images = np.stack([image for image, _ in crops])
    fits = candidates()
    columns = [(r, s, p) for r in RULE_SETS for s in STARTS for p in POOLINGS]
    table: dict[str, list[str]] = {name: [] for name in fits}
    agreements: dict[str, list[float]] = {"gmm": [], "bmm": []}
    for rule_set, start, pooling in columns:
        relevance = lrp_maps(model, loaded, rule_set, start, pooling, images, where).maps
        if agreement:
            agreements["gmm"] += [_iou(gmm.fit(r), gmm_reference.fit(r)) for r in relevance]
            agreements["bmm"] += [_iou(bmm.fit(r), bmm_reference.fit(r)) for r in relevance]
        for name, fit in fits.items():
            counts = [
                count(fit(r).mask, truth) for r, (_, truth) in zip(relevance, crops, strict=True)
            ]
            low, high = interval([c.iou for c in counts], [e.region for e in examples])
            table[name].append(f"{means(counts).iou:.3f} ({low:.2f}-{high:.2f})")
    lines = [
        f"Mean IoU over the {len(examples)} damaged {split} crops of {domain}, network {network}; "
        f"in brackets the 95 % interval by resampling {len({e.region for e in examples})} regions.",
        "",
        "| thresholder | " + " | ".join(f"{r}, {s}, {p}" for r, s, p in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    lines += [f"| {name} | " + " | ".join(cells) + " |" for name, cells in table.items()]
    if agreement:
        lines += ["", "IoU of the fast fit's mask and its reference's, over all maps of the table:"]
        lines += [
            f"- {name}: mean {np.mean(v):.4f}, lowest {np.min(v):.4f}, "
            f"below 0.99 on {sum(x < 0.99 for x in v)} of {len(v)} maps"
            for name, v in agreements.items()
        ]
    return "\n".join(lines)


def _iou(fast: Fitted, reference: Fitted) -> float:
    return count(fast.mask, reference.mask).iou


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m training.reports.compare", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--domain", choices=list(READERS), default="magnetic-tile")
    parser.add_argument("--network", choices=classifiers(NETWORKS), default="one-fc")
    parser.add_argument("--split", choices=["train", "val", "test"], default="val")
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--agreement", action="store_true", help="compare the fast fits with their references too"
    )
    given = parser.parse_args()
    names = (given.domain, given.network, given.split, given.device)
    with told():
        print(compare(given.data, *names, given.agreement))
