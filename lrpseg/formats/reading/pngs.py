"""Masks from image files, paired with pictures by path without suffix."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from lrpseg.core.errors import ImageError
from lrpseg.core.images import SUFFIXES
from lrpseg.core.opening import open_image
from lrpseg.formats.errors import FormatError
from lrpseg.formats.indexed import LABELMAP_FILE, labelmap_names
from lrpseg.formats.mvtec import COMBINED
from lrpseg.formats.parts import Mask
from lrpseg.formats.pngs import CLASSES_FILE
from lrpseg.formats.reading.base import PLAIN, OnError, Reading, ReadMask, guarded, text_lines
from lrpseg.formats.reading.kinds import OTHER_LABEL, PICTURE
from lrpseg.formats.reading.label_studio import PNG_NAME
from lrpseg.formats.reading.layers import layers_of
from lrpseg.formats.reading.roles import role
from lrpseg.formats.reading.values import image_size, marked
from lrpseg.masks.reading import read_indices

_TRUTH, _PICTURES, _ENDING = "ground_truth", ("test", "train"), "_mask"
"""Folders and names of MVTec's layout."""


def read_pngs(
    source: Path,
    *,
    index: int | None = None,
    ending: str = "",
    on_error: OnError | None = None,
    options: Reading = PLAIN,
    pictures: Set[Path] = frozenset(),
) -> Iterator[ReadMask]:
    """A mask for each image file: `source` itself, or those below the folder `source` by name.

    Of a palette image the layers are its indices ("1", "2", ...), or the names that a
    `labelmap.txt` above it gives them. Below a folder with a `classes.txt` the label is the first
    folder, and files of one picture follow each other: `matched` joins them. Our own exports of
    several classes have these files. Beside a folder `ground_truth` in MVTec's layout, pictures are
    no masks, and the label is the kind of defect; a mask of several kinds (`combined`) has none.
    Nor are pictures masks in folders such as `images` where there is one such as `masks`; nor
    overlays; nor what looks like a picture. `on_error` is told of them; they end no reading.

    Args:
        index: the class index that counts in palette images; without it, every one but 0.
        ending: is cut off the names, such as "_mask" in a layout of one's own.
        on_error: is told of files that cannot be read; without it, the first one ends the reading.
        options: what values mean, which labels count, how files are named.
        pictures: files that are known to be pictures.

    Raises:
        FormatError: there is no image file, or one cannot be used as a mask.
    """
    folder, found = (source.parent, [source]) if source.is_file() else (source, source.rglob("*"))
    files = sorted(p for p in found if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        raise FormatError(f"{source} holds no masks: there is no image file.")
    told = on_error or (lambda name, error: None)
    masks = []
    for path in files:
        why = "an annotation file stands for it" if path in pictures else ""
        if why := why or (_no_mask(path, folder) if source.is_dir() else ""):
            told(_shown(path, folder), FormatError(f"This is no mask: {why}.", PICTURE))
        else:
            masks.append(path)
    for entry in _listed(folder, masks, ending, told):
        shown = f"{entry.label}/{entry.name}" if entry.label else entry.name
        try:
            yield from guarded(shown, partial(_read, entry, index, options), on_error)
        except FormatError as error:
            if error.kind != PICTURE or source.is_file():
                raise


def _no_mask(path: Path, root: Path) -> str:
    """Why a file is no mask, by the folders that it lies in below `root`; "" where it may be."""
    folders = path.parent.relative_to(root).parts
    roles = [role(part) for part in folders]
    if "masks" in roles:
        instances = [part for part in folders if part.lower() == "segmentationobject"]
        if instances and path.parent.with_name("SegmentationClass").is_dir():
            return "it has the objects that SegmentationClass has by class"
        return ""
    if "shown" in roles:
        return f"{folders[roles.index('shown')]} is to look at"
    if "pictures" in roles and _has_masks(root):
        return f"{folders[roles.index('pictures')]} holds the pictures"
    return ""


@lru_cache(maxsize=4)
def _mask_folders(root: Path, modified: int) -> bool:
    return any(role(path.name) == "masks" for path in root.rglob("*") if path.is_dir())


def _has_masks(root: Path) -> bool:
    """Whether there is a folder of masks below `root`."""
    return _mask_folders(root, root.stat().st_mtime_ns)


def _shown(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


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


def _listed(folder: Path, files: Iterable[Path], ending: str, told: OnError) -> list[_Entry]:
    """The masks among the files; those of one picture follow each other where folders are classes,
    else all are as they come. `told` of the pictures among them."""
    layout = _Layout.of(folder)
    entries = []
    for path in files:
        if entry := layout.entry(path, ending):
            entries.append(entry)
        else:
            error = FormatError("This is no mask: its folder holds the pictures.", PICTURE)
            told(_shown(path, folder), error)
    return sorted(entries, key=lambda e: (e.name, e.path)) if layout.classes else entries


def _read(entry: _Entry, index: int | None, options: Reading) -> ReadMask:
    name = options.named(entry.name)
    if PNG_NAME.fullmatch(entry.path.stem) and not options.match:
        raise FormatError(
            "Label Studio's name for it has the number of a task and not the picture's name. "
            "Export JSON there and import that, or say how masks are named (--match)."
        )
    if options.pictures and _digest(entry.path) in options.pictures:
        raise FormatError("This is no mask: it is one of the pictures.", PICTURE)
    options.expected(name, image_size(entry.path))  # before its pixels are read
    if index is not None and not options.values:
        options = replace(options, values=(index,)) if _has_palette(entry.path) else options
    found = marked(entry.path, options)
    rest: tuple[str, ...] = ()
    mask = found.mask
    if entry.label:
        make: Mapping[str, Callable[[], Mask]] = {entry.label: lambda: mask}
    else:
        make = found.makers(dict(enumerate(entry.names)))
    if options.labels and make:
        others = [label for label in make if not options.counts(label)]
        make = {label: how for label, how in make.items() if options.counts(label)}
        if not make:
            raise FormatError(f"{name} has the label {others[0]!r} alone.", OTHER_LABEL)
        if others:
            mask = np.logical_or.reduce([how() for how in make.values()])
            rest = (f"The labels {', '.join(others)} were left out.",)
    layers = layers_of(mask, make) if make else {}
    return ReadMask(name, mask, found.notes + rest, layers, found.ignored)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _has_palette(path: Path) -> bool:
    with open_image(path) as image:
        return image.mode == "P"
