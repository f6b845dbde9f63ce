"""Masks from image files, paired with pictures by path without suffix."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from lrpseg.core.errors import ImageError
from lrpseg.formats.errors import FormatError
from lrpseg.formats.indexed import LABELMAP_FILE, labelmap_names
from lrpseg.formats.mvtec import COMBINED
from lrpseg.formats.parts import Mask
from lrpseg.formats.pngs import CLASSES_FILE
from lrpseg.formats.reading.base import OnError, ReadMask, guarded, text_lines
from lrpseg.formats.reading.layers import layers_of
from lrpseg.masks.reading import read_indices

SUFFIXES = frozenset({".png", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".jpg", ".jpeg"})

_TRUTH, _PICTURES, _ENDING = "ground_truth", ("test", "train"), "_mask"
"""Folders and names of MVTec's layout."""


def read_pngs(
    source: Path, *, index: int | None = None, ending: str = "", on_error: OnError | None = None
) -> Iterator[ReadMask]:
    """A mask for each image file: `source` itself, or those below the folder `source` by name.

    Of a palette image the layers are its indices ("1", "2", ...), or the names that a
    `labelmap.txt` above it gives them. Below a folder with a `classes.txt` the label is the first
    folder, and files of one picture follow each other: `matched` joins them. Our own exports of
    several classes have these files. Beside a folder `ground_truth` in MVTec's layout, pictures are
    no masks, and the label is the kind of defect; a mask of several kinds (`combined`) has none.

    Args:
        index: the class index that counts in palette images; without it, every one but 0.
        ending: is cut off the names, such as "_mask" in a layout of one's own.
        on_error: is told of files that cannot be read; without it, the first one ends the reading.

    Raises:
        FormatError: there is no image file, or one cannot be used as a mask.
    """
    folder, found = (source.parent, [source]) if source.is_file() else (source, source.rglob("*"))
    files = sorted(p for p in found if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        raise FormatError(f"{source} holds no masks ({', '.join(sorted(SUFFIXES))}).")
    for entry in _listed(folder, files, ending):
        shown = f"{entry.label}/{entry.name}" if entry.label else entry.name
        yield from guarded(shown, partial(_read, entry, index), on_error)


def read_png(source: Path | bytes, index: int | None = None) -> Mask:
    """(H, W) bool from one image: in palette images `index`, or every one but 0; see
    `lrpseg.masks.reading.read_mask`.

    Raises:
        FormatError: no image, damaged, or larger than `lrpseg.core.images.MAX_PIXELS`.
    """
    try:
        values = read_indices(source)
    except ImageError as error:
        raise FormatError(str(error)) from error
    if index is None or values.dtype == np.bool_:
        return np.asarray(values != 0)
    return np.asarray(values == index)


@dataclass(frozen=True)
class _Entry:
    """A file, the picture and the label that its path names, "" for none, and the names of its
    indices, as far as they have any."""

    path: Path
    name: str
    label: str = ""
    names: tuple[str, ...] = ()


def _listed(folder: Path, files: Iterable[Path], ending: str) -> list[_Entry]:
    """The masks among the files; those of one picture follow each other where labels tell them
    apart, else as they are."""
    classes = {path.parent: text_lines(path) for path in sorted(folder.rglob(CLASSES_FILE))}
    maps = {p.parent: labelmap_names(text_lines(p)) for p in folder.rglob(LABELMAP_FILE)}
    truths = {path.parent for path in folder.rglob(_TRUTH) if path.is_dir()}
    entries = []
    for path in files:
        entry = _Entry(
            path,
            path.relative_to(folder).with_suffix("").as_posix().removesuffix(ending),
            names=next((maps[parent] for parent in path.parents if parent in maps), ()),
        )
        for root in (parent for parent in path.parents if parent.is_relative_to(folder)):
            inside = path.relative_to(root).with_suffix("").parts
            if root in classes and len(inside) > 1 and inside[0] in classes[root]:
                entry = _Entry(path, "/".join(inside[1:]).removesuffix(ending), inside[0])
            elif root in truths and inside[0] == _TRUTH and len(inside) == 3:
                label = "" if inside[1] == COMBINED else inside[1]
                entry = _Entry(path, inside[2].removesuffix(_ENDING).removesuffix(ending), label)
            elif root in truths and inside[0] in _PICTURES:
                break
            else:
                continue
            entries.append(entry)
            break
        else:
            entries.append(entry)
    return sorted(entries, key=lambda e: (e.name, e.path)) if classes else entries


def _read(entry: _Entry, index: int | None) -> ReadMask:
    try:
        values = read_indices(entry.path)
    except ImageError as error:
        raise FormatError(str(error)) from error
    if index is not None and values.dtype != np.bool_:
        values = np.asarray(values == index)
    mask = np.asarray(values != 0)
    if entry.label:
        return ReadMask(entry.name, mask, (), {entry.label: mask})
    if values.dtype == np.bool_:
        return ReadMask(entry.name, mask)
    there = cv2.calcHist([np.asarray(values, np.uint8)], [0], None, [256], [0, 256]).ravel() > 0
    names = dict(enumerate(entry.names))
    make = {names.get(n, str(n)): partial(np.equal, values, n) for n in range(1, 256) if there[n]}
    return ReadMask(entry.name, mask, (), layers_of(mask, make))
