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


@dataclass(frozen=True)
class _Layout:
    """What a folder says of the files below it: folder to the folders in it that are classes,
    folder to the names of indices, and folders with MVTec's `ground_truth`."""

    folder: Path
    classes: dict[Path, list[str]]
    names: dict[Path, tuple[str, ...]]
    truths: set[Path]

    @classmethod
    def of(cls, folder: Path) -> "_Layout":
        return cls(
            folder,
            {path.parent: text_lines(path) for path in folder.rglob(CLASSES_FILE)},
            {p.parent: labelmap_names(text_lines(p)) for p in folder.rglob(LABELMAP_FILE)},
            {path.parent for path in folder.rglob(_TRUTH) if path.is_dir()},
        )

    def entry(self, path: Path, ending: str) -> _Entry | None:
        """What a file is; None for a picture of MVTec's layout."""
        above = [parent for parent in path.parents if parent.is_relative_to(self.folder)]
        for root in above:  # the nearest first
            first, *inner = path.relative_to(root).with_suffix("").parts
            if root in self.truths and first in _PICTURES:
                return None
            if root in self.truths and first == _TRUTH and len(inner) == 2:
                kind, name = inner
                label = "" if kind == COMBINED else kind
                return _Entry(path, name.removesuffix(_ENDING).removesuffix(ending), label)
            if inner and first in self.classes.get(root, ()):
                return _Entry(path, "/".join(inner).removesuffix(ending), first)
        name = path.relative_to(self.folder).with_suffix("").as_posix().removesuffix(ending)
        names = next((self.names[parent] for parent in above if parent in self.names), ())
        return _Entry(path, name, names=names)


def _listed(folder: Path, files: Iterable[Path], ending: str) -> list[_Entry]:
    """The masks among the files; those of one picture follow each other where folders are classes,
    else all are as they come."""
    layout = _Layout.of(folder)
    entries = [entry for path in files if (entry := layout.entry(path, ending))]
    return sorted(entries, key=lambda e: (e.name, e.path)) if layout.classes else entries


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
