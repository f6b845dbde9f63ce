"""Label Studio: tasks with predictions, whose brush masks are shown when a task is opened.

https://labelstud.io/guide/predictions and https://labelstud.io/tags/brushlabels. The brush's run
lengths are those of https://github.com/thi-ng/umbrella/tree/develop/packages/rle-pack over the
picture's RGBA bytes, row by row; the alpha value is the mask, and 255 (not 1) is opaque. They are
packed here as `label_studio_sdk.converter.brush.encode_rle` does, to the byte.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from lrpseg.core.files import atomically
from lrpseg.formats.base import Annotated, ClassLabel, Content, ExportOptions, Format, Layer
from lrpseg.formats.parts import Mask, parts
from lrpseg.formats.rle import runs
from lrpseg.formats.stream import Record, json_bytes, list_writer
from lrpseg.masks.render import save_text

FROM_NAME, TO_NAME = "tag", "image"
"""Names of the two tags in the labelling configuration, to which the predictions refer."""

_SIZES = (3, 4, 8, 16)
"""Bits of the four kinds of run lengths."""


class LabelStudio(Format):
    """`predictions.json` and the labelling configuration that fits it."""

    name = "label-studio"
    title = "Label Studio predictions"
    description = "Tasks with brush masks and scores as predictions, and a labelling configuration."
    files = "predictions.json, labeling-config.xml"

    def _encode(
        self, picture: Annotated, layers: Sequence[Layer], options: ExportOptions
    ) -> Content:
        shape = (picture.mask.shape[0], picture.mask.shape[1])
        result = [
            region(part.within(shape), label, f"{picture.name}:{number}")
            for number, (label, part) in enumerate(
                (layer.label, part)
                for layer in layers
                for part in parts(layer.mask, options.per_component)
            )
        ]
        prediction: dict[str, Any] = {"model_version": options.model_version, "result": result}
        if picture.probability is not None:
            prediction["score"] = picture.probability
        data: dict[str, Any] = {
            "image": options.image_url.replace("{name}", quote(picture.name)),
            "name": picture.name,
        }
        if picture.settings:
            data["settings"] = dict(picture.settings)
        return Content(len(result), {"data": data, "predictions": [prediction]})

    def _assemble(self, records: Iterator[Record], out: Path, options: ExportOptions) -> None:
        def write(file: IO[bytes]) -> None:
            file.write(b"[\n")
            add = list_writer(file)
            for record in records:
                add(json_bytes(record["data"]))
            file.write(b"\n]\n")

        atomically(out / "predictions.json", write)
        save_text(labeling_config(options.labels), out / "labeling-config.xml")


def region(mask: Mask, label: str, seed: str) -> dict[str, Any]:
    """One brush region of a prediction; its id is made of `seed`, so that it stays the same."""
    height, width = mask.shape
    return {
        "id": hashlib.sha256(seed.encode()).hexdigest()[:10],
        "type": "brushlabels",
        "from_name": FROM_NAME,
        "to_name": TO_NAME,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": brush_rle(mask), "brushlabels": [label]},
    }


def brush_rle(mask: Mask) -> list[int]:
    """The mask (H, W) as Label Studio's packed run lengths, a list of bytes 0 to 255."""
    # Header: number of values, bits of a value (less 1), bits of the kinds of lengths (less 1).
    bits = [f"{4 * mask.size:032b}", f"{8 - 1:05b}", *(f"{size - 1:04b}" for size in _SIZES)]
    words = ("00000000", "11111111")
    for index, pixels in enumerate(runs(mask.ravel()).tolist()):
        length = 4 * pixels  # all four channels hold the mask
        while length > 0:
            step = min(length, 1 << 16)
            kind = next(k for k, size in enumerate(_SIZES) if step <= 1 << size)
            # 1: a run, not single values; then the kind, the length less 1, the value.
            bits.append(f"1{kind:02b}{step - 1:0{_SIZES[kind]}b}{words[index % 2]}")
            length -= step
    text = "".join(bits)
    text += "0" * (8 - len(text) % 8)
    values = np.packbits(np.frombuffer(text.encode("ascii"), np.uint8) - ord("0"))
    return [int(value) for value in values]


def labeling_config(labels: str | Sequence[ClassLabel]) -> str:
    """The labelling configuration (XML) of a project that takes these predictions.

    labels: the classes with their colours, or the name of the only one.
    """
    classes = [ClassLabel(labels)] if isinstance(labels, str) else labels
    listed = "".join(
        f'    <Label value={quoteattr(entry.name)} background="{entry.hex}"/>\n'
        for entry in classes
    )
    return (
        "<View>\n"
        f'  <Image name="{TO_NAME}" value="$image" zoom="true"/>\n'
        f'  <BrushLabels name="{FROM_NAME}" toName="{TO_NAME}">\n'
        f"{listed}"
        "  </BrushLabels>\n"
        "</View>\n"
    )
