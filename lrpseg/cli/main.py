"""The command line: `lrpseg annotate`, `app`, `export`, `import`, `learn`, `benchmark`, `list`."""

import argparse
import os
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

from lrpseg.cli.folders import add_commands, open_for_page
from lrpseg.cli.learn import add_learn
from lrpseg.core.errors import LrpsegError
from lrpseg.core.files import data_folder, disk_full, is_full, shown
from lrpseg.domains import FIRST_DOMAIN, list_domains, load_domain
from lrpseg.formats import FORMATS
from lrpseg.models.networks import NETWORKS, classifiers
from lrpseg.pipeline.defaults import default_settings
from lrpseg.pipeline.settings import BEST, OPTIONS
from lrpseg.version import __version__


def _app(args: argparse.Namespace) -> int:
    from lrpseg.ui import launch  # gradio takes seconds to import: only the page needs it

    if args.workspace is not None and not args.hosted:
        open_for_page(args.workspace)
    launch(
        host=args.host,
        port=args.port,
        device=args.device,
        workspace=args.workspace,
        hosted=args.hosted or None,
        auth=args.auth,
        sites=args.site,
        root_path=args.root_path,
    )
    return 0


def _benchmark(args: argparse.Namespace) -> int:
    from lrpseg.benchmark.folder import folder_benchmark
    from lrpseg.benchmark.large import large_benchmark
    from lrpseg.benchmark.speed import benchmark

    network = args.network or "one-fc"
    if args.large is not None:
        print(large_benchmark(args.large, args.domain, args.device, args.network))
    elif args.folder is not None:
        print(folder_benchmark(args.folder, args.domain, network, args.device))
    else:
        print(benchmark(args.domain, network, args.device, args.repeats))
    return 0


def _list(args: argparse.Namespace) -> int:
    print("domains (--domain)")
    for name in list_domains():
        domain = load_domain(name)
        print(f"  {name:14} {domain.title}; networks: {', '.join(domain.checkpoints)}")
        if len(domain.classes) > 1:
            print(f"  {'':14} classes: {', '.join(domain.classes.names)}")
        for network in (None, *domain.checkpoints):
            best = default_settings(domain, network=network)
            print(
                f"  {'':14} default{f' for {network}' if network else ''}: "
                f"{', '.join(getattr(best, name) for name in BEST)}"
            )
    named = [(o.flag, o.registry) for o in OPTIONS.values() if o.found and o.registry is not None]
    for flag, registry in (*named, ("--format", FORMATS)):
        kind, of, rest = registry.kind.partition(" of ")
        print(f"{kind}s{of}{rest} ({flag})")
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

    add_commands(commands)
    add_learn(commands)

    command = commands.add_parser("app", help="start the page in a browser")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    command.add_argument("--port", type=int, help="port (default: the first free one from 7860)")
    command.add_argument(
        "--workspace",
        type=Path,
        metavar="DIR",
        help="folder that keeps pictures, masks and strokes (default: "
        f"{shown(data_folder() / 'workspace')}); or one that `lrpseg annotate` wrote, to mend its "
        "masks",
    )
    command.add_argument(
        "--hosted",
        action="store_true",
        help="give each visitor a private workspace that is deleted a day after its last use",
    )
    command.add_argument(
        "--auth", action="append", metavar="NAME:PASSWORD", help="ask for a login; repeatable"
    )
    command.add_argument(
        "--site",
        action="append",
        metavar="ADDRESS",
        help="address that browsers use, as https://masks.example.org, where it is no name of this "
        "computer; repeatable. Under other names the page does not answer",
    )
    command.add_argument(
        "--root-path",
        metavar="PATH",
        help="path at which a proxy offers the page, as /masks (default: $GRADIO_ROOT_PATH)",
    )
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, mps, ... (%(default)s)")
    command.set_defaults(run=_app)

    command = commands.add_parser(
        "benchmark", help="measure speed, as ratios to one forward pass of the network"
    )
    command.add_argument("--domain", default=FIRST_DOMAIN)
    command.add_argument(
        "--network", choices=classifiers(NETWORKS),
        help="default: one-fc, and for --large the domain's best",
    )  # fmt: skip
    command.add_argument("--device", default="auto")
    command.add_argument("--repeats", type=int, default=7, help="runs of each; the median counts")
    command.add_argument(
        "--folder", type=Path, metavar="DIR",
        help="measure this folder of 224x224 images from files to masks instead, beside a plain "
        "loop of Zennit and scikit-learn",
    )  # fmt: skip
    command.add_argument(
        "--large", type=float, nargs="*", metavar="MEGAPIXELS",
        help="measure pictures of these sizes instead (default: 4 24 100): tiles that are looked "
        "at together first, and tiles each by itself",
    )  # fmt: skip
    command.set_defaults(run=_benchmark)

    command = commands.add_parser("list", help="show all names there are to choose from")
    command.set_defaults(run=_list)
    return parser


def _told(error: OSError | sqlite3.OperationalError, args: argparse.Namespace) -> str:
    """What the system says, with the place and what to do."""
    named = getattr(error, "filename", None) or getattr(args, "out", None)
    place = Path(named or getattr(args, "workspace", None) or ".")
    code = getattr(error, "sqlite_errorcode", None)
    if is_full(error) or code == sqlite3.SQLITE_FULL:
        return str(disk_full(place))
    reason = getattr(error, "strerror", None) or error
    return f"{place} cannot be read or written: {reason}. Choose another file or folder."


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code. A user's mistakes go to stderr, in one line."""
    args = make_parser().parse_args(argv)
    try:
        code = args.run(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever reads has seen enough, as in `lrpseg list | head`. Flushing again at exit would
        # fail once more (docs.python.org, signal: note on SIGPIPE).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except LrpsegError as error:
        print(f"lrpseg: {error}", file=sys.stderr)
        return 2
    except (OSError, sqlite3.OperationalError) as error:  # a full disk, a folder that is a file
        print(f"lrpseg: {_told(error, args)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lrpseg: stopped; what is written so far is whole.", file=sys.stderr)
        return 130
