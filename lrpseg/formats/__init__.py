"""Annotation formats of other tools: exports by `FORMATS[name]`, imports in `formats.reading`.

A new format is one module with a `Format`, and one more entry in the loop below.
"""

from lrpseg.core.registry import Registry
from lrpseg.formats.base import (
    Annotated,
    ClassLabel,
    Encoded,
    ExportOptions,
    File,
    Format,
    Overlap,
    Written,
    save_files,
)
from lrpseg.formats.coco import Coco
from lrpseg.formats.cvat_images import CvatImages
from lrpseg.formats.cvat_segmentation import CvatSegmentation
from lrpseg.formats.datumaro import Datumaro
from lrpseg.formats.errors import FormatError, MissingExtraError
from lrpseg.formats.label_studio import LabelStudio
from lrpseg.formats.labelme import LabelmeMask, LabelmePolygon, XAnyLabeling
from lrpseg.formats.mvtec import MvTec
from lrpseg.formats.names import unique_stems
from lrpseg.formats.pngs import IndexedPng, Png
from lrpseg.formats.stream import Record
from lrpseg.formats.yolo import Yolo

__all__ = [
    "FORMATS",
    "Annotated",
    "ClassLabel",
    "Encoded",
    "ExportOptions",
    "File",
    "Format",
    "FormatError",
    "MissingExtraError",
    "Overlap",
    "Record",
    "Written",
    "save_files",
    "unique_stems",
]

FORMATS: Registry[Format] = Registry("annotation format")
"""All formats by name, in the order in which they are listed."""

for _format in (
    Png(),
    IndexedPng(),
    Coco(),
    Yolo(),
    LabelmeMask(),
    LabelmePolygon(),
    XAnyLabeling(),
    LabelStudio(),
    CvatImages(),
    CvatSegmentation(),
    Datumaro(),
    MvTec(),
):
    FORMATS.add(_format.name, _format)
