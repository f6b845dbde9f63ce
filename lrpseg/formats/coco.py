"""COCO: one JSON file with a run-length mask for each annotation.

https://cocodataset.org/#format-data. Masks are run lengths with `iscrowd` 0: polygons would lose
pixels, and `iscrowd` 1, which other writers set for run lengths, makes the evaluation ignore them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from lrpseg.core.files import atomically
from lrpseg.formats.base import Annotated, Content, ExportOptions, Format
from lrpseg.formats.parts import Mask, parts
from lrpseg.formats.rle import coco_counts
from lrpseg.formats.stream import Record, Spool, json_bytes, list_writer


class Coco(Format):
    """`annotations.json` with images, categories and annotations, numbered from 1 on."""

    name = "coco"
    title = "COCO JSON"
    description = "One JSON file; masks are compressed run lengths, exact to the pixel."
    files = "annotations.json"

    def _encode(self, picture: Annotated, mask: Mask, options: ExportOptions) -> Content:
        height, width = mask.shape
        entries = [
            {
                "segmentation": {
                    "size": [height, width],
                    "counts": coco_counts(part.within((height, width))),
                },
                "area": part.area,
                "bbox": [part.left, part.top, part.width, part.height],
            }
            for part in parts(mask, options.per_component)
        ]
        data = {"width": width, "height": height, "annotations": entries}
        return Content(len(entries), data)

    def _assemble(self, records: Iterator[Record], out: Path, options: ExportOptions) -> None:
        with Spool(out) as waiting:

            def write(file: IO[bytes]) -> None:
                category = {"id": 1, "name": options.label, "supercategory": ""}
                file.write(b'{"info":{},"licenses":[],"categories":[')
                file.write(json_bytes(category) + b'],\n"images":[\n')
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
    return {"id": number, "image_id": image, "category_id": 1, "iscrowd": 0, **entry}
