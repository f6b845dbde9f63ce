"""MVTec AD's layout, as anomalib reads it: one mask of a damaged picture, by kind of defect.

https://www.mvtec.com/company/research/datasets/mvtec-ad and `MVTecAD` in anomalib. The folders are
flat: a picture in folders gets them into its name. A picture with defects of several kinds lies in
`combined`, as MVTec's own do, with their union as its mask: anomalib pairs each picture below
`test` with one mask, and fails where it finds any other PNG. It pairs them by their order alone,
sorted by path: `1.png` comes before `10.png`, but `1_mask.png` after `10_mask.png`.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

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
from lrpseg.formats.names import ended, folded, sorted_apart
from lrpseg.formats.options import check_folders
from lrpseg.formats.stream import Record
from lrpseg.formats.written import Written
from lrpseg.masks.render import mask_image

COMBINED = "combined"
"""The kind of defect of pictures that have several, in MVTec AD too."""

MASK_ENDING = "_mask"


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
        stem = flat(picture.stem)
        if options.ended and options.copy_pictures:
            stem = ended(stem)
        there = [layer for layer in layers if layer.mask.any()]
        kind = COMBINED if len(there) > 1 else there[0].label if there else "good"
        files = picture_files(picture, f"test/{kind}/{stem}.png", options)
        if there:
            union = np.logical_or.reduce([layer.mask for layer in there])
            path = f"ground_truth/{kind}/{stem}{MASK_ENDING}.png"
            files = (*files, File(path, png(mask_image(union))))
        # The union is kept to the pixel, and which class a pixel has is not.
        lost = [
            {"winner": COMBINED, "loser": layer.label, "pixels": int(layer.mask.sum())}
            for layer in (there if kind == COMBINED else ())
        ]
        named = [kind, stem] if there else None
        return Content(int(bool(there)), named, files=files, overlaps=tuple(lost))

    def assemble(self, records: Iterable[Record], out: Path, options: ExportOptions) -> Written:
        """As `Format.assemble`; a note says where anomalib would pair masks with other pictures."""
        named: dict[str, list[str]] = {}

        def seen() -> Iterator[Record]:
            for record in records:
                if record["data"]:  # runs of older versions have none
                    kind, stem = record["data"]
                    named.setdefault(kind, []).append(stem)
                yield record

        written = super().assemble(seen(), out, options)
        written.notes += [note for stems in named.values() for note in _wrong_pairs(stems)]
        return written

    def _key(self, picture: Annotated) -> str:
        return folded(flat(picture.stem))


def flat(stem: str) -> str:
    """A stem without folders: "belt 3/tile" is "belt 3__tile"."""
    return stem.replace("/", "__")


def mispaired(stems: Iterable[str]) -> bool:
    """Whether anomalib would pair masks with the wrong pictures, if all of these were damaged."""
    return bool(sorted_apart(map(flat, stems), ".png", f"{MASK_ENDING}.png"))


def _wrong_pairs(stems: Sequence[str]) -> list[str]:
    wrong = sorted_apart(stems, ".png", f"{MASK_ENDING}.png")
    if not wrong:
        return []
    picture, mask = wrong[0]
    return [
        f"anomalib pairs files by their order, and would give {len(wrong)} pictures another one's "
        f"mask ({picture}.png that of {mask}): copy the pictures along (--copy-pictures), or give "
        "numbers leading zeros"
    ]
