"""CVAT for images 1.1: one XML file.

https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/. The `rle` of a mask holds run
lengths inside its box, row by row, the first one of background.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape, quoteattr

from lrpseg.core.files import atomically
from lrpseg.formats.base import Annotated, ClassLabel, Content, ExportOptions, Format, Layer
from lrpseg.formats.parts import parts
from lrpseg.formats.rle import runs
from lrpseg.formats.stream import Record


class CvatImages(Format):
    """`annotations.xml`."""

    name = "cvat-images"
    title = "CVAT for images 1.1"
    description = "One XML file for CVAT; masks are run lengths, exact to the pixel."
    files = "annotations.xml"

    def _encode(
        self, picture: Annotated, layers: Sequence[Layer], options: ExportOptions
    ) -> Content:
        masks = [
            {
                "class": layer.index,
                "rle": ", ".join(map(str, runs(part.crop.ravel()).tolist())),
                "left": part.left,
                "top": part.top,
                "width": part.width,
                "height": part.height,
            }
            for layer in layers
            for part in parts(layer.mask, options.per_component)
        ]
        height, width = picture.mask.shape
        return Content(len(masks), {"width": width, "height": height, "masks": masks})

    def _assemble(self, records: Iterator[Record], out: Path, options: ExportOptions) -> None:
        def write(file: IO[bytes]) -> None:
            file.write(
                '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n'
                "  <version>1.1</version>\n  <meta><task><labels>"
                f"{_labels(options.labels)}</labels></task></meta>\n".encode()
            )
            for index, record in enumerate(records):
                file.write(_image(index, record, options.labels).encode())
            file.write(b"</annotations>\n")

        atomically(out / "annotations.xml", write)


def _labels(labels: Sequence[ClassLabel]) -> str:
    """The task's labels; colours tell several apart, and one needs none."""
    colours = [f"<color>{entry.hex.lower()}</color>" if len(labels) > 1 else "" for entry in labels]
    return "".join(
        f"<label><name>{escape(entry.name)}</name>{colour}<attributes></attributes></label>"
        for entry, colour in zip(labels, colours, strict=True)
    )


def _label(mask: Record, labels: Sequence[ClassLabel]) -> str:
    # Records of before there were several classes name none.
    return labels[mask.get("class", 0)].name


def _image(index: int, record: Record, labels: Sequence[ClassLabel]) -> str:
    data = record["data"]
    opening = (
        f'  <image id="{index}" name={quoteattr(record["name"])} '
        f'width="{data["width"]}" height="{data["height"]}"'
    )
    masks = "".join(
        f"    <mask label={quoteattr(_label(mask, labels))} "
        f'source="auto" occluded="0" rle="{mask["rle"]}" '
        f'left="{mask["left"]}" top="{mask["top"]}" width="{mask["width"]}" '
        f'height="{mask["height"]}" z_order="0"></mask>\n'
        for mask in data["masks"]
    )
    return f"{opening}>\n{masks}  </image>\n"
