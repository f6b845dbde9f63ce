"""CVAT for images 1.1: one XML file.

https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/. The `rle` of a mask holds run
lengths inside its box, row by row, the first one of background.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape, quoteattr

from lrpseg.core.files import atomically
from lrpseg.formats.base import Annotated, Content, ExportOptions, Format
from lrpseg.formats.parts import Mask, parts
from lrpseg.formats.rle import runs
from lrpseg.formats.stream import Record


class CvatImages(Format):
    """`annotations.xml`."""

    name = "cvat-images"
    title = "CVAT for images 1.1"
    description = "One XML file for CVAT; masks are run lengths, exact to the pixel."
    files = "annotations.xml"

    def _encode(self, picture: Annotated, mask: Mask, options: ExportOptions) -> Content:
        masks = [
            {
                "rle": ", ".join(map(str, runs(part.crop.ravel()).tolist())),
                "left": part.left,
                "top": part.top,
                "width": part.width,
                "height": part.height,
            }
            for part in parts(mask, options.per_component)
        ]
        height, width = mask.shape
        return Content(len(masks), {"width": width, "height": height, "masks": masks})

    def _assemble(self, records: Iterator[Record], out: Path, options: ExportOptions) -> None:
        def write(file: IO[bytes]) -> None:
            file.write(
                '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n'
                "  <version>1.1</version>\n  <meta><task><labels><label>"
                f"<name>{escape(options.label)}</name><attributes></attributes>"
                "</label></labels></task></meta>\n".encode()
            )
            for index, record in enumerate(records):
                file.write(_image(index, record, options.label).encode())
            file.write(b"</annotations>\n")

        atomically(out / "annotations.xml", write)


def _image(index: int, record: Record, label: str) -> str:
    data = record["data"]
    opening = (
        f'  <image id="{index}" name={quoteattr(record["name"])} '
        f'width="{data["width"]}" height="{data["height"]}"'
    )
    masks = "".join(
        f'    <mask label={quoteattr(label)} source="auto" occluded="0" rle="{mask["rle"]}" '
        f'left="{mask["left"]}" top="{mask["top"]}" width="{mask["width"]}" '
        f'height="{mask["height"]}" z_order="0"></mask>\n'
        for mask in data["masks"]
    )
    return f"{opening}>\n{masks}  </image>\n"
