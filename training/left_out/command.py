"""Arguments that commands which leave regions out have in common."""

import argparse
from pathlib import Path

from training.data.folds import FOLDS


def add_folds(parser: argparse.ArgumentParser) -> None:
    """Which pictures are left out in turn, where their tokens are kept, and the usual two."""
    add = parser.add_argument
    add("--more", type=Path, help="folder of the set's other kinds of damage")
    add("--folds", type=int, default=FOLDS)
    add("--cache", type=Path, default=Path("runs/tokens"), help="where tokens are kept")
    add("--device", default="auto")
    add("--seed", type=int, default=0)
