"""The commands that work on folders and workspaces: annotate, export, import."""

import argparse
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from lrpseg.cli.settings import add_settings, chosen_settings
from lrpseg.core.errors import DiskFullError, LrpsegError, OptionError
from lrpseg.core.files import disk_full, is_full
from lrpseg.folders import Job, annotate
from lrpseg.formats import FORMATS, Written
from lrpseg.formats.label_studio import labeling_config
from lrpseg.formats.reading import READERS, Reading
from lrpseg.workspace.annotations import ROLES

if TYPE_CHECKING:
    from lrpseg.workspace import Workspace

TOLD = 20
"""So many names are listed of each kind; a line says how many more there are."""


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
        precision=args.precision, recall=args.recall, options=options, batch=args.batch,
        threshold=args.threshold, min_probability=args.min_probability,
        **chosen_settings(args), **rest,
    )  # fmt: skip


def _annotate(args: argparse.Namespace) -> int:
    job = _job(
        args, _options(args), only_damaged=args.only_damaged, formats=_formats(args.format),
        overlays=args.overlays, bits=args.bits,
    )  # fmt: skip
    engine = segmenter = None
    if args.engine == "ray":
        from lrpseg.folders.ray_engine import on_ray  # an extra

        engine = on_ray(args.workers, args.device)
    else:
        segmenter = job.segmenter(args.device)  # a wrong option is told before anything is written
    with tqdm(unit="image", disable=None, smoothing=0.05) as bar:

        def started(pictures: int) -> None:
            bar.reset(pictures)

        try:
            report = annotate(
                args.image, args.out, job, resume=args.resume, segmenter=segmenter, engine=engine,
                progress=lambda n: bar.update(n), started=started,
            )  # fmt: skip
        except OSError as error:
            path = Path(error.filename) if isinstance(error.filename, str) else args.out
            if is_full(error):
                raise DiskFullError(f"{disk_full(path)} Go on with --resume.") from error
            raise LrpsegError(
                f"{path} cannot be written: {error.strerror or error}. Choose another --out."
            ) from error
    print(
        f"{report.pictures - report.failures} images annotated, {report.damaged} of them damaged, "
        f"in {args.out}; look at {args.out / 'index.html'}"
    )
    print(report.sentence())
    if report.read.total:
        reasons = ", ".join(report.read.reasons())
        print(f"  in a way that is not plain: {reasons}; report.json names them")
    _tell(report.formats)
    for name, reason in report.failed:
        print(f"failed: {name}: {reason}", file=sys.stderr)
    if report.failures > len(report.failed):
        print(f"failed: {report.failures - len(report.failed)} more, see pictures.jsonl",
              file=sys.stderr)  # fmt: skip
    return 1 if report.failures else 0


def _tell(formats: dict[str, Written]) -> None:
    for name, written in formats.items():
        print(f"  {name}: {written}")


def _export(args: argparse.Namespace) -> int:
    from lrpseg.app import commands

    damaged: dict[str, str] = {}
    written, waiting = commands.export_masks(
        existing_workspace(args.workspace), _formats(args.format), args.out, args.accepted,
        refuse=damaged.setdefault, **_options(args),
    )  # fmt: skip
    if waiting:
        print(f"{waiting} images wait for their analysis in the page and are left out; start "
              f"`lrpseg app --workspace {args.workspace}` and let it finish.",
              file=sys.stderr)  # fmt: skip
    _tell(written)
    for name, reason in damaged.items():
        print(f"left out: {name}: {reason}", file=sys.stderr)
    return 1 if damaged else 0


def _import(args: argparse.Namespace) -> int:
    from lrpseg.app import commands
    from lrpseg.workspace import Limits

    limits = Limits(max_bytes=2_000_000_000, max_files=1_000_000, max_expanded=10**12)
    options = Reading(
        labels=_names(args.label), values=_numbers(args.values, "--values"),
        ignore=_numbers(args.ignore, "--ignore"), match=args.match or "",
    )  # fmt: skip
    workspace = existing_workspace(args.workspace)
    how = (args.format, args.role, args.class_name, options, args.replace, args.empty)
    if args.source.is_file() and zipfile.is_zipfile(args.source):
        done = commands.import_files(workspace, [args.source], limits, *how)
    else:
        done = commands.import_source(workspace, args.source, *how)
    print(done.sentence(args.role))
    _listing("note", done.notes)
    _listing("left out", done.left_out)
    _listing("refused", done.refused)
    return 1 if done.refused or not done.names else 0


def _listing(word: str, told: Sequence[tuple[str, str]]) -> None:
    """The first of many names with what is to be said of each, on stderr."""
    for name, reason in told[:TOLD]:
        print(f"{word}: {name}: {reason}", file=sys.stderr)
    if len(told) > TOLD:
        print(f"{word}: {len(told) - TOLD} more", file=sys.stderr)


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _numbers(text: str | None, option: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in _names(text))
    except ValueError as error:
        raise OptionError(f"{option} takes whole numbers with commas between: 1,2.") from error


def _label_studio(args: argparse.Namespace) -> int:
    from lrpseg.web.label_studio import Pictures, serve

    job = _job(args, {} if args.label is None else {"label": args.label})
    if args.config:
        print(labeling_config(job.options.labels), end="")
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
    command.add_argument("--bits", type=int, metavar="N",
                         help="that the values of 16-bit files have, such as 12 (default: as each "
                         "file says, or by its values)")  # fmt: skip
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
    command.add_argument(
        "source", type=Path, help="a folder, file or zip: PNG, COCO, labelme, Label Studio"
    )
    command.add_argument("--workspace", type=Path, required=True, metavar="DIR")
    command.add_argument("--format", choices=list(READERS),
                         help="default: told by the content")  # fmt: skip
    command.add_argument("--as", dest="role", choices=ROLES, default="corrections",
                         help="corrections: they become the pictures' masks; truth: what figures "
                         "are counted against (default: %(default)s)")  # fmt: skip
    command.add_argument("--class", dest="class_name", metavar="NAME",
                         help="what masks without labels show, of several classes")  # fmt: skip
    command.add_argument("--replace", action="store_true",
                         help="also masks of pictures where something was drawn, accepted or given "
                         "as truth before; without it they are left alone")  # fmt: skip
    command.add_argument("--empty", action="store_true",
                         help="pictures that a file lists without an annotation are intact; "
                         "without it they are left alone")  # fmt: skip
    command.add_argument("--label", metavar="NAMES",
                         help="labels that count, with commas between (default: all)")  # fmt: skip
    command.add_argument("--values", metavar="NUMBERS",
                         help="values of pixels that are damage, in image files")  # fmt: skip
    command.add_argument("--ignore", metavar="NUMBERS",
                         help="values of which nothing is known, such as 255")  # fmt: skip
    command.add_argument("--match", metavar="PATTERN",
                         help="how masks are named: {name} stands for the picture's name, * for "
                         "any text, as in 'mask_{name}'")  # fmt: skip
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
