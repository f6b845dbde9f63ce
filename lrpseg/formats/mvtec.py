"""MVTec AD's layout, as anomalib reads it: masks of damaged pictures, by kind of defect.

https://www.mvtec.com/company/research/datasets/mvtec-ad and `MVTecAD` in anomalib. The folders are
flat: a picture in folders gets them into its name.
"""

from lrpseg.core.errors import OptionError
from lrpseg.formats.base import (
    Annotated,
    Content,
    ExportOptions,
    File,
    Format,
    picture_files,
    png,
)
from lrpseg.formats.names import folded
from lrpseg.formats.parts import Mask
from lrpseg.masks.render import mask_image


class MvTec(Format):
    """`ground_truth/LABEL/STEM_mask.png`; intact pictures (`good`) have no mask."""

    name = "mvtec"
    title = "MVTec AD / anomalib"
    description = "Masks in ground_truth/LABEL, pictures in test/LABEL and test/good."
    files = "ground_truth/LABEL/STEM_mask.png, test/LABEL|good/STEM.png (copied pictures)"
    by_stem = True
    copies = True

    def check(self, options: ExportOptions) -> None:
        if "/" in options.label or "\\" in options.label or options.label in (".", "..", "good"):
            raise OptionError(
                f"The class name {options.label!r} cannot be a folder of defects. "
                "Choose one without slashes that is not 'good'."
            )

    def _encode(self, picture: Annotated, mask: Mask, options: ExportOptions) -> Content:
        stem = _flat(picture.stem)
        damaged = bool(mask.any())
        kind = options.label if damaged else "good"
        files = picture_files(picture, f"test/{kind}/{stem}.png", options)
        if damaged:
            path = f"ground_truth/{options.label}/{stem}_mask.png"
            files = (*files, File(path, png(mask_image(mask))))
        return Content(int(damaged), files=files)

    def _key(self, picture: Annotated) -> str:
        return folded(_flat(picture.stem))


def _flat(stem: str) -> str:
    return stem.replace("/", "__")
