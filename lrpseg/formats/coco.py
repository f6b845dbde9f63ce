"""COCO: one JSON file with a run-length mask for each annotation.

https://cocodataset.org/#format-data. Masks are run lengths with `iscrowd` 0: polygons would lose
pixels, and `iscrowd` 1, which other writers set for run lengths, makes the evaluation ignore them.
All classes are listed as categories, also those that no picture has.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from lrpseg.core.files import atomically
from lrpseg.formats.base import Annotated, Content, ExportOptions, Format, Layer
from lrpseg.formats.parts import parts
from lrpseg.formats.rle import coco_counts
from lrpseg.formats.stream import Record, Spool, json_bytes, list_writer


class Coco(Format):
    """`annotations.json` with images, categories and annotations, numbered from 1 on."""

    name = "coco"
    title = "COCO JSON"
    description = "One JSON file; masks are compressed run lengths, exact to the pixel."
    files = "annotations.json"

    def _encode(
        self, picture: Annotated, layers: Sequence[Layer], options: ExportOptions
    ) -> Content:
        height, width = picture.mask.shape
        entries = [
            {
                "category_id": layer.index + 1,
                "segmentation": {
                    "size": [height, width],
                    "counts": coco_counts(part.within((height, width))),
                },
                "area": part.area,
                "bbox": [part.left, part.top, part.width, part.height],
            }
            for layer in layers
            for part in parts(layer.mask, options.per_component)
        ]
        data = {"width": width, "height": height, "annotations": entries}
        return Content(len(entries), data)

    def _assemble(self, records: Iterator[Record], out: Path, options: ExportOptions) -> None:
        with Spool(out) as waiting:

            def write(file: IO[bytes]) -> None:
                categories = [
                    {"id": number, "name": entry.name, "supercategory": ""}
                    for number, entry in enumerate(options.labels, start=1)
                ]
                file.write(b'{"info":{},"licenses":[],"categories":')
                file.write(json_bytes(categories) + b',\n"images":[\n')
                add = list_writer(file)
                number = 0
                for index, record in enumerate(records, start=1):
                    data = record["data"]
                    add(json_bytes(_image(index, record["name"], data)))
                    for entry in data["annotations"]:
                        number += 1
                        # Annotations come after all images: they wait on disk.
                        waiting.add(json_bytes(_annotation(number, index, entry)))
                file.write(b'\n],\n"annotations":[\n')
                add = list_writer(file)
                for line in waiting.lines():
                    add(line)
                file.write(b"\n]}\n")

            atomically(out / "annotations.json", write)


def _image(index: int, name: str, data: Record) -> Record:
    return {"id": index, "width": data["width"], "height": data["height"], "file_name": name}


def _annotation(number: int, image: int, entry: Record) -> Record:
    # Records of before there were several classes name no category.
    return {"id": number, "image_id": image, "category_id": 1, "iscrowd": 0, **entry}
