"""Masks that other tools wrote, for use as corrections or as ground truth.

Each reader gives `ReadMask` one by one; `matched` finds the pictures that they belong to.
"""

from collections.abc import Callable, Iterator

from lrpseg.formats.reading.base import ReadMask, matched
from lrpseg.formats.reading.coco import read_coco
from lrpseg.formats.reading.labelme import read_labelme
from lrpseg.formats.reading.pngs import read_png, read_pngs
from lrpseg.registry import Registry

__all__ = ["READERS", "ReadMask", "matched", "read_coco", "read_labelme", "read_png", "read_pngs"]

READERS: Registry[Callable[..., Iterator[ReadMask]]] = Registry("format to read")
"""Readers by name: the folder or file of masks to an iterator of `ReadMask`."""

for _name, _reader in (("png", read_pngs), ("coco", read_coco), ("labelme", read_labelme)):
    READERS.add(_name, _reader)
