"""What the commands of `training` have in common."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lrpseg.core.errors import LrpsegError
from lrpseg.domains import Domain
from training.data.datasets import Example

DOMAIN_HELP = "a domain's name, or its folder; its data.toml says how --data is read"
SPLITS = ("train", "val", "test", "audit")

PLACES = frozenset({"--data", "--more", "--cache"})
NAMED = frozenset({"--domain", "--encoder"})
"""Options whose words tell of a machine, see `shown_words`."""


@contextmanager
def told() -> Iterator[None]:
    """A user's mistakes go to stderr, in one line, and end the command with exit code 2."""
    try:
        yield
    except LrpsegError as error:
        print(f"training: {error}", file=sys.stderr)
        sys.exit(2)


def shown_words(words: Sequence[str]) -> list[str]:
    """A command's words as its report shows them: without the places where data lies on a machine,
    and a domain's folder, or a file, by its name."""
    shown = []
    for before, word in zip(["", *words], words, strict=False):
        if before in PLACES:
            shown.append("DIR")
        else:
            shown.append(Path(word).resolve().name if before in NAMED else word)
    return shown


def add_data(parser: argparse.ArgumentParser, domain: str | None = "magnetic-tile") -> None:
    """The options --data and --domain, which is required where it has no default."""
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--domain", default=domain, required=domain is None, help=DOMAIN_HELP)


def masked(examples: Sequence[Example], domain: Domain, split: str, data: Path) -> list[Example]:
    """The damaged examples that have a mask; ends the command where there are none."""
    found = [e for e in examples if e.masked]
    if not found:
        raise SystemExit(f"The split {split!r} of {domain.name} has no masks in {data}.")
    return found
