"""Runs the soak and fault suite, and prints its table."""

import argparse
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.soak import addresses, children, disk, kills, load, pictures
from tests.soak.rows import Plan, Row, table

PARTS: dict[str, Callable[[Plan], list[Row]]] = {
    "load": load.run,
    "kills": kills.run,
    "disk": disk.run,
    "pictures": pictures.run,
    "addresses": addresses.run,
}


TIMED = {"load", "kills", "disk"}
"""Parts that go on as long as they may; the others do what there is to do."""


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak",
        description="Load, kills, full disks, damaged pictures and bad requests. Prints a table; "
        "the exit code is 1 where something did not hold.",
    )
    add = parser.add_argument
    add("part", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all)")
    add("--minutes", type=float, default=9,
        help="that load, kills and disk go on, together (%(default)s); what they begin with, "
        "pictures and addresses take as long again")  # fmt: skip
    add("--short", action="store_true", help="seconds, with narrow networks, as in `make test`")
    add("--seed", type=int, default=0, help="of all that is random (%(default)s)")
    add("--keep", type=Path, metavar="DIR",
        help="new folder to work in, where failures stay (default: a temporary one)")  # fmt: skip
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the parts; returns 1 where something did not hold."""
    parser = make_parser()
    args = parser.parse_args(argv)
    if unknown := set(args.part) - PARTS.keys():
        parser.error(f"there is no part {', '.join(sorted(unknown))}: {', '.join(PARTS)}")
    if args.keep is not None and args.keep.exists():
        parser.error(f"{args.keep} is there already: --keep takes a new folder")
    os.environ["LRPSEG_DOMAINS"] = ""  # what whoever runs this has learned is no part of it
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    folder = args.keep or Path(tempfile.mkdtemp(prefix="lrpseg-soak-"))
    folder.mkdir(parents=True, exist_ok=True)  # the temporary one is there
    chosen = {name: PARTS[name] for name in args.part or PARTS}
    timed = max(1, len(TIMED & chosen.keys()))
    seconds = 0 if args.short else 60 * args.minutes / timed
    plan = Plan(args.seed, seconds, args.short, folder)
    begun, rows = time.monotonic(), []
    with ExitStack() as stack:
        if args.short:
            from tests.narrow import narrow_tiles

            stack.enter_context(narrow_tiles(folder / "assets"))
        for name, part in chosen.items():
            print(f"{name} ...", file=sys.stderr, flush=True)
            try:
                rows += part(plan)
            except Exception as error:
                logging.exception(name)
                rows.append(Row(name, "", "", [f"the part itself ended with {error!r}"]))
    children.end()
    failures = [f"{row.part}: {failure}" for row in rows for failure in row.failures]
    print(f"{table(rows)}\n\nseed {args.seed}, {(time.monotonic() - begun) / 60:.1f} minutes")
    print("\n".join(failures), file=sys.stderr)
    if args.keep is None and not failures:
        shutil.rmtree(folder)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
