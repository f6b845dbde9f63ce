"""Compares, on validation images, the choices that the paper leaves open.

    python -m training.reports.compare --data DIR --domain magnetic-tile --network one-fc

For each rule set, start of relevance and pooling: mean IoU over damaged images of each thresholder
and of each reading of the BMM's sentences. LRP runs on every damaged image, also where the
classifier misses it, so that the choice does not depend on the classifier's threshold. Crops are
the centre crops of section 3.4 of the paper.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lrpseg.core.devices import pick_device
from lrpseg.domains import load_domain
from lrpseg.lrp import POOLINGS, RULE_SETS, STARTS
from lrpseg.masks.figures import count, means
from lrpseg.models.networks import NETWORKS, classifiers
from lrpseg.pipeline.curves import UNION
from lrpseg.pipeline.defaults import default_settings
from lrpseg.thresholders import THRESHOLDERS, Fitted, bmm, bmm_reference, gmm, gmm_reference
from lrpseg.thresholders.beta_readings import READINGS
from training.command import add_data, masked, told
from training.data.declared import read_domain
from training.reports.evaluate import crops_of
from training.reports.metrics import interval
from training.reports.segmentation import Pictures
from training.reports.systems import maps_of

Fit = Callable[[NDArray], Fitted]


def candidates() -> dict[str, Fit]:
    """Each thresholder but the BMMs, and each reading of the BMM, by name."""
    fits: dict[str, Fit] = {n: t.fit for n, t in THRESHOLDERS.items() if not n.startswith("bmm")}
    fits |= {f"bmm {n}": partial(bmm.fit, reading=r) for n, r in READINGS.items()}
    return fits


def compare(
    data: Path, domain: str, network: str, split: str, device: str, agreement: bool = False
) -> str:
    """The table as Markdown; of several classes one for each, on the pictures that show it."""
    if split == "audit":
        raise SystemExit("Nothing is chosen on the audit split.")
    where, loaded = pick_device(device), load_domain(domain)
    examples = masked(read_domain(loaded, data).splits.get(split, ()), loaded, split, data)
    model = NETWORKS[network].load(loaded).to(where)
    names = loaded.classes.names
    pictures = crops_of(examples, False, model.tile, names if len(names) > 1 else ())
    images = np.stack(pictures.images)
    fits = candidates()
    columns = [(r, s, p) for r in RULE_SETS for s in STARTS for p in POOLINGS]
    kinds = pictures.classes or (UNION,)
    tables: dict[str, dict[str, list[str]]] = {kind: {name: [] for name in fits} for kind in kinds}
    agreements: dict[str, list[float]] = {"gmm": [], "bmm": []}
    for rule_set, start, pooling in columns:
        settings = default_settings(
            loaded, network=network, rule_set=rule_set, start=start, pooling=pooling
        )
        maps = maps_of(model, loaded, settings, images, where).maps
        if agreement:
            every = maps.reshape(-1, *maps.shape[2:])
            agreements["gmm"] += [_iou(gmm.fit(r), gmm_reference.fit(r)) for r in every]
            agreements["bmm"] += [_iou(bmm.fit(r), bmm_reference.fit(r)) for r in every]
        for index, kind in enumerate(kinds):
            shown = pictures.of(kind)
            own = maps[pictures.showing(kind), index]
            for name, fit in fits.items():
                counts = [count(fit(r).mask, t) for r, t in zip(own, shown.truth, strict=True)]
                low, high = interval([c.iou for c in counts], shown.regions)
                cell = f"{means(counts).iou:.3f} ({low:.2f}-{high:.2f})"
                tables[kind][name].append(cell)
    lines: list[str] = []
    for kind in kinds:
        shown = pictures.of(kind)
        of = f" that show {kind}" if kind else ""
        lines += ["", *_table(shown, f"{split} crops of {loaded.name}{of}", network, columns)]
        lines += [f"| {name} | " + " | ".join(cells) + " |" for name, cells in tables[kind].items()]
    if agreement:
        lines += ["", "IoU of the fast fit's mask and its reference's, over all maps of the table:"]
        lines += [
            f"- {name}: mean {np.mean(v):.4f}, lowest {np.min(v):.4f}, "
            f"below 0.99 on {sum(x < 0.99 for x in v)} of {len(v)} maps"
            for name, v in agreements.items()
        ]
    return "\n".join(lines[1:])


def _table(
    pictures: Pictures, of: str, network: str, columns: Sequence[tuple[str, str, str]]
) -> list[str]:
    return [
        f"Mean IoU over the {len(pictures.images)} damaged {of}, network {network}; in brackets "
        f"the 95 % interval by resampling {len(set(pictures.regions))} regions.",
        "",
        "| thresholder | " + " | ".join(f"{r}, {s}, {p}" for r, s, p in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]


def _iou(fast: Fitted, reference: Fitted) -> float:
    return count(fast.mask, reference.mask).iou


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m training.reports.compare", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_data(parser)
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
