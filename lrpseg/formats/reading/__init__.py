"""Masks that other tools wrote, for use as corrections or as ground truth.

Each reader gives `ReadMask` one by one, with the labels that it finds; `matched` finds the pictures
that they belong to.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from lrpseg.core.registry import Registry
from lrpseg.formats.errors import FormatError
from lrpseg.formats.reading.base import OnError, ReadMask, load_json
from lrpseg.formats.reading.coco import read_coco
from lrpseg.formats.reading.labelme import read_labelme
from lrpseg.formats.reading.matching import matched
from lrpseg.formats.reading.pngs import SUFFIXES, read_png, read_pngs

__all__ = [
    "READERS",
    "ReadMask",
    "matched",
    "read_coco",
    "read_labelme",
    "read_masks",
    "read_png",
    "read_pngs",
]

READERS: Registry[Callable[..., Iterator[ReadMask]]] = Registry("format to read")
"""Readers by name: the folder or file of masks to an iterator of `ReadMask`."""

for _name, _reader in (("png", read_pngs), ("coco", read_coco), ("labelme", read_labelme)):
    READERS.add(_name, _reader)


def read_masks(
    source: Path, kind: str | None = None, on_error: OnError | None = None
) -> Iterator[ReadMask]:
    """The masks in a folder or a file, by the reader `kind`.

    Without `kind`, JSON files are COCO where they have "images", else labelme, and images are PNG
    masks; a folder may hold all of them.

    Raises:
        FormatError: there is nothing that any reader knows.
        OptionError: there is no such reader.
    """
    if kind == "coco" and source.is_dir():
        documents = sorted(source.rglob("*.json"))
        if not documents:
            raise FormatError(f"{source.name} holds no JSON file: give COCO's, or its folder.")
        for path in documents:
            yield from READERS["coco"](path, on_error=on_error)
        return
    if kind is not None:
        yield from READERS[kind](source, on_error=on_error)
        return
    files = [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file())
    images = [p for p in files if p.suffix.lower() in SUFFIXES]
    documents = [p for p in files if p.suffix.lower() == ".json"]
    if not images and not documents:
        raise FormatError(f"{source.name} holds no masks: give PNG, COCO or labelme files.")
    for path in documents:
        yield from _document(path, on_error)
    if images:
        yield from read_pngs(source, on_error=on_error)


def _document(path: Path, on_error: OnError | None) -> Iterator[ReadMask]:
    """The masks of a JSON file of COCO or labelme, told by what is in it."""
    try:
        kind = "coco" if "images" in load_json(path) else "labelme"
    except FormatError as error:
        if on_error is None:
            raise
        on_error(path.name, error)
        return
    yield from READERS[kind](path, on_error=on_error)
