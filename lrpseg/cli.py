"""The command line: `lrpseg annotate`, `lrpseg app`, `lrpseg benchmark`, `lrpseg list`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from lrpseg.annotate import annotate, find_images
from lrpseg.domains import list_domains, load_domain
from lrpseg.errors import LrpsegError
from lrpseg.lrp import DEFAULT_POOLING, DEFAULT_START, ENGINES, POOLINGS, RULE_SETS, STARTS
from lrpseg.networks import NETWORKS
from lrpseg.operating_points import default_choice
from lrpseg.segmenter import DEFAULT_BATCH, load
from lrpseg.thresholders import THRESHOLDERS
from lrpseg.tiling import DEFAULT_OVERLAP
from lrpseg.version import __version__


def _add_settings(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how masks are made (see `lrpseg list`)")
    add = group.add_argument
    add(
        "--domain",
        default="magnetic-tile",
        help="what is inspected: a name, or a folder with a domain.json (default: %(default)s)",
    )
    best = "(default: what made the best masks on the domain's validation images)"
    add("--network", choices=list(NETWORKS), help=f"the classifier {best}")
    add("--rule-set", choices=list(RULE_SETS), help=f"the LRP rules {best}")
    add("--thresholder", choices=list(THRESHOLDERS),
        help=f"how the heatmap becomes a mask {best}")  # fmt: skip
    add("--threshold", type=float, metavar="T",
        help="mask where the likelihood is T (0 to 1) or more, instead of the thresholder's "
        "own choice")  # fmt: skip
    add("--explain-intact", action="store_true",
        help="make masks of intact images too (default: their masks stay empty)")  # fmt: skip
    group = parser.add_argument_group("for experts")
    add = group.add_argument
    add("--start", choices=list(STARTS), default=DEFAULT_START,
        help="where relevance starts (default: %(default)s)")  # fmt: skip
    add("--pooling", choices=list(POOLINGS), default=DEFAULT_POOLING,
        help="how relevance passes a max-pool (default: %(default)s)")  # fmt: skip
    add("--engine", choices=list(ENGINES), default="lean",
        help="what computes LRP (default: %(default)s)")  # fmt: skip
    add("--overlap", type=int, default=DEFAULT_OVERLAP, metavar="PIXELS",
        help="least overlap of the 224-pixel tiles (default: %(default)s)")  # fmt: skip
    add("--batch", type=int, default=DEFAULT_BATCH, metavar="TILES",
        help="tiles that run at once; bounds the memory (default: %(default)s)")  # fmt: skip
    add("--device", default="auto", help="auto, cpu, cuda, mps, ... (default: %(default)s)")


def _annotate(args: argparse.Namespace) -> int:
    paths = find_images(args.image)
    if args.threshold is not None and not 0 <= args.threshold <= 1:
        raise LrpsegError(f"--threshold is 0 to 1; {args.threshold} was given.")
    segmenter = load(
        args.domain,
        network=args.network,
        rule_set=args.rule_set,
        thresholder=args.thresholder,
        start=args.start,
        pooling=args.pooling,
        engine=args.engine,
        device=args.device,
        batch=args.batch,
        overlap=args.overlap,
    )
    with tqdm(total=len(paths), unit="image", disable=None) as bar:
        report = annotate(
            paths,
            args.out,
            segmenter,
            threshold=args.threshold,
            explain_intact=args.explain_intact,
            progress=lambda _: bar.update(),
        )
    print(f"{report.written} images annotated, {report.damaged} of them damaged, in {args.out}")
    for _, reason in report.failed:
        print(f"failed: {reason}", file=sys.stderr)
    return 1 if report.failed else 0


def _app(args: argparse.Namespace) -> int:
    from lrpseg.ui import launch  # gradio takes seconds to import: only the page needs it

    launch(
        host=args.host,
        port=args.port,
        device=args.device,
        workspace=args.workspace,
        hosted=args.hosted or None,
        auth=args.auth,
    )
    return 0


def _benchmark(args: argparse.Namespace) -> int:
    from lrpseg.benchmark import benchmark

    print(benchmark(args.domain, args.network, args.device, args.repeats))
    return 0


def _list(args: argparse.Namespace) -> int:
    print("domains (--domain)")
    for name in list_domains():
        domain = load_domain(name)
        print(f"  {name:14} {domain.title}; networks: {', '.join(domain.checkpoints)}")
        for network in (None, *domain.checkpoints):
            choice = default_choice(domain, network)
            print(
                f"  {'':14} default{f' for {network}' if network else ''}: {choice.network}, "
                f"{choice.rule_set}, {choice.thresholder}"
            )
    for option, registry in (
        ("network", NETWORKS),
        ("rule-set", RULE_SETS),
        ("thresholder", THRESHOLDERS),
        ("start", STARTS),
        ("pooling", POOLINGS),
    ):
        print(f"{registry.kind}s (--{option})")
        for name, entry in registry.items():
            print(f"  {name:14} {entry.title}: {entry.description}")
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="lrpseg",
        description="Pixel masks of surface damage from a classifier trained on image labels.",
        epilog="Start with: lrpseg annotate photo.png --out masks, or: lrpseg app",
    )
    parser.add_argument("--version", action="version", version=f"lrpseg {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    command = commands.add_parser(
        "annotate",
        help="write masks for images",
        description="For each image, write below --out: masks/NAME.png (0 and 255, the image's "
        "size), overlays/NAME.png, and results/NAME.json with the probability of damage and all "
        "settings. The exit code is 1 if some image could not be read, 2 if nothing was done.",
    )
    command.add_argument("image", nargs="+", help="image files, or folders of them")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write")
    _add_settings(command)
    command.set_defaults(run=_annotate)

    command = commands.add_parser("app", help="start the page in a browser")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    command.add_argument("--port", type=int, help="port (default: the first free one from 7860)")
    command.add_argument(
        "--workspace",
        type=Path,
        metavar="DIR",
        help="folder that keeps pictures, masks and strokes (default: ~/.local/share/lrpseg)",
    )
    command.add_argument(
        "--hosted",
        action="store_true",
        help="give each visitor a private workspace that is deleted a day after its last use",
    )
    command.add_argument(
        "--auth", action="append", metavar="NAME:PASSWORD", help="ask for a login; repeatable"
    )
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, mps, ... (%(default)s)")
    command.set_defaults(run=_app)

    command = commands.add_parser(
        "benchmark", help="measure speed, as ratios to one forward pass of the network"
    )
    command.add_argument("--domain", default="magnetic-tile")
    command.add_argument("--network", choices=list(NETWORKS), default="one-fc")
    command.add_argument("--device", default="auto")
    command.add_argument("--repeats", type=int, default=7, help="runs of each; the median counts")
    command.set_defaults(run=_benchmark)

    command = commands.add_parser("list", help="show domains, networks, rule sets, thresholders")
    command.set_defaults(run=_list)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code. A user's mistakes go to stderr, in one line."""
    args = make_parser().parse_args(argv)
    try:
        return args.run(args)
    except LrpsegError as error:
        print(f"lrpseg: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lrpseg: stopped; what is written so far is whole.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
