"""One block of pictures, from files to files: read ahead, run the network, write behind.

Everything that a run does in parallel or on another machine is `annotate_block`; what it returns is
made of JSON types.
"""

import errno
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lrpseg.core.errors import ImageError, LrpsegError
from lrpseg.core.images import Picture, read_picture
from lrpseg.core.opening import open_image
from lrpseg.folders.job import Job
from lrpseg.folders.plan import Planned
from lrpseg.formats import FORMATS, Annotated, File, save_files
from lrpseg.formats.base import png
from lrpseg.masks.render import overlay, thumbnail
from lrpseg.pipeline.results import Layer, Result
from lrpseg.pipeline.segmenter import Segmenter
from lrpseg.pipeline.settings import BEST

Row = dict[str, Any]
AHEAD_PIXELS = 24_000_000
"""Pixels that are decoded ahead of the network; a larger picture is decoded alone."""

THREADS = 3

_OF_ITS_NAME = {errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR}
"""What a picture's name is to blame for: a.png and a.json/b.png cannot both have labelme's file."""


@dataclass(frozen=True, eq=False)
class _Read:
    planned: Planned
    picture: Picture


def annotate_block(
    pictures: Sequence[Planned],
    job: Job,
    segmenter: Segmenter,
    out: Path,
    progress: Callable[[int], None] | None = None,
) -> list[Row]:
    """Write the files of each picture below `out`; returns a row for each, in their order.

    `progress` is called with 1 for each picture that is done.

    A row has name, status ("damaged", "intact" or "failed"), reason, probability, threshold, width,
    height, pixels of the mask, and `records`: for each format the record that `assemble` takes;
    where the picture was read in a way that is not plain, also `read`: `Picture.notes`; where a
    witness was asked, `doubtful`: whether it and the network disagree.
    """
    rows: dict[int, Row] = {}

    def done(planned: Planned, row: Row) -> None:
        rows[planned.position] = row
        if progress is not None:
            progress(1)

    def failed(planned: Planned, error: LrpsegError) -> None:
        done(planned, _row(planned, "failed", reason=str(error)))

    with ThreadPoolExecutor(THREADS) as pool:
        waiting: deque[_Read] = deque()
        writing: deque[tuple[Planned, Future[Row]]] = deque()

        def images() -> Iterator[NDArray[np.uint8]]:
            for read in _read_ahead(pictures, pool, failed, job.bits):
                waiting.append(read)
                yield read.picture.pixels

        def written(left: int) -> None:
            while len(writing) > left:
                planned, future = writing.popleft()
                try:
                    row = future.result()
                except LrpsegError as error:
                    failed(planned, error)
                except OSError as error:
                    if error.errno not in _OF_ITS_NAME:
                        raise
                    reason = f"Its files cannot be written: {error.strerror}. Rename the picture."
                    failed(planned, ImageError(reason))
                else:
                    done(planned, row)

        for result in segmenter.stream(images()):
            read = waiting.popleft()
            # Below 0.5 the stream has not explained what is wanted all the same.
            if any(not x.explained and x.probability >= job.min_probability for x in result.layers):
                result = segmenter(result.image, explain_intact=True)
            notes = read.picture.notes
            future = pool.submit(_write, read.planned, result, job, out, notes)
            writing.append((read.planned, future))
            del read, future
            del result
            written(THREADS)
        written(0)
    return [rows[planned.position] for planned in pictures]


def _read_ahead(
    pictures: Sequence[Planned], pool: ThreadPoolExecutor, failed: Any, bits: int | None = None
) -> Iterator[_Read]:
    """The pictures that can be read, in order; decoded in the pool ahead of who takes them."""
    ahead: deque[tuple[Planned, int, Future[Picture]]] = deque()
    rest = deque(pictures)
    peeked: tuple[bytes, int] | None = None  # of the first of the rest, which waits for room
    pixels = 0
    while rest or ahead:
        while rest and len(ahead) < 2 * THREADS:
            if peeked is None:
                try:
                    data = rest[0].source.read()
                except ImageError as error:
                    failed(rest.popleft(), error)
                    continue
                peeked = data, _pixels(data)
            data, size = peeked
            if ahead and pixels + size > AHEAD_PIXELS:
                break
            peeked = None
            ahead.append((rest.popleft(), size, pool.submit(read_picture, data, bits)))
            pixels += size
        if not ahead:
            continue
        planned, size, future = ahead.popleft()
        pixels -= size
        try:
            yield _Read(planned, future.result())
        except ImageError as error:
            failed(planned, error)


def _pixels(data: bytes) -> int:
    """How large a picture will be, by its header; what has none is found out when it is read."""
    try:
        with open_image(data) as image:
            return image.width * image.height
    except Exception:
        return 0


def _write(planned: Planned, result: Result, job: Job, out: Path, notes: Sequence[str] = ()) -> Row:
    """Write a picture's files; returns its row. notes: on how the picture was read."""
    wanted = result.probability >= job.min_probability
    layers = {layer.name: mask_of(layer, job) for layer in result.layers}
    mask = reduce(np.logical_or, layers.values())
    thresholds = {layer.name: threshold_of(layer, job) for layer in result.layers}
    row = _row(
        planned, "damaged" if wanted else "intact", probability=result.probability,
        width=mask.shape[1], height=mask.shape[0], pixels=int(np.count_nonzero(mask)),
    )  # fmt: skip
    if notes:
        row["read"] = list(notes)
    if any(layer.witness is not None for layer in result.layers):
        row["doubtful"] = result.doubtful
    if len(layers) == 1:
        (threshold,) = thresholds.values()
        row["threshold"] = threshold if wanted else None
    else:  # a value for each class, of which several may be there
        threshold = None
        row["classes"] = {
            layer.name: {
                "probability": layer.probability,
                "threshold": thresholds[layer.name] if layer.explained else None,
                "pixels": int(np.count_nonzero(layers[layer.name])),
            }
            for layer in result.layers
        }
    if job.only_damaged and not wanted:
        return row
    annotated = Annotated(
        planned.source.name,
        None,
        min(1.0, max(0.0, result.probability)),
        lambda: result.image,
        planned.stem,
        {**{name: getattr(job.settings, name) for name in BEST}, "threshold": threshold},
        layers=layers,
    )
    for name in job.formats:
        encoded = FORMATS[name].encode(annotated, job.options)
        save_files(encoded.files, out / name)
        row["records"][name] = encoded.record
    if job.overlays:
        drawn = png(Image.fromarray(overlay(result.image, mask)))
        save_files([File(f"{planned.stem}.png", drawn)], out / "overlays")
    shown = overlay(result.image, mask) if mask.any() else result.image
    save_files([File(f"{planned.position:09}.jpg", thumbnail(shown))], out / "summary")
    return row


def mask_of(layer: Layer, job: Job) -> NDArray[np.bool_]:
    """The mask of one class; empty where it is too unlikely to be there."""
    if layer.probability < job.min_probability:
        return np.zeros(layer.relevance.shape, bool)
    return layer.at(threshold_of(layer, job))


def threshold_of(layer: Layer, job: Job) -> float:
    """The threshold that the job has for a class, or else the thresholder's own."""
    given = job.threshold
    chosen = given.get(layer.name) if isinstance(given, Mapping) else given
    return layer.threshold if chosen is None else chosen


def _row(planned: Planned, status: str, **values: Any) -> Row:
    empty = {
        "position": planned.position, "name": planned.source.name, "status": status, "reason": None,
        "probability": None, "threshold": None, "width": None, "height": None, "pixels": None,
        "records": {},
    }  # fmt: skip
    return empty | values
