"""The command that learns from corrections, and shows and removes what was learned."""

import argparse
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from lrpseg.cli.folders import existing_workspace
from lrpseg.core.errors import LrpsegError, OptionError
from lrpseg.core.files import data_folder, shown
from lrpseg.domains import learned_domains, load_domain


def _learn(args: argparse.Namespace) -> int:
    from lrpseg.learning import Recipe, forget_version, learn

    if args.list:
        return _list()
    if args.forget:
        if not args.force:
            _check_unused(args.forget, args.workspace)
        forget_version(args.forget)
        print(f"{args.forget} is gone.")
        return 0
    if args.workspace is None:
        raise OptionError("Give the workspace to learn from: --workspace DIR.")
    recipe = replace(
        Recipe(), steps=Recipe.steps if args.steps is None else args.steps, seed=args.seed
    )
    with tqdm(unit="step", disable=None, leave=False) as bar:

        def progress(done: int, total: int) -> None:
            if done == 1:
                bar.reset(total)
            bar.update(1)

        made = learn(
            existing_workspace(args.workspace), args.domain, recipe, args.hold_out, args.device,
            say=tqdm.write, progress=progress,
        )  # fmt: skip
    name = made.domain.name
    print(
        f"{name} is there, beside {(made.domain.base or made.domain).name}: choose it as the "
        f"domain (--domain {name}, or on the page, after a reload).\n"
        f"The way back: choose the other one, or remove it: lrpseg learn --forget {name}"
    )
    return 0


def _list() -> int:
    from lrpseg.learning import read_report

    names = learned_domains()
    if not names:
        print("Nothing was learned yet: lrpseg learn --workspace DIR")
    for name in names:
        try:
            title = load_domain(name).title
        except OptionError as error:
            title = f"cannot be used: {error}"
        print(f"{name}: {title}")
        held = read_report(name).get("held_out")
        if held:
            iou = [f"{held[when]['iou']:.3f}" for when in ("before", "after")]
            print(f"  IoU on held-out pictures {iou[0]} before, {iou[1]} after")
    return 0


def _check_unused(name: str, folder: Path | None) -> None:
    """Refuse to remove what pictures of a workspace were made with: they would have no network."""
    if folder is None:
        folder = data_folder() / "workspace"
        if not folder.is_dir():
            return
    used = [i for i in existing_workspace(folder).items() if i.settings.domain == name]
    if used:
        raise LrpsegError(
            f"{len(used)} pictures in {folder} use {name}, {used[0].name} for example. Give them "
            "another domain first, or remove it all the same: --force."
        )


def add_learn(commands: argparse._SubParsersAction) -> None:
    """Add learn."""
    command = commands.add_parser(
        "learn",
        help="learn from a workspace's corrected masks",
        description="Fine-tunes the self-trained network of a domain on the masks that were "
        "accepted, edited or imported, and keeps it as a new domain beside the one that it comes "
        "from, such as magnetic-tile-v1, in $LRPSEG_DOMAINS (default: "
        f"{shown(data_folder() / 'domains')}). Ten masks take minutes.",
    )
    add = command.add_argument
    add("--workspace", type=Path, metavar="DIR",
        help="whose corrections to learn from; with --forget: where to look for pictures that "
        "still need it (default: the page's own)")  # fmt: skip
    add("--domain", help="what to start from, if the workspace has pictures of several; a learned "
        "one goes on from there")  # fmt: skip
    add("--hold-out", type=int, default=4, metavar="K",
        help="hold out every K-th picture to show what learning brings; 0: none "
        "(default: %(default)s)")  # fmt: skip
    add("--steps", type=int, help="of training (default: chosen on validation pictures)")
    add("--seed", type=int, default=0)
    add("--device", default="auto", help="auto, cpu, cuda, mps, ... (default: %(default)s)")
    add("--list", action="store_true", help="show what was learned, and end")
    add("--forget", metavar="NAME", help="remove a learned domain, and end")
    add("--force", action="store_true", help="forget it even where pictures use it")
    command.set_defaults(run=_learn)
