"""MVTec AD's layout, as anomalib reads it: one mask of a damaged picture, by kind of defect.

https://www.mvtec.com/company/research/datasets/mvtec-ad and `MVTecAD` in anomalib. The folders are
flat: a picture in folders gets them into its name. A picture with defects of several kinds lies in
`combined`, as MVTec's own do, with their union as its mask: anomalib pairs each picture below
`test` with one mask, and fails where it finds any other PNG.
"""

from collections.abc import Sequence

import numpy as np

from lrpseg.formats.base import (
    Annotated,
    Content,
    ExportOptions,
    File,
    Format,
    Layer,
    picture_files,
    png,
)
from lrpseg.formats.names import folded
from lrpseg.formats.options import check_folders
from lrpseg.masks.render import mask_image

COMBINED = "combined"
"""The kind of defect of pictures that have several, in MVTec AD too."""


class MvTec(Format):
    """`ground_truth/LABEL/STEM_mask.png`; intact pictures (`good`) have no mask."""

    name = "mvtec"
    title = "MVTec AD / anomalib"
    description = "Masks in ground_truth/LABEL, pictures in test/LABEL and test/good."
    files = "ground_truth/LABEL/STEM_mask.png, test/LABEL|good/STEM.png (copied pictures)"
    by_stem = True
    copies = True

    def check(self, options: ExportOptions) -> None:
        check_folders(options, "good", *([COMBINED] if len(options.labels) > 1 else []))

    def _encode(
        self, picture: Annotated, layers: Sequence[Layer], options: ExportOptions
    ) -> Content:
        stem = _flat(picture.stem)
        there = [layer for layer in layers if layer.mask.any()]
        kind = COMBINED if len(there) > 1 else there[0].label if there else "good"
        files = picture_files(picture, f"test/{kind}/{stem}.png", options)
        if there:
            union = np.logical_or.reduce([layer.mask for layer in there])
            path = f"ground_truth/{kind}/{stem}_mask.png"
            files = (*files, File(path, png(mask_image(union))))
        # The union is kept to the pixel, and which class a pixel has is not.
        lost = [
            {"winner": COMBINED, "loser": layer.label, "pixels": int(layer.mask.sum())}
            for layer in (there if kind == COMBINED else ())
        ]
        return Content(int(bool(there)), files=files, overlaps=tuple(lost))

    def _key(self, picture: Annotated) -> str:
        return folded(_flat(picture.stem))


def _flat(stem: str) -> str:
    return stem.replace("/", "__")
