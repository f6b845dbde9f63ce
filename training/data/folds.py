"""Leaves regions out in turn: each region of a data set is judged by what was trained on others.

Six damaged regions, as a split of its own has them, say little about others. All of train and val
together have several times as many.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from training.data.datasets import DataError, Example

FOLDS = 6


@dataclass(frozen=True)
class Fold:
    """One turn: train on `known`, judge on `left_out`; no region is in both."""

    index: int
    known: tuple[Example, ...]
    left_out: tuple[Example, ...]


def folds_of(examples: Sequence[Example], count: int = FOLDS, seed: int = 0) -> list[int]:
    """The fold, 0 to count - 1, in which each example is left out.

    Regions are dealt out in turn, those of the rarest kind of damage first and intact ones last, so
    that each fold has about as many of each kind; `seed` shuffles the regions of a kind.

    Raises:
        DataError: there are fewer damaged regions than folds.
    """
    if count < 2:
        raise DataError(f"Leaving out takes 2 folds at least; {count} were asked for.")
    regions: dict[str, set[str]] = defaultdict(set)
    damaged = {e.region for e in examples if e.damaged}
    if len(damaged) < count:
        raise DataError(
            f"There are {len(damaged)} damaged regions, too few for {count} folds. Take fewer."
        )
    for e in examples:
        regions[e.kind if e.damaged else ""].add(e.region)
    random = np.random.default_rng(seed)
    of: dict[str, int] = {}
    # Intact ones last, else the rarest first; the name decides between equals.
    for kind in sorted(regions, key=lambda k: (k == "", len(regions[k]), k)):
        left = sorted(regions[kind] - of.keys())
        for region in random.permutation(np.array(left, dtype=object)):
            of[region] = len(of) % count
    return [of[e.region] for e in examples]


def leave_out(examples: Sequence[Example], count: int = FOLDS, seed: int = 0) -> Iterator[Fold]:
    """The turns, see `folds_of`."""
    of = folds_of(examples, count, seed)
    for index in range(count):
        yield Fold(
            index,
            tuple(e for e, fold in zip(examples, of, strict=True) if fold != index),
            tuple(e for e, fold in zip(examples, of, strict=True) if fold == index),
        )
