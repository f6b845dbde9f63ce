"""Options of the command line that decide how masks are made, from the fields of `Settings`."""

import argparse
from typing import Any

from lrpseg.domains import FIRST_DOMAIN
from lrpseg.pipeline.loading import DEFAULT_BATCH
from lrpseg.pipeline.settings import DEFAULTS, OPTIONS

BEST = "(default: what made the best masks on the domain's validation images)"


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add an option for each field of `Settings`, and for thresholds, batch and device."""
    group = parser.add_argument_group("how masks are made (see `lrpseg list`)")
    for name, option in OPTIONS.items():
        if option.menu:
            _add(group, name)
    add = group.add_argument
    add("--threshold", type=float, metavar="T",
        help="mask where the likelihood is T (0 to 1) or more, instead of the thresholder's "
        "own choice")  # fmt: skip
    add("--precision", type=float, metavar="P",
        help="the threshold that reached this precision on validation images")  # fmt: skip
    add("--recall", type=float, metavar="R",
        help="the threshold that reached this recall on validation images")  # fmt: skip
    add("--min-probability", type=float, default=0.5, metavar="P",
        help="images with a lower probability of damage get an empty mask; 0: make masks of "
        "intact images too (default: %(default)s)")  # fmt: skip
    group = parser.add_argument_group("for experts")
    for name, option in OPTIONS.items():
        if not option.menu:
            _add(group, name)
    add = group.add_argument
    add("--tiled", dest=_destination("tiling"), action="store_const", const="tiles",
        help="the same as --tiling tiles")  # fmt: skip
    add("--batch", type=int, default=DEFAULT_BATCH, metavar="TILES",
        help="tiles that run at once; bounds the memory (default: %(default)s)")  # fmt: skip
    add("--device", default="auto", help="auto, cpu, cuda, mps, ... (default: %(default)s)")


def chosen_settings(args: argparse.Namespace) -> dict[str, Any]:
    """What was given for the fields of `Settings`; None: not given."""
    return {name: getattr(args, _destination(name)) for name in OPTIONS}


def _destination(name: str) -> str:
    # Other options have names such as --engine too.
    return f"settings_{name}"


def _add(group: argparse._ArgumentGroup, name: str) -> None:
    option = OPTIONS[name]
    default = FIRST_DOMAIN if name == "domain" else None if option.best else DEFAULTS[name]
    told = BEST if option.best else "(default: %(default)s)"
    extra: dict[str, Any] = {}
    if option.registry is not None:
        extra["choices"] = list(option.registry)
    elif option.kind is int:
        extra |= {"type": int, "metavar": "PIXELS"}
    group.add_argument(
        option.flag,
        dest=_destination(name),
        default=default,
        help=f"{option.usage} {told}",
        **extra,
    )
