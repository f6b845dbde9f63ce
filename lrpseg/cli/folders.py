"""The commands that work on folders and workspaces: annotate, export, import."""

import argparse
import errno
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from lrpseg.core.errors import LrpsegError, OptionError
from lrpseg.folders import Job, annotate
from lrpseg.formats import FORMATS, ExportOptions, Written
from lrpseg.formats.label_studio import labeling_config
from lrpseg.formats.reading import READERS, read_masks
from lrpseg.lrp import DEFAULT_POOLING, DEFAULT_START, ENGINES, POOLINGS, RULE_SETS, STARTS
from lrpseg.models.networks import NETWORKS
from lrpseg.pipeline.segmenter import DEFAULT_BATCH
from lrpseg.pipeline.tiling import DEFAULT_OVERLAP
from lrpseg.refiners import REFINERS
from lrpseg.thresholders import THRESHOLDERS
from lrpseg.workspace.annotations import ROLES

if TYPE_CHECKING:
    from lrpseg.workspace import Workspace


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Options that decide how masks are made."""
    group = parser.add_argument_group("how masks are made (see `lrpseg list`)")
    add = group.add_argument
    add(
        "--domain",
        default="magnetic-tile",
        help="what is inspected: a name, or a folder with a domain.json (default: %(default)s)",
    )
    best = "(default: what made the best masks on the domain's validation images)"
    add("--network", choices=list(NETWORKS),
        help=f"what decides between damaged and intact; some also mark pixels {best}")  # fmt: skip
    add("--rule-set", choices=list(RULE_SETS), help=f"the LRP rules {best}")
    add("--thresholder", choices=list(THRESHOLDERS),
        help=f"how the heatmap becomes a mask {best}")  # fmt: skip
    add("--refiner", choices=list(REFINERS),
        help=f"how the picture itself improves the likelihood {best}")  # fmt: skip
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
    add = group.add_argument
    add("--start", choices=list(STARTS), default=DEFAULT_START,
        help="where relevance starts (default: %(default)s)")  # fmt: skip
    add("--pooling", choices=list(POOLINGS), default=DEFAULT_POOLING,
        help="how relevance passes a max-pool (default: %(default)s)")  # fmt: skip
    add("--lrp-engine", choices=list(ENGINES), default="lean",
        help="what computes LRP (default: %(default)s)")  # fmt: skip
    add("--overlap", type=int, default=DEFAULT_OVERLAP, metavar="PIXELS",
        help="least overlap of the 224-pixel tiles (default: %(default)s)")  # fmt: skip
    add("--batch", type=int, default=DEFAULT_BATCH, metavar="TILES",
        help="tiles that run at once; bounds the memory (default: %(default)s)")  # fmt: skip
    add("--device", default="auto", help="auto, cpu, cuda, mps, ... (default: %(default)s)")


def _add_export(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="where to write")
    add("--format", default="png", metavar="NAMES",
        help=f"formats, with commas between: {', '.join(FORMATS)} (default: png)")  # fmt: skip
    add("--per-component", action="store_true",
        help="one annotation for each component instead of one for each mask")  # fmt: skip
    add("--min-area", type=int, default=0, metavar="PIXELS",
        help="leave out components of fewer pixels")  # fmt: skip
    add("--label", help="class name of damage (default: the domain's)")
    add("--image-url", metavar="URL",
        help="where Label Studio finds a picture; {name} stands for its name")  # fmt: skip
    add("--copy-pictures", action="store_true",
        help="lay the pictures beside the annotations, where a format has a place")  # fmt: skip


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for name in names:
        FORMATS[name]
    if not names:
        raise OptionError(f"Give a format: {', '.join(FORMATS)}.")
    return names


def _options(args: argparse.Namespace) -> dict[str, object]:
    names = ("per_component", "min_area", "label", "image_url", "copy_pictures")
    return {name: value for name in names if (value := getattr(args, name)) is not None}


def _job(args: argparse.Namespace, options: dict[str, object], **rest: Any) -> Job:
    return Job.make(
        args.domain, args.network, args.rule_set, args.thresholder, args.refiner, args.precision,
        args.recall, options, start=args.start, pooling=args.pooling, engine=args.lrp_engine,
        overlap=args.overlap, batch=args.batch, threshold=args.threshold,
        min_probability=args.min_probability, **rest,
    )  # fmt: skip


def _annotate(args: argparse.Namespace) -> int:
    job = _job(
        args, _options(args), only_damaged=args.only_damaged, formats=_formats(args.format),
        overlays=args.overlays,
    )  # fmt: skip
    engine = None
    if args.engine == "ray":
        from lrpseg.folders.ray_engine import on_ray  # an extra

        engine = on_ray(args.workers, args.device)
    else:
        job.segmenter(args.device)  # a wrong option is told before anything is written
    with tqdm(unit="image", disable=None, smoothing=0.05) as bar:

        def started(pictures: int) -> None:
            bar.reset(pictures)

        try:
            report = annotate(
                args.image, args.out, job, resume=args.resume, device=args.device, engine=engine,
                progress=lambda n: bar.update(n), started=started,
            )  # fmt: skip
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise LrpsegError(
                f"{error.filename or args.out} cannot be written: {error.strerror or error}. "
                + ("Make room, then go on with --resume." if full else "Choose another --out.")
            ) from error
    print(
        f"{report.pictures - report.failures} images annotated, {report.damaged} of them damaged, "
        f"in {args.out}; look at {args.out / 'index.html'}"
    )
    _tell(report.formats)
    for name, reason in report.failed:
        print(f"failed: {name}: {reason}", file=sys.stderr)
    if report.failures > len(report.failed):
        print(f"failed: {report.failures - len(report.failed)} more, see pictures.jsonl",
              file=sys.stderr)  # fmt: skip
    return 1 if report.failures else 0


def _tell(formats: dict[str, Written]) -> None:
    for name, written in formats.items():
        lossy = "" if written.lowest_iou == 1 else (
            f"; not exact: mean IoU {written.kept_iou:.4f}, lowest {written.lowest_iou:.4f}"
        )  # fmt: skip
        print(f"  {name}: {written.images} images, {written.annotations} annotations{lossy}")


def _export(args: argparse.Namespace) -> int:
    from lrpseg.workspace.annotations import default_options, write_formats

    workspace = existing_workspace(args.workspace)
    everything = workspace.items()
    items = [i for i in everything if i.analysis]
    waiting = sum(i.status in ("waiting", "running") and not i.analysis for i in everything)
    if waiting:
        print(f"{waiting} images wait for their analysis in the page and are left out; start "
              f"`lrpseg app --workspace {args.workspace}` and let it finish.",
              file=sys.stderr)  # fmt: skip
    if args.accepted:
        items = [i for i in items if i.status == "accepted"]
    if not items:
        raise LrpsegError(f"There is nothing to export in {args.workspace} yet.")
    given = _options(args)
    options = ExportOptions(**{"label": default_options(items).label, **given})  # type: ignore[arg-type]
    _tell(write_formats(workspace, items, _formats(args.format), args.out, options))
    return 0


def _import(args: argparse.Namespace) -> int:
    from lrpseg.workspace import import_masks

    refused: list[tuple[str, str]] = []
    masks = read_masks(args.source, args.format, lambda n, e: refused.append((n, str(e))))
    done = import_masks(existing_workspace(args.workspace), masks, args.role)
    print(f"{len(done.names)} masks imported as {args.role}")
    for name, reason in refused + done.refused:
        print(f"refused: {name}: {reason}", file=sys.stderr)
    return 1 if refused or done.refused else 0


def _label_studio(args: argparse.Namespace) -> int:
    from lrpseg.web.label_studio import Pictures, serve

    job = _job(args, {} if args.label is None else {"label": args.label})
    if args.config:
        print(labeling_config(job.options.label), end="")
        return 0
    serve(job, Pictures(args.url, args.api_key, args.root), args.host, args.port, args.device)
    return 0


def open_for_page(folder: Path) -> None:
    """Where `folder` is what `annotate` wrote: put its pictures into the workspace in it."""
    from lrpseg.folders.opening import is_annotated, open_annotated

    if not is_annotated(folder):
        return
    with tqdm(unit="image", desc=f"opening {folder}", disable=None) as bar:
        opened = open_annotated(folder, bar.reset, lambda n: bar.update(n))
    for name, reason in opened.refused:
        print(f"refused: {name}: {reason}", file=sys.stderr)


def existing_workspace(folder: Path) -> "Workspace":
    """The workspace in a folder, which must be there already."""
    from lrpseg.workspace import Workspace
    from lrpseg.workspace.schema import FILE_NAME

    if not (folder / FILE_NAME).is_file():
        raise LrpsegError(
            f"There is no workspace in {folder}. Make one: lrpseg app --workspace {folder}"
        )
    return Workspace(folder)


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add annotate, export, import and label-studio."""
    command = commands.add_parser(
        "annotate",
        help="write masks for images",
        description="Writes below --out a folder for each format, pictures.jsonl with the "
        "probability of damage of each image, report.json, and index.html to look at. The exit "
        "code is 1 if some image could not be read, 2 if nothing was done.",
    )
    command.add_argument(
        "image", nargs="+",
        help="image files, folders, patterns, zips, or text files with a path on each line",
    )  # fmt: skip
    _add_export(command)
    command.add_argument("--overlays", action="store_true", help="also the masks over the images")
    command.add_argument("--only-damaged", action="store_true",
                         help="leave intact images out of the formats")  # fmt: skip
    command.add_argument("--resume", action="store_true",
                         help="go on with the run in --out that was stopped")  # fmt: skip
    command.add_argument("--engine", choices=["local", "ray"], default="local",
                         help="who does the work: this process, or a Ray cluster")  # fmt: skip
    command.add_argument("--workers", type=int, default=2, help="of --engine ray (%(default)s)")
    add_settings(command)
    command.set_defaults(run=_annotate)

    command = commands.add_parser("export", help="write a workspace's masks in other formats")
    command.add_argument("--workspace", type=Path, required=True, metavar="DIR")
    command.add_argument("--accepted", action="store_true", help="only what was accepted")
    _add_export(command)
    command.set_defaults(run=_export)

    command = commands.add_parser(
        "import", help="bring masks that were made elsewhere into a workspace"
    )
    command.add_argument("source", type=Path, help="a folder or file of PNG, COCO or labelme")
    command.add_argument("--workspace", type=Path, required=True, metavar="DIR")
    command.add_argument("--format", choices=list(READERS),
                         help="default: told by the content")  # fmt: skip
    command.add_argument("--as", dest="role", choices=ROLES, default="corrections",
                         help="corrections: they become the pictures' masks; truth: what figures "
                         "are counted against (default: %(default)s)")  # fmt: skip
    command.set_defaults(run=_import)

    command = commands.add_parser(
        "label-studio",
        help="serve masks to Label Studio, as its machine-learning backend",
        description="Listens for Label Studio, which asks for a mask when a labeler opens a task. "
        "Set its address in the project's Settings, Model.",
    )
    command.add_argument("--url", help="of Label Studio (default: $LABEL_STUDIO_URL)")
    command.add_argument("--api-key", help="its access token (default: $LABEL_STUDIO_API_KEY)")
    command.add_argument("--root", type=Path, help="folder of Label Studio's local files")
    command.add_argument("--host", default="127.0.0.1", help="to listen on (%(default)s)")
    command.add_argument("--port", type=int, default=9090, help="to listen on (%(default)s)")
    command.add_argument("--label", help="class name of damage (default: the domain's)")
    command.add_argument("--config", action="store_true",
                         help="print a labelling configuration, and end")  # fmt: skip
    add_settings(command)
    command.set_defaults(run=_label_studio)
