"""What is trained and measured on: labelled pictures, divided into splits by region."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lrpseg.core.errors import LrpsegError

SPLITS = ("train", "val", "test")


class DataError(LrpsegError):
    """A folder that does not hold the data it should; the message says what was looked for."""


@dataclass(frozen=True)
class Example:
    """One picture: its label, the physical region it shows, and its mask where there is one.

    kind: its label in words, by which splits are shared out. classes: those that it shows, by name,
    where the data set tells several. masks: (class, file) of each of these that has a mask of its
    own; `mask` is of all damage together.
    """

    name: str
    image: Path
    damaged: bool
    region: str
    kind: str
    mask: Path | None = None
    classes: tuple[str, ...] = ()
    masks: tuple[tuple[str, Path], ...] = ()

    @property
    def masked(self) -> bool:
        """Whether it shows damage of which a mask is there."""
        return self.damaged and (self.mask is not None or bool(self.masks))

    def shows(self, classes: Sequence[str]) -> tuple[bool, ...]:
        """Whether it shows each of a domain's `classes`; an only class is all damage there is."""
        if len(classes) == 1:
            return (self.damaged,)
        return tuple(name in self.classes for name in classes)


@dataclass(frozen=True)
class DataSet:
    """Examples by split, with a report of what was found and what was left out and why."""

    name: str
    splits: dict[str, tuple[Example, ...]]
    report: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        lines = [f"Data: {self.name}"]
        for split, examples in self.splits.items():
            kinds = Counter(e.kind for e in examples)
            regions = len({e.region for e in examples if e.damaged})
            listed = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
            lines.append(f"  {split}: {len(examples)} ({listed}; {regions} damaged regions)")
        return "\n".join([*lines, *(f"  left out: {line}" for line in self.report)])


def with_splits(
    name: str,
    found: Mapping[str, Example],
    path: Path,
    seed: int,
    report: Sequence[str],
    regions_by_name: Callable[[], Mapping[str, str]],
    aliases: Mapping[str, str] | None = None,
) -> DataSet:
    """The data set of what was `found`, by name, with the splits and regions of the file `path`
    (`{"splits": {...}, "regions": {...}}`) where it is there, else with those of the names and
    `seed`. aliases: other names in that file, and what they stand for."""
    report = list(report)
    plan = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    regions = {**regions_by_name(), **plan.get("regions", {})}
    placed = {n: replace(e, region=regions[n]) for n, e in found.items()}
    if "splits" not in plan:
        return DataSet(name, split_by_region(placed.values(), seed), tuple(report))
    splits: dict[str, tuple[Example, ...]] = {}
    for split, names in plan["splits"].items():
        wanted = list(dict.fromkeys((aliases or {}).get(n, n) for n in names))
        here = [n for n in wanted if n in placed]
        splits[split] = tuple(placed.pop(n) for n in here)
        if len(here) < len(wanted):
            report.append(
                f"{len(wanted) - len(here)} of {len(wanted)} names in {split} are not here"
            )
    if placed:
        report.append(f"{len(placed)} pictures are in no split of {path.name}")
    return DataSet(name, splits, tuple(report))


def split_by_region(
    examples: Iterable[Example], seed: int = 0, shares: Sequence[float] = (0.6, 0.2, 0.2)
) -> dict[str, tuple[Example, ...]]:
    """Divide into train, val and test so that no region is in two, for each kind alike (paper 3.4).

    Regions are shuffled with `seed` and dealt out to the split that lacks most pictures. A region
    with pictures of several kinds goes with its damaged kind.
    """
    by_region: dict[str, list[Example]] = {}
    for example in sorted(examples, key=lambda e: e.name):
        by_region.setdefault(example.region, []).append(example)
    kinds: dict[str, list[list[Example]]] = {}
    for members in by_region.values():
        kind = sorted(members, key=lambda e: (not e.damaged, e.kind))[0].kind
        kinds.setdefault(kind, []).append(members)
    random = np.random.default_rng(seed)
    splits: dict[str, list[Example]] = {split: [] for split in SPLITS}
    for kind in sorted(kinds):
        regions = kinds[kind]
        total = sum(map(len, regions))
        counts = dict.fromkeys(SPLITS, 0)
        # Large regions first: the small ones then even out what those upset.
        order = sorted(random.permutation(len(regions)), key=lambda i: -len(regions[i]))
        for index in order:
            lacking = {
                s: share * total - counts[s] for s, share in zip(SPLITS, shares, strict=True)
            }
            split = max(SPLITS, key=lambda s: lacking[s])
            splits[split] += regions[index]
            counts[split] += len(regions[index])
    return {split: tuple(members) for split, members in splits.items()}
