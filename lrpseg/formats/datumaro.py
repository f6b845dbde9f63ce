"""Datumaro's own format: one JSON file with run-length masks.

https://open-edge-platform.github.io/datumaro/latest/docs/data-formats/formats/datumaro.html. CVAT
splits masks of several components into one object each when it imports it (CVAT issue 7458).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from lrpseg.core.files import atomically
from lrpseg.formats.base import (
    Annotated,
    Content,
    ExportOptions,
    Format,
    Layer,
    picture_files,
)
from lrpseg.formats.parts import parts
from lrpseg.formats.rle import coco_counts
from lrpseg.formats.stream import Record, json_bytes, list_writer

_SUBSET = "default"


class Datumaro(Format):
    """`annotations/default.json`, and `images/default` for the pictures."""

    name = "datumaro"
    title = "Datumaro"
    description = "One JSON file for Datumaro and CVAT; masks are run lengths, exact to the pixel."
    files = "annotations/default.json, images/default/STEM.png (copied pictures)"
    by_stem = True  # an item's id is the picture's path without suffix
    copies = True

    def _encode(
        self, picture: Annotated, layers: Sequence[Layer], options: ExportOptions
    ) -> Content:
        height, width = picture.mask.shape
        annotations = [
            {
                "id": number,
                "type": "mask",
                "attributes": {},
                "group": 0,
                "label_id": index,
                "rle": {
                    "counts": coco_counts(part.within((height, width))),
                    "size": [height, width],
                },
                "z_order": 0,
            }
            for number, (index, part) in enumerate(
                (layer.index, part)
                for layer in layers
                for part in parts(layer.mask, options.per_component)
            )
        ]
        copied = picture_files(picture, f"images/{_SUBSET}/{picture.stem}.png", options)
        path = f"{picture.stem}.png" if copied else picture.name
        item: dict[str, Any] = {
            "id": picture.stem,
            "annotations": annotations,
            "image": {"path": path, "size": [height, width]},
        }
        attributes = dict(picture.settings)
        if picture.probability is not None:
            attributes["probability"] = picture.probability
        if attributes:
            item["attr"] = attributes
        return Content(len(annotations), item, copied)

    def _assemble(self, records: Iterator[Record], out: Path, options: ExportOptions) -> None:
        labels = [{"name": c.name, "parent": "", "attributes": []} for c in options.labels]
        categories = {"label": {"labels": labels, "label_groups": [], "attributes": []}}

        def write(file: IO[bytes]) -> None:
            # Media type 2 is a picture.
            file.write(b'{"dm_format_version":"1.0","media_type":2,"infos":{},"categories":')
            file.write(json_bytes(categories) + b',\n"items":[\n')
            add = list_writer(file)
            for record in records:
                add(json_bytes(record["data"]))
            file.write(b"\n]}\n")

        atomically(out / "annotations" / f"{_SUBSET}.json", write)
